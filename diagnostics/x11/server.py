"""Asking X servers: our own setup handshake, over whatever leads to one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from diagnostics.parsers import x_setup
from diagnostics.parsers.x_display import Display
from diagnostics.parsers.x_setup import Reply
from diagnostics.parsers.xauthority import MAGIC_COOKIE, Entry, find, key_for
from diagnostics.system import System
from netkit.model import Address, Endpoint, UnixPath

TIME = 1.5
"""Seconds for one server to answer; one on this machine takes some milliseconds."""

MAX_PLACES = 4

ABSENT, SILENT, CLOSED, STRANGE = "absent", "silent", "closed", "strange"
ACCEPTED, REJECTED, MORE = "accepted", "rejected", "more"

_NOTHING = Reply("nothing")
_MAX_OTHERS = 8


@dataclass(frozen=True, slots=True)
class Place:
    """One way to a server: ``unix``, ``abstract`` or ``tcp``; ``peer`` is its IP literal."""

    how: str
    address: Address
    peer: str = ""

    def __str__(self) -> str:
        return str(self.address).replace("\0", "@")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking at one place.

    Attributes:
        outcome: `ABSENT` (there is nothing to connect to, see ``error``), `SILENT` (it accepts and
            says nothing), `CLOSED` (it hung up without a word), `STRANGE` (it is no X server),
            `ACCEPTED`, `REJECTED` or `MORE`.
        key: the name under which a program looks for the cookie of this place.
        protocol: of the cookie that was found and sent; empty where none was found.
    """

    place: Place
    outcome: str
    error: str = ""
    reply: Reply = _NOTHING
    key: str = ""
    protocol: str = ""

    @property
    def connected(self) -> bool:
        """Whether something is there."""
        return self.outcome != ABSENT


def unix_places(path: str, *, abstract: bool) -> tuple[Place, ...]:
    """Return the ways to the unix socket ``path``; on Linux there may be one without a file."""
    places = (Place("unix", UnixPath(path)),)
    return (*places, Place("abstract", UnixPath(f"\0{path}"))) if abstract else places


def tcp_places(addresses: Sequence[str], port: int) -> tuple[Place, ...]:
    """Return the ways to a port of each address, in the order in which a program tries them."""
    return tuple(
        Place("tcp", Endpoint(address, port), address) for address in addresses[:MAX_PLACES]
    )


def places_of(system: System, display: Display) -> tuple[tuple[Place, ...], str]:
    """Return the ways to a display, and why its host has no address."""
    if display.kind == "tcp":
        found = system.resolve(display.host)
        return tcp_places(found.addresses, display.port), found.error
    linux = system.os == "linux" and display.kind == "unix"
    places = unix_places(display.socket, abstract=linux)
    if display.fallback:
        addresses = system.resolve("localhost").addresses
        places += tcp_places(addresses, display.port)
    return places, ""


def places_to(system: System, address: Address) -> tuple[Place, ...]:
    """Return the ways to where a forward leads."""
    if isinstance(address, UnixPath):
        return unix_places(address.path, abstract=False)
    return tcp_places(system.resolve(address.host).addresses, address.port)


def visit(
    system: System, places: Sequence[Place], entries: Sequence[Entry], number: int
) -> tuple[Answer, ...]:
    """Ask at each place, with the cookie a program would send, up to the first that is there."""
    hostname = system.account().hostname
    answers = []
    for place in places:
        key = key_for(place.peer, hostname, number)
        answer = ask(system, place, find(entries, key), key=str(key))
        answers.append(answer)
        if answer.connected:
            break
    return tuple(answers)


def ask(system: System, place: Place, entry: Entry | None = None, *, key: str = "") -> Answer:
    """Shake hands at one place; a cookie of another protocol than the usual is not sent."""
    usable = entry is not None and entry.protocol == MAGIC_COOKIE
    said = x_setup.request(entry.protocol, entry.data) if entry and usable else x_setup.request()
    protocol = entry.protocol.decode("ascii", "replace") if entry else ""
    talk = system.talk(place.address, said, receive=x_setup.MAX_REPLY, timeout=TIME, shut=True)
    if talk.outcome in ("ok", "reset") and not talk.data:
        # What cannot bear half a connection hangs up on it.
        talk = system.talk(place.address, said, receive=x_setup.MAX_REPLY, timeout=TIME)
    reply = x_setup.parse(talk.data)
    if reply.status in (ACCEPTED, REJECTED, MORE, STRANGE):
        outcome = reply.status
    elif talk.outcome == "timed-out":
        outcome = SILENT if talk.data or _accepts(system, place.address) else ABSENT
    else:
        outcome = CLOSED if talk.outcome in ("ok", "reset") else ABSENT
    return Answer(place, outcome, talk.error, reply, key, protocol)


def _accepts(system: System, address: Address) -> bool:
    """Return whether what says nothing takes connections at all."""
    return isinstance(address, UnixPath) or system.connect(address, TIME).outcome == "ok"


def others(
    system: System, place: Place, entries: Sequence[Entry], used: Entry | None, number: int
) -> str:
    """Return the name of another cookie of the file with which the server lets us in."""
    digits = str(number).encode()
    seen = {used.data} if used else set()
    tried = 0
    for entry in sorted(entries, key=lambda each: each.key.number != digits):
        if entry.protocol != MAGIC_COOKIE or not entry.data or entry.data in seen:
            continue
        seen.add(entry.data)
        tried += 1
        if ask(system, place, entry).outcome == ACCEPTED:
            return str(entry.key)
        if tried == _MAX_OTHERS:
            break
    return ""
