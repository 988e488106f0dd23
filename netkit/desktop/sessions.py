"""What a tunnel notes of its sessions on the gateway, for the one of its name that comes after it.

Only the process that holds the claim to a name (`netkit.desktop.instance`) reads and writes the
note of that name: so what it finds there is of a process that is gone.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from netkit.desktop.instance import lock_path, state_folder
from netkit.engine.predecessors import Session, is_start
from netkit.errors import NetkitError
from netkit.files import read_bounded, write_private

if TYPE_CHECKING:
    from pathlib import Path

MAX_FILE = 4096


class SessionNote:
    """The note of one tunnel: a `netkit.engine.predecessors.Note`."""

    def __init__(self, name: str, gateway: str) -> None:
        self._gateway = gateway
        self._path = note_path(name)

    def read(self) -> tuple[Session, ...]:
        """Return the sessions with this gateway that were noted, as far as they are well formed."""
        with contextlib.suppress(OSError, NetkitError):
            return parse_note(read_bounded(self._path, MAX_FILE), self._gateway)
        return ()

    def write(self, sessions: Sequence[Session]) -> None:
        """Keep ``sessions``; where that cannot be done they are not found later, and no more."""
        said = {
            "gateway": self._gateway,
            "sessions": [[each.pid, each.began] for each in sessions],
        }
        with contextlib.suppress(OSError, NetkitError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self._path, json.dumps(said).encode())


def note_path(name: str) -> Path:
    """Return where the note of the tunnel ``name`` is."""
    return state_folder() / "sessions" / lock_path(name).with_suffix(".json").name


def parse_note(data: bytes, gateway: str) -> tuple[Session, ...]:
    """Return the sessions that a note tells of; none where it is of another gateway, or broken."""
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(said, dict) or said.get("gateway") != gateway:
        return ()
    found = said.get("sessions")
    made = []
    for each in found if isinstance(found, list) else ():
        match each:
            case [int(pid), str(began)] if pid > 1 and is_start(began):
                made.append(Session(pid, began))
    return tuple(made[-5:])
