"""``netkit profile``, and what the name of a profile means."""
