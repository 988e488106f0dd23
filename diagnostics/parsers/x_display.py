"""DISPLAY: what it means, and who reads it differently.  Pure and total.

There are three readers: libxcb, under nearly every X program, in an older form and in one that
takes a path; and OpenSSH's client, which finds the X server for ``ssh -X`` by rules of its own::

    [protocol/] [host] :number [.screen]        protocol: tcp inet inet6 unix; host: "" unix name
    /path/of/a/socket [.screen]                 newer libxcb; ssh on macOS alone
    unix:/path/of/a/socket [.screen]            newer libxcb

Sources: libxcb, src/xcb_util.c (`_xcb_parse_display`, `_xcb_open`); OpenSSH, channels.c
(`x11_connect_display`) and clientloop.c (`client_x11_display_valid`).
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass

X_PORT = 6000
MAX_NUMBER = 65535 - X_PORT
MAX_TEXT = 512
SOCKET_DIR = "/tmp/.X11-unix"  # noqa: S108 - the place is part of the protocol

_NAME = re.compile(r"(?P<host>.*):(?P<number>[^:.]*)(?P<rest>\..*)?", re.DOTALL)
_FOR_SSH = re.compile(r"[A-Za-z0-9:/.\-_]*")  # SSH_X11_VALID_DISPLAY_CHARS
_TCP = {"tcp", "inet", "inet6"}
_HINT = "it has the form host:number, as in :0 or gateway:1"


@dataclass(frozen=True, slots=True)
class Display:
    """Where an X server is, in one reader's eyes.

    Attributes:
        kind: ``unix`` (the socket of display ``number``), ``tcp``, ``path`` (the socket ``path``),
            or ``error`` (see ``error``).
        host: of ``tcp``, without brackets.
        fallback: where the socket is missing, TCP to localhost is tried.
        error: why it is no display, half a sentence; ``hint`` what would be.
    """

    kind: str
    host: str = ""
    number: int = 0
    screen: int = 0
    path: str = ""
    fallback: bool = False
    error: str = ""
    hint: str = ""

    @property
    def port(self) -> int:
        """The TCP port of the display."""
        return X_PORT + self.number

    @property
    def socket(self) -> str:
        """The path of the unix socket; empty where it is reached over TCP alone."""
        if self.kind == "path":
            return self.path
        return socket_of(self.number) if self.kind == "unix" else ""

    def __str__(self) -> str:
        if self.kind == "error":
            return self.error
        if self.kind != "tcp":
            return f"the unix socket {self.socket}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"TCP to {host}:{self.port}"

    @property
    def place(self) -> tuple[str, str]:
        """Equal for readers that mean the same."""
        return (
            ("tcp", f"{self.host.lower()} {self.port}")
            if self.kind == "tcp"
            else (
                "error" if self.kind == "error" else "socket",
                self.socket,
            )
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """Two kinds of programs that are led to different places; ``ssh`` where one is ssh -X."""

    ssh: bool
    one: str
    one_means: str
    other: str
    other_means: str


def socket_of(number: int) -> str:
    """Return the path of the unix socket of a display."""
    return f"{SOCKET_DIR}/X{number}"


def parse(text: str, present: Container[str] = ()) -> Display:
    """Return what ``text`` means to X programs.

    ``present`` are the paths among `paths_in` at which there is something.
    """
    if text.startswith(("/", "unix:/")):
        return _path(text.removeprefix("unix:"), present)
    return _libxcb(text)


def paths_in(text: str) -> tuple[str, ...]:
    """Return the paths that the text may be the name of; whoever parses has to look for them."""
    text = text[:MAX_TEXT].removeprefix("unix:")
    if not text.startswith("/") or "\0" in text:
        return ()
    base, dot, screen = text.rpartition(".")
    return (text, base) if dot and screen.isascii() and screen.isdecimal() else (text,)


def differences(text: str, os: str, present: Container[str]) -> tuple[Difference, ...]:
    """Return who reads ``text`` differently from whom; nothing where all agree or none can."""
    old, new, ssh = _libxcb(text), _newer(text, present), openssh(text, os, present)
    found = []
    if os == "darwin":
        old = new  # XQuartz' libxcb has always taken the paths that launchd makes
    if old.place != new.place:
        older, newer = "programs with an older libxcb", "programs with a newer libxcb"
        found.append(Difference(False, older, str(old), newer, str(new)))
    usual = parse(text, present)
    if usual.kind != "error" and usual.place != ssh.place:
        found.append(Difference(True, "X programs", str(usual), "ssh -X", str(ssh)))
    return tuple(found)


def _bad(error: str, hint: str = _HINT) -> Display:
    return Display("error", error=error, hint=hint)


def _libxcb(text: str) -> Display:
    """Read as libxcb without paths does, but refuse numbers that it would only guess at."""
    if len(text) > MAX_TEXT:
        return _bad(f"it is longer than {MAX_TEXT} characters")
    if not text.isprintable():
        return _bad("it holds control characters")
    protocol, slash, name = text.rpartition("/")
    match = _NAME.fullmatch(name)
    if match is None:
        return _bad("it has no colon")
    host = match["host"]
    number = _decimal(match["number"], MAX_NUMBER)
    screen = _decimal((match["rest"] or ".0")[1:], 2**31 - 1)
    if number is None or screen is None:
        return _bad_number(match["number"], screen)
    if host.endswith(":") and not _is_ipv6(host):
        return _bad("two colons mean DECnet, which no X program speaks any more")
    if slash and protocol not in {*_TCP, "unix"}:
        return _bad(f"it names the protocol {protocol!r}", "the protocols are tcp and unix")
    if protocol == "unix" or (host in ("", "unix") and not slash):
        return Display("unix", "", number, screen, fallback=not slash and not host)
    if not host:
        return _bad("it names a protocol and no host")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not bare or any(char.isspace() for char in bare) or (":" in bare and not _is_ipv6(bare)):
        return _bad(f"{bare[:40]!r} is no name of a host")
    return Display("tcp", bare, number, screen)


def _bad_number(number: str, screen: int | None) -> Display:
    if not number:
        return _bad("there is no display number behind the colon")
    if number.isascii() and number.isdecimal():
        if screen is None and _decimal(number, MAX_NUMBER) is not None:
            return _bad("what follows the dot is no screen number")
        return _bad(f"display numbers end at {MAX_NUMBER}, and its port would be beyond 65535")
    return _bad(f"{number[:40]!r} is no display number")


def _decimal(text: str, limit: int) -> int | None:
    """Return a plain number; libxcb and ssh both take signs and overflows, and go astray."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 20:
        return None
    value = int(text)
    return value if value <= limit else None


