"""What ``netkit profile export putty`` does."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from netkit.cli import render
from netkit.cli.main import PROGRAM
from netkit.errors import NetkitError, UsageError
from netkit.files import read_bounded
from netkit.model import Fix
from netkit.putty import writing
from netkit.putty.places import Place, own_place, place_in
from netkit.text.putty.export import ToPutty, to_session
from netkit.text.putty.host_keys import CachedKey
from netkit.text.putty.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netkit.cli.output import Output
    from netkit.cli.services import Services

_MAX_KEY = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line asks for."""

    names: tuple[str, ...]
    to: Path | None = None
    comforts: bool = False
    replace: bool = False
    dry_run: bool = False
    host_keys: bool = True
    convert_keys: bool = False


@dataclass(slots=True)
class _Export:
    """What is to be written, collected before anything is."""

    sessions: list[Session] = field(default_factory=list)
    keys: list[CachedKey] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def export_sessions(wanted: Wanted, services: Services, output: Output) -> int:
    """Write sessions of profiles; say what became of each, and what PuTTY cannot do.

    Raises:
        UsageError: a profile is unknown; a session or file is there and says something else; a
            file cannot be written.
        ConfigError: a file that is there is damaged.
    """
    from netkit import profiles

    chosen = [profiles.get(name) for name in dict.fromkeys(wanted.names)]
    export = _Export()
    for profile in chosen:
        hops = services.plan(profile.tunnel).hops
        made = to_session(profile, hops=hops, comforts=wanted.comforts)
        _add(export, made, wanted, output)
        for hop in hops if wanted.host_keys else ():
            from netkit.cli.profile.putty_keys import cached

            keys, left_out = cached(hop)
            export.keys += keys
            export.lines += [f"{profile.name}: left out: {text}" for text in left_out]
    try:
        _write(export, wanted, output)
    finally:
        for line in export.lines:
            output.data(line)
    return 0


def _add(export: _Export, made: ToPutty, wanted: Wanted, output: Output) -> None:
    name = made.session.name
    for session in (made.session, made.jump):
        if session is None:
            continue
        path, told = _key_for_putty(session.text("PublicKeyFile"), wanted, output)
        export.sessions.append(session.changed({"PublicKeyFile": path}))
        export.lines += [f"{name}: {told}"] if told else []
    export.lines += [f"{name}: left out: {text}" for text in made.left_out]


def _key_for_putty(named: str, wanted: Wanted, output: Output) -> tuple[str, str]:
    """Return the key file that a session names, and what there is to say about it."""
    if not named:
        return "", ""
    path = Path(named).expanduser()
    if not path.is_absolute():
        path = Path.cwd() / path
    if not path.exists():
        return str(path), f"key {path} is not there"
    try:
        if _is_ppk(path):
            return str(path), ""
        target = path.with_name(f"{path.name}.ppk")
        if target.exists() and _is_ppk(target):
            return str(target), f"key {target} is used for {path}"
        if wanted.convert_keys and not wanted.dry_run:
            _convert(path, target, output)
            return str(target), ""
    except NetkitError as error:
        return str(path), f"key {path}: {error.summary}"
    command = Fix((PROGRAM, "key", "convert", str(path), "--to", "ppk", "-o", str(target))).command
    return str(target), f"PuTTY wants its own format of key; before it is used: {command}"


def _is_ppk(path: Path) -> bool:
    from netkit.text.ppk_reading import is_ppk

    return is_ppk(read_bounded(path, _MAX_KEY))


def _convert(path: Path, target: Path, output: Output) -> None:
    from netkit.cli.key.files import convert

    convert(
        output,
        path,
        form="ppk",
        out=target,
        replace=False,
        comment=None,
        passphrase_stdin=False,
        new_passphrase=False,
        new_passphrase_stdin=False,
        no_passphrase=False,
    )


def _write(export: _Export, wanted: Wanted, output: Output) -> None:
    to = wanted.to.expanduser() if wanted.to else None
    if to is not None and to.suffix.lower() == ".reg" and not to.is_dir():
        _write_registry(to, export, wanted, output)
        return
    if to is None and sys.platform == "win32":
        raise UsageError(
            "PuTTY keeps its sessions in the registry here",
            code="no-destination",
            cause="netkit writes a file that brings them there: --to FILE.reg, then open it",
            fixes=(
                Fix((PROGRAM, "profile", "export", "putty", *wanted.names, "--to", "putty.reg")),
            ),
        )
    place = own_place() if to is None else _place(to)
    if wanted.dry_run:
        for session in export.sessions:
            output.data(f"{session.name}: would be written to {place}")
        return
    done = writing.write_sessions(place, export.sessions, replace=wanted.replace)
    _report(done, place, output)
    for key in writing.add_host_keys(place, export.keys):
        if key.what == "exists":
            output.data(f"host key {key.name}: not added: {place.host_keys} holds another one")
        else:
            output.data(f"host key {key.name}: {key.what}")
    left = [each.name for each in done if each.what == "exists"]
    if left:
        raise UsageError(
            f"{len(left)} of {len(done)} sessions are left as they were: {', '.join(left[:5])}",
            code="session-exists",
            cause="PuTTY has sessions of these names that say something else",
            fixes=(Fix((PROGRAM, "profile", "export", "putty", "...", "--replace")),),
        )


def _write_registry(to: Path, export: _Export, wanted: Wanted, output: Output) -> None:
    if wanted.dry_run:
        what = "would be written"
    else:
        what = writing.write_registry_file(to, export.sessions, export.keys, replace=wanted.replace)
    sessions = render.count(len(export.sessions), "session")
    output.data(f"{to}: {what}: {sessions}, {render.count(len(export.keys), 'host key')}")


def _place(folder: Path) -> Place:
    if folder.exists() and not folder.is_dir():
        raise UsageError(
            f"{folder} is no folder",
            code="no-destination",
            cause="sessions are written into a folder, or as a file whose name ends in .reg",
        )
    return place_in(folder)


def _report(done: Sequence[writing.Done], place: Place, output: Output) -> None:
    for each in done:
        what = "exists, says something else" if each.what == "exists" else each.what
        output.data(f"{each.name}: {what}")
    if any(each.what in ("added", "changed") for each in done):
        output.talk(f"the sessions are in {place}")
