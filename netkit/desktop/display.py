"""The X server of this desktop: found, opened with its own cookie, and fit to be lent.

DISPLAY and ``.Xauthority`` are read as X programs read them (`diagnostics.parsers`).  Nothing is
believed: the server is asked, and what it answers decides.  For untrusted programs it is asked
for a cookie of its own (the SECURITY extension, through xauth), which may see no other window.
"""

from __future__ import annotations

import os
import socket
import stat
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from diagnostics.parsers import x_display, xauthority
from diagnostics.parsers.x_display import Display
from diagnostics.parsers.x_setup import Reply
from diagnostics.parsers.xauthority import MAGIC_COOKIE, Entry, Key
from netkit import programs
from netkit.desktop import display_errors as errors
from netkit.desktop.x_talk import ABSENT, Answer, Place, ask
from netkit.engine.x11 import XServer
from netkit.errors import UsageError
from netkit.files import read_bounded
from netkit.model import Endpoint, UnixPath, X11Trust
from netkit.wire.x11 import MAX_COOKIE

MAX_FILE: Final = 4 << 20
LIFETIME: Final = 86_400
"""Seconds that an untrusted cookie outlives the last program that used it.  While a link lends
the display, netkit is such a program (`netkit.engine.x11_keeper`)."""

_WINDOWS_DISPLAY: Final = "127.0.0.1:0"
"""Where VcXsrv, Xming and X410 listen; they set no DISPLAY."""

_MAX_ADDRESSES: Final = 4


@dataclass(frozen=True, slots=True)
class LocalDisplay:
    """An X server that let us in.

    Attributes:
        server: how to reach it, with the cookie to send.
        open: it asks nobody for a cookie (``xhost +``, ``-ac``).
        warnings: what the user should know.
    """

    server: XServer
    open: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """What is asked of this machine; a test has its own.

    Attributes:
        variables: of the environment.
        home: where ``.Xauthority`` is; ``hostname`` the name under which cookies are kept.
        os: as `sys.platform` says it.
    """

    variables: Mapping[str, str]
    home: Path
    hostname: str
    os: str

    @classmethod
    def this(cls) -> Machine:
        """Return the one this runs on."""
        return cls(dict(os.environ), Path("~").expanduser(), socket.gethostname(), sys.platform)


def where(machine: Machine | None = None) -> XServer:
    """Return the X server that DISPLAY names, without asking it anything; there is no cookie.

    Raises:
        UsageError: DISPLAY is missing or no display.
    """
    text, display = _display(machine or Machine.this())
    if display.kind == "tcp":
        address: Endpoint | UnixPath = Endpoint(display.host, display.port)
    else:
        address = UnixPath(display.socket)
    return XServer(name=text, address=address, screen=display.screen)


def find(trust: X11Trust, machine: Machine | None = None) -> LocalDisplay:
    """Return the X server that DISPLAY names, with a cookie for programs that are ``trust``\\ ed.

    Raises:
        UsageError: DISPLAY, or the file with the cookies, is missing or wrong.
        DisplayError: no X server answers, it lets us not in, or it cannot limit programs.
    """
    machine = machine or Machine.this()
    text, display = _display(machine)
    name = text.replace("\0", "@")
    answer, entry, hint = _enter(machine, name, display)
    open_to_all = answer.reply.control is False
    server = XServer(
        name=name,
        address=answer.place.address,
        cookie=entry.data if entry is not None else b"",
        screen=min(display.screen, 0xFFFFFFFF),
    )
    warnings = [hint] if hint else []
    if open_to_all:
        text = f"X server {name} lets in everybody who reaches it (xhost +); xhost - ends that"
        warnings.append(text)
    if trust is X11Trust.UNTRUSTED:
        cookie = _untrusted(machine, server, answer.reply)
        server = replace(server, cookie=cookie, untrusted=True)
    return LocalDisplay(server, open_to_all, tuple(warnings))


# ---------------------------------------------------------------- where it is


def _display(machine: Machine) -> tuple[str, Display]:
    text = machine.variables.get("DISPLAY", "").strip()
    if not text and machine.os == "win32":
        text = _WINDOWS_DISPLAY
    if not text:
        raise errors.no_display(machine.os)
    present = {path for path in x_display.paths_in(text) if Path(path).exists()}
    display = x_display.parse(text, present)
    if display.kind == "error":
        raise errors.malformed(text, display)
    return text, display


def _places(machine: Machine, name: str, display: Display) -> list[Place]:
    """Return the ways to it, in the order in which X programs try them."""
    places: list[Place] = []
    if display.kind in ("unix", "path") and hasattr(socket, "AF_UNIX"):
        places.append(Place(UnixPath(display.socket)))
        if display.kind == "unix" and machine.os == "linux":
            places.append(Place(UnixPath(f"\0{display.socket}")))
    host = display.host if display.kind == "tcp" else "localhost"
    if display.kind == "tcp" or display.fallback:
        found = _addresses(name, host, display.port)
        places += [Place(Endpoint(address, display.port), address) for address in found]
    return places


