"""The text for every code: what it means, why, how to mend it, and where that is written.

The sections are in ``findings/AREA.md`` beside this file, so that they are installed with the
package; docs/findings.md is all of them in one (``python -m diagnostics.knowledge.book``).
"""

from __future__ import annotations

import sys
from importlib.resources import files

_HEADING = "## "

AREAS = {
    "doctor": "The doctor itself",
    "loopback": "Loopback and localhost",
    "network": "Network",
    "ports": "Local ports",
    "keys": "Keys and agent",
    "gateway": "Gateway",
    "forwarding": "Forwarding",
    "nat": "NAT and keepalives",
    "x11": "X11",
    "protocol": "Protocols",
}
"""Files and their titles, in the order of the book."""


def sections() -> dict[str, str]:
    """Return the section of every code, heading included, in the order of the book."""
    return {code: text for area in AREAS for code, text in area_sections(area).items()}


def area_sections(area: str) -> dict[str, str]:
    """Return the sections of one area."""
    file = files(__package__) / "findings" / f"{area}.md"
    return split(file.read_text("utf-8")) if file.is_file() else {}


def split(text: str) -> dict[str, str]:
    """Return the sections of ``text`` by the code in their heading; what precedes is left out."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(_HEADING):
            lines = found.setdefault(line.removeprefix(_HEADING).strip(), [])
        lines.append(line)
    return {code: "\n".join(body).strip() + "\n" for code, body in found.items()}


def book() -> str:
    """Return docs/findings.md."""
    parts = [
        "# Findings\n",
        (
            "Every code that `netkit doctor` can report. `netkit doctor --explain CODE` prints\n"
            "its section without a network. `make docs` makes this file of\n"
            "`diagnostics/knowledge/findings/`.\n"
        ),
    ]
    for area, title in AREAS.items():
        if not (found := area_sections(area)):
            continue
        parts.append(f"# {title}\n")
        parts += found.values()
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(book())
