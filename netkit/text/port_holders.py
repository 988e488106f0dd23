"""Who holds a port, in the words of ss(8) and lsof(8); pure, and the words are a stranger's."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

COMMAND: Final = (
    "LC_ALL=C; PATH=$PATH:/usr/sbin:/sbin; "
    "ss -Hltnp 'sport = :{port}' 2>/dev/null | head -n 5; "
    "command -v ss >/dev/null 2>&1 || "
    "lsof -nP -iTCP:{port} -sTCP:LISTEN -Fcp 2>/dev/null | head -n 5"
)
"""Asks for it in a POSIX shell; without rights it names processes of the same user alone."""

_SS: Final = re.compile(r'users:\(\("([\x21-\x7e]{1,40}?)",pid=([0-9]{1,10})')
_LSOF: Final = re.compile(r"^p([0-9]{1,10})\nc([\x21-\x7e]{1,40})$", re.MULTILINE)


class Holder(NamedTuple):
    """A process that listens; ``name`` is printable ASCII."""

    name: str
    pid: int

    @property
    def is_session(self) -> bool:
        """Whether it serves an SSH client, which may be ours."""
        return self.name.startswith(("sshd", "dropbear"))

    def __str__(self) -> str:
        """Return ``sshd (process 812)``."""
        return f"{self.name} (process {self.pid})"


def parse_holder(text: str) -> Holder | None:
    """Return who it is; None where the text does not say."""
    if found := _SS.search(text):
        return Holder(found[1], int(found[2]))
    if found := _LSOF.search(text):
        return Holder(found[2], int(found[1]))
    return None
