"""``netkit profile edit``: a copy is edited, checked, and replaces the file when it is right."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netkit import profiles
from netkit.cli import render
from netkit.cli.main import PROGRAM
from netkit.errors import ConfigError, UsageError
from netkit.files import read_bounded
from netkit.model import Fix

if TYPE_CHECKING:
    from netkit.cli.output import Output

_MAX_SIZE = 1 << 20
_EMPTY = b"""\
# Profiles of netkit: saved tunnels.  netkit profile save --help
#
# default = "office"
#
# [profiles.office]
# gateway = "me@gw.example"
#
# [[profiles.office.forwards]]
# kind = "local"
# bind = "127.0.0.2:3389"
# to = "desktop:3389"
"""


def edit(name: str | None, output: Output) -> int:
    """Let the user edit the file of profiles.

    Raises:
        ConfigError: what was edited is wrong; the file is as it was, and the copy is kept.
        UsageError: there is no profile ``name``, or the editor cannot be run.
    """
    file = profiles.profiles_file()
    before = profiles.content()
    if name is not None:
        _say_where(name, before, output)
    copy = _copy(before or _EMPTY)
    keep = False
    try:
        while True:
            _run_editor(copy)
            after = read_bounded(copy, _MAX_SIZE)
            if after == (before or _EMPTY):
                output.talk(f"nothing has changed in {file}")
                return 0
            try:
                _take(after, before, copy)
            except UsageError as error:
                if isinstance(error, ConfigError) and _again(error):
                    continue
                keep = True
                raise _kept(error, file, copy) from None
            output.talk(f"{file} is changed")
            return 0
    finally:
        if not keep:
            copy.unlink(missing_ok=True)


def _take(after: bytes, before: bytes, copy: Path) -> None:
    from netkit.text.profiles.source import to_text

    profiles.replace_text(to_text(after, str(copy)), before)


def _say_where(name: str, data: bytes, output: Output) -> None:
    from netkit.text.profiles.lines import line_of

    try:
        profiles.get(name)
        line = line_of(data.decode("utf-8-sig"), ("profiles", name))
    except ConfigError as error:  # which is why it is edited
        output.talk(error.summary)
        return
    output.talk(f"{name} begins in line {line}")


def _copy(data: bytes) -> Path:
    # editors know the kind of a file by its suffix; mkstemp makes it 0600
    descriptor, name = tempfile.mkstemp(prefix="netkit-profiles-", suffix=".toml")
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    return Path(name)


def _run_editor(path: Path) -> None:
    try:
        click.edit(filename=str(path))
    except click.ClickException as error:
        raise UsageError(
            f"the editor failed: {error.format_message()}",
            code="editor-failed",
            cause="$VISUAL, else $EDITOR names the editor",
            fixes=(Fix(("env", "EDITOR=nano", PROGRAM, "profile", "edit")),),
        ) from None


def _again(error: ConfigError) -> bool:
    """Show what is wrong and ask whether to edit again; without a terminal: no."""
    from netkit.cli.output import write_stderr
    from netkit.cli.terminal import TerminalPrompter

    prompter = TerminalPrompter()
    if not prompter.has_terminal():
        return False
    write_stderr(render.error_lines(error, command=f"{PROGRAM} profile edit")[:2])
    answer = prompter.answer("Edit it again? [Y/n]")
    return answer is not None and answer.strip().lower() in ("", "y", "yes")


def _kept(error: UsageError, file: Path, copy: Path) -> UsageError:
    cause = f"{error.cause}; " if error.cause else ""
    return type(error)(
        error.summary,
        code=error.code,
        cause=f"{cause}{file} is as it was, and what you wrote is in {copy}",
        fixes=(Fix((PROGRAM, "profile", "edit")),),
    )
