"""X servers made of answers, for `support.machine.FakeSystem`; and the bytes that real ones send.

    FakeSystem(talk=talk({"/tmp/.X11-unix/X0": Fake(cookie=b"c" * 16)}))

A place that is not named is refused, as where nobody listens.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from diagnostics.system import Talk

MAGIC = b"MIT-MAGIC-COOKIE-1"
NO_COOKIE = b"Authorization required, but no authorization protocol specified\n"
WRONG_COOKIE = b"Invalid MIT-MAGIC-COOKIE-1 key"
FULL = b"Maximum number of clients reached"


def accepted(
    vendor: bytes = b"The X.Org Foundation", answers: bytes = b"", screens: int = 1
) -> bytes:
    """Return the setup of a server that lets a client in, and what follows (section 8)."""
    counted = (len(vendor), 65535, screens, 6, *[0] * 7)
    body = struct.pack("<IIIIHHBBBBBBBBI", 12101007, 0, 0, 0, *counted)
    body += vendor + b"\0" * (-len(vendor) % 4)
    return struct.pack("<BBHHH", 1, 0, 11, 0, len(body) // 4) + body + answers


def rejected(reason: bytes) -> bytes:
    """Return the refusal of a server."""
    padded = reason + b"\0" * (-len(reason) % 4)
    return struct.pack("<BBHHH", 0, len(reason), 11, 0, len(padded) // 4) + padded


def answer(number: int, detail: int, head: bytes = b"", tail: bytes = b"", kind: int = 1) -> bytes:
    """Return the reply to the request of that number, or another message of 32 bytes and more."""
    return struct.pack("<BBHI", kind, detail, number, len(tail) // 4) + head.ljust(24, b"\0") + tail


def host(family: int, address: bytes) -> bytes:
    """Return one entry of a list of hosts."""
    return struct.pack("<BxH", family, len(address)) + address + b"\0" * (-len(address) % 4)


def answers(*, security: bool = True, control: bool = True, users: tuple[bytes, ...] = ()) -> bytes:
    """Return the replies to `diagnostics.parsers.x_setup.QUESTIONS`."""
    hosts = b"".join(host(5, b"localuser\0" + user) for user in users)
    return answer(1, 0, bytes([security])) + answer(2, int(control), tail=hosts)


@dataclass(frozen=True, slots=True)
class Fake:
    """A server.

    Without a ``cookie`` it lets everybody in; ``words`` is said in place of everything else, and
    ``outcome`` is that of the talk.
    """

    cookie: bytes = b""
    answers: bytes = answers()
    screens: int = 1
    words: bytes | None = None
    outcome: str = "ok"

    def reply(self, said: bytes) -> bytes:
        """Return what it says to a setup."""
        if self.words is not None:
            return self.words
        if not self.cookie:
            return accepted(answers=self.answers, screens=self.screens)
        name, length = struct.unpack_from("<HH", said, 6)
        if not name:
            return rejected(NO_COOKIE)
        at = 12 + (name + 3) // 4 * 4
        if said[at : at + length] != self.cookie:
            return rejected(WRONG_COOKIE)
        return accepted(answers=self.answers, screens=self.screens)


def talk(servers: Mapping[str, Fake]) -> Callable[[Any, bytes], Talk]:
    """Return the ``talk`` of a machine with these servers, by address as it is written."""

    def speak(address: Any, said: bytes) -> Talk:
        found = servers.get(str(address).replace("\0", "@"))
        if found is None:
            path = str(address)
            error = "ENOENT" if path.startswith("/") else "ECONNREFUSED"
            return Talk(address, "failed" if path.startswith("/") else "refused", error=error)
        return Talk(address, found.outcome, found.reply(said))

    return speak


def entry(cookie: bytes, number: int, *, family: int = 256, address: bytes = b"host") -> bytes:
    """Return one entry of ``.Xauthority`` (Xau(3)), of the host of `support.machine.ACCOUNT`."""
    fields = (address, str(number).encode(), MAGIC, cookie)
    return struct.pack(">H", family) + b"".join(struct.pack(">H", len(f)) + f for f in fields)
