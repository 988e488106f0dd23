"""What transfers carry where compression is measured: made here, the same on every machine.

Text is a mixture of server logs, program source and prose with the word frequencies of a language
(Zipf's law), which zlib's level 6 brings to about three tenths of its size.  Random bytes cannot
be compressed at all.  Both are longer than deflate's window, so a compressor cannot see that they
come again and again.  The block is what uncompressed transfers carry: one that stays in the cache.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Callable, Iterator

SIZE = 2 << 20
BLOCK, TEXT, RANDOM = b"B", b"T", b"R"
NAMES = {"block": BLOCK, "text": TEXT, "random": RANDOM}

_ONSETS = ("b", "c", "d", "f", "g", "l", "m", "n", "p", "pr", "r", "s", "st", "t", "th", "tr", "w")
_CODAS = ("", "", "", "", "l", "n", "n", "nt", "r", "s", "st", "ng")
_HOSTS = ("web-1", "web-2", "db-1", "cache-3", "mail", "build-7", "gate")
_LEVELS = ("INFO", "INFO", "INFO", "INFO", "DEBUG", "DEBUG", "WARN", "ERROR")
_UNITS = ("sshd", "nginx", "postgres", "cron", "kernel", "systemd", "app.worker", "app.http")
_PATHS = ("api/v1/orders", "api/v1/users", "static/site.css", "health", "login", "search")
_KEYWORDS = ("if", "for", "while", "return", "with", "yield from", "assert", "raise", "del")


class _Writer:
    """Writes one kind of text after the other."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._clock = 1_700_000_000.0
        words = sorted({self._word() for _ in range(6_000)})
        self._random.shuffle(words)
        self._words = words
        self._weights = list(
            itertools.accumulate(1.0 / (rank + 2) for rank in range(len(self._words)))
        )

    def _word(self) -> str:
        pick = self._random.choice
        syllables = self._random.randint(1, 4)
        return "".join(pick(_ONSETS) + pick("aeiou") + pick(_CODAS) for _ in range(syllables))

    def _some(self, count: int) -> list[str]:
        return self._random.choices(self._words, cum_weights=self._weights, k=count)

    def log(self) -> str:
        """One line of a server's log."""
        chance = self._random
        self._clock += chance.expovariate(5.0)
        seconds, thousandths = divmod(int(self._clock * 1000), 1000)
        stamp = f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        head = (
            f"2026-03-{1 + seconds // 86400 % 28:02d}T{stamp}.{thousandths:03d}Z "
            f"{chance.choice(_HOSTS)} {chance.choice(_UNITS)}[{chance.randint(300, 32000)}]: "
            f"{chance.choice(_LEVELS)} "
        )
        kind = chance.random()
        if kind < 0.5:
            address = f"10.{chance.randint(0, 3)}.{chance.randint(0, 255)}.{chance.randint(1, 254)}"
            return (
                f'{head}{address} "GET /{chance.choice(_PATHS)}/{chance.randint(1, 99999)}" '
                f"{chance.choice((200, 200, 200, 304, 404, 500))} {chance.randint(120, 90000)} "
                f"{chance.random():.3f}s request={chance.getrandbits(64):016x}\n"
            )
        if kind < 0.8:
            return f"{head}{' '.join(self._some(chance.randint(5, 14)))}\n"
        name, value = self._some(2)
        return f"{head}{name}={chance.randint(0, 100000)} {value}={chance.random() * 100:.2f}%\n"

    def source(self) -> str:
        """A function of a program."""
        chance = self._random
        names = ["_".join(self._some(chance.randint(1, 2))) for _ in range(5)]
        lines = [f"def {names[0]}({names[1]}: str, {names[2]}: int = {chance.randint(0, 64)}):"]
        lines.append(f'    """{" ".join(self._some(chance.randint(6, 12))).capitalize()}."""')
        for _ in range(chance.randint(4, 14)):
            indent = "    " * chance.randint(1, 3)
            left, right = chance.sample(names, 2)
            if chance.random() < 0.35:
                lines.append(f"{indent}{chance.choice(_KEYWORDS)} self.{left}[{right}]:")
            elif chance.random() < 0.5:
                lines.append(f"{indent}{left} = self._{self._some(1)[0]}({right}, {left}=None)")
            else:
                lines.append(f"{indent}# {' '.join(self._some(chance.randint(3, 9)))}")
        return "\n".join(lines) + "\n\n\n"

    def prose(self) -> str:
        """A paragraph."""
        sentences = (" ".join(self._some(self._random.randint(6, 16))) for _ in range(5))
        return " ".join(f"{sentence.capitalize()}." for sentence in sentences) + "\n\n"

    def pieces(self) -> Iterator[str]:
        """Text without end, in stretches of one kind, as a disk full of files has it."""
        while True:
            kind: Callable[[], str] = self._random.choice((self.log, self.source, self.prose))
            stretch, length = self._random.randint(20_000, 100_000), 0
            while length < stretch:
                piece = kind()
                length += len(piece)
                yield piece


def text(size: int, seed: int = 1) -> bytes:
    """Logs, source and prose."""
    made, length = [], 0
    for piece in _Writer(seed).pieces():
        made.append(piece)
        length += len(piece)
        if length >= size:
            break
    return "".join(made).encode("ascii")[:size]


def noise(size: int, seed: int = 1) -> bytes:
    """Random bytes."""
    return random.Random(seed).randbytes(size)


@functools.cache
def corpus(kind: bytes) -> bytes:
    """What ``TEXT`` or ``RANDOM`` stands for; ``BLOCK`` is what compresses to nothing."""
    if kind == TEXT:
        return text(SIZE)
    return noise(SIZE) if kind == RANDOM else bytes(range(256)) * (SIZE // 256)


def named(name: str) -> bytes:
    """The corpus of a name on the command line; raises KeyError for another."""
    return NAMES[name]
