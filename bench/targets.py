"""The far ends of the load: ``python targets.py echo|bulk``.

Prints ``{"port": N}``, serves on 127.0.0.1 and leaves when its stdin ends.  ``echo`` sends back
what it is sent.  ``bulk`` is told by each flow's first bytes (pump.HEADER) to send, to receive or
to do both, and measures what it receives itself: the receiving end knows best.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time

import corpora
import pump


def listen() -> socket.socket:
    """A listening socket on 127.0.0.1, announced on stdout."""
    server = socket.create_server(("127.0.0.1", 0), backlog=1024)
    server.setblocking(False)
    print(json.dumps({"port": server.getsockname()[1]}), flush=True)
    return server


def accept(server: socket.socket) -> list[socket.socket]:
    """Every connection that is waiting."""
    flows: list[socket.socket] = []
    while True:
        try:
            flow, _ = server.accept()
        except OSError:
            return flows
        flow.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        flow.setblocking(False)
        flows.append(flow)


def serve_echo() -> None:
    """Send back small messages; one thread, no per-flow state."""
    pump.take_precedence()
    server = listen()
    poll = select.epoll()
    poll.register(server, select.EPOLLIN)
    poll.register(sys.stdin, select.EPOLLIN)
    flows: dict[int, socket.socket] = {}
    while True:
        for number, _ in poll.poll():
            flow = flows.get(number)
            if flow is not None:
                try:
                    data = flow.recv(65536)
                    if data:
                        flow.send(data)
                        continue
                except OSError:
                    pass
                poll.unregister(number)
                del flows[number]
                flow.close()
            elif number == server.fileno():
                for flow in accept(server):
                    flows[flow.fileno()] = flow
                    poll.register(flow, select.EPOLLIN)
            else:
                return


class BulkServer:
    """Sources, sinks and both at once, in one loop."""

    def __init__(self) -> None:
        self._pump = pump.Pump(self._after)
        self._kinds: dict[pump.Transfer, tuple[bytes, int]] = {}
        self._answered: set[pump.Transfer] = set()

    def serve(self) -> None:
        """Until stdin ends."""
        server = listen()
        self._pump.watch(server.fileno())
        self._pump.watch(sys.stdin.fileno())
        while True:
            for number in self._pump.step(-1):
                if number != server.fileno():
                    return
                for flow in accept(server):
                    self._pump.add(pump.Transfer(flow, tail_size=pump.HEADER.size))

    def _after(self, transfer: pump.Transfer) -> None:
        if transfer.ended:
            self._kinds.pop(transfer, None)
            self._answered.discard(transfer)
            self._pump.remove(transfer)
        elif transfer not in self._kinds:
            self._begin(transfer)
        elif transfer not in self._answered:
            self._answer_when_done(transfer)

    def _begin(self, transfer: pump.Transfer) -> None:
        if len(transfer.tail) < pump.HEADER.size:
            return
        kind, corpus, size, limit = pump.HEADER.unpack(transfer.tail)
        self._kinds[transfer] = (kind, limit)
        amount = size or pump.ENDLESS
        transfer.plan(
            0 if kind == pump.UPLOAD else amount,
            0 if kind == pump.DOWNLOAD else amount,
            corpus=corpus,
            checked=kind == pump.BOTH,
        )

    def _answer_when_done(self, transfer: pump.Transfer) -> None:
        kind, limit = self._kinds[transfer]
        late = bool(limit and transfer.first_ns)
        late = late and time.monotonic_ns() - transfer.first_ns >= limit
        if transfer.send_left or (transfer.receive_left and not late):
            return
        self._answered.add(transfer)
        try:
            if kind == pump.DOWNLOAD:
                transfer.sock.shutdown(socket.SHUT_WR)
                return
            transfer.sock.send(transfer.result())
        except OSError:
            transfer.ended = True
        # What is still under way is read and dropped: closing now would reset the flow.
        transfer.receive_left = pump.ENDLESS


def main() -> None:
    """The command line."""
    if sys.argv[1:] == ["echo"]:
        serve_echo()
    elif sys.argv[1:] == ["bulk"]:
        for kind in corpora.NAMES.values():
            corpora.corpus(kind)  # made before anybody waits for it
        BulkServer().serve()
    else:
        raise SystemExit("usage: targets.py echo|bulk")


if __name__ == "__main__":
    main()
