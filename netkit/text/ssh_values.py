"""Arguments of ssh_config(5) keywords to the values that ``ssh -G`` prints."""

from __future__ import annotations

from netkit.errors import UsageError
from netkit.model import Address, Endpoint, ForwardKind, ForwardSpec
from netkit.text.forwards import parse_forward
from netkit.text.patterns import matches
from netkit.text.ssh_jumps import parse_jumps
from netkit.text.ssh_keywords import DEFAULTS, KEYWORDS, Kind
from netkit.text.ssh_lines import Line
from netkit.text.ssh_tokens import parse_seconds

FORWARD_KINDS = {
    "localforward": ForwardKind.LOCAL,
    "remoteforward": ForwardKind.REMOTE,
    "dynamicforward": ForwardKind.DYNAMIC,
}
_MAX_INTEGER = 2**31 - 1


def read_values(keyword: str, line: Line) -> tuple[str, ...]:
    """Return the values of a line; ``keyword`` is the current name of its keyword.

    Raises:
        ConfigError: the arguments are not what the keyword takes.
    """
    kind = KEYWORDS[keyword].kind
    if kind is Kind.COMMAND:
        # Raw to the end of the line: a '#' belongs to the command.
        return (line.rest.lstrip(" \t=") or _missing(line),)
    if kind is Kind.JUMP:
        return (_jump(line),)
    if kind is Kind.FORWARD:
        return (_forward(FORWARD_KINDS[keyword], line),)
    if kind in (Kind.SEND_ENV, Kind.SET_ENV):
        return _environment(kind, line)
    if kind is Kind.WORDS:
        return _words(line)
    if kind is Kind.IGNORED:
        return line.arguments
    return (_single(keyword, kind, line),)


def _single(keyword: str, kind: Kind, line: Line) -> str:
    if len(line.arguments) > 1:
        raise line.where.error(f"{line.keyword} takes one argument")
    argument = line.arguments[0] if line.arguments else ""
    if not argument:
        _missing(line)
    if kind is Kind.CHOICE:
        choices = KEYWORDS[keyword].choices
        if argument.lower() not in choices:
            raise line.where.error(
                f"{line.keyword} cannot be {argument!r}", f"it is one of {', '.join(choices)}"
            )
        return choices[argument.lower()]
    if kind is Kind.SECONDS:
        seconds = parse_seconds(argument)
        if argument != "none" and seconds is None:
            raise line.where.error(f"{argument!r} is not a time", "for example 30 or 1m30s")
        return argument if seconds is None else str(seconds)
    if kind in (Kind.INTEGER, Kind.PORT):
        return _integer(kind, argument, line)
    if kind is Kind.ALGORITHMS:
        return assemble_algorithms(DEFAULTS[keyword][0], argument)
    return argument


def assemble_algorithms(default: str, text: str) -> str:
    """Apply ``text`` to a comma-separated default list: ``+`` appends, ``-`` removes by pattern,
    ``^`` puts in front, anything else replaces.  A wildcard stands for what it matches in the
    default."""
    names = default.split(",")
    sign = text[0] if text[:1] in ("+", "-", "^") else ""
    patterns = [pattern for pattern in text[len(sign) :].split(",") if pattern]
    if sign == "-":
        kept = [name for name in names if not any(matches(name, p) for p in patterns)]
        return ",".join(kept)
    chosen: list[str] = []
    for pattern in patterns:
        wild = "*" in pattern or "?" in pattern
        chosen += [name for name in names if matches(name, pattern)] if wild else [pattern]
    if sign == "+":
        chosen = names + chosen
    elif sign == "^":
        chosen = chosen + names
    return ",".join(dict.fromkeys(chosen))


def print_forward(spec: ForwardSpec) -> str:
    """Return a forward in the two-word form of ``ssh -G``."""
    bind = _print_address(spec.bind)
    if spec.kind is ForwardKind.DYNAMIC:
        return bind
    return f"{bind} {_print_address(spec.to) if spec.to else '[socks]:0'}"


def _print_address(address: Address) -> str:
    if not isinstance(address, Endpoint):
        return address.path
    return f"[{address.host}]:{address.port}" if address.host else str(address.port)


def _integer(kind: Kind, argument: str, line: Line) -> str:
    highest = 65535 if kind is Kind.PORT else _MAX_INTEGER
    plain = argument.isascii() and argument.isdigit() and len(argument) <= 12
    if not plain or not (kind is Kind.PORT) <= int(argument) <= highest:
        raise line.where.error(f"{line.keyword} cannot be {argument!r}", "a number is expected")
    return str(int(argument))


def _words(line: Line) -> tuple[str, ...]:
    words = line.arguments
    if not words or not all(words):
        _missing(line)
    if len(words) > 1 and any(word.lower() == "none" for word in words):
        raise line.where.error(f"{line.keyword}: 'none' stands alone")
    if len(words) > 32:
        raise line.where.error(f"{line.keyword} has more than 32 entries")
    return words


def _environment(kind: Kind, line: Line) -> tuple[str, ...]:
    for word in line.arguments:
        if not word or ("=" in word) != (kind is Kind.SET_ENV):
            raise line.where.error(f"{line.keyword}: {word!r} is no environment variable")
    return line.arguments


def _jump(line: Line) -> str:
    text = line.rest.lstrip(" \t=").partition("#")[0].rstrip()
    if text.lower() == "none":
        return "none"
    try:
        return ",".join(str(gateway) for gateway in parse_jumps(text))
    except UsageError as error:
        raise line.where.error(error.summary, error.cause) from None


def _forward(kind: ForwardKind, line: Line) -> str:
    words = line.arguments
    if not words or not words[0]:
        _missing(line)
    if len(words) > (1 if kind is ForwardKind.DYNAMIC else 2):
        raise line.where.error(f"{line.keyword} has extra arguments")
    if kind is ForwardKind.LOCAL and len(words) < 2:
        raise line.where.error(f"{line.keyword} has no target", "for example 8080 localhost:80")
    try:
        return print_forward(parse_forward(kind, ":".join(words)))
    except UsageError as error:
        raise line.where.error(error.summary, error.cause) from None


def _missing(line: Line) -> str:
    raise line.where.error(f"{line.keyword} has no argument")
