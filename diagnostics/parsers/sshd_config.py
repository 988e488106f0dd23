"""sshd_config(5), and what ``sshd -T`` prints, which has the same grammar.

The first value of a keyword wins; a Match block overrides what is global, and is not judged here:
what it sets is marked with its criteria.  A file that was not given, or could not be read, is named
in ``unread``, because it may say something else.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from dataclasses import dataclass

from diagnostics.parsers.text import clean, lines

MAX_SETTINGS = 5000
MAX_FILES = 100
MAX_SECONDS = 2**31 - 1
_DEPTH = 16
"""Of Include (servconf.c, SERVCONF_MAX_DEPTH)."""

_LINES = 5000
_WORDS = 200
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_TIME = re.compile(r"([0-9]{1,10})([smhdw]?)", re.ASCII | re.IGNORECASE)
_WORD = re.compile(r'\s*=?\s*(?:"([^"]*)"?|(\S+))')
_ALL = ("all",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """A file as read on the gateway; ``data`` is None where the account may not read it."""

    path: str
    data: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One line.  ``keyword`` is lower case; ``match`` the criteria of its Match block.

    In what ``sshd -T`` printed, ``match`` is that of the line that was seen to say the same.
    """

    keyword: str
    words: tuple[str, ...]
    file: str = ""
    line: int = 0
    match: str = ""

    @property
    def text(self) -> str:
        """The value as one text."""
        return clean(" ".join(self.words))

    @property
    def place(self) -> str:
        """Where it is written; empty where that is not known."""
        return f"{clean(self.file, 300)}:{self.line}" if self.file else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SshdConfig:
    """Every setting in the order in which sshd reads them, and the files that are missing.

    ``included`` are the patterns of Include lines.  ``effective`` tells the output of ``sshd -T``,
    in which Match blocks have been applied already.
    """

    settings: tuple[Setting, ...] = ()
    unread: tuple[str, ...] = ()
    included: tuple[str, ...] = ()
    effective: bool = False

    @property
    def known(self) -> bool:
        """Whether anything is known."""
        return bool(self.settings) and not self.unread

    def get(self, keyword: str) -> Setting | None:
        """Return the setting that counts, as far as Match blocks do not override it."""
        found = self.all(keyword)
        return next((each for each in found if self.effective or not each.match), None)

    def matched(self, keyword: str) -> tuple[Setting, ...]:
        """Return what Match blocks set, any of which may count instead."""
        return () if self.effective else tuple(e for e in self.all(keyword) if e.match)

    def all(self, keyword: str) -> tuple[Setting, ...]:
        """Return every setting of ``keyword``."""
        return tuple(each for each in self.settings if each.keyword == keyword.lower())

    def word(self, keyword: str, default: str = "") -> str:
        """Return the first word of the global value in lower case."""
        found = self.get(keyword)
        return found.words[0].lower() if found and found.words else default

    def number(self, keyword: str, default: int) -> int:
        """Return a global value that is a number, ``default`` for what is none."""
        word = self.word(keyword)
        return int(word) if word.isascii() and word.isdecimal() and len(word) < 10 else default

    def seconds(self, keyword: str, default: int) -> int:
        """Return a global value that is a time in seconds; 0 for ``none``."""
        found = seconds(self.word(keyword))
        return default if found is None else found

    def with_places(self, written: SshdConfig) -> SshdConfig:
        """Return these settings with the places where ``written`` says the same.

        sshd prints some values in another form than they are written in; the only line of a
        keyword is taken for its place all the same.
        """
        exact: dict[tuple[str, tuple[str, ...]], Setting] = {}
        lines: dict[str, list[Setting]] = {}
        for each in written.settings:
            exact.setdefault(_key(each), each)
            lines.setdefault(each.keyword, []).append(each)
        only = {keyword: found[0] for keyword, found in lines.items() if len(found) == 1}
        settings = tuple(
            _at(each, exact.get(_key(each)) or only.get(each.keyword)) for each in self.settings
        )
        return SshdConfig(settings=settings, included=written.included, effective=self.effective)


def _key(setting: Setting) -> tuple[str, tuple[str, ...]]:
    return setting.keyword, tuple(map(str.lower, setting.words))


