"""The gateway's process behind a link: noted while it is up, ended when it outlives it.

A link that broke without a word may leave its session on the gateway, which goes on holding remote
ports until it notices (sshd's ClientAliveInterval).  Each link notes the process that serves it,
by its number and the time it was started; with ``--takeover`` a later link ends that very process,
and no other.  Where the gateway runs no commands, nothing is noted and nothing is ended.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from netkit.engine.exec_channel import run_command
from netkit.events import Event, Notice
from netkit.model import Endpoint
from netkit.text.port_holders import COMMAND, Holder, parse_holder

if TYPE_CHECKING:
    from netkit.engine.link import Link
    from netkit.model import Address

PATIENCE: Final = 5.0
"""Seconds that a command of ours may take."""

KEPT: Final = 5
"""Links whose processes are remembered."""

# When a process began: proc(5) field 22 behind its name, which may hold anything; else ps(1).
_START: Final = (
    "b=$(sed 's/.*) //' /proc/$p/stat 2>/dev/null | cut -d' ' -f20); "
    '[ -n "$b" ] || b=$(LC_ALL=C ps -o lstart= -p $p 2>/dev/null | tr -s " " _); '
)
_NOTE: Final = f'p=$PPID; {_START}echo "netkit-session $p $b"'
_END: Final = (
    "p={pid}; "
    f"{_START}"
    '[ "$b" = "{began}" ] || exit 3; '
    "u=$(sed -n 's/^Uid:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/$p/status 2>/dev/null); "
    '[ -n "$u" ] || u=$(ps -o ruid= -p $p | tr -d " "); [ "$u" = "$(id -u)" ] || exit 7; '
    "n=$(cat /proc/$p/comm 2>/dev/null || ps -o comm= -p $p); "
    'case "${{n##*/}}" in sshd*|dropbear*) ;; *) exit 4;; esac; '
    "kill -TERM $p || exit 5; i=0; "
    # one that is stopped hears nothing but KILL; its port is free when it is gone
    "while kill -0 $p 2>/dev/null; do i=$((i+1)); [ $i -lt 15 ] || exit 6; "
    "[ $i -ne 4 ] || kill -KILL $p; sleep 0.2 2>/dev/null || sleep 1; done; exit 0"
)
_STAYS: Final = 6
"""Exit status of `_END` where the process is still there."""

_BEGAN: Final = r"[0-9A-Za-z:_]{1,60}"
_NOTED: Final = re.compile(rf"^netkit-session ([0-9]{{1,10}}) ({_BEGAN})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Session:
    """A process of the gateway, and when it was started as the gateway says it."""

    pid: int
    began: str


class Note(Protocol):
    """Where the sessions of a tunnel are written down, for when this process is gone."""

    def read(self) -> tuple[Session, ...]:
        """Return those of an earlier process."""

    def write(self, sessions: Sequence[Session]) -> None:
        """Keep them."""


def is_start(text: str) -> bool:
    """Return whether ``text`` can be a start time as the gateway says it."""
    return re.fullmatch(_BEGAN, text) is not None


def parse_session(output: bytes) -> Session | None:
    """Return the session that the gateway's shell told of; None where it did not."""
    found = _NOTED.search(output[:4096].decode("ascii", "replace"))
    return Session(int(found[1]), found[2]) if found is not None and int(found[1]) > 1 else None


class Predecessors:
    """The sessions of one tunnel's links, the present one too; any thread but a link's."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._sessions: deque[Session] = deque(maxlen=KEPT)
        self._note: Note | None = None
        self._told = False

    @property
    def sessions(self) -> tuple[Session, ...]:
        """What is remembered, the oldest first."""
        return tuple(self._sessions)

    def keep_in(self, note: Note) -> None:
        """Remember what ``note`` holds, and write down what comes; before the first link."""
        self._sessions.extend(note.read())
        self._note = note

    def note(self, link: Link) -> None:
        """Ask which process serves ``link``."""
        done = run_command(link, _NOTE, PATIENCE, kept=4096)
        session = parse_session(done.stdout)
        if session is not None:
            self._sessions.append(session)
            self._write()
        elif done.outcome != "link-lost" and not self._told:
            self._told = True
            text = "the gateway does not say which process serves us: --takeover has no effect"
            self._emit(Notice(code="takeover-unavailable", text=text))

    def take_over(self, link: Link) -> bool:
        """End what is left of earlier links; return whether anything was."""
        if not self._sessions:
            return False
        own = run_command(link, _NOTE, PATIENCE, kept=4096)
        mine = parse_session(own.stdout)
        if mine is None:
            return False
        became = {each: _end(link, each) for each in self._sessions if each != mine}
        ended = [each for each, status in became.items() if status == 0]
        # our own is to be found by the next link, and one that may still be there by the next try
        kept = [each for each in self._sessions if became.get(each, _STAYS) in (_STAYS, None)]
        self._sessions.clear()
        self._sessions.extend(kept)
        self._write()
        if ended:
            numbers = ", ".join(str(each.pid) for each in ended)
            text = f"ended our own session on the gateway that held the port (process {numbers})"
            self._emit(Notice(code="took-over", text=text))
        return bool(ended)

    def _write(self) -> None:
        if self._note is not None:
            self._note.write(self.sessions)


def _end(link: Link, session: Session) -> int | None:
    """Return the exit status of `_END`: 0 where it was ended; None where none came."""
    command = _END.format(pid=session.pid, began=session.began)
    return run_command(link, command, PATIENCE, kept=4096).status


def holder_of(link: Link, address: Address) -> Holder | None:
    """Return which program of the gateway listens there, as far as it tells."""
    if not isinstance(address, Endpoint) or not address.port:
        return None
    done = run_command(link, COMMAND.format(port=address.port), PATIENCE, kept=4096)
    return parse_holder(done.stdout.decode("utf-8", "replace"))
