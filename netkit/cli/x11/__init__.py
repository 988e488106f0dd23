"""``netkit x11``."""
