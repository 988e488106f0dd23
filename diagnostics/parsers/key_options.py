"""What the options before a key in authorized_keys allow: sshd(8), AUTHORIZED_KEYS FILE FORMAT."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from diagnostics.parsers.gateway_survey import START, parse_files, parts
from diagnostics.parsers.public_keys import MAX_BLOB, fingerprint
from diagnostics.parsers.text import clean, lines

MAX_KEYS = 2000
_MAX_OPTIONS = 64

_KEY = re.compile(
    r"(?:^|\s)((?:ssh|ecdsa|sk-ssh|sk-ecdsa)-[a-z0-9@.-]{2,60})\s+([A-Za-z0-9+/]{16,}={0,2})(?:\s|$)"
)
_OPTION = re.compile(r'([A-Za-z0-9-]{1,64})(?:="((?:[^"\\]|\\.){0,4096})")?')
_ALL = frozenset(("restrict", "no-port-forwarding", "port-forwarding"))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLine:
    """One key and its options, such as ``restrict`` or ``permitopen="db:5432"``."""

    file: str
    line: int
    options: tuple[str, ...]
    fingerprint: str

    @property
    def forbids_forwarding(self) -> str:
        """The option that forbids every forward; the last one counts (auth-options.c)."""
        found = [each for each in self.options if each in _ALL]
        return found[-1] if found and found[-1] != "port-forwarding" else ""

    def values(self, name: str) -> tuple[str, ...]:
        """Return what an option that may be given several times is set to."""
        start = f'{name}="'
        return tuple(each[len(start) : -1] for each in self.options if each.startswith(start))

    @property
    def place(self) -> str:
        """Where it is written."""
        return f"{clean(self.file, 300)}:{self.line}"


def ask(paths: tuple[str, ...]) -> str:
    """Return the command that prints key files; each path holds no character a shell treats."""
    files = " ".join(paths)
    return (
        f"sh -c '{START}; echo netkit-part files; for f in {files};"
        ' do if [ -r "$f" ]; then echo "netkit-file $f"; head -n 3000 "$f"; echo; fi; done;'
        " echo netkit-part end'"
    )


def parse_answer(data: bytes) -> tuple[KeyLine, ...]:
    """Read the answer to `ask`."""
    found = parts(data)
    files = parse_files(found.get("files", [])) if found is not None else ()
    keys = [key for each in files for key in parse_keys(each.path, each.data or b"")]
    return tuple(keys[:MAX_KEYS])


def parse_keys(path: str, data: bytes) -> tuple[KeyLine, ...]:
    """Parse one file; a line without a key is passed over."""
    found: list[KeyLine] = []
    for number, line in enumerate(lines(data, 10_000, MAX_BLOB), 1):
        if line.lstrip().startswith("#"):
            continue
        options, rest = _options(line.strip())
        key = _KEY.match(f" {rest.lstrip()}")
        blob = _decoded(key[2]) if key else b""
        if blob and len(found) < MAX_KEYS:
            found.append(
                KeyLine(file=path, line=number, options=options, fingerprint=fingerprint(blob))
            )
    return tuple(found)


def line_of(keys: tuple[KeyLine, ...], auth: str) -> KeyLine | None:
    """Return the line of the key that ``auth`` names by its fingerprint; sshd takes the first."""
    return next((key for key in keys if key.fingerprint in auth), None)


def _options(line: str) -> tuple[tuple[str, ...], str]:
    """Split off the options; none where the line begins with a key."""
    found: list[str] = []
    rest = line
    while len(found) < _MAX_OPTIONS and not _KEY.match(rest):
        option = _OPTION.match(rest)
        if option is None:
            break
        name = option[1].lower()
        value = option[2]
        found.append(name if value is None else f'{name}="{value}"')
        rest = rest[option.end() :]
        if not rest.startswith(","):
            break
        rest = rest[1:]
    return tuple(found), rest


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""
