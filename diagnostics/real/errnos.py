"""Names of what went wrong, in POSIX spelling on every system."""

from __future__ import annotations

import errno
import socket

_WINSOCK = {
    10004: "EINTR",
    10009: "EBADF",
    10013: "EACCES",
    10014: "EFAULT",
    10022: "EINVAL",
    10024: "EMFILE",
    10035: "EAGAIN",
    10036: "EINPROGRESS",
    10037: "EALREADY",
    10038: "ENOTSOCK",
    10039: "EDESTADDRREQ",
    10040: "EMSGSIZE",
    10041: "EPROTOTYPE",
    10042: "ENOPROTOOPT",
    10043: "EPROTONOSUPPORT",
    10044: "ESOCKTNOSUPPORT",
    10045: "EOPNOTSUPP",
    10046: "EPFNOSUPPORT",
    10047: "EAFNOSUPPORT",
    10048: "EADDRINUSE",
    10049: "EADDRNOTAVAIL",
    10050: "ENETDOWN",
    10051: "ENETUNREACH",
    10052: "ENETRESET",
    10053: "ECONNABORTED",
    10054: "ECONNRESET",
    10055: "ENOBUFS",
    10056: "EISCONN",
    10057: "ENOTCONN",
    10058: "ESHUTDOWN",
    10059: "ETOOMANYREFS",
    10060: "ETIMEDOUT",
    10061: "ECONNREFUSED",
    10062: "ELOOP",
    10063: "ENAMETOOLONG",
    10064: "EHOSTDOWN",
    10065: "EHOSTUNREACH",
}
"""Winsock's error codes (winerror.h), which have no POSIX number of their own."""

_GETADDRINFO = {
    11001: "EAI_NONAME",  # WSAHOST_NOT_FOUND
    11002: "EAI_AGAIN",  # WSATRY_AGAIN
    11003: "EAI_FAIL",  # WSANO_RECOVERY
    11004: "EAI_NODATA",  # WSANO_DATA
}

_OUTCOMES = {
    "ECONNREFUSED": "refused",
    "ETIMEDOUT": "timed-out",
    "EAGAIN": "timed-out",
    "ENETUNREACH": "unreachable",
    "EHOSTUNREACH": "unreachable",
    "ENETDOWN": "unreachable",
    "EHOSTDOWN": "unreachable",
    "EADDRNOTAVAIL": "unreachable",  # no address of ours leads there
    "EAFNOSUPPORT": "unreachable",
    "ECONNRESET": "reset",
    "ECONNABORTED": "reset",
    "EPIPE": "reset",
    "EACCES": "denied",
    "EPERM": "denied",
}


def number_of(error: BaseException) -> int:
    """Return the system's own number: on Windows that of Winsock, which says more."""
    winerror = getattr(error, "winerror", None)
    return int(winerror or getattr(error, "errno", None) or 0)


def name_of(error: BaseException) -> str:
    """Return ``EADDRINUSE`` and the like; ``EINVAL`` for what never reached the system."""
    if isinstance(error, TimeoutError) and not error.errno:
        return "ETIMEDOUT"
    number = number_of(error)
    if number in _WINSOCK:
        return _WINSOCK[number]
    posix = getattr(error, "errno", None) or 0
    return _WINSOCK.get(posix) or errno.errorcode.get(posix, f"E{posix}" if posix else "EINVAL")


def outcome_of(error: BaseException) -> str:
    """Return what became of a connect: the word of `diagnostics.system.Connected`."""
    return _OUTCOMES.get(name_of(error), "failed")


def name_of_lookup(error: socket.gaierror) -> str:
    """Return ``EAI_NONAME`` and the like."""
    number = error.errno or 0
    if number in _GETADDRINFO:
        return _GETADDRINFO[number]
    names = sorted(name for name in dir(socket) if name.startswith("EAI_"))
    return next((name for name in names if getattr(socket, name) == number), f"EAI_{number}")
