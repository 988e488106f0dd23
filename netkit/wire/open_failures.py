"""Why a channel could not be opened, read from what the gateway said.

SSH_MSG_CHANNEL_OPEN_FAILURE (RFC 4254 section 5.1) carries one of four codes and free text.  The
code alone hides what the user needs: sshd answers 2 ("connect failed") for a refused port, a
black hole and a misspelt name, and puts strerror(3) or gai_strerror(3) in the text; asyncssh puts
``[Errno N]`` there, in the numbers of the gateway's own operating system.
"""

from __future__ import annotations

import enum
import re

_TEXT_LIMIT = 1024


class Failure(enum.Enum):
    """The cause of a failed open; the value is a sentence fragment for people."""

    PROHIBITED = "the gateway does not allow forwarding to this target"
    RULED_OUT = "this tunnel does not allow this target (--allow-target)"
    REFUSED = "nothing accepts connections at this address and port"
    UNREACHABLE = "the gateway has no way to this host"
    NETWORK_UNREACHABLE = "the gateway has no way to this network"
    TIMED_OUT = "the target did not answer in time"
    NAME = "the gateway cannot resolve this name"
    UNSUPPORTED = "the gateway does not know this kind of channel"
    SHORTAGE = "the gateway is out of resources"
    LINK_DOWN = "the connection to the gateway is down"
    OTHER = "the gateway could not open the connection"


_CODES = {
    Failure.PROHIBITED: "forwarding-prohibited",
    Failure.RULED_OUT: "target-not-allowed",
    Failure.REFUSED: "target-refused",
    Failure.UNREACHABLE: "target-unreachable",
    Failure.NETWORK_UNREACHABLE: "target-unreachable",
    Failure.TIMED_OUT: "target-timed-out",
    Failure.NAME: "target-name-unknown",
    Failure.UNSUPPORTED: "channel-type-unknown",
    Failure.SHORTAGE: "gateway-out-of-resources",
    Failure.LINK_DOWN: "link-lost",
    Failure.OTHER: "open-failed",
}

# In order of precedence.  Names come first: "lookup x on 10.0.0.1:53: connection refused" is a
# resolver's failure, not the target's.  Refusal comes before time-outs and routes: where several
# addresses were tried, the one that answered says most.
_TEXTS = {
    failure: re.compile("|".join(phrases), re.IGNORECASE)
    for failure, *phrases in (
        (
            Failure.NAME,
            r"name (or service )?not known",
            r"servname",
            r"service name not",
            r"name resolution",
            r"getaddrinfo",
            r"no address associated with",
            r"no such host",
            r"unknown host",
            r"host not found",
            r"(name|host) does not resolve",
            r"(error|could not|cannot) resolv",
            r"unresolved ?address",
            r"address family for hostname",
            r"requested name is valid",
            r"\blookup \S",
            r"^try again$",
        ),
        (
            Failure.REFUSED,
            r"connection refused",
            r"actively refused",
            r"no such file or directory",  # a unix socket that is not there
        ),
        (
            Failure.TIMED_OUT,
            r"timed?[ -]?out",
            r"deadline exceeded",
            r"did not properly respond",
        ),
        (
            Failure.NETWORK_UNREACHABLE,
            r"network (is )?(unreachable|down)",
            r"unreachable network",
            r"address family not supported",
        ),
        (
            Failure.UNREACHABLE,
            r"no route to host",
            r"host (is )?(unreachable|down)",
            r"unreachable host",
            r"(can't|cannot) assign requested address",
        ),
        (
            Failure.SHORTAGE,
            r"too many open files",
            r"no buffer space",
            r"cannot allocate memory",
            r"resource shortage",
            r"resource temporarily unavailable",
        ),
        (
            Failure.PROHIBITED,
            r"prohibited",
            r"forwarding (is )?(disabled|denied|not allowed)",
        ),
    )
}

_ERRNO = re.compile(r"\[(?:errno|winerror) (\d{1,5})\]", re.IGNORECASE)
# Linux, BSD and macOS, Winsock, Win32.  Where systems give one number two meanings, the other
# meaning never comes from connect(2).
_NUMBERS = {
    Failure.NAME: (11001, 11002, 11003, 11004),
    Failure.REFUSED: (111, 61, 10061, 1225),
    Failure.TIMED_OUT: (110, 60, 10060, 121),
    Failure.NETWORK_UNREACHABLE: (101, 100, 97, 51, 50, 47, 10051, 10050, 10047, 1231),
    Failure.UNREACHABLE: (113, 112, 99, 65, 64, 49, 10065, 10064, 10049, 1232),
    Failure.SHORTAGE: (24, 23, 105, 55, 12, 10024, 10055),
}


def classify_open_failure(reason_code: int, text: str) -> Failure:
    """Return the cause that a gateway's CHANNEL_OPEN_FAILURE states.

    ``reason_code`` is that of RFC 4254 section 5.1; any other number is judged by ``text`` alone.
    The text of a code 1 counts too, because old servers sent 1 for failed connects.
    Total: whatever the peer sends has an answer.
    """
    if reason_code == 3:
        return Failure.UNSUPPORTED
    if reason_code == 4:
        return Failure.SHORTAGE
    told = _read_text(text[:_TEXT_LIMIT])
    if told is not None:
        return told
    return Failure.PROHIBITED if reason_code == 1 else Failure.OTHER


def failure_code(failure: Failure) -> str:
    """Return the stable kebab-case code of ``failure`` for events, errors and ``--explain``."""
    return _CODES[failure]


def _read_text(text: str) -> Failure | None:
    for failure, pattern in _TEXTS.items():
        if pattern.search(text):
            return failure
    numbers = {int(number) for number in _ERRNO.findall(text)}
    for failure, known in _NUMBERS.items():
        if numbers.intersection(known):
            return failure
    return None
