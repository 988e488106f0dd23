"""``netkit demo``."""
