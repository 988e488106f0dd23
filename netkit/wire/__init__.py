"""Sans-IO protocol machines: bytes in, events and bytes out; no sockets, clocks or threads."""
