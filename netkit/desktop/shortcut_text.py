"""What is in a shortcut: a ``.desktop`` file, a ``.lnk`` or a ``.command`` script; pure."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import PureWindowsPath

from netkit.desktop.desktop_entry import Action, Entry, format_entry, parse_entry
from netkit.desktop.windows_link import Link, format_link, parse_link
from netkit.errors import UsageError

KEY = "X-Netkit-Profile"
_MARK = "# netkit shortcut of the profile "
_DESCRIPTION = "netkit shortcut of the profile "
_BAD_IN_NAMES = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
MAX_NAME, MAX_ICON = 80, 250

# A terminal window would close before anybody has read why.
_HOLD = (
    '"$@"; s=$?; if [ "$s" = 0 ]; then sleep 2; elif [ "$s" != 130 ]; then echo;'
    ' echo "Press Enter to close this window."; read -r _; fi; exit "$s"'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcut:
    """What to write.

    Attributes:
        profile: the name of the profile.
        name: what people see; also the name of the file.
        hidden: no window; what it says goes to a log.
        icon: a file, or a name of the icon theme.
    """

    profile: str
    name: str
    hidden: bool = False
    icon: str = ""


@dataclass(frozen=True, slots=True)
class Start:
    """How netkit is started on this machine.

    ``program`` are the words before its arguments; ``hidden`` the same without a window;
    ``environment`` has to be as it is here.
    """

    program: tuple[str, ...]
    hidden: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    shell: str = "cmd.exe"


def check_name(name: str) -> str:
    """Return a name that can be seen, and be a file's on every system.

    Raises:
        UsageError: it cannot.
    """
    why = ""
    if not name.strip() or len(name) > MAX_NAME:
        why = f"it has 1 to {MAX_NAME} characters"
    elif _BAD_IN_NAMES.search(name) or not name.isprintable():
        why = 'it has none of < > : " / \\ | ? * and no control characters'
    elif name != name.strip() or name.startswith(".") or name.endswith("."):
        why = "it begins and ends with none of a space and '.'"
    elif name.startswith("-"):
        why = "it does not begin with '-'"
    if why:
        raise UsageError(
            f"{name[:40]!r} is no name for a shortcut", code="bad-shortcut-name", cause=why
        )
    return name


def check_icon(icon: str) -> str:
    """Return the path of a picture, or a name of the icon theme; empty is neither.

    Raises:
        UsageError: it has control characters, or is too long.
    """
    if len(icon) > MAX_ICON or not (icon.isprintable() or not icon):
        raise UsageError(
            f"--icon {icon[:40]!r} is no picture",
            code="bad-icon",
            cause=f"it is the path of one, of at most {MAX_ICON} printable characters",
        )
    return icon


def content(shortcut: Shortcut, start: Start, os_name: str) -> bytes:
    """Return the file.

    Raises:
        UsageError: something cannot be said in such a file.
    """
    if os_name == "windows":
        return format_link(_link(shortcut, start))
    if os_name == "darwin":
        return _script(shortcut, start).encode("utf-8")
    return format_entry(_entry(shortcut, start)).encode("utf-8")


def _up(shortcut: Shortcut) -> tuple[str, ...]:
    return ("up", shortcut.profile, "--once")


def _with_environment(start: Start, argv: tuple[str, ...]) -> tuple[str, ...]:
    if not start.environment:
        return argv
    return ("env", *(f"{name}={value}" for name, value in start.environment), *argv)


def _held(start: Start, *words: str) -> tuple[str, ...]:
    """Return the command, in a shell that keeps its window open when it fails."""
    return _with_environment(start, ("sh", "-c", _HOLD, "netkit", *start.program, *words))


def _entry(shortcut: Shortcut, start: Start) -> Entry:
    hidden = _with_environment(start, (*start.hidden, *_up(shortcut)))
    actions = (
        Action("no-program", "Tunnel Only", _held(start, *_up(shortcut), "--no-launch")),
        Action("doctor", "Find What Is Wrong", _held(start, "doctor", shortcut.profile)),
    )
    return Entry(
        name=shortcut.name,
        comment=f"Open the netkit tunnel {shortcut.profile}",
        argv=hidden if shortcut.hidden else _held(start, *_up(shortcut)),
        icon=shortcut.icon or "network-workgroup",
        terminal=not shortcut.hidden,
        actions=() if shortcut.hidden else actions,
        extra=((KEY, shortcut.profile),),
    )


def _link(shortcut: Shortcut, start: Start) -> Link:
    folder = str(PureWindowsPath(start.program[0]).parent)
    if shortcut.hidden:
        target, words = start.hidden[0], (*start.hidden[1:], *_up(shortcut))
        arguments = " ".join(words)
    else:
        # cmd takes off the outer quotes (/s), and keeps the window open when netkit fails
        words = (*start.program, *_up(shortcut))
        if any(letter in word for word in words for letter in '%"'):
            raise UsageError(
                f"{start.program[0]} cannot be started by a shortcut",
                code="bad-shortcut",
                cause="its path has % or a quote, which the command interpreter takes for its own",
            )
        command = " ".join(f'"{word}"' if " " in word or "&" in word else word for word in words)
        target, arguments = start.shell, f'/d /s /c "{command} || pause"'
    return Link(
        target=target,
        arguments=arguments,
        description=f"{_DESCRIPTION}{shortcut.profile}",
        icon=shortcut.icon,
        folder=folder,
        minimised=True,
    )


def _script(shortcut: Shortcut, start: Start) -> str:
    lines = ["#!/bin/sh", f"{_MARK}{shortcut.profile}"]
    lines += [f"{name}={shlex.quote(value)}; export {name}" for name, value in start.environment]
    if shortcut.hidden:
        words = shlex.join((*start.hidden, *_up(shortcut)))
        return "\n".join([*lines, f"nohup {words} >/dev/null 2>&1 &", ""])
    title = shlex.quote(shortcut.name)
    lines += [
        f"printf '\\033]0;%s\\007' {title}",
        f"set -- {shlex.join((*start.program, *_up(shortcut)))}",
    ]
    return "\n".join([*lines, _HOLD, ""])


def profile_of(data: bytes, os_name: str) -> str:
    """Return the profile whose shortcut a file is, empty for any other file."""
    try:
        if os_name == "windows":
            said = parse_link(data).description
            return said.removeprefix(_DESCRIPTION) if said.startswith(_DESCRIPTION) else ""
        text = data.decode("utf-8")
        if os_name == "darwin":
            return next(
                (
                    line.removeprefix(_MARK)
                    for line in text.split("\n", 3)[:3]
                    if line.startswith(_MARK)
                ),
                "",
            )
        return parse_entry(text).get("Desktop Entry", {}).get(KEY, "")
    except (UsageError, UnicodeDecodeError):
        return ""
