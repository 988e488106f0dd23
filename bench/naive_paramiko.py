"""Forward ports the way paramiko's demo does: a thread a flow, select() on socket and channel.

With larger reads than the demo's 1 KiB and Nagle's algorithm off; otherwise what people write.
"""

from __future__ import annotations

import select
import socket
import socketserver
import threading
from typing import Any

import paramiko
from forwarder_options import Options, read_options

PIECE = 65536


class Relay(socketserver.BaseRequestHandler):
    """One flow."""

    request: socket.socket
    server: Listener

    def handle(self) -> None:
        """Open the channel and move bytes until either side ends."""
        flow = self.request
        flow.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        target = ("127.0.0.1", self.server.target)
        channel = self.server.transport.open_channel("direct-tcpip", target, self.client_address)
        ends: list[Any] = [flow, channel]
        try:
            while True:
                ready, _, _ = select.select(ends, [], [])
                if flow in ready:
                    data = flow.recv(PIECE)
                    if data:
                        channel.sendall(data)
                    else:
                        channel.shutdown_write()
                        ends.remove(flow)
                if channel in ready:
                    data = channel.recv(PIECE)
                    if not data:
                        return
                    flow.sendall(data)
        except OSError:
            return
        finally:
            channel.close()


class Listener(socketserver.ThreadingTCPServer):
    """One forward."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, transport: paramiko.Transport, local: int, target: int) -> None:
        self.transport, self.target = transport, target
        super().__init__(("127.0.0.1", local), Relay)


def forward(options: Options) -> None:
    """Until the connection ends."""
    transport = paramiko.Transport(("127.0.0.1", options.port))
    assert isinstance(transport.sock, socket.socket)
    transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    security = transport.get_security_options()
    if options.ciphers:
        security.ciphers = options.ciphers
    if options.macs:
        security.digests = options.macs
    transport.connect()
    known = paramiko.HostKeys(options.known_hosts)
    if not known.check(f"[127.0.0.1]:{options.port}", transport.get_remote_server_key()):
        raise SystemExit("the gateway's key is not the expected one")
    key = paramiko.Ed25519Key.from_private_key_file(options.identity)
    transport.auth_publickey(options.user, key)
    for local, target in options.forwards:
        listener = Listener(transport, local, target)
        threading.Thread(target=listener.serve_forever, daemon=True).start()
    transport.join()


if __name__ == "__main__":
    forward(read_options("naive paramiko relay"))
