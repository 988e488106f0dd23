"""``netkit bench``."""
