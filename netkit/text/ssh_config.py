"""A reader of ssh_config(5) for machines without ssh, and of what ``ssh -G`` prints.

Both give the same: a mapping of option names in lower case to values in the form of ``ssh -G``.
Nothing is read from disk or run here; the caller hands in what can.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from netkit.errors import ConfigError
from netkit.model import Fix, Gateway
from netkit.text.endpoints import is_ipv6
from netkit.text.patterns import matches, matches_list
from netkit.text.ssh_jumps import parse_jumps
from netkit.text.ssh_keywords import ALIASES, DEFAULTS, KEYWORDS, NONE_CLEARS, Kind
from netkit.text.ssh_lines import MAX_FILE, Line, Where, parse_line
from netkit.text.ssh_match import MatchFacts, evaluate_match
from netkit.text.ssh_tokens import LocalFacts, connection_tokens, expand_home, expand_tokens
from netkit.text.ssh_values import FORWARD_KINDS, read_values

Options = Mapping[str, tuple[str, ...]]
"""Resolved options of one host: name in lower case to values in the form of ``ssh -G``."""

MAX_DEPTH = 16
"""How deep files may include each other."""

MAX_FILES = 1000
"""How many files are read for one host."""

_ACCUMULATING = (Kind.FILES, Kind.FORWARD, Kind.SEND_ENV)
_ADDRESS = re.compile(r"((?<!\S)\[[^\]\s]*\]:\d+(?!\S))")
_SPLIT_BY_SSH_G = ("userknownhostsfile", "globalknownhostsfile")


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A configuration file; ``user`` is false for the system's, where ``~`` is not allowed."""

    path: str
    text: str
    user: bool = True


Include = Callable[[str], Sequence[ConfigFile]]
"""Reads the files that a pattern names: absolute, or beginning with ``~/``."""


def resolve(
    files: Iterable[ConfigFile],
    host: Gateway,
    local: LocalFacts,
    *,
    include: Include,
    run: Callable[[str], bool],
    system_directory: str = "/etc/ssh",
) -> dict[str, tuple[str, ...]]:
    """Resolve the options of ``host``, whose user and port go before those of the files.

    Args:
        files: the user's file, then the system's.
        host: what the user typed.
        local: this machine, for tokens and ``Match``.
        include: reads included files.
        run: runs the command of ``Match exec`` and tells whether it succeeded.
        system_directory: what relative names included by a system file are relative to.

    Raises:
        ConfigError: a file is wrong; the summary names file and line.
    """
    reader = _Reader(host, local, include, run, system_directory)
    files = tuple(files)
    reader.read_all(files)
    reader.settle_host()
    if reader.wants_final:
        reader.final = True
        reader.read_all(files)
    return reader.finish()


def parse_ssh_g(text: str) -> dict[str, tuple[str, ...]]:
    """Parse the output of ``ssh -G HOST``.

    ssh prints a forward to a unix socket as a dynamic forward too; that ghost is left out.
    """
    options: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name and value:
            options.setdefault(name.lower(), []).append(value)
    for name in _SPLIT_BY_SSH_G:
        if name in options:
            options[name] = _split_paths(options[name][0])
    to_sockets = [
        value.rpartition(" /")[0] for value in options.get("localforward", []) if " /" in value
    ]
    ghosts = [value for value in options.get("dynamicforward", []) if value not in to_sockets]
    if "dynamicforward" in options:
        options["dynamicforward"] = ghosts
    return {name: tuple(values) for name, values in options.items() if values}


def _split_paths(text: str) -> list[str]:
    """Split a list of paths that ssh prints unquoted: what begins no path belongs to the last."""
    paths: list[str] = []
    for word in text.split(" "):
        begins = word.startswith(("/", "~", "\\", "%", "_")) or word[1:2] == ":"
        if paths and not begins:
            paths[-1] += " " + word
        else:
            paths.append(word)
    return paths


def _refuse(command: str) -> bool:  # noqa: ARG001 - the signature of what runs commands
    return False


