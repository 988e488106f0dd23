"""What the commands of ``netkit profile`` do."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from netkit import profiles
from netkit.cli.main import PROGRAM
from netkit.cli.profile.resolve import of_profile, wish
from netkit.errors import UsageError
from netkit.model import Fix, Profile
from netkit.text.profiles.names import check_name

if TYPE_CHECKING:
    from netkit.cli.output import Output
    from netkit.model import ForwardSpec

_SCHEMA_VERSION = 1


def save(
    name: str,
    gateway: str | None,
    forwards: Sequence[ForwardSpec],
    values: dict[str, Any],
    output: Output,
) -> int:
    """Save a profile, its password if that is given, and say what was saved."""
    from netkit.text.profiles.editing import block, canonical

    profile = _made(check_name(name), gateway, forwards, values)
    canonical(profile)  # before anybody is asked for a password
    password = _password(values, profile)
    what = profiles.save(profile, replace=values["replace"])
    if values["make_default"]:
        profiles.set_default(name)
    for line in block(profiles.stored(name)).splitlines():
        output.data(line)
    output.talk(f"{name}: {what} in {profiles.profiles_file()}")
    if password is not None:
        from netkit import secrets

        secrets.store(name, password)
        output.talk(f"{name}: the password is in the keyring")
    if profile.tunnel.forwards or profile.tunnel.x11 is not None:
        output.talk(f"{PROGRAM} up {name} starts it")
    else:
        output.talk(
            f"it has no forwards: {PROGRAM} up {name} needs some, which ssh_config may name"
        )
    return 0


def _made(
    name: str, gateway: str | None, forwards: Sequence[ForwardSpec], values: dict[str, Any]
) -> Profile:
    """Return the profile that a command line describes."""
    if gateway is None:
        present = profiles.load().find(name)
        if present is None:
            from netkit.cli.tunnel_job import EXAMPLE

            raise UsageError(
                f"no gateway is named, and there is no profile {name} to change",
                code="no-gateway",
                cause="netkit needs to know which SSH server to go through: [user@]host[:port]",
                fixes=(Fix((PROGRAM, "profile", "save", name, "me@gateway.example", *EXAMPLE)),),
            )
        wanted = of_profile(present, forwards, values)
    else:
        found = wish(gateway, forwards, values)
        assert found is not None
        wanted = found
    base = wanted.profile
    launch, note = values["launch"], values["note"]
    return Profile(
        name=name,
        tunnel=wanted.spec,
        keepalive_auto=wanted.auto_keepalive,
        launch=(base.launch if base else "") if launch is None else launch.replace("none", ""),
        note=(base.note if base else "") if note is None else note,
    )


def _password(values: dict[str, Any], profile: Profile) -> str | None:
    from netkit.cli.terminal import TerminalPrompter, read_password

    if values["password_stdin"]:
        return read_password()
    if not values["ask_password"]:
        return None
    prompter = TerminalPrompter()
    password = prompter.secret(f"Password for {profile.tunnel.gateway}:")
    if not password:
        raise UsageError(
            "no password was given",
            code="no-password",
            cause="" if prompter.has_terminal() else "there is no terminal to ask on",
            fixes=(
                Fix((PROGRAM, "profile", "save", "...", "--password-stdin"), note="reads a pipe"),
            ),
        )
    return password


def list_all(output: Output) -> int:
    """List all profiles."""
    known = profiles.load()
    if output.as_json:
        output.document(
            {
                "schema_version": _SCHEMA_VERSION,
                "file": str(profiles.profiles_file()),
                "default": known.default or None,
                "profiles": [_document(profile) for profile in known.profiles],
            }
        )
        return 0
    if not known.profiles:
        output.talk(f"no profile is saved; {PROGRAM} profile save --help says how")
    width = max(map(len, known.names), default=0)
    for profile in known.profiles:
        mark = "*" if profile.name == known.default else " "
        forwards = ", ".join(map(_short, profile.tunnel.forwards)) or "no forwards"
        note = f"   ({profile.note})" if profile.note else ""
        output.data(f"{mark} {profile.name:{width}}  {profile.tunnel.gateway}  {forwards}{note}")
    return 0


def _short(forward: ForwardSpec) -> str:
    from netkit.text.forwards import format_option

    return " ".join(format_option(forward))


def show(name: str, output: Output) -> int:
    """Show one profile."""
    from netkit.text.profiles.editing import block

    profile = profiles.get(name)
    if output.as_json:
        output.document({"schema_version": _SCHEMA_VERSION, **_document(profile)})
        return 0
    for line in block(profiles.stored(name)).splitlines():
        output.data(line)
    output.data(f"# {_command(profile)}")
    return 0


def _command(profile: Profile) -> str:
    from netkit.text.profiles.words import words

    return shlex.join((PROGRAM, "forward", *words(profile)))


def _document(profile: Profile) -> dict[str, Any]:
    from netkit.text.profiles.values import to_table
    from netkit.text.profiles.words import words

    return {
        "name": profile.name,
        **to_table(profile),
        "command": [PROGRAM, "forward", *words(profile)],
    }


def remove(names: Sequence[str], output: Output) -> int:
    """Forget profiles and their passwords."""
    from netkit import secrets

    for name in names:
        profiles.get(name)  # all of them are there, or nothing is done
    for name in dict.fromkeys(names):
        profiles.remove(name)
        also = " and its password" if secrets.forget(name) else ""
        output.talk(f"{name}{also} is removed" if not also else f"{name}{also} are removed")
    return 0


def rename(old: str, new: str, output: Output) -> int:
    """Rename a profile, and move its password."""
    from netkit import secrets

    profiles.rename(old, new)
    also = " with its password" if old != new and secrets.move(old, new) else ""
    output.talk(f"{old} is called {new} now{also}")
    return 0


def default(name: str | None, output: Output) -> int:
    """Choose the default profile; an empty name: none; None: say which it is."""
    if name is not None:
        profiles.set_default(name)
        output.talk(f"{name} is the default" if name else "no profile is the default")
        return 0
    known = profiles.load()
    if known.default:
        output.data(known.default)
    else:
        output.talk(f"no profile is the default; {PROGRAM} profile default NAME makes one so")
    return 0