def _addresses(name: str, host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise errors.unknown_host(name, host, str(error)) from None
    return list(dict.fromkeys(str(each[4][0]) for each in found))[:_MAX_ADDRESSES]


# ---------------------------------------------------------------- getting in


def _enter(machine: Machine, name: str, display: Display) -> tuple[Answer, Entry | None, str]:
    """Return what the server says to us, the cookie that it was sent, and what to warn of.

    Raises:
        DisplayError: it does not let us in.
    """
    tried: list[Answer] = []
    cookies = _cookies(machine)
    for place in _places(machine, name, display):
        key = xauthority.key_for(place.peer, machine.hostname, display.number)
        entry = _entry(machine, name, cookies, key)
        wrong = errors.unusable(name, entry) if entry is not None else None
        sent = entry if wrong is None else None
        answer = ask(place, sent.protocol, sent.data) if sent is not None else ask(place)
        if answer.outcome == ABSENT:
            tried.append(answer)
        elif answer.outcome == "accepted":
            # Without a cookie by its list of hosts or accounts, or because it asks nobody.
            return answer, sent, f"{wrong.summary}; it lets us in without" if wrong else ""
        elif answer.outcome not in ("rejected", "more"):
            raise errors.no_x(name, answer)
        elif wrong is not None:
            raise wrong
        elif sent is not None:
            raise errors.cookie_refused(name, str(key), sent, answer)
        else:
            raise errors.no_cookie(name, str(key), cookies.file, cookies.trouble, answer.reply)
    raise errors.dead(name, display, tried)


@dataclass(frozen=True, slots=True)
class _Cookies:
    """The file with the cookies, what is in it, and why it cannot be read."""

    file: Path
    entries: tuple[Entry, ...] = ()
    trouble: str = ""


def _entry(machine: Machine, name: str, cookies: _Cookies, key: Key) -> Entry | None:
    """Return the cookie that X programs would send."""
    entry = xauthority.find(cookies.entries, key)
    return entry if entry is not None or cookies.trouble else _ask_xauth(machine, name)


def _cookies(machine: Machine) -> _Cookies:
    named = machine.variables.get("XAUTHORITY", "")
    file = Path(named) if named else machine.home / ".Xauthority"
    try:
        return _Cookies(file, xauthority.parse(read_bounded(file, MAX_FILE)).entries)
    except UsageError as error:
        return _Cookies(file, trouble=error.summary)


def _ask_xauth(machine: Machine, name: str) -> Entry | None:
    """Return the cookie that xauth knows where our own reading found none."""
    xauth = programs.find("xauth")
    if xauth is None:
        return None
    ran = programs.run(
        (xauth, "-i", "-n", "list", name), environment=machine.variables, timeout=5.0
    )
    for line in ran.output[:65536].splitlines():
        words = line.split()
        if len(words) == 3 and words[1] == MAGIC_COOKIE:
            try:
                data = bytes.fromhex(words[2].decode("ascii"))
            except ValueError:
                continue
            return Entry(Key(xauthority.LOCAL, words[0], b""), MAGIC_COOKIE, data)
    return None


# ---------------------------------------------------------------- untrusted programs


def _untrusted(machine: Machine, server: XServer, reply: Reply) -> bytes:
    """Return a cookie whose programs the server limits (Security Extension Specification).

    Raises:
        DisplayError: the server cannot, or xauth is missing or fails.
    """
    if reply.security is False:
        raise errors.no_security(server.name, reply.vendor)
    xauth = programs.find("xauth", "/opt/X11/bin/xauth")
    if xauth is None:
        raise errors.no_xauth(server.name)
    with tempfile.TemporaryDirectory(prefix="netkit-x11-") as directory:
        file = Path(directory) / "authority"
        words = ("generate", server.name, MAGIC_COOKIE.decode(), "untrusted")
        ran = programs.run(
            (xauth, "-i", "-q", "-f", str(file), *words, "timeout", str(LIFETIME)),
            environment={**machine.variables, "DISPLAY": server.name},
        )
        entries = _generated(file)
    usable = [each for each in entries if each.protocol == MAGIC_COOKIE]
    if not usable or not 0 < len(usable[0].data) <= MAX_COOKIE:
        raise errors.not_generated(server.name, ran)
    cookie = usable[0].data
    answer = ask(_place_of(server), MAGIC_COOKIE, cookie)
    # Accepted alone is not enough: an account that needs no cookie is let in with any, and trusted.
    if answer.outcome != "accepted" or answer.reply.security is not False:
        raise errors.generated_refused(server.name, answer)
    return cookie


def _place_of(server: XServer) -> Place:
    address = server.address
    return Place(address, address.host if isinstance(address, Endpoint) else "")


def _generated(file: Path) -> tuple[Entry, ...]:
    try:
        if not stat.S_ISREG(file.lstat().st_mode):
            return ()
        return xauthority.parse(read_bounded(file, MAX_FILE)).entries
    except (OSError, UsageError):
        return ()
