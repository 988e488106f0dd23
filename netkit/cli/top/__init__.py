"""``netkit top``."""
