"""``netkit status``."""
