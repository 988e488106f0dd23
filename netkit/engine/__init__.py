"""The only I/O of netkit: links, listeners, relays and the tunnel that supervises them."""
