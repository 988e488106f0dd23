"""What netkit's errors quote of the other side, and what servers mean by it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from diagnostics.parsers.text import clean

MAX_TEXT = 4000

_SAID = re.compile(
    r"(?:answered|beginning|it sent|it said|the server is) "
    r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
)
_CREDENTIAL = re.compile(
    r"(?P<label>.*) \((?P<kind>[A-Z0-9@._-]{2,60}) (?P<print>SHA256:\S{20,64})\)"
)
_HTTP = re.compile(r"HTTP/\d(?:\.\d)? (?P<status>\d{3})")
_REDIRECTS = {"301", "302", "303", "307", "308"}
_NETWORK_LOGIN = "511"  # RFC 6585 section 6: Network Authentication Required

_SERVICES = (
    # what a server says first, or at once when it does not understand
    (re.compile(r"HTTP/|<html|<!doctype|<\?xml", re.IGNORECASE), "a web server"),
    (re.compile(r"220[ -].*(smtp|mail|postfix|exim)", re.IGNORECASE), "a mail server (SMTP)"),
    (re.compile(r"220[ -]"), "an FTP or mail server"),
    (re.compile(r"\+OK"), "a mail server (POP3)"),
    (re.compile(r"\* (OK|PREAUTH|BYE)"), "a mail server (IMAP)"),
    (re.compile(r"RFB \d"), "a VNC server"),
    (re.compile(r"-ERR|-DENIED|-NOAUTH"), "a Redis server"),
)
_TLS = "a TLS server"


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential as netkit names it: ``label`` is a file, an agent's comment, or a word."""

    label: str
    key_type: str = ""
    fingerprint: str = ""
    in_agent: bool = False


def said(cause: str) -> str:
    """Return what the other side said, as quoted in a cause; empty where nothing is quoted."""
    match = _SAID.search(cause[:MAX_TEXT])
    if match is None:
        return ""
    try:
        text = ast.literal_eval(match[1])
    except (SyntaxError, ValueError):
        text = match[1][1:-1]
    return clean(str(text))


def service(cause: str) -> str:
    """Return what kind of server speaks so; empty where that cannot be told."""
    if cause.startswith(_TLS):
        return _TLS
    text = said(cause)
    return next((name for pattern, name in _SERVICES if pattern.match(text)), "")


def is_portal(text: str, port: int) -> bool:
    """Return whether an answer looks like one of a network that wants a log-in first.

    A web server on port 22 is hardly meant to be there; a redirection, or status 511, is how
    portals answer.
    """
    match = _HTTP.match(text)
    status = match["status"] if match else ""
    return status == _NETWORK_LOGIN or status in _REDIRECTS or (bool(status) and port == 22)


def credential(what: str) -> Credential:
    """Return the parts of what was tried, such as ``/home/me/.ssh/id (ED25519 SHA256:…)``."""
    match = _CREDENTIAL.fullmatch(what[:MAX_TEXT])
    if match is None:
        return Credential(clean(what, 300))
    label = match["label"].removesuffix(" with certificate")
    plain = label.removesuffix(" in the agent")
    in_agent = plain != label or not is_path(plain)
    return Credential(clean(plain, 300), match["kind"], match["print"], in_agent)


def is_path(label: str) -> bool:
    """Return whether a label is an absolute path, of POSIX or Windows."""
    return label.startswith("/") or label[1:3] in (":\\", ":/")
