"""``netkit advise``."""