def _at(setting: Setting, place: Setting | None) -> Setting:
    if place is None:
        return setting
    return Setting(
        keyword=setting.keyword,
        words=setting.words,
        file=place.file,
        line=place.line,
        match=place.match,
    )


def seconds(text: str) -> int | None:
    """Return a time of sshd_config(5), TIME FORMATS, in seconds; 0 for ``none``, None for no time.

    ``1h30m`` and ``90`` are times.
    """
    if text.lower() == "none":
        return 0
    total, at = 0, 0
    for found in _TIME.finditer(text[:40]):
        if found.start() != at:
            return None
        at = found.end()
        total += int(found[1]) * _UNITS[found[2].lower()]
    return min(total, MAX_SECONDS) if at and at == len(text) else None


def parse_effective(data: bytes) -> SshdConfig:
    """Parse the output of ``sshd -T`` or ``sshd -G``."""
    settings = [
        Setting(keyword=keyword, words=words) for _, keyword, words in _settings(data, MAX_SETTINGS)
    ]
    return SshdConfig(settings=tuple(settings), effective=True)


def parse(files: tuple[ConfigFile, ...], options: tuple[str, ...] = ()) -> SshdConfig:
    """Parse the first of ``files`` and what it includes of the others.

    ``options`` are ``Keyword=value`` of sshd's own command line, which win.
    """
    reader = _Reader(files[:MAX_FILES])
    for option in options[:_WORDS]:
        keyword, words = _split(option)
        if keyword:
            reader.add(Setting(keyword=keyword, words=words))
    if files:
        reader.read(files[0].path, "", 0)
    return SshdConfig(
        settings=tuple(reader.settings),
        unread=tuple(dict.fromkeys(reader.unread)),
        included=tuple(dict.fromkeys(reader.included)),
    )


class _Reader:
    """Reads files in the order of their Include lines."""

    def __init__(self, files: tuple[ConfigFile, ...]) -> None:
        self.files = {each.path: each.data for each in files}
        self.settings: list[Setting] = []
        self.unread: list[str] = []
        self.included: list[str] = []
        self._reads = 0

    def add(self, setting: Setting) -> None:
        if len(self.settings) < MAX_SETTINGS:
            self.settings.append(setting)

    def read(self, path: str, match: str, depth: int) -> None:
        data = self.files.get(path)
        self._reads += 1
        if data is None or depth > _DEPTH or self._reads > MAX_FILES:
            self.unread.append(path)
            return
        for number, keyword, words in _settings(data, _LINES):
            if keyword == "match":
                # A block ends with the file (servconf.c); "Match all" applies to everybody.
                lowered = tuple(word.lower() for word in words)
                match = "" if lowered == _ALL else " ".join(words) or "?"
            elif keyword == "include":
                for pattern in words:
                    self._include(pattern, match, depth)
            else:
                self.add(Setting(keyword=keyword, words=words, file=path, line=number, match=match))

    def _include(self, pattern: str, match: str, depth: int) -> None:
        if not pattern.startswith("/"):
            pattern = f"/etc/ssh/{pattern}"
        if len(self.included) < MAX_FILES:
            self.included.append(pattern)
        if len(pattern) > 1000:
            self.unread.append(clean(pattern))
            return
        found = [path for path in self.files if fnmatch.fnmatchcase(path, pattern)]
        if not found and not any(char in pattern for char in "*?["):
            self.unread.append(pattern)
        for path in found:
            self.read(path, match, depth + 1)


def _settings(data: bytes, limit: int) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    for number, line in enumerate(lines(data, limit), 1):
        keyword, words = _split(line)
        if keyword:
            yield number, keyword, words


def _split(line: str) -> tuple[str, tuple[str, ...]]:
    """Return the keyword in lower case and its words; an empty keyword for a comment."""
    text = line.strip()[:4096]
    found = re.match(r"[A-Za-z0-9]{1,64}", text)
    if found is None:
        return "", ()
    words = [quoted or bare for quoted, bare in _WORD.findall(text[found.end() :])][:_WORDS]
    comment = next((at for at, word in enumerate(words) if word.startswith("#")), len(words))
    return found[0].lower(), tuple(words[:comment])
