"""Writing sessions for PuTTY: into a folder of it, or as a ``.reg`` file.  Nothing is lost.

A session that is there keeps what a tunnel has nothing to do with (fonts, colours, keyboard); if
it says something else about the tunnel, it is only changed when that is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from netkit.errors import UsageError
from netkit.files import read_bounded, write_private
from netkit.model import Fix
from netkit.putty.places import Place
from netkit.putty.reading import read_cache, read_session
from netkit.text.putty.host_keys import (
    CachedKey,
    entry_name,
    entry_value,
    format_cache_line,
    parse_cache_file,
)
from netkit.text.putty.names import file_name
from netkit.text.putty.registry_file import format_registry_file
from netkit.text.putty.registry_lines import MAX_FILE
from netkit.text.putty.session import Session, Value
from netkit.text.putty.session_file import format_session


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one session or host key: ``added``, ``changed``, ``unchanged``, ``exists``."""

    name: str
    what: str


def write_sessions(place: Place, sessions: Sequence[Session], *, replace: bool) -> list[Done]:
    """Write session files; return what became of each.

    One that is there and says something else is ``exists`` without ``replace``, and stays.

    Raises:
        UsageError: a name is no file name, or a file cannot be read or written.
        ConfigError: a file that is there is no session, or a value cannot be written.
    """
    done = []
    for session in sessions:
        path = place.sessions / file_name(session.name)
        before = read_session(path)
        after = session if before is None else before.changed(dict(session.values))
        # whether it can be written is known before anything is
        content = format_session(after)
        if before is not None and not _differs(before, after):
            done.append(Done(session.name, "unchanged"))
        elif before is not None and not replace:
            done.append(Done(session.name, "exists"))
        else:
            _make_folder(place.sessions)
            write_private(path, content)
            done.append(Done(session.name, "added" if before is None else "changed"))
    return done


def add_host_keys(place: Place, keys: Sequence[CachedKey]) -> list[Done]:
    """Add host keys to PuTTY's; lines that are there stay.  Another key for a name is ``exists``.

    Raises:
        UsageError: the file cannot be read or written.
        ValueError: PuTTY cannot keep one of the keys.
    """
    if place.host_keys.is_dir():
        return [_add_as_file(place.host_keys, key) for key in dict.fromkeys(keys)]
    content = read_cache(place.host_keys)
    known = parse_cache_file(content, str(place.host_keys))
    present = {_name(key): key.blob for key in reversed(known.keys)}
    done, lines = [], []
    for key in dict.fromkeys(keys):
        name = _name(key)
        if name in present:
            done.append(Done(name, "unchanged" if present[name] == key.blob else "exists"))
            continue
        present[name] = key.blob
        lines.append(format_cache_line(key))
        done.append(Done(name, "added"))
    if lines:
        _make_folder(place.host_keys.parent)
        if content and not content.endswith(b"\n"):
            content += b"\n"
        write_private(place.host_keys, content + "".join(f"{line}\n" for line in lines).encode())
    return done


def write_registry_file(
    path: Path, sessions: Sequence[Session], keys: Sequence[CachedKey], *, replace: bool
) -> str:
    """Write a ``.reg`` file; return ``added``, ``changed`` or ``unchanged``.

    Raises:
        UsageError: it is there and says something else, without ``replace``; it cannot be written.
        ValueError: PuTTY cannot keep one of the keys.
    """
    content = format_registry_file(sessions, dict.fromkeys(keys))
    there = path.exists()
    if there and read_bounded(path, MAX_FILE) == content:
        return "unchanged"
    if there and not replace:
        raise UsageError(
            f"{path} is there already",
            code="file-exists",
            cause="it says something else",
            fixes=(Fix(("netkit", "profile", "export", "putty", "...", "--replace")),),
        )
    write_private(path, content)
    return "changed" if there else "added"


def _differs(before: Session, after: Session) -> bool:
    said = dict(before.values)
    return any(_sense(key, said.get(key, "")) != _sense(key, value) for key, value in after.values)


def _sense(key: str, value: Value) -> str | list[str]:
    """Return what a setting means: PuTTY puts the forwards into an order of its own."""
    text = str(value)
    return sorted(text.split(",")) if key == "PortForwardings" else text


def _add_as_file(folder: Path, key: CachedKey) -> Done:
    name, value = _name(key), entry_value(key.blob)
    path = folder / file_name(name)
    if path.exists():
        same = read_bounded(path, 1 << 16).decode("utf-8", "replace").strip() == value
        return Done(name, "unchanged" if same else "exists")
    write_private(path, f"{value}\n".encode())
    return Done(name, "added")


def _name(key: CachedKey) -> str:
    return entry_name(key.host, key.port, key.blob)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be made: {error.strerror}", code="cannot-write"
        ) from None
