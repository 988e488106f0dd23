"""The near ends of the load: ``python load.py KIND PORT [options]``.

One run measures one thing through whatever listens on 127.0.0.1:PORT and prints one line of JSON.
Times are CLOCK_MONOTONIC and taken at the receiving end, which for an upload is the target
process; both ends run on this machine, so their clocks agree.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import sys
import time
from typing import Any

import corpora
import pump

Answer = dict[str, Any]


class LoadError(Exception):
    """The flow under test did not do what a TCP connection does."""


def connect(port: int, receive_buffer: int = 0) -> socket.socket:
    """A connection with Nagle's algorithm off, and a receive buffer of fixed size if given."""
    flow = socket.socket()
    flow.settimeout(60)
    if receive_buffer:
        flow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    flow.connect(("127.0.0.1", port))
    flow.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return flow


def say(answer: Answer) -> None:
    """One line of JSON for the parent."""
    print(json.dumps(answer), flush=True)


def open_bulk(
    port: int,
    kind: bytes,
    size: int,
    seconds: float,
    receive_buffer: int = 0,
    corpus: bytes = corpora.BLOCK,
) -> pump.Transfer:
    """A flow to the bulk target that has been told what to do."""
    flow = connect(port, receive_buffer)
    flow.sendall(pump.HEADER.pack(kind, corpus, size, int(seconds * 1e9)))
    return pump.Transfer(flow)


def moved(spans: list[tuple[int, int, int]], asked_ns: int) -> Answer:
    """The answer for flows of (bytes, first ns, last ns) that ran side by side.

    The clock starts at ``asked_ns``, before the first flow was opened: what arrives while the
    others are being opened waits in socket buffers, and would else seem to cost no time.  With
    ``asked_ns`` 0 it starts at the first byte.
    """
    total = sum(count for count, _, _ in spans)
    begun = asked_ns or min(first for _, first, _ in spans)
    return {"bytes": total, "seconds": (max(last for *_, last in spans) - begun) / 1e9}


def download(options: argparse.Namespace) -> Answer:
    """``flows`` flows that together carry ``bytes`` towards us, or as many as ``seconds`` allow."""
    share = options.bytes // options.flows
    spans: list[tuple[int, int, int]] = []

    def after(transfer: pump.Transfer) -> None:
        begun = transfer.first_ns
        late = options.seconds and begun and transfer.last_ns - begun >= options.seconds * 1e9
        if options.signal and begun:
            options.signal = False
            say({"running": True})
        if transfer.ended and transfer.receive_left:
            raise LoadError(f"the flow ended after {transfer.received} bytes")
        if late or not transfer.receive_left:
            spans.append((transfer.received, begun, transfer.last_ns))
            engine.remove(transfer)

    engine = pump.Pump(after)
    asked = 0 if options.seconds else time.monotonic_ns()
    for _ in range(options.flows):
        transfer = open_bulk(options.port, pump.DOWNLOAD, share, 0, corpus=options.corpus)
        transfer.plan(0, share or pump.ENDLESS)
        engine.add(transfer)
    while engine.transfers:
        engine.step(-1)
    return moved(spans, asked)


def upload(options: argparse.Namespace) -> Answer:
    """``flows`` flows that together carry ``bytes`` away from us; the target says when it came."""
    share = options.bytes // options.flows
    spans: list[tuple[int, int, int]] = []

    def after(transfer: pump.Transfer) -> None:
        if options.signal and transfer.send_left < pump.ENDLESS - pump.PIECE:
            options.signal = False
            say({"running": True})
        if len(transfer.tail) == pump.RESULT.size:
            count, first, last, _ = pump.RESULT.unpack(transfer.tail)
            if share and not options.seconds and count != share:
                raise LoadError(f"{count} of {share} bytes arrived")
            spans.append((count, first, last))
            engine.remove(transfer)
        elif transfer.ended:
            raise LoadError("the flow ended before the target had answered")

    engine = pump.Pump(after)
    corpora.corpus(options.corpus)  # made before the clock runs
    asked = 0 if options.seconds else time.monotonic_ns()
    for _ in range(options.flows):
        transfer = open_bulk(options.port, pump.UPLOAD, share, options.seconds)
        transfer.plan(share or pump.ENDLESS, 0, corpus=options.corpus)
        engine.add(transfer)
    while engine.transfers:
        engine.step(-1)
    return moved(spans, asked)


def duplex(options: argparse.Namespace) -> Answer:
    """``bytes`` each way at once on one flow, every byte checked by a digest at both ends."""
    expected = pump.digest_of(options.bytes)

    def after(transfer: pump.Transfer) -> None:
        if transfer.ended and len(transfer.tail) < pump.RESULT.size:
            raise LoadError(f"the flow ended after {transfer.received} bytes")

    engine = pump.Pump(after)
    started = time.monotonic_ns()
    transfer = open_bulk(options.port, pump.BOTH, options.bytes, 0)
    transfer.plan(options.bytes, options.bytes, checked=True)
    engine.add(transfer)
    while len(transfer.tail) < pump.RESULT.size:
        engine.step(-1)
    count, _, last, digest = pump.RESULT.unpack(transfer.tail)
    hasher = transfer.hasher
    if count != options.bytes or digest != expected:
        raise LoadError("what arrived at the target is not what was sent")
    if hasher is None or hasher.digest() != expected:
        raise LoadError("what arrived here is not what the target sent")
    elapsed = (max(last, transfer.last_ns) - started) / 1e9
    return {"bytes": count + transfer.received, "seconds": elapsed}


