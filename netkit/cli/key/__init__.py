"""``netkit key``."""
