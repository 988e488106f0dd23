"""Looking on while tunnels run: figures for Prometheus, an access log, word to a service manager.

Fed by events and by what a tunnel says of itself (`netkit.supervision`).  A tunnel never waits for
it, and goes on when it fails.
"""
