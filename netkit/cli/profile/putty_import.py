"""What ``netkit profile import putty`` does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from netkit.cli.profile.imports import store
from netkit.cli.render import clean_text
from netkit.errors import NetkitError, UsageError
from netkit.model import Fix, Imported, Profile
from netkit.putty.reading import Store, read_store
from netkit.text.endpoints import quoted
from netkit.text.profiles.names import MAX_NAME, name_from
from netkit.text.putty.hosts import key_place
from netkit.text.putty.mapping import FromPutty, to_profile
from netkit.text.putty.names import DEFAULT_SETTINGS
from netkit.text.putty.session import Session

if TYPE_CHECKING:
    from netkit.cli.output import Output
    from netkit.cli.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line asks for."""

    path: Path | None = None
    names: tuple[str, ...] = ()
    replace: bool = False
    dry_run: bool = False
    prefix: str = ""
    host_keys: bool = True
    config: Path | None = None


@dataclass(frozen=True, slots=True)
class _Made:
    """A session and the profile made of it."""

    session: Session
    found: FromPutty

    @property
    def profile(self) -> Profile:
        return self.found.imported.profile


def import_sessions(wanted: Wanted, services: Services, output: Output) -> int:
    """Save profiles for sessions, and their gateways' host keys; say what became of each.

    Raises:
        UsageError: there are no sessions, none of a given name, or none that is a tunnel's; a
            profile says something else (after all others are saved).
        ConfigError: a file is damaged.
    """
    path = wanted.path.expanduser() if wanted.path else None
    found = read_store(path)
    made, failed = _convert(found, _chosen(found, wanted.names), wanted, output)
    for text in found.left_out:
        output.talk(clean_text(f"not read: {text}"))
    if not made:
        raise _nothing(found, failed)
    kept: UsageError | None = None
    try:
        store(
            [each.found.imported for each in made],
            output=output,
            replace=wanted.replace,
            dry_run=wanted.dry_run,
            prefix=wanted.prefix,
        )
    except UsageError as error:
        if error.code != "profile-exists":
            raise
        kept = error
    if wanted.host_keys:
        for each in made:
            _learn(each, found, services, output, dry_run=wanted.dry_run)
    if kept is not None:
        raise kept
    if failed and wanted.names:
        raise failed[0]
    return 0


def _chosen(found: Store, names: tuple[str, ...]) -> list[Session]:
    if not names:
        return [each for each in found.sessions if each.name != DEFAULT_SETTINGS]
    sessions = found.by_name
    folded = {name.casefold(): name for name in sessions}
    chosen = []
    for name in dict.fromkeys(names):
        known = name if name in sessions else folded.get(name.casefold())
        if known is None:
            close = get_close_matches(name, sessions, 3, 0.5) or sorted(sessions)[:10]
            raise UsageError(
                f"there is no PuTTY session {quoted(name)} in {found.place}",
                code="unknown-session",
                cause=f"there are {', '.join(map(quoted, close))}" if close else "there are none",
            )
        chosen.append(sessions[known])
    return chosen


def _convert(
    found: Store, chosen: list[Session], wanted: Wanted, output: Output
) -> tuple[list[_Made], list[UsageError]]:
    """Return what became of sessions; one that is no tunnel's hides no other."""
    names = _profile_names(found)
    made: list[_Made] = []
    failed: list[UsageError] = []
    for session in chosen:
        name = names[session.name]
        try:
            result = to_profile(session, name, found.by_name)
        except UsageError as error:
            failed.append(error)
            if len(chosen) > 1:
                cause = f": {error.cause}" if error.cause else ""
                output.data(f"{session.name}: not imported: {error.summary}{cause}")
            continue
        if name != session.name:
            output.talk(f"session {quoted(session.name)} becomes profile {wanted.prefix}{name}")
        made.append(_Made(session, _with_config(result, wanted.config)))
    return made, failed


def _profile_names(found: Store) -> dict[str, str]:
    """Return a profile's name for each session, each once and the same every time."""
    taken: set[str] = set()
    names: dict[str, str] = {}
    # those that need no change keep their names
    order = sorted(found.by_name, key=lambda name: (name_from(name) != name, name))
    for session in order:
        name = base = name_from(session)
        number = 2
        while name.casefold() in taken:
            ending = f"-{number}"
            name = base[: MAX_NAME - len(ending)] + ending
            number += 1
        taken.add(name.casefold())
        names[session] = name
    return names


def _with_config(result: FromPutty, config: Path | None) -> FromPutty:
    if config is None:
        return result
    profile = result.imported.profile
    tunnel = replace(profile.tunnel, config_file=config.expanduser())
    imported = Imported(replace(profile, tunnel=tunnel), result.imported.left_out)
    return replace(result, imported=imported)


def _learn(made: _Made, found: Store, services: Services, output: Output, *, dry_run: bool) -> None:
    """Add the host keys of a profile's gateways to known_hosts."""
    from netkit.cli.profile.putty_keys import learn

    host, port = key_place(made.session)
    blobs = [*_cached(found, host, port), *made.found.host_keys]
    try:
        hops = services.plan(made.profile.tunnel).hops
    except NetkitError as error:
        if blobs:
            output.talk(f"{made.profile.name}: host keys are not added: {error.summary}")
        return
    for hop in hops[:-1]:
        _tell(learn(hop, _cached(found, hop.host, hop.port), dry_run=dry_run), made, output)
    _tell(learn(hops[-1], blobs, dry_run=dry_run), made, output)


def _cached(found: Store, host: str, port: int) -> list[bytes]:
    return [
        key.blob
        for key in found.host_keys
        if key.port == port and key.host.casefold() == host.casefold()
    ]


def _tell(lines: list[str], made: _Made, output: Output) -> None:
    for line in lines:
        output.data(f"{made.profile.name}: host key of {line}")


def _nothing(found: Store, failed: list[UsageError]) -> UsageError:
    if len(failed) == 1:
        return failed[0]
    return UsageError(
        f"no session in {found.place} can become a profile",
        code="nothing-to-import",
        cause=failed[0].summary if failed else "PuTTY has saved none but its default settings",
        fixes=failed[0].fixes if failed else (Fix(("netkit", "profile", "save", "--help")),),
    )
