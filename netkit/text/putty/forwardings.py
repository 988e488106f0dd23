r"""PuTTY's ``PortForwardings``, both ways.

``L127.0.0.2:3389=10.0.0.5:3389,R9000=localhost:9000,D1080=``: a comma divides, ``=`` divides the
listening point from the target, a backslash makes the next character ordinary (settings.c).  A
``4`` or ``6`` in front means one address family: of the listening point for L and D, of the target
for R (ssh/portfwd.c).  Without an address PuTTY listens on loopback, or everywhere if the session
says that "ports accept connections from other hosts"; an address goes before that.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from netkit.errors import UsageError
from netkit.model import Endpoint, ForwardKind, ForwardSpec, UnixPath
from netkit.text.endpoints import check_bind_host, check_host, parse_port, quoted, split_host_port

MAX_FORWARDS: Final = 1000
"""Most forwards of one session."""

_KINDS: Final = {
    "L": ForwardKind.LOCAL,
    "R": ForwardKind.REMOTE,
    "D": ForwardKind.DYNAMIC,
}
_LETTERS: Final = {kind: letter for letter, kind in _KINDS.items()}

# The services that people forward; PuTTY asks the machine's own list of them.
_SERVICES: Final = {
    "ftp": 21,
    "ssh": 22,
    "telnet": 23,
    "smtp": 25,
    "domain": 53,
    "http": 80,
    "pop3": 110,
    "nntp": 119,
    "imap": 143,
    "imap2": 143,
    "ldap": 389,
    "https": 443,
    "microsoft-ds": 445,
    "submissions": 465,
    "submission": 587,
    "ldaps": 636,
    "imaps": 993,
    "pop3s": 995,
    "socks": 1080,
    "ms-sql-s": 1433,
    "mysql": 3306,
    "ms-wbt-server": 3389,
    "postgresql": 5432,
    "x11": 6000,
    "http-alt": 8080,
}


@dataclass(frozen=True, slots=True)
class Forwardings:
    """The forwards of a session, and what could not be understood or kept of them."""

    forwards: tuple[ForwardSpec, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """Forwards as PuTTY keeps them: three settings, and what PuTTY has no words for."""

    text: str = ""
    local_accept_all: bool = False
    remote_accept_all: bool = False
    left_out: tuple[str, ...] = ()


def parse_forwardings(
    text: str, *, local_accept_all: bool = False, remote_accept_all: bool = False
) -> Forwardings:
    """Return the forwards of ``PortForwardings``; what is none is left out and told.

    Args:
        text: the setting.
        local_accept_all: ``LocalPortAcceptAll``: without an address, listen everywhere.
        remote_accept_all: the same of the gateway's side.
    """
    found: dict[str, ForwardSpec] = {}
    left_out: list[str] = []
    for key, value in _entries(text, left_out):
        if len(found) + len(left_out) >= MAX_FORWARDS:
            left_out.append(f"PortForwardings: more than {MAX_FORWARDS} forwards")
            break
        shown = f"{key}={value}"
        try:
            kind = _kind(key, value)
            everywhere = remote_accept_all if kind is ForwardKind.REMOTE else local_accept_all
            # D and L cannot listen at the same place: for PuTTY it is one setting
            place = key.replace("D", "L", 1) if kind is ForwardKind.DYNAMIC else key
            found[place] = _forward(kind, key, value, everywhere=everywhere)
        except UsageError as error:
            why = f"{error.summary}: {error.cause}" if error.cause else error.summary
            left_out.append(f"PortForwardings {quoted(shown)}: {why}")
    return Forwardings(tuple(found.values()), tuple(left_out))


def format_forwardings(forwards: Iterable[ForwardSpec]) -> Written:
    """Return the settings that make PuTTY do the same."""
    forwards = tuple(forwards)
    local, remote = _everywhere(forwards, remote=False), _everywhere(forwards, remote=True)
    left_out: list[str] = []
    words: dict[str, str] = {}
    for forward in forwards:
        everywhere = remote if forward.kind is ForwardKind.REMOTE else local
        try:
            key, value = _words(forward, left_out, everywhere=everywhere)
        except UsageError as error:
            left_out.append(f"{forward}: {error.summary}")
            continue
        words[_escape(key)] = _escape(value)
    text = ",".join(f"{key}={value}" for key, value in words.items())
    return Written(text, local, remote, tuple(left_out))


def _entries(text: str, left_out: list[str]) -> Iterable[tuple[str, str]]:
    """Split into (listening point, target), backslashes undone; later ones replace earlier ones."""
    fields: list[str] = [""]
    at = 0
    while at <= len(text):
        character = text[at : at + 1]
        if character in (",", ""):
            if any(fields):
                # of several targets PuTTY takes the last
                yield fields[0], fields[-1] if len(fields) > 1 else ""
            fields = [""]
        elif character == "=":
            fields.append("")
        elif character == "\\":
            at += 1
            if at >= len(text):
                left_out.append("PortForwardings ends in a backslash: its last forward is damaged")
                return
            fields[-1] += text[at]
        else:
            fields[-1] += character
        at += 1


def _kind(key: str, value: str) -> ForwardKind:
    letter = key[1:2] if key[:1] in ("A", "4", "6") else key[:1]
    if letter not in _KINDS:
        raise _no("it does not begin with L, R or D")
    kind = _KINDS[letter]
    # in memory PuTTY keeps a dynamic forward as L1080=D
    return ForwardKind.DYNAMIC if kind is ForwardKind.LOCAL and value == "D" else kind


def _forward(kind: ForwardKind, key: str, value: str, *, everywhere: bool) -> ForwardSpec:
    family = key[0] if key[0] in "46" else ""
    place = key[2:] if key[0] in "A46" else key[1:]
    if kind is ForwardKind.REMOTE:
        bind = _bind(place, "", everywhere=everywhere)
        return ForwardSpec(kind, bind, _target(value, family))
    bind = _bind(place, family, everywhere=everywhere)
    return ForwardSpec(kind, bind, None if kind is ForwardKind.DYNAMIC else _target(value, ""))


def _bind(place: str, family: str, *, everywhere: bool) -> Endpoint:
    host, colon, port = place.rpartition(":")
    if not colon:
        chosen = {"": "*", "4": "0.0.0.0", "6": "::"} if everywhere else _LOOPBACKS
        return Endpoint(chosen[family], _port(port))
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    # an empty address is the same as none
    name = check_bind_host(host, place) if host else ("*" if everywhere else "")
    return Endpoint(_of_family(name, family), _port(port))


_LOOPBACKS: Final = {"": "", "4": "127.0.0.1", "6": "::1"}


def _target(text: str, family: str) -> Endpoint:
    host, port = split_host_port(text, "HOST:PORT")
    if port is None:
        raise _no("its target has no port")
    return Endpoint(_of_family(check_host(host, text), family), _port(port))


def _of_family(host: str, family: str) -> str:
    """Return ``host`` where one address family is asked for; a name of either is refused."""
    if not family:
        return host
    if host.lower() in ("", "localhost"):
        return _LOOPBACKS[family]
    if host == "*":
        return "0.0.0.0" if family == "4" else "::"
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).version == int(family):
            return host
    raise _no(f"netkit cannot be told to take only the IPv{family} address of {host}")


def _port(text: str) -> int:
    return _SERVICES.get(text.lower()) or parse_port(text)


def _everywhere(forwards: tuple[ForwardSpec, ...], *, remote: bool) -> bool:
    return any(
        isinstance(forward.bind, Endpoint) and forward.bind.host == "*"
        for forward in forwards
        if (forward.kind is ForwardKind.REMOTE) == remote
    )


def _words(forward: ForwardSpec, left_out: list[str], *, everywhere: bool) -> tuple[str, str]:
    bind, to = forward.bind, forward.to
    if isinstance(bind, UnixPath) or isinstance(to, UnixPath):
        raise _no("PuTTY forwards no unix sockets")
    if bind.port == 0:
        raise _no("PuTTY cannot let a free port be chosen")
    if to is None and forward.kind is not ForwardKind.DYNAMIC:
        raise _no("PuTTY offers no SOCKS server at the gateway")
    host = bind.host
    if not host and everywhere:
        # the session says "accept connections from other hosts", and this forward is private
        host = "localhost" if forward.kind is ForwardKind.REMOTE else "127.0.0.1"
        if forward.kind is not ForwardKind.REMOTE:
            left_out.append(f"{forward}: in PuTTY it listens on 127.0.0.1 only, not on ::1 as well")
    if host == "*":
        host = ""
    # PuTTY takes a capital D anywhere in the listening point for the sign of a dynamic forward
    host = f"[{host}]:" if ":" in host else f"{host.lower()}:" if host else ""
    return f"{_LETTERS[forward.kind]}{host}{bind.port}", str(to) if to else ""


def _escape(text: str) -> str:
    return "".join(f"\\{each}" if each in "=,\\" else each for each in text)


def _no(why: str) -> UsageError:
    return UsageError(why, code="bad-forward")
