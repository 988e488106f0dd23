"""``netkit doctor``."""
