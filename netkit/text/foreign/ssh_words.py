"""A command line of ssh(1) or autossh(1) to a profile."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from netkit.errors import UsageError
from netkit.model import (
    ForwardKind,
    ForwardSpec,
    Gateway,
    HostKeyPolicy,
    Imported,
    Keepalive,
    Profile,
    TunnelSpec,
    X11Trust,
)
from netkit.text.endpoints import check_user, parse_gateway, parse_port, quoted
from netkit.text.forwards import format_forward, parse_config_forward, parse_forward
from netkit.text.profiles.names import check_name, name_from
from netkit.text.ssh_jumps import parse_jumps
from netkit.text.ssh_tokens import parse_seconds

MAX_WORDS: Final = 1000
"""Words of a command line."""

_VALUED: Final = "BbcDEeFIiJLlmOopQRSWw"
"""Options of ssh(1) that take a value."""

# Without a meaning where there is no shell, no terminal and no session; or said by the way.
_IMPLIED: Final = "NTnqvkax"
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
_FORWARDS: Final = {
    "L": ForwardKind.LOCAL,
    "R": ForwardKind.REMOTE,
    "D": ForwardKind.DYNAMIC,
}
_CONFIG_FORWARDS: Final = {
    "localforward": ForwardKind.LOCAL,
    "remoteforward": ForwardKind.REMOTE,
    "dynamicforward": ForwardKind.DYNAMIC,
}
_WHY: Final = {
    "4": "AddressFamily of ssh_config says it",
    "6": "AddressFamily of ssh_config says it",
    "A": "an agent is never forwarded",
    "b": "BindAddress of ssh_config says it",
    "f": "netkit up stays in the foreground",
    "g": "an address to listen on and --expose open a forward to others",
    "M": "connections are not shared",
    "S": "connections are not shared",
    "W": "it carries one connection over the standard streams",
    "w": "netkit has no layer 2 or 3 tunnels",
}
_POLICIES: Final = {
    "yes": HostKeyPolicy.STRICT,
    "true": HostKeyPolicy.STRICT,
    "ask": HostKeyPolicy.ASK,
    "accept-new": HostKeyPolicy.ACCEPT_NEW,
}
# netkit does these in any case.
_ALWAYS: Final = {
    ("exitonforwardfailure", "yes"),
    ("tcpkeepalive", "yes"),
    ("requesttty", "no"),
    ("forwardagent", "no"),
    ("sessiontype", "none"),
    ("forwardx11", "no"),
}


@dataclass(slots=True)
class _Said:
    """What has been read so far.  The first of several values counts, as for ssh."""

    values: dict[str, Any] = field(default_factory=dict)
    forwards: list[ForwardSpec] = field(default_factory=list)
    identities: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def put(self, key: str, value: Any) -> None:
        self.values.setdefault(key, value)


def read_words(words: Sequence[str], name: str = "") -> Imported:
    """Return the profile for a command line.

    Args:
        words: the program, its options, the gateway, perhaps a command; assignments of variables
            may stand in front.
        name: of the profile; by default that of the gateway.

    Raises:
        UsageError: it names no gateway, or a value in it is impossible.
    """
    if len(words) > MAX_WORDS:
        raise UsageError(f"a command line has at most {MAX_WORDS} words", code="bad-command-line")
    said = _Said()
    rest = list(words)
    while rest and _ASSIGNMENT.fullmatch(rest[0]):
        said.left_out.append(f"{rest.pop(0)}: it is a matter of autossh")
    is_autossh = False
    if rest and not rest[0].startswith("-"):
        program = re.split(r"[/\\]", rest[0])[-1].lower().removesuffix(".exe")
        if program in ("ssh", "autossh"):
            is_autossh = program == "autossh"
            rest.pop(0)
    gateway = _read(rest, said, is_autossh=is_autossh)
    tunnel = _tunnel(gateway, said)
    called = check_name(name) if name else name_from(gateway.host)
    return Imported(Profile(name=called, tunnel=tunnel), tuple(said.left_out))


def _read(words: list[str], said: _Said, *, is_autossh: bool) -> Gateway:
    """Read options and the gateway between them; what follows is a command."""
    gateway: str | None = None
    ended = False
    while words:
        word = words[0]
        if word == "--" and not ended:
            ended = True
            words.pop(0)
        elif word.startswith("-") and len(word) > 1 and not ended:
            words.pop(0)
            _cluster(word[1:], words, said, is_autossh=is_autossh)
        elif gateway is None:
            gateway = words.pop(0)
        else:
            said.left_out.append(f"the command {quoted(' '.join(words))}: no command is run")
            break
    if gateway is None:
        raise UsageError(
            "the command line names no gateway",
            code="bad-command-line",
            cause="it has the form autossh [options] [user@]host, or ssh … in place of autossh",
        )
    return parse_gateway(gateway)


def _cluster(letters: str, words: list[str], said: _Said, *, is_autossh: bool) -> None:
    """Read the options of one word, whose last may take the next word."""
    while letters:
        letter, letters = letters[0], letters[1:]
        valued = letter in _VALUED or (is_autossh and letter == "M")
        if not valued:
            _flag(letter, said)
            continue
        if not letters and not words:
            raise UsageError(f"-{letter} has no value", code="bad-command-line")
        value = letters or words.pop(0)
        if is_autossh and letter == "M":
            if value != "0":
                said.left_out.append(f"-M {value}: a keepalive notices a link that is dead")
        else:
            _option(letter, value, said)
        return


def _flag(letter: str, said: _Said) -> None:
    if letter == "C":
        said.put("compression", True)
    elif letter == "X":
        said.put("x11", X11Trust.UNTRUSTED)
    elif letter == "Y":
        said.put("x11", X11Trust.TRUSTED)
    elif letter not in _IMPLIED:
        _leave_out(letter, "", said)


def _option(letter: str, value: str, said: _Said) -> None:
    simple: dict[str, tuple[str, Callable[[str], Any]]] = {
        "l": ("user", lambda text: check_user(text, text)),
        "p": ("port", parse_port),
        "J": ("jumps", parse_jumps),
        "F": ("config_file", Path),
        "c": ("ciphers", _names),
        "m": ("macs", _names),
    }
    if letter in _FORWARDS:
        made = parse_forward(_FORWARDS[letter], value)
        said.forwards.append(replace(made, text=format_forward(made)))
    elif letter == "i":
        said.identities.append(Path(value))
    elif letter == "o":
        _config(value, said)
    elif letter in simple:
        key, parse = simple[letter]
        said.put(key, parse(value))
    else:
        _leave_out(letter, value, said)


def _leave_out(letter: str, value: str, said: _Said) -> None:
    why = _WHY.get(letter, "netkit has no such option")
    said.left_out.append(f"-{letter}{f' {value}' if value else ''}: {why}")


def _config(text: str, said: _Said) -> None:
    """Read ``-o Keyword=value`` or ``-o "Keyword value"``."""
    found = re.fullmatch(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*?)\s*", text, re.DOTALL)
    if found is None:
        raise UsageError(
            f"-o {quoted(text)} is no option", code="bad-command-line", cause="as in -o Port=22"
        )
    key, value = found[1].lower(), found[2].strip('"')
    simple: dict[str, tuple[str, Callable[[str], Any]]] = {
        "user": ("user", lambda word: check_user(word, word)),
        "port": ("port", parse_port),
        "proxyjump": ("jumps", parse_jumps),
        "ciphers": ("ciphers", _names),
        "macs": ("macs", _names),
        "compression": ("compression", _yes),
        "serveraliveinterval": ("interval", _interval),
        "serveralivecountmax": ("count", _count),
        "connecttimeout": ("connect_timeout", _seconds),
    }
    if key in simple:
        name, parse = simple[key]
        said.put(name, parse(value))
    elif key in _CONFIG_FORWARDS:
        made = parse_config_forward(_CONFIG_FORWARDS[key], value)
        said.forwards.append(replace(made, text=format_forward(made)))
    elif key == "identityfile":
        said.identities.append(Path(value))
    elif key == "stricthostkeychecking" and value.lower() in _POLICIES:
        said.put("host_key", _POLICIES[value.lower()])
    elif key == "stricthostkeychecking":
        said.left_out.append(f"-o {text}: host keys are always checked")
    elif key in ("forwardx11", "forwardx11trusted") and _yes(value):
        trusted = key.endswith("trusted")
        said.values[key] = X11Trust.TRUSTED if trusted else X11Trust.UNTRUSTED
    elif (key, value.lower()) not in _ALWAYS:
        said.left_out.append(f"-o {text}: put it into ssh_config, which stays in force")


def _tunnel(gateway: Gateway, said: _Said) -> TunnelSpec:
    values = dict(said.values)
    interval, count = values.pop("interval", None), values.pop("count", None)
    wants, trusted = values.pop("forwardx11", None), values.pop("forwardx11trusted", None)
    if wants is not None:
        values.setdefault("x11", wants)
    if trusted is not None and "x11" in values:
        values["x11"] = trusted
    default = Keepalive()
    keepalive = None
    if interval is not None:
        keepalive = Keepalive(float(interval), default.count if count is None else count)
    elif count is not None:
        keepalive = Keepalive(default.interval, count)
    return TunnelSpec(
        gateway=gateway,
        forwards=tuple(said.forwards),
        identities=tuple(said.identities),
        keepalive=keepalive,
        **values,
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _yes(text: str) -> bool:
    if text.lower() in ("yes", "true"):
        return True
    if text.lower() in ("no", "false"):
        return False
    raise UsageError(f"{quoted(text)} is neither yes nor no", code="bad-command-line")


def _seconds(text: str) -> float | None:
    if text.lower() in ("none", "0"):
        return None
    found = parse_seconds(text)
    if found is None:
        raise UsageError(f"{quoted(text)} is no number of seconds", code="bad-command-line")
    return float(min(found, 3600))


def _interval(text: str) -> float:
    found = _seconds(text)
    return 0.0 if found is None else found


def _count(text: str) -> int:
    """Return how many keepalives may stay unanswered; with 0 ssh never gives up."""
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise UsageError(f"{quoted(text)} is no number", code="bad-command-line")
    return min(int(text), 1000) or 1000
