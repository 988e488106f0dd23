"""Who holds a port, in the words of ss(8) and lsof(8); pure, and the words are a stranger's."""

from __future__ import annotations

import re
from typing import Final

COMMAND: Final = (
    "LC_ALL=C; PATH=$PATH:/usr/sbin:/sbin; "
    "ss -Hltnp 'sport = :{port}' 2>/dev/null | head -n 5; "
    "command -v ss >/dev/null 2>&1 || "
    "lsof -nP -iTCP:{port} -sTCP:LISTEN -Fcp 2>/dev/null | head -n 5"
)
"""Asks for it in a POSIX shell; without rights it names processes of the same user alone."""

_SS: Final = re.compile(r'users:\(\("([\x21-\x7e]{1,40}?)",pid=([0-9]{1,10})')
_LSOF: Final = re.compile(r"^p([0-9]{1,10})\nc([\x21-\x7e]{1,40})$", re.MULTILINE)


def parse_holder(text: str) -> str:
    """Return ``sshd (process 812)``, or nothing where the text does not say."""
    if found := _SS.search(text):
        return f"{found[1]} (process {found[2]})"
    if found := _LSOF.search(text):
        return f"{found[2]} (process {found[1]})"
    return ""