def echo(options: argparse.Namespace) -> Answer:
    """Round trips of one byte on one flow: at most ``count``, at most ``seconds``."""
    pump.take_precedence()
    flow = connect(options.port)
    byte = b"x"
    trips: list[int] = []
    for _ in range(min(20, options.count)):
        flow.sendall(byte)
        flow.recv(1)
    deadline = time.monotonic() + options.seconds if options.seconds else float("inf")
    clock = time.perf_counter_ns
    while len(trips) < options.count and time.monotonic() < deadline:
        before = clock()
        flow.send(byte)
        if not flow.recv(1):
            raise LoadError("the echo flow ended")
        trips.append(clock() - before)
    trips.sort()
    return {
        "count": len(trips),
        "p50_us": trips[len(trips) // 2] / 1e3,
        "p99_us": trips[min(len(trips) - 1, len(trips) * 99 // 100)] / 1e3,
    }


def flows(options: argparse.Namespace) -> Answer:
    """Flows that connect, have one byte echoed and close; ``flows`` of them at any moment."""
    poll = select.epoll()
    running: dict[int, socket.socket] = {}
    begun = done = 0

    def begin() -> None:
        nonlocal begun
        begun += 1
        flow = connect(options.port)
        running[flow.fileno()] = flow
        flow.send(b"x")
        poll.register(flow, select.EPOLLIN)

    started = time.monotonic()
    deadline = started + options.seconds if options.seconds else float("inf")
    for _ in range(min(options.flows, options.count)):
        begin()
    while running:
        for number, _ in poll.poll():
            flow = running.pop(number)
            if flow.recv(1) != b"x":
                raise LoadError(f"flow {done + 1} ended without its byte")
            poll.unregister(number)
            flow.close()
            done += 1
            if begun < options.count and time.monotonic() < deadline:
                begin()
    return {"count": done, "seconds": time.monotonic() - started}


def idle(options: argparse.Namespace) -> Answer:
    """``flows`` flows that are open, have echoed one byte each, and stay."""
    held: list[socket.socket] = []
    while len(held) < options.flows:
        # One after the other they would wait for each other's delayed acknowledgements.
        batch = [connect(options.port) for _ in range(min(50, options.flows - len(held)))]
        for flow in batch:
            flow.sendall(b"x")
        for flow in batch:
            if flow.recv(1) != b"x":
                raise LoadError(f"flow {len(held) + 1} ended without its byte")
            held.append(flow)
    say({"ready": len(held)})
    sys.stdin.read()
    return {"held": len(held)}


def stall(options: argparse.Namespace) -> Answer:
    """``flows`` downloads that take ``bytes`` each at full speed and then read no more.

    Reading first matters: it lets a window that adapts grow as far as it will.  The socket's buffer
    is small, because what the kernel holds is not held by the client.
    """
    held: list[pump.Transfer] = []

    def after(transfer: pump.Transfer) -> None:
        if transfer.ended:
            raise LoadError(f"the flow ended after {transfer.received} bytes")
        if transfer.received >= options.bytes:
            engine.forget(transfer)
            held.append(transfer)

    engine = pump.Pump(after)
    for _ in range(options.flows):
        transfer = open_bulk(options.port, pump.DOWNLOAD, 0, 0, 65536)
        transfer.plan(0, pump.ENDLESS)
        engine.add(transfer)
    while engine.transfers:
        engine.step(-1)
    say({"ready": len(held)})
    sys.stdin.read()
    return {"held": len(held)}


KINDS = {
    "download": download,
    "upload": upload,
    "duplex": duplex,
    "echo": echo,
    "flows": flows,
    "idle": idle,
    "stall": stall,
}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("port", type=int)
    parser.add_argument("--flows", type=int, default=1, help="how many at once")
    parser.add_argument("--bytes", type=int, default=0, help="0 is endless")
    parser.add_argument("--count", type=int, default=1, help="round trips or flows in all")
    parser.add_argument("--seconds", type=float, default=0, help="stop after this long")
    corpus = parser.add_argument("--corpus", type=corpora.named, default=corpora.BLOCK)
    corpus.help = f"what transfers carry: {', '.join(corpora.NAMES)}"
    parser.add_argument("--signal", action="store_true", help="say when data has begun to move")
    options = parser.parse_args()
    try:
        say(KINDS[options.kind](options))
    except (LoadError, OSError) as error:
        say({"error": str(error) or type(error).__name__})


if __name__ == "__main__":
    main()
