"""Moving bulk data as cheaply as the machine allows, so that the load does not hide the client.

Sending hands the kernel the same 256 KiB again and again, which stay in the cache; where a link
compresses, the corpus (`corpora.py`) that is longer than what it remembers.  Receiving uses
``MSG_TRUNC``, with which Linux counts and drops TCP data without copying it (tcp(7)).  Only a
checked transfer, where integrity is the point, copies and hashes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import select
import socket
import struct
import time
from collections.abc import Callable

import corpora

PIECE = 1 << 18
RECEIVE = 1 << 20
ENDLESS = 1 << 62
_BLOCK = memoryview(bytes(range(256)) * (PIECE // 256))
_SCRATCH = bytearray(RECEIVE)
_SCRATCH_VIEW = memoryview(_SCRATCH)

# What a flow starts with: kind, corpus, bytes (0 = endless), time limit in ns (0 = none).
HEADER = struct.Struct("!ccQQ")
DOWNLOAD, UPLOAD, BOTH = b"D", b"U", b"B"
# What the receiving end of an upload answers: bytes, monotonic ns of the first and last of them,
# SHA-256 (zeros where nothing was checked).
RESULT = struct.Struct("!QQQ32s")


def take_precedence() -> None:
    """Run before ordinary processes, where that is allowed (root).

    For the two ends of an echo: on a machine whose cores are all busy they would otherwise
    measure their own wait for a core.
    """
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


class CheckedStream:
    """A stream without repetition: each block of 256 KiB starts with its number."""

    def __init__(self) -> None:
        self._block = bytearray(_BLOCK)
        self._view = memoryview(self._block)
        self._number = 0
        self._offset = 0

    def piece(self, most: int) -> memoryview:
        """Up to ``most`` bytes that come next; tell :meth:`sent` how many were taken."""
        return self._view[self._offset : self._offset + most]

    def sent(self, count: int) -> None:
        """``count`` bytes of the last piece are gone."""
        self._offset += count
        if self._offset == PIECE:
            self._offset = 0
            self._number += 1
            struct.pack_into("!Q", self._block, 0, self._number)


def digest_of(size: int) -> bytes:
    """SHA-256 of the first ``size`` bytes of a CheckedStream."""
    stream, hasher = CheckedStream(), hashlib.sha256()
    while size:
        piece = stream.piece(size)
        hasher.update(piece)
        size -= len(piece)
        stream.sent(len(piece))
    return hasher.digest()


class Transfer:
    """One flow: what is left to send and to receive, and when it came.

    ``received``, ``first_ns`` and ``last_ns`` describe the bytes that have arrived.  ``tail``
    collects what comes beyond the expected bytes (a flow's header, a receiver's answer); exactly
    ``tail_size`` of them are read at most, so what follows a header stays in the socket.
    """

    def __init__(self, sock: socket.socket, *, tail_size: int = RESULT.size) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.send_left = 0
        self.receive_left = 0
        self.received = 0
        self.first_ns = 0
        self.last_ns = 0
        self.ended = False
        self.tail = b""
        self.hasher: hashlib._Hash | None = None
        self._data = _BLOCK
        self._at = 0
        self._stream: CheckedStream | None = None
        self._tail_size = tail_size

    def plan(
        self, send: int, receive: int, *, corpus: bytes = corpora.BLOCK, checked: bool = False
    ) -> None:
        """Set how many bytes of which corpus go each way; ``checked`` ones are numbered, hashed."""
        self.send_left, self.receive_left = send, receive
        self._data = memoryview(corpora.corpus(corpus)) if corpus != corpora.BLOCK else _BLOCK
        self._at = 0
        self.tail = b""
        if checked:
            self.hasher, self._stream = hashlib.sha256(), CheckedStream()

    def send_some(self) -> None:
        """One send; raises OSError when the flow is broken."""
        try:
            if self._stream is None:
                most = min(self.send_left, PIECE)
                count = self.sock.send(self._data[self._at : self._at + most])
                self.send_left -= count
                if self._data is not _BLOCK:
                    self._at = (self._at + count) % len(self._data)
            else:
                count = self.sock.send(self._stream.piece(self.send_left))
                self._stream.sent(count)
                self.send_left -= count
        except BlockingIOError:
            return

    def receive_some(self) -> None:
        """One receive; sets ``ended`` at the end of the stream; raises OSError."""
        try:
            if not self.receive_left:
                more = self.sock.recv(max(1, self._tail_size - len(self.tail)))
                self.tail = (self.tail + more)[: self._tail_size]
                self.ended = not more
                return
            count = self._receive_data(min(RECEIVE, self.receive_left))
        except BlockingIOError:
            return
        if not count:
            self.ended = True
            return
        self.last_ns = time.monotonic_ns()
        self.first_ns = self.first_ns or self.last_ns
        self.received += count
        self.receive_left -= count

    def _receive_data(self, most: int) -> int:
        if self.hasher is None:
            return self.sock.recv_into(_SCRATCH, most, socket.MSG_TRUNC)
        count = self.sock.recv_into(_SCRATCH, most)
        self.hasher.update(_SCRATCH_VIEW[:count])
        return count

    def result(self) -> bytes:
        """The RESULT record of what was received."""
        digest = self.hasher.digest() if self.hasher else bytes(32)
        return RESULT.pack(self.received, self.first_ns, self.last_ns, digest)


class Pump:
    """Drives transfers until each has been taken out.

    ``after`` is called after every step of a transfer (also when it ended) and decides what
    happens next: it may change the transfer's amounts, and calls :meth:`remove` when it is over.
    """

    def __init__(self, after: Callable[[Transfer], None]) -> None:
        self.transfers: dict[int, Transfer] = {}
        self._after = after
        self._poll = select.epoll()
        self._masks: dict[int, int] = {}

    def add(self, transfer: Transfer) -> None:
        """Start driving ``transfer``."""
        number = transfer.sock.fileno()
        self.transfers[number] = transfer
        self._masks[number] = self._mask(transfer)
        self._poll.register(number, self._masks[number])

    def forget(self, transfer: Transfer) -> None:
        """Stop driving ``transfer``; its socket stays open."""
        number = transfer.sock.fileno()
        if self.transfers.pop(number, None) is not None:
            self._poll.unregister(number)
            del self._masks[number]

    def remove(self, transfer: Transfer) -> None:
        """Stop driving ``transfer`` and close its socket."""
        self.forget(transfer)
        transfer.sock.close()

    def watch(self, number: int) -> None:
        """Also report when descriptor ``number`` is readable (see :meth:`step`)."""
        self._poll.register(number, select.EPOLLIN)

    def step(self, timeout: float) -> list[int]:
        """Wait, then let every ready transfer send and receive once.

        Returns the watched descriptors that are readable.
        """
        others = []
        for number, mask in self._poll.poll(timeout):
            transfer = self.transfers.get(number)
            if transfer is None:
                others.append(number)
                continue
            try:
                if mask & select.EPOLLOUT and transfer.send_left:
                    transfer.send_some()
                if mask & ~select.EPOLLOUT:
                    transfer.receive_some()
            except OSError:
                transfer.ended = True
            self._after(transfer)
            if self.transfers.get(number) is transfer:
                self._refresh(number, transfer)
        return others

    @staticmethod
    def _mask(transfer: Transfer) -> int:
        return select.EPOLLIN | (select.EPOLLOUT if transfer.send_left else 0)

    def _refresh(self, number: int, transfer: Transfer) -> None:
        mask = self._mask(transfer)
        if mask != self._masks[number]:
            self._masks[number] = mask
            self._poll.modify(number, mask)