class _Reader:
    """The state of reading: the first value of an option wins."""

    def __init__(
        self,
        host: Gateway,
        local: LocalFacts,
        include: Include,
        run: Callable[[str], bool],
        system_directory: str,
    ) -> None:
        self.original = host.host
        self.host = host.host
        self.local = local
        self.include = include
        self.run = run
        self.system_directory = system_directory
        self.final = False
        self.wants_final = False
        self.files_read = 0
        self.values: dict[str, tuple[str, ...]] = {}
        self.ignored: str | None = None
        if host.user is not None:
            self.values["user"] = (host.user,)
        if host.port is not None:
            self.values["port"] = (str(host.port),)

    def read_all(self, files: Sequence[ConfigFile]) -> None:
        self.files_read = 0
        for file in files:
            self.read_file(file, active=True, never=False, depth=0)

    def read_file(self, file: ConfigFile, *, active: bool, never: bool, depth: int) -> None:
        """Read a file; ``never`` means that no block of it may come into force."""
        self.files_read += 1
        if depth > MAX_DEPTH or self.files_read > MAX_FILES:
            raise ConfigError(
                f"{file.path}: too many included files",
                cause=f"at most {MAX_FILES} files, {MAX_DEPTH} deep; a file may include itself",
            )
        if len(file.text) > MAX_FILE:
            raise ConfigError(f"{file.path} is longer than {MAX_FILE} characters")
        for number, text in enumerate(file.text.split("\n"), 1):
            line = parse_line(text, Where(file.path, number))
            if line is None:
                continue
            if line.keyword == "host":
                active = self._host(line) and not never
            elif line.keyword == "match":
                active = self._match(line, never=never)
            elif line.keyword == "include":
                self._include(line, user=file.user, active=active, depth=depth)
            else:
                self._option(line, active=active)

    def _host(self, line: Line) -> bool:
        matched = False
        for pattern in line.arguments:
            if not pattern:
                raise line.where.error("Host has an empty pattern")
            negated = pattern.startswith("!")
            if matches(self.host, pattern[negated:]):
                if negated:
                    return False
                matched = True
        return matched

    def _match(self, line: Line, *, never: bool) -> bool:
        facts = MatchFacts(
            host=self._current_host(),
            original_host=self.original,
            user=self._first("user", self.local.user),
            local_user=self.local.user,
            final=self.final,
            expand=self._expand_command,
            # A block that can never come into force has no reason to run anything.
            run=_refuse if never else self.run,
        )
        match = evaluate_match(line.rest, line.where, facts)
        self.wants_final = self.wants_final or match.wants_final
        return match.matched and not never

    def _include(self, line: Line, *, user: bool, active: bool, depth: int) -> None:
        for pattern in line.arguments:
            if not pattern or (pattern.startswith("~") and not user):
                raise line.where.error(f"cannot include {pattern!r}")
            absolute = pattern.startswith(("/", "~")) or pattern[1:2] == ":"
            base = "~/.ssh" if user else self.system_directory
            for file in self.include(pattern if absolute else f"{base}/{pattern}"):
                included = ConfigFile(file.path, file.text, user)
                self.read_file(included, active=active, never=not active, depth=depth + 1)

    def _option(self, line: Line, *, active: bool) -> None:
        name = ALIASES.get(line.keyword, line.keyword)
        if name == "ignoreunknown":
            if active and self.ignored is None:
                self.ignored = ",".join(line.arguments)
            return
        if name not in KEYWORDS:
            if self.ignored and matches_list(name, self.ignored.lower().split(",")):
                return
            raise line.where.error(
                f"unknown option {line.keyword!r}",
                "a newer or another ssh may know it; 'IgnoreUnknown' before it skips it",
                (Fix(argv=("man", "ssh_config")),),
            )
        values = read_values(name, line)
        if active:
            self._set(name, values)

    def _set(self, name: str, values: tuple[str, ...]) -> None:
        present = self.values.get(name)
        if KEYWORDS[name].kind in _ACCUMULATING:
            self.values[name] = tuple(dict.fromkeys((present or ()) + values))
        elif name in ("proxyjump", "proxycommand"):
            # The first of the two wins over both, but "ProxyJump none" leaves the other open.
            jump = self._first("proxyjump", "none") if name == "proxycommand" else "none"
            if present is None and jump == "none" and "proxycommand" not in self.values:
                self.values[name] = values
        elif present is None:
            self.values[name] = values

    def _first(self, name: str, default: str) -> str:
        values = self.values.get(name)
        return values[0] if values else default

    def _current_host(self) -> str:
        if self.final or "hostname" not in self.values:
            return self.host
        return expand_tokens(self.values["hostname"][0], {"h": self.host, "%": "%"})

    def _tokens(self, host: str) -> dict[str, str]:
        return connection_tokens(
            self.local,
            host=host,
            alias=self.original,
            port=int(self._first("port", "22")),
            user=self._first("user", self.local.user),
            key_alias=self._first("hostkeyalias", ""),
            jump=self._first("proxyjump", ""),
        )

    def _expand_command(self, command: str) -> str:
        return expand_tokens(command, self._tokens(self._current_host()))

    def settle_host(self) -> None:
        """Take HostName into use, before a final pass looks at it."""
        self.host = self._current_host()
        if is_ipv6(self.host):
            self.host = str(ipaddress.IPv6Address(self.host))
        self.host = self.host.lower()
        self.values["hostname"] = (self.host,)
        canonicalize = self._first("canonicalizehostname", "false")
        self.wants_final = self.wants_final or canonicalize != "false"

    def finish(self) -> dict[str, tuple[str, ...]]:
        """Return the options with ssh's defaults, expanded as ``ssh -G`` expands them."""
        if "hostkeyalias" in self.values:
            self.values["hostkeyalias"] = (self.values["hostkeyalias"][0].lower(),)
        values: dict[str, tuple[str, ...]] = {
            "host": (self.original,),
            "user": (self.local.user,),
            "port": ("22",),
            **DEFAULTS,
            **self.values,
        }
        for name in (*NONE_CLEARS, "proxyjump"):
            if values.get(name, ("",))[0].lower() == "none":
                del values[name]
        if values["clearallforwardings"] == ("yes",):
            values = {name: value for name, value in values.items() if name not in FORWARD_KINDS}
        self._check_loop(values)
        tokens = self._tokens(self.host)
        for name in ("userknownhostsfile", "identityagent"):
            values[name] = tuple(self._expand(value, tokens) for value in values.get(name, ()))
        for name in FORWARD_KINDS:
            sockets = (self._expand_sockets(value, tokens) for value in values.get(name, ()))
            values[name] = tuple(sockets)
        return {name: value for name, value in values.items() if value}

    def _expand(self, value: str, tokens: Mapping[str, str]) -> str:
        home = expand_home(value, self.local.home)
        return expand_tokens(home, tokens, self.local.variables)

    def _expand_sockets(self, value: str, tokens: Mapping[str, str]) -> str:
        if "/" not in value:
            return value
        # An address beside the path has no tokens: the % of [fe80::1%eth0] is its own.
        parts = _ADDRESS.split(value)
        parts[::2] = [expand_tokens(part, tokens, self.local.variables) for part in parts[::2]]
        return "".join(parts)

    def _check_loop(self, values: Mapping[str, tuple[str, ...]]) -> None:
        jump = values.get("proxyjump")
        if not jump:
            return
        last = parse_jumps(jump[0])[-1]
        same_user = last.user in (None, values["user"][0])
        if last.host == self.host and str(last.port or 22) == values["port"][0] and same_user:
            raise ConfigError(
                f"ProxyJump of {self.original!r} leads to itself",
                cause="the block that sets ProxyJump also matches the jump host; give that host a "
                "block with 'ProxyJump none' before it",
            )
