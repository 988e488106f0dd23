"""Names to offer when a gateway is completed: aliases of ssh_config and known hosts.

Completion runs at every TAB, so it reads two files, a bounded piece of each, and nothing else.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_MOST_BYTES = 1 << 20
_MOST_NAMES = 500
_HOST_LINE = re.compile(r"[ \t]*host(?:[ \t]*=[ \t]*|[ \t]+)(.*)", re.IGNORECASE)


def complete_gateway(incomplete: str) -> list[CompletionItem[str]]:
    """Return gateways that begin with ``incomplete``; a ``user@`` in front is kept."""
    from click.shell_completion import CompletionItem

    user, at, begun = incomplete.rpartition("@")
    names = sorted(name for name in host_names() if name.startswith(begun))
    return [CompletionItem(f"{user}{at}{name}") for name in names[:_MOST_NAMES]]


def host_names(directory: Path | None = None) -> set[str]:
    """Return the names in ``config`` and ``known_hosts`` of ``directory`` (default ~/.ssh)."""
    try:
        directory = directory or Path.home() / ".ssh"
    except RuntimeError:  # no home directory
        return set()
    return config_names(_read(directory / "config")) | known_names(_read(directory / "known_hosts"))


def config_names(text: str) -> set[str]:
    """Return the aliases of ``Host`` lines that are no patterns."""
    names: set[str] = set()
    for line in text.splitlines():
        if match := _HOST_LINE.match(line):
            words = match[1].replace('"', " ").split()
            names.update(word for word in words if _is_plain(word))
    return names


def known_names(text: str) -> set[str]:
    """Return the names of known_hosts lines that are neither hashed, marked nor patterns."""
    names: set[str] = set()
    for line in text.splitlines():
        word = line.split(" ", 1)[0]
        if not word or word[0] in "#@|":
            continue
        for name in word.split(","):
            if name.startswith("["):
                host, _, port = name[1:].partition("]:")
                name = "" if ":" in host else f"{host}:{port}"  # noqa: PLW2901
            if _is_plain(name):
                names.add(name)
    return names


def _is_plain(name: str) -> bool:
    # the shell puts it into the user's command line as it is
    return bool(re.fullmatch(r"[\w.:-]+", name, re.ASCII)) and not name.startswith("-")


def _read(path: Path) -> str:
    try:
        if not path.is_file():  # a pipe would make the shell wait
            return ""
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
