"""Replacing what tells who and where: user and host names, homes, addresses, key comments.

The same thing is replaced by the same everywhere.  Loopback and wildcard addresses, netmasks,
multicast, ports, and the names that every system has stay readable.  Pure.

    redactor = of_run(system, report)
    shown = redactor.value(report.findings)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, TypeVar, cast

from diagnostics import values
from diagnostics.model import InconclusiveError, Report
from diagnostics.parsers.secrets import without_url_password
from diagnostics.redaction import addresses, binary, learning, words
from diagnostics.redaction.stand_ins import Examples, IPAddress, StandIns, Tokens
from diagnostics.system import System

T = TypeVar("T")

_KEPT_FIELDS = {
    "Account": ("system",),
    "Attempt": ("method",),
    "BindResult": ("error",),
    "Check": ("code",),
    "ConnectBack": ("outcome", "error"),
    "Connected": ("outcome", "error"),
    "DefaultRoute": ("family",),
    "FileRead": ("error",),
    "FileStat": ("kind", "error"),
    "Finding": ("code", "caused_by"),
    "Fix": ("where",),
    "Hidden": ("what", "check", "cause"),
    "HopFacts": ("address_family", "auth_methods"),
    "IdleProbe": ("mode", "outcome"),
    "InterfaceAddress": ("family",),
    "KeyFileFacts": ("key_type", "error_code"),
    "Knock": ("origin", "outcome"),
    "Listened": ("outcome",),
    "Login": ("stage", "error_code", "methods", "kex", "cipher", "mac", "compression"),
    "Opened": ("outcome", "kind"),
    "RemoteOutput": ("outcome",),
    "Resolution": ("error",),
    "Result": ("check",),
    "Route": ("error_code",),
    "SocketRow": ("state",),
    "Talk": ("outcome", "error"),
    "Target": ("protocol",),
    "ToolOutput": ("outcome",),
    "Algorithms": ("kex", "host_keys", "ciphers", "macs", "compression"),
}
"""Fields that hold words of ours, which may look like a name."""

_COMMENT_FIELDS = {("AgentKeyFacts", "comment")}
_RUN = re.compile(r"[^\W_]+(?:[._-]+[^\W_]+)*")
_JOIN = re.compile(r"([._-]+)")
_SIMPLE = re.compile(r"[^\W_]+(?:[._-]+[^\W_]+)*\Z")
_MAX_PARTS = 12
"""Parts of a dotted word that are tried in every combination."""

_MAX_NAMES = 20_000
_MAX_LITERALS = 500


def of_run(system: System, report: Report) -> Redactor:
    """Return a redactor that knows the names of a run."""
    redactor = Redactor()
    for ask in (system.account, system.ssh.route):
        with suppress(InconclusiveError):  # a recording may lack it
            redactor.learn(ask())
    redactor.learn(report.target, *(result.facts for result in report.results))
    return redactor


class Redactor:
    """Knows names and what stands for them; learns more from every text it is shown."""

    def __init__(self, stand_ins: StandIns | None = None) -> None:
        self._stand_ins: StandIns = stand_ins or Tokens()
        self._names: dict[str, str] = {}
        self._literals: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None
        self._numbers: dict[str, int] = {}
        self._addresses: dict[IPAddress, str] = {}
        self._macs: dict[str, str] = {}
        self._domains: set[str] = set()
        self._taught: list[Any] = []

    def examples(self) -> Redactor:
        """Return one that has learnt the same and gives examples in the place of tokens.

        What it has redacted can still be judged: an address stays an address of its kind.
        """
        other = Redactor(Examples())
        other.learn(*self._taught)
        return other

    # --- learning ---

    def learn(self, *seen: Any) -> None:
        """Take the names in what was seen: answers, targets, facts, or just texts."""
        for each in seen:
            self._taught.append(each)
            for kind, name in learning.found_in(each):
                self._add(kind, name)

    def _add(self, kind: str, name: str) -> None:
        name = name.strip().rstrip(".") if kind == "host" else name.strip()
        if len(self._names) >= _MAX_NAMES or not 1 < len(name) <= 256 or name.isdecimal():
            return
        match kind:
            case "home":
                self._add_home(name)
            case "user":
                self._add_user(name)
            case "host":
                self._add_host(name)
            case _:
                if len(name) > 3 and name.lower() not in words.PLAIN:
                    self._put(name, "comment")

    def _add_user(self, name: str) -> None:
        plain = name.lower()
        if plain not in words.USERS | words.PLAIN and not plain.startswith("_"):
            self._put(name, "user")

    def _add_host(self, name: str) -> None:
        plain = name.lower()
        if plain in words.HOSTS | words.PLAIN | words.DOMAINS or learning.is_address(name):
            return
        if set(plain) <= set("*.?-_"):
            return
        self._put(name, "host")
        short, _, domain = plain.partition(".")
        if "." in domain:
            self._domains.add(domain)
        if domain and not short.isdecimal() and len(short) > 3 and short not in words.PLAIN:
            self._put(short, "host")

    def _add_home(self, path: str) -> None:
        user = re.split(r"[\\/]", path)[-1]
        parts = len([part for part in re.split(r"[\\/]", path) if part])
        if parts < 2 or user.lower() in words.USERS:
            return
        self._add_user(user)
        home = self._stand_ins.home(path, self._names.get(user.lower(), "user-1"))
        for form in {path, path.replace("\\", "/"), path.replace("\\", "\\\\")}:
            self._literals.setdefault(form, home)
        self._pattern = None

    def _put(self, name: str, kind: str) -> None:
        plain = name.lower()
        if plain in self._names or name in self._literals:
            return
        number = self._numbers[kind] = self._numbers.get(kind, 0) + 1
        if kind == "user":
            stand_in = self._stand_ins.user(number)
        elif kind == "host":
            stand_in = self._stand_ins.host(number, name)
        else:
            stand_in = self._stand_ins.comment(number)
        if _SIMPLE.match(name) and len(_JOIN.split(name)) < 2 * _MAX_PARTS:
            self._names[plain] = stand_in
        elif len(self._literals) < _MAX_LITERALS:
            self._literals[name] = stand_in
            self._pattern = None

    # --- replacing ---

    def value(self, value: T) -> T:
        """Return ``value`` with every text and bytes in it redacted; codes and states stay."""
        result: Any = value
        if isinstance(value, str):
            result = self.text(value)
        elif isinstance(value, bytes):
            result = self.data(value)
        elif isinstance(value, tuple | list):
            result = type(value)(self.value(each) for each in value)
        elif isinstance(value, dict):
            result = {name: self.value(each) for name, each in value.items()}
        elif hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
            result = self._fields(value)
        return cast("T", result)

    def _fields(self, value: Any) -> Any:
        kind = type(value).__name__
        kept = _KEPT_FIELDS.get(kind, ())

        def change(name: str, held: Any) -> Any:
            if name in kept:
                return held
            if (kind, name) in _COMMENT_FIELDS and isinstance(held, str):
                return self._comment(held)
            if (kind, name) == ("InterfaceAddress", "address") and value.family == "link":
                return self._link(held)
            return self.value(held)

        return values.with_fields(value, change)

    def _link(self, text: str) -> str:
        """Return what stands for a link address, also for one that is longer than Ethernet's."""
        plain = addresses.normal_mac(text)
        return text if not plain or set(plain) <= {"0"} else self._mac(plain)

    def _comment(self, text: str) -> str:
        if not text:
            return text
        plain = text.strip()
        return self._literals.get(plain) or self._names.get(plain.lower()) or self.text(text)

    def text(self, text: str) -> str:
        """Return ``text`` redacted."""
        for kind, name in learning.in_text(text):
            self._add(kind, name)
        text = without_url_password(text)
        pattern = self._pattern or self._compile()
        pieces, at = [], 0
        for match in pattern.finditer(text):
            pieces += [self._words(text[at : match.start()]), self._literal(match[0])]
            at = match.end()
        return "".join([*pieces, self._words(text[at:])])

    def _compile(self) -> re.Pattern[str]:
        if not self._literals:
            self._pattern = re.compile(r"(?!)")
        else:
            longest_first = sorted(self._literals, key=len, reverse=True)
            either = "|".join(map(re.escape, longest_first))
            self._pattern = re.compile(rf"(?<![^\W_])(?:{either})(?![^\W_])")
        return self._pattern

    def _literal(self, found: str) -> str:
        return self._literals[found]

    def _words(self, text: str) -> str:
        """Replace names in what has no literal in it, and addresses in what is between them."""
        pieces, at = [], 0
        for match in _RUN.finditer(text):
            for start, end, stand_in in self._names_in(match[0]):
                pieces += [self._plain(text[at : match.start() + start]), stand_in]
                at = match.start() + end
        return "".join([*pieces, self._plain(text[at:])])

    def _names_in(self, run: str) -> Iterator[tuple[int, int, str]]:
        """Yield (start, end, stand-in) of the names in a dotted word, the longest first."""
        plain = run.lower()
        if (whole := self._names.get(plain) or self._by_domain(plain, run)) is not None:
            yield 0, len(run), whole
            return
        pieces = _JOIN.split(run)
        starts = [0]
        for piece in pieces:
            starts.append(starts[-1] + len(piece))
        first, count = 0, len(pieces)
        while first < count:
            for last in range(min(count, first + 2 * _MAX_PARTS) - 1, first - 1, -2):
                if (last - first) % 2:
                    continue
                name = plain[starts[first] : starts[last + 1]]
                stand_in = self._names.get(name)
                if stand_in is not None:
                    yield starts[first], starts[last + 1], stand_in
                    first = last
                    break
            first += 2

    def _by_domain(self, plain: str, run: str) -> str | None:
        """Return what stands for a host that is unknown but in a known domain."""
        if not self._domains or "." not in plain:
            return None
        labels = plain.split(".")[:32]
        for index in range(len(labels) - 1):
            if ".".join(labels[index:]) in self._domains:
                self._put(run, "host")
                return self._names.get(plain)
        return None

    def _plain(self, text: str) -> str:
        return addresses.replaced(text, self._address, self._mac) if text else text

    def _address(self, address: IPAddress) -> str:
        if address not in self._addresses:
            number = len(self._addresses) + 1
            self._addresses[address] = self._stand_ins.address(number, address)
        return self._addresses[address]

    def _mac(self, plain: str) -> str:
        return self._macs.setdefault(plain, self._stand_ins.mac(len(self._macs) + 1))

    def _packed(self, address: IPAddress) -> bytes:
        return self._stand_ins.packed(address)

    def data(self, data: bytes) -> bytes:
        """Return ``data`` redacted: text, an authority file, or a table of ``/proc/net``."""
        known = binary.xauthority(data, self.text, self._packed)
        if known is not None:
            return known
        data = binary.proc_table(data, self._packed)
        text = data.decode("utf-8", "surrogateescape")
        new = self.text(text)
        return data if new == text else new.encode("utf-8", "surrogateescape")
