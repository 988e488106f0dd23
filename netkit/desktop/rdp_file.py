"""The text of an ``.rdp`` file, which mstsc and the Windows App open; pure.

A line is ``name:type:value`` with type ``s`` (text) or ``i`` (number), ended by CR LF (Microsoft
Learn, "Supported RDP properties").  There is no way to quote: what would end a line is refused.
"""

from __future__ import annotations

import re

from netkit.desktop.clients import View
from netkit.errors import UsageError

Value = str | int

_LINE = re.compile(r"([a-z][a-z0-9 ]*):([si]):(.*)", re.IGNORECASE)
_NUMBER = re.compile(r"([a-z][a-z0-9 ]*):i:(-?[0-9]{1,10})", re.IGNORECASE)


def rdp_settings(view: View) -> dict[str, Value]:
    """Return the settings that show ``view``; nothing of this machine but the clipboard is lent."""
    settings: dict[str, Value] = {
        "full address": str(view.at),
        "screen mode id": 2 if view.fullscreen else 1,
        "authentication level": 2,  # warn when the server cannot be identified
        "prompt for credentials": 1,
        "autoreconnection enabled": 1,
        "redirectclipboard": 1,
        "redirectprinters": 0,
        "drivestoredirect": "",
        "gatewayusagemethod": 0,
    }
    if view.user:
        settings["username"] = view.user
    if view.size:
        settings["desktopwidth"], settings["desktopheight"] = view.size
    return settings


def format_rdp(settings: dict[str, Value]) -> str:
    """Return the text of the file.

    Raises:
        UsageError: a name or a value cannot be written.
    """
    lines = []
    for name, value in settings.items():
        line = f"{name}:{'i' if isinstance(value, int) else 's'}:{value}"
        if not _LINE.fullmatch(line) or any(ord(letter) < 32 for letter in line):
            raise UsageError(
                f"{name} {str(value)[:60]!r} cannot be written into an .rdp file",
                code="bad-rdp-setting",
                cause="a setting is one line without control characters",
            )
        lines.append(line + "\r\n")
    return "".join(lines)


def parse_rdp(text: str) -> dict[str, Value]:
    """Return the settings of a file.

    Raises:
        UsageError: a line is no setting.
    """
    settings: dict[str, Value] = {}
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not line.strip():
            continue
        if found := _NUMBER.fullmatch(line):
            settings[found[1]] = int(found[2])
        elif (found := _LINE.fullmatch(line)) and found[2].lower() == "s":
            settings[found[1]] = found[3]
        else:
            raise UsageError(f"line {number} is no setting of an .rdp file", code="bad-rdp-file")
    return settings


def encode_rdp(text: str, *, windows: bool) -> bytes:
    """Return the bytes of the file: UTF-16 with a mark as mstsc writes it, UTF-8 elsewhere."""
    if not windows:
        return text.encode("utf-8", "replace")
    return b"\xff\xfe" + text.encode("utf-16-le", "replace")