def _is_ipv6(host: str) -> bool:
    """Return whether a host may be an IPv6 address: ``::`` but neither ``node:`` nor ``:``."""
    return host.count(":") > 1 and re.fullmatch(r"[0-9A-Fa-f:.]+(%\w{1,32})?", host) is not None


def _path(path: str, present: Container[str]) -> Display:
    if len(path) > MAX_TEXT or not path.isprintable():
        return _bad("it is no path of a socket")
    candidates = paths_in(path)
    if candidates[0] not in present and len(candidates) == 2 and candidates[1] in present:
        return Display("path", path=candidates[1], screen=_screen(path))
    return Display("path", path=path)


def _screen(path: str) -> int:
    return _decimal(path.rpartition(".")[2], 2**31 - 1) or 0


def _newer(text: str, present: Container[str]) -> Display:
    """Read as libxcb with paths: what begins with ``/`` or ``unix:`` is the path of a file."""
    if not text.startswith(("/", "unix:")):
        return _libxcb(text)
    path = text.removeprefix("unix:")
    found = _path(path, present) if path.startswith("/") else None
    if found is None or found.path not in present:
        return _bad(f"nothing, for there is no file {path[:80]!r}")
    return found


def openssh(text: str, os: str, present: Container[str]) -> Display:
    """Read as ssh does for ``-X`` and ``-Y``."""
    if _FOR_SSH.fullmatch(text) is None:
        return _bad("nothing: it finds a character that it does not allow, and forwards no X11")
    if os == "darwin" and any(path in present for path in paths_in(text)):
        return _path(text, present)
    local = text.startswith(("unix:", ":"))
    host, colon, rest = text.partition(":")
    if local:
        rest = text.rpartition(":")[2]
    digits = re.match(r"[0-9]{1,20}", rest)
    if not colon or digits is None:
        return _bad("nothing, for it finds no display number")
    number = int(digits[0])
    if number > MAX_NUMBER:
        return _bad("nothing, for there is no such port")
    if local:
        return Display("unix", "", number)
    if "/" in host:
        return _bad(f"nothing, for it takes {host[:80]!r} for the name of a host")
    return Display("tcp", host, number)
