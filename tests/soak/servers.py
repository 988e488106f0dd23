"""A server of its own process for many connections: ``python servers.py echo|source``.

It prints its port.  One thread and a selector: two thousand connections cost it little.
"""

from __future__ import annotations

import contextlib
import resource
import selectors
import socket
import sys

BLOCK = bytes(1 << 18)


def serve(kind: str) -> None:
    """Echo what comes, or send without end."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    selector = selectors.DefaultSelector()
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    listener.setblocking(False)
    selector.register(listener, selectors.EVENT_READ)
    print(listener.getsockname()[1], flush=True)
    wanted = selectors.EVENT_READ if kind == "echo" else selectors.EVENT_WRITE
    while True:
        for key, _ in selector.select():
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            if sock is listener:
                with contextlib.suppress(BlockingIOError, OSError):
                    while True:
                        made, _ = listener.accept()
                        made.setblocking(False)
                        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        selector.register(made, wanted)
                continue
            try:
                if kind == "source":
                    sock.send(BLOCK)
                elif data := sock.recv(65536):
                    sock.send(data)
                else:
                    raise ConnectionResetError
            except BlockingIOError:
                continue
            except OSError:
                selector.unregister(sock)
                sock.close()


if __name__ == "__main__":
    serve(sys.argv[1])
