"""Which names and comments there are in what a machine answered.  Pure.

Structured answers say what is a name; of files and tools the well-known forms are understood.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Any

from diagnostics import values
from diagnostics.parsers.text import lines

_USER_VARIABLES = {"USER", "LOGNAME", "USERNAME", "SUDO_USER"}
_HOST_VARIABLES = {"HOSTNAME", "COMPUTERNAME", "USERDOMAIN", "USERDNSDOMAIN", "LOGONSERVER"}
_HOST_FIELDS = {
    "Endpoint": ("host",),
    "HopFacts": ("alias", "host", "name"),
    "Resolution": ("name",),
    "Account": ("hostname",),
}
_USER_FIELDS = {"Account": ("user",), "HopFacts": ("user",), "ProcessInfo": ("user",)}
_MAX_LINES = 4000

_HOMES = re.compile(
    r"(?:/home/|/Users/|[\\/]Users[\\/]{1,2}|\\\\Users\\\\)([^\\/\s:;,\"'<>|]{1,64})"
)
_IDS = re.compile(r"\b(?:uid|gid|euid|groups)=\d{1,10}\(([^()\s]{1,64})\)")
_LOGINS = re.compile(r"\bfor (?:invalid user )?([^\s]{1,64}) from ")
_KEY_LINE = re.compile(
    r"\b(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-[a-z0-9-]{1,32}|sk-[a-z0-9@.-]{1,64}) "
    r"AAAA[A-Za-z0-9+/=]{16,16384}[ \t]+([^\r\n]{1,256})"
)
_LISTED_KEY = re.compile(r"\bSHA256:[A-Za-z0-9+/]{43} ([^\r\n]{1,256}?) \([A-Z0-9-]{2,20}\)")
_PPK_COMMENT = re.compile(r"^Comment: ([^\r\n]{1,256})", re.MULTILINE)
_CONFIG = re.compile(
    r"^\s*(host|hostname|hostkeyalias|user|proxyjump|canonicaldomains)[ \t=]+(\S[^\r\n]{0,512})",
    re.IGNORECASE | re.MULTILINE,
)

Found = tuple[str, str]
"""(``host``, ``user``, ``comment`` or ``home``; the name)."""


def found_in(value: Any) -> Iterator[Found]:
    """Yield what names somebody in ``value`` and everything in it."""
    for part in values.parts(value):
        if isinstance(part, str):
            yield from in_text(part)
        elif isinstance(part, bytes):
            yield from in_text(part.decode("utf-8", "surrogateescape"))
        else:
            yield from _in_fields(part)


def in_text(text: str) -> Iterator[Found]:
    """Yield what names somebody by its form alone."""
    if "sers" in text or "/home/" in text:
        for match in _HOMES.finditer(text):
            yield "user", match[1]
    if "id=" in text:
        for match in _IDS.finditer(text):
            yield "user", match[1]
    if " from " in text:
        for match in _LOGINS.finditer(text):
            yield "user", match[1]
    if "AAAA" in text:
        for match in _KEY_LINE.finditer(text):
            yield "comment", match[1].strip()
    if "SHA256:" in text:
        for match in _LISTED_KEY.finditer(text):
            yield "comment", match[1]
    if "Comment: " in text:
        for match in _PPK_COMMENT.finditer(text):
            yield "comment", match[1].strip()


def _in_fields(part: Any) -> Iterator[Found]:
    kind = type(part).__name__
    for name in _HOST_FIELDS.get(kind, ()):
        yield "host", str(getattr(part, name, ""))
    for name in _USER_FIELDS.get(kind, ()):
        yield from account_name(str(getattr(part, name, "")))
    if kind == "Account":
        yield "home", str(getattr(part, "home", ""))
    elif kind == "AgentKeyFacts":
        yield "comment", str(getattr(part, "comment", ""))
    elif kind == "Target":
        yield from gateway_name(str(getattr(part, "gateway", "")))
    elif kind == "FileRead":
        yield from _in_file(part.path, part.data)
    elif kind == "Question":
        yield from _in_question(part)


def account_name(text: str) -> Iterator[Found]:
    r"""Yield the parts of ``DOMAIN\user``."""
    domain, backslash, user = text.rpartition("\\")
    yield "user", user
    if backslash:
        yield "host", domain


def gateway_name(text: str) -> Iterator[Found]:
    """Yield the parts of ``user@host:port``."""
    user, _, host = text.rpartition("@")
    yield "user", user
    host = host.rpartition("]")[0].removeprefix("[") if host.startswith("[") else host
    name, _, port = host.rpartition(":")
    yield "host", name if name and ":" not in name and port.isdecimal() else host


def _in_question(question: Any) -> Iterator[Found]:
    method, arguments, answer = question.method, question.arguments, question.answer
    if method == "user_name":
        yield "user", str(answer)
    elif method == "variable" and answer is not None:
        name = str(arguments.get("name", "")).upper()
        if name in _USER_VARIABLES:
            yield "user", str(answer)
        elif name in _HOST_VARIABLES:
            yield "host", str(answer).strip("\\")
    elif method == "resolve":
        yield "host", str(arguments.get("name", ""))
    elif method == "run":
        yield from _in_output(question)


def _in_output(question: Any) -> Iterator[Found]:
    command = question.arguments.get("command") or " ".join(question.arguments.get("argv", ()))
    words = str(command).split()
    text = getattr(question.answer, "text", "")[:4096]
    if not text:
        return
    if words[:1] == ["hostname"] or words[:2] == ["uname", "-n"]:
        yield from (("host", name) for name in text.split()[:4])
    elif words[:2] == ["uname", "-a"]:
        yield from (("host", name) for name in text.split()[1:2])
    elif words[:1] == ["whoami"] or words[:2] == ["id", "-un"]:
        yield from (("user", name) for name in text.split()[:1])
    elif words[:2] == ["ssh", "-G"]:
        yield from _in_config(text)


def _in_file(path: str, data: bytes) -> Iterator[Found]:
    name = re.split(r"[\\/]", path)[-1].lower()
    if name in ("hosts", "lmhosts"):
        for line in lines(data, _MAX_LINES):
            yield from (("host", word) for word in line.partition("#")[0].split()[1:16])
    elif name.startswith(("known_hosts", "ssh_known_hosts")):
        for line in lines(data, _MAX_LINES, 65536):
            words = line.split()
            names = words[1:2] if line.startswith("@") else words[:1]
            yield from _known_hosts(names[0]) if names else ()
    elif name in ("config", "ssh_config", "sshd_config") or name.endswith(".conf"):
        yield from _in_config(data.decode("utf-8", "replace"))
        for line in lines(data, _MAX_LINES):
            words = line.split()
            if words[:1] in (["search"], ["domain"]):
                yield from (("host", word) for word in words[1:8])
    elif name == "hostname":
        yield from (("host", word) for word in data.decode("utf-8", "replace").split()[:1])


def _known_hosts(names: str) -> Iterator[Found]:
    if names.startswith("|"):
        return
    for name in names.split(",")[:16]:
        yield "host", name.lstrip("!").partition("]")[0].removeprefix("[")


def _in_config(text: str) -> Iterator[Found]:
    for number, match in enumerate(_CONFIG.finditer(text)):
        if number > _MAX_LINES:
            return
        keyword, rest = match[1].lower(), match[2].split("#")[0]
        for word in rest.replace(",", " ").split()[:16]:
            if keyword == "user":
                yield "user", word
            elif keyword == "proxyjump":
                yield from gateway_name(word)
            elif not set(word) & set("*?!%"):
                yield "host", word


def is_address(name: str) -> bool:
    """Tell whether ``name`` is an IP literal, which is no name."""
    try:
        ipaddress.ip_address(name.partition("%")[0].removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
