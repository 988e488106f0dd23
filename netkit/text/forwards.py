r"""The grammar of ssh(1) for ``-L``, ``-R`` and ``-D``, both ways.

Fields are divided by colons.  A field in square brackets is taken as it stands; elsewhere a
backslash makes the next character ordinary.  A field with a slash is the path of a unix socket::

    -L [bind:]port:host:hostport   -L [bind:]port:socket
    -L socket:host:hostport        -L socket:socket
    -R the same, and [bind:]port for a SOCKS server on the gateway
    -D [bind:]port

ssh_config(5) writes the two halves as two words (``LocalForward 8080 host:80``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from netkit.errors import UsageError
from netkit.model import Address, Endpoint, ForwardKind, ForwardSpec, UnixPath
from netkit.text.endpoints import (
    MAX_TEXT,
    check_bind_host,
    check_host,
    parse_bind,
    parse_endpoint,
    parse_port,
    parse_unix_path,
    quoted,
)

_OPTION = {ForwardKind.LOCAL: "-L", ForwardKind.REMOTE: "-R", ForwardKind.DYNAMIC: "-D"}
_CONFIG_OPTION = {
    ForwardKind.LOCAL: "LocalForward",
    ForwardKind.REMOTE: "RemoteForward",
    ForwardKind.DYNAMIC: "DynamicForward",
}
_SHAPES = {
    ForwardKind.LOCAL: "[BIND:]PORT:HOST:PORT, with a socket path in place of either side",
    ForwardKind.REMOTE: "[BIND:]PORT:HOST:PORT or [BIND:]PORT, or with socket paths",
    ForwardKind.DYNAMIC: "[BIND:]PORT",
}


@dataclass(frozen=True, slots=True)
class _Field:
    text: str
    is_path: bool


def parse_forward(kind: ForwardKind, text: str) -> ForwardSpec:
    """Parse what follows ``-L``, ``-R`` or ``-D``.

    An absent bind address gives host ``""``, an empty one or ``*`` gives ``*``.  The port to listen
    on may be 0 on either side; the port to connect to may not.

    Raises:
        UsageError: the text is no such forward.
    """
    with _about(f"{_OPTION[kind]} {quoted(text)}"):
        return _parse(kind, text)


@contextmanager
def _about(shown: str) -> Iterator[None]:
    """Name the forward in an error about a part of it."""
    try:
        yield
    except UsageError as error:
        if error.code != "bad-address":
            raise
        raise UsageError(f"{shown}: {error.summary}", code=error.code, cause=error.cause) from None


def _parse(kind: ForwardKind, text: str) -> ForwardSpec:
    fields = _split(kind, text)
    count = len(fields)
    paths = tuple(field.is_path for field in fields)
    if kind is ForwardKind.DYNAMIC:
        if count <= 2 and not any(paths):
            return ForwardSpec(kind, _bind(fields, text), None, text)
        raise _bad(kind, text)
    if kind is ForwardKind.REMOTE and count <= 2 and not any(paths):
        return ForwardSpec(kind, _bind(fields, text), None, text)
    if paths in ((True, True), (False, True)):
        bind, to = _bind(fields[:1], text), parse_unix_path(fields[1].text)
        return ForwardSpec(kind, bind, to, text)
    if count == 3 and not paths[0] and paths[2]:
        return ForwardSpec(kind, _bind(fields[:2], text), parse_unix_path(fields[2].text), text)
    if count in (3, 4):
        return ForwardSpec(kind, _bind(fields[:-2], text), _target(fields[-2:], text), text)
    raise _bad(kind, text)


def parse_config_forward(kind: ForwardKind, value: str) -> ForwardSpec:
    """Parse the value of LocalForward, RemoteForward or DynamicForward as ``ssh -G`` prints it.

    The listening half and the target are two words; ``[socks]:0`` as the target of a
    RemoteForward is ssh's way to print "a SOCKS server".

    Raises:
        UsageError: the value is no such forward.
    """
    if len(value) > MAX_TEXT:
        raise _bad(kind, value)
    words = value.split()
    text = f"{_CONFIG_OPTION[kind]} {value}"
    if kind is ForwardKind.DYNAMIC or len(words) < 2:
        return replace(parse_forward(kind, value), text=text)
    # Paths are printed unquoted, so where there are more than two words the target is what
    # begins with a bracket or a slash.
    found = re.fullmatch(r"(\S.*?)\s+([\[/].*|\S+)", value.strip(), re.DOTALL)
    left, right = (found[1], found[2]) if found else (words[0], words[-1])
    bind = parse_unix_path(left) if _is_path(left) else parse_bind(left)
    if kind is ForwardKind.REMOTE and right == "[socks]:0":
        return ForwardSpec(kind, bind, None, text)
    return ForwardSpec(kind, bind, _parse_target(right), text)


def parse_bind_to(bind: str, to: str | None, kind: ForwardKind = ForwardKind.LOCAL) -> ForwardSpec:
    """Parse ``--bind ADDRESS:PORT [--to HOST:PORT]``.

    Without ``to`` a local forward leads to the same port on the gateway itself, a remote one to
    the same port of this machine.

    Raises:
        UsageError: either is malformed, or there is no port to lead to.
    """
    text = f"--bind {bind}" + (f" --to {to}" if to is not None else "")
    address = parse_bind(bind)
    if kind is ForwardKind.DYNAMIC:
        if to is not None:
            raise UsageError(
                f"a dynamic forward has no target: {quoted(text)}",
                code="bad-forward",
                cause="its clients name the target of each connection",
            )
        return ForwardSpec(kind, address, None, text)
    if to is not None:
        return ForwardSpec(kind, address, _parse_target(to), text)
    if isinstance(address, UnixPath) or address.port == 0:
        raise UsageError(
            f"{quoted(text)} does not say where to",
            code="bad-forward",
            cause="without --to a forward leads to its own port, and there is none",
        )
    return ForwardSpec(kind, address, Endpoint("localhost", address.port), text)


def format_forward(spec: ForwardSpec) -> str:
    """Return the text from which ``parse_forward`` makes the same bind and target."""
    if spec.to is None:
        return _format_bind(spec.bind)
    return f"{_format_bind(spec.bind)}:{_format_target(spec.to)}"


def format_option(spec: ForwardSpec) -> tuple[str, str]:
    """Return the forward as command-line words: ``("-L", "8080:host:80")``."""
    return _OPTION[spec.kind], format_forward(spec)


def _bad(kind: ForwardKind, text: str, why: str = "") -> UsageError:
    option = _OPTION[kind]
    return UsageError(
        f"{option} {quoted(text)} is not a {kind.value} forward",
        code="bad-forward",
        cause=why or f"it has the form {option} {_SHAPES[kind]}; IPv6 addresses in brackets",
    )


def _split(kind: ForwardKind, text: str) -> list[_Field]:
    """Split at colons; at most four fields, else there is no such forward."""
    if len(text) > MAX_TEXT:
        raise _bad(kind, text, f"it is longer than {MAX_TEXT} characters")
    rest: str | None = text.lstrip(" \t")
    fields: list[_Field] = []
    while rest is not None:
        if len(fields) == 4:
            raise _bad(kind, text)
        field, rest = _next_field(kind, text, rest)
        fields.append(field)
    return fields


def _next_field(kind: ForwardKind, text: str, rest: str) -> tuple[_Field, str | None]:
    if rest.startswith("["):
        inner, bracket, tail = rest[1:].partition("]")
        if not bracket or (tail and not tail.startswith(":")):
            raise _bad(kind, text, "brackets enclose a whole field, as in [::1]:8080:host:80")
        return _Field(inner, "/" in inner), tail[1:] if tail else None
    characters: list[str] = []
    index = 0
    while index < len(rest) and rest[index] != ":":
        if rest[index] == "\\":
            index += 1
            if index == len(rest):
                raise _bad(kind, text, "a backslash at the end makes nothing ordinary")
        characters.append(rest[index])
        index += 1
    field = "".join(characters)
    return _Field(field, "/" in field), rest[index + 1 :] if index < len(rest) else None


def _bind(fields: list[_Field], text: str) -> Address:
    if len(fields) == 1:
        if fields[0].is_path:
            return parse_unix_path(fields[0].text)
        return Endpoint("", parse_port(fields[0].text, zero=True))
    return Endpoint(check_bind_host(fields[0].text, text), parse_port(fields[1].text, zero=True))


def _target(fields: list[_Field], text: str) -> Endpoint:
    return Endpoint(check_host(fields[0].text, text), parse_port(fields[1].text))


def _is_path(word: str) -> bool:
    return "/" in word and not word.startswith("[")


def _parse_target(word: str) -> Address:
    return parse_unix_path(word) if _is_path(word) else parse_endpoint(word)


def _format_bind(bind: Address) -> str:
    if isinstance(bind, Endpoint) and not bind.host:
        return str(bind.port)
    return _format_target(bind)


def _format_target(address: Address) -> str:
    if isinstance(address, Endpoint):
        return str(address)
    path = address.path if "/" in address.path else f"./{address.path}"
    path = path.replace("\\", "\\\\").replace(":", "\\:")
    return f"\\{path}" if path[0] in "[ \t" else path
