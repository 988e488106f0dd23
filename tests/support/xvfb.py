"""A real X server for tests: Xvfb, with a cookie or without, on a display that it chooses.

with Xvfb(tmp_path) as server:
    server.give(home / ".Xauthority")        # a cookie file as a login makes it
    run_doctor(home=home, env={"DISPLAY": server.display})
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import signal
import socket
import struct
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from support.peers import require
from support.waiting import wait_until

PROTOCOL = b"MIT-MAGIC-COOKIE-1"
LOCAL, INTERNET = 256, 0


def entry(
    cookie: bytes, number: int, *, family: int = LOCAL, address: bytes | None = None
) -> bytes:
    """Return one entry of ``.Xauthority`` (Xau(3)); of this host unless told otherwise."""
    host = socket.gethostname().encode() if address is None else address
    fields = (host, str(number).encode(), PROTOCOL, cookie)
    return struct.pack(">H", family) + b"".join(struct.pack(">H", len(f)) + f for f in fields)


class Xvfb:
    """An Xvfb.

    Attributes:
        number: of its display; ``display`` is ``:number``, ``port`` 6000+number.
        cookie: what opens it.
    """

    def __init__(
        self,
        tmp_path: Path,
        *options: str,
        tcp: bool = False,
        control: bool = True,
        number: int | None = None,
    ) -> None:
        """``tcp`` listens on port 6000+n of every address; without ``control`` anybody gets in.

        A server that is given its ``number`` makes a lock; one that chooses makes none.
        """
        self.binary = require("xvfb")
        self.number = -1
        self.cookie = secrets.token_bytes(16)
        self._file = tmp_path / f"server-{id(self):x}"
        self._file.write_bytes(entry(self.cookie, 0))
        self._file.chmod(0o600)
        access = ("-auth", str(self._file)) if control else ("-ac",)
        listen = ("-listen", "tcp") if tcp else ("-nolisten", "tcp")
        self._wanted = number
        self._options = (*access, *listen, *options, "-screen", "0", "640x480x8")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def display(self) -> str:
        return f":{self.number}"

    @property
    def port(self) -> int:
        return 6000 + self.number

    @property
    def socket_path(self) -> Path:
        return Path(f"/tmp/.X11-unix/X{self.number}")

    @property
    def lock_path(self) -> Path:
        return Path(f"/tmp/.X{self.number}-lock")

    def give(self, path: Path, *entries: bytes) -> None:
        """Write the cookie file that a login would have; ``entries`` in its place."""
        path.write_bytes(b"".join(entries) or entry(self.cookie, self.number))
        path.chmod(0o600)

    def let_in(self, user: str) -> None:
        """Let a local account in without a cookie, as ``xhost +si:localuser:USER`` does.

        It lasts until the last client leaves, unless the server was started with ``-noreset``.
        """
        address = b"localuser\0" + user.encode()
        pad = -len(address) % 4
        words = 2 + (len(address) + pad) // 4
        change = struct.pack("<BBHBxH", 109, 0, words, 5, len(address)) + address + b"\0" * pad
        focus = struct.pack("<BxH", 43, 1)
        setup = struct.pack("<cxHHHHxx", b"l", 11, 0, len(PROTOCOL), len(self.cookie))
        with socket.socket(socket.AF_UNIX) as client, client.makefile("rb") as said:
            client.settimeout(20)
            client.connect(str(self.socket_path))
            client.sendall(setup + PROTOCOL + b"\0\0" + self.cookie + change + focus)
            accepted, length = struct.unpack("<B5xH", said.read(8))
            assert accepted == 1
            said.read(4 * length)
            # The reply to the second request; an error about the first would come before it.
            kind, number = struct.unpack("<BxH", said.read(32)[:4])
            assert (kind, number) == (1, 2)

    def __enter__(self) -> Self:
        try:
            if self._wanted is None:
                self._start_anywhere()
            else:
                self._start(f":{self._wanted}")
                self.number = self._wanted
                wait_until(self._accepts, timeout=20.0, what="Xvfb did not start")
        except BaseException:
            self.stop()
            raise
        return self

    def _start_anywhere(self) -> None:
        ours, theirs = os.pipe()
        try:
            self._start("-displayfd", str(theirs), keep=(theirs,))
        finally:
            os.close(theirs)
        try:
            self.number = self._read_number(ours)
        finally:
            os.close(ours)

    def _start(self, *where: str, keep: tuple[int, ...] = ()) -> None:
        self._process = subprocess.Popen(
            [str(self.binary), *where, *self._options],
            pass_fds=keep,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _accepts(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket_path)) == 0

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _read_number(self, descriptor: int) -> int:
        text = b""
        while not text.endswith(b"\n"):
            ready, _, _ = select.select([descriptor], [], [], 20.0)
            piece = os.read(descriptor, 32) if ready else b""
            assert piece, f"Xvfb did not start: {text!r}"
            text += piece
        return int(text)

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def crash(self) -> None:
        """End without cleaning up: lock and socket stay, until `stop` removes them."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(20)

    def stop(self) -> None:
        """End, and remove what it may have left."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGCONT)
                self._process.terminate()
            self._process.wait(20)
            self._process = None
        # Another server may have chosen the number already.
        if self.number >= 0 and not self._accepts():
            self.socket_path.unlink(missing_ok=True)
            self.lock_path.unlink(missing_ok=True)
