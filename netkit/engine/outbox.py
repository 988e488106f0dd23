"""What waits to be written to a flow's local socket.

Data of one batch is a list of views into the packet buffer and goes out in one call; what the
kernel does not take is copied, because the buffer is used again, and waits in one growing array,
so that a window full of one-byte packets costs no more than its bytes.
"""

from __future__ import annotations

import socket

MAX_BATCH = 256
"""Views in one call; more are joined first (the kernel's IOV_MAX is 1024)."""

HAS_SENDMSG = hasattr(socket.socket, "sendmsg")


class Outbox:
    """Bytes on their way to one non-blocking socket.

    Attributes:
        size: bytes added since the last `write`.
        pending: bytes that the kernel did not take yet; None when there are none.
        failed: the socket takes no more; everything added is dropped.
    """

    __slots__ = ("_batch", "_sock", "failed", "pending", "size")

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._batch: list[memoryview | bytes] = []
        self.size = 0
        self.pending: bytearray | None = None
        self.failed = False

    def add(self, view: memoryview) -> None:
        """Add bytes; the view must stay valid until `write`."""
        self._batch.append(view)
        self.size += len(view)

    def write(self) -> int:
        """Write as much as the kernel takes; return how many bytes are off our hands."""
        batch, total = self._batch, self.size
        self.size = 0
        if self.failed:
            batch.clear()
            return total
        if self.pending is not None:
            for view in batch:
                self.pending += view
            batch.clear()
            return self._write_pending(self.pending)
        if len(batch) > MAX_BATCH or (len(batch) > 1 and not HAS_SENDMSG):
            batch[:] = [b"".join(batch)]
        try:
            count = self._sock.send(batch[0]) if len(batch) == 1 else self._sock.sendmsg(batch)
        except (BlockingIOError, InterruptedError):
            count = 0
        except OSError:
            batch.clear()
            self.failed = True
            return total
        if count < total:
            self._keep(count)
        batch.clear()
        return count

    def _keep(self, written: int) -> None:
        """Own a copy of what the kernel did not take."""
        pending = bytearray()
        for view in self._batch:
            if written >= len(view):
                written -= len(view)
            else:
                pending += view[written:]
                written = 0
        self.pending = pending

    def _write_pending(self, pending: bytearray) -> int:
        try:
            count = self._sock.send(pending)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self.failed = True
            self.pending = None
            return len(pending)
        if count == len(pending):
            self.pending = None
        else:
            del pending[:count]
        return count

    def drop(self) -> None:
        """Forget everything."""
        self._batch.clear()
        self.size = 0
        self.pending = None
