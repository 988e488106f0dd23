"""Where in an ssh_config file something is wrong, from what ssh or netkit says about it.

ssh prints ``FILE line 3: Bad port 'x'.`` and ``FILE: line 3: Bad configuration option: x``,
netkit's own reader ``FILE:3: port cannot be 'x'``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from diagnostics.parsers.text import clean

MAX_TEXT = 8000
MAX_PLACES = 10

_PREFIX = re.compile(r"ssh rejects the configuration: ")
_PLACE = (
    re.compile(r"(?P<file>\S.{0,4000}?):? line (?P<line>\d{1,9}): (?P<what>.+)"),
    re.compile(r"(?P<file>\S.{0,4000}?):(?P<line>\d{1,9}): (?P<what>.+)"),
)
_FILE = (
    re.compile(r"(?P<what>Bad owner or permissions) on (?P<file>.+)"),
    re.compile(r"(?P<what>Can't open [a-z ]{0,40}file) (?P<file>.+?): (?P<more>.+)"),
    re.compile(r"(?P<file>.+?) (?P<what>cannot be read): (?P<more>.+)"),
    re.compile(r"(?P<file>.+?) (?P<what>can be changed by others)"),
    re.compile(r"(?P<file>.+?) (?P<what>is longer than \d{1,9} \w+|is no regular file)"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """A fault in a file; ``line`` is 0 where it is about the file as a whole."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


def places(text: str) -> tuple[Place, ...]:
    """Return the places that ``text`` names, in its order."""
    parts = re.split(r"; |[\r\n]+", text[:MAX_TEXT])
    found = (_place(_PREFIX.sub("", part.strip(), count=1)) for part in parts)
    return tuple(place for place in found if place is not None)[:MAX_PLACES]


def _place(text: str) -> Place | None:
    for pattern in _PLACE:
        if match := pattern.fullmatch(text):
            return Place(clean(match["file"], 400), int(match["line"]), clean(match["what"]))
    for pattern in _FILE:
        if match := pattern.fullmatch(text):
            more = match.groupdict().get("more")
            what = f"{match['what']}: {more}" if more else match["what"]
            return Place(clean(match["file"], 400), 0, clean(what))
    return None
