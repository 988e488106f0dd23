"""The error tree.

Errors are data: a stable kebab-case ``code``, a one-line ``summary``, the likely ``cause``, the
command to run next (``fixes``) and whether trying again can help (``retryable``).  They know no
screen; the command line renders them.  Each class carries the exit code of the command line.
"""

from __future__ import annotations

from typing import ClassVar, Final

from netkit.model import Fix

HOPELESS: Final = (2, 5, 6)
"""Exit codes of what only a person can mend: usage, host key refused, login failed."""


class NetkitError(Exception):
    """Base of every error netkit raises on purpose.

    Attributes:
        code: kebab-case and stable; scripts and documentation refer to it.
        summary: what failed, one line.
        cause: the likely cause, one line, may be empty.
        fixes: commands to run next.
        retryable: whether the same call may succeed later without a change.
    """

    exit_code: ClassVar[int] = 70
    default_code: ClassVar[str] = "netkit-error"

    def __init__(
        self,
        summary: str,
        *,
        code: str = "",
        cause: str = "",
        fixes: tuple[Fix, ...] = (),
        retryable: bool = False,
    ) -> None:
        super().__init__(summary)
        self.code = code or self.default_code
        self.summary = summary
        self.cause = cause
        self.fixes = fixes
        self.retryable = retryable


class UsageError(NetkitError):
    """The command line, an argument or a configuration file is wrong."""

    exit_code = 2
    default_code = "usage"


class ConfigError(UsageError):
    """A configuration file is wrong; the summary names the file and the line."""

    default_code = "bad-config"


class GatewayUnreachableError(NetkitError):
    """No SSH server could be talked to: name, TCP, banner, or the link was lost."""

    exit_code = 4
    default_code = "gateway-unreachable"


class AlgorithmError(GatewayUnreachableError):
    """The two sides share no algorithm; the cause lists both offers."""

    default_code = "no-common-algorithm"


class LinkLostError(GatewayUnreachableError):
    """An established link ended: killed, frozen, cut, or closed by the gateway."""

    default_code = "link-lost"


class RemoteProtocolError(GatewayUnreachableError):
    """The peer broke the SSH protocol; the summary says what it did."""

    default_code = "protocol-error"


class ResourceError(NetkitError):
    """This machine has no more descriptors, processes or memory for it."""

    exit_code = 3
    default_code = "out-of-resources"


class LocalProtocolError(NetkitError):
    """netkit was asked to do what the protocol does not allow; a bug of the caller."""

    default_code = "local-protocol-error"


class HostKeyError(NetkitError):
    """The gateway's host key is unknown, changed or revoked."""

    exit_code = 5
    default_code = "host-key-refused"


class AuthenticationError(NetkitError):
    """The gateway accepted none of our credentials."""

    exit_code = 6
    default_code = "authentication-failed"


class KeyFileError(AuthenticationError):
    """A key file cannot be used: unreadable, encrypted, or no key at all."""

    default_code = "bad-key-file"


class BindError(NetkitError):
    """A local listening point could not be opened."""

    exit_code = 7
    default_code = "bind-failed"


class DisplayError(NetkitError):
    """The X server of this desktop cannot be lent: it is not there, or lets us not in."""

    exit_code = 3
    default_code = "display-failed"


class RemoteForwardError(NetkitError):
    """The gateway refused to listen for us."""

    exit_code = 8
    default_code = "remote-forward-refused"


class OpenError(NetkitError):
    """The gateway could not or would not open a channel to a target.

    ``reason`` is the code of RFC 4254 section 5.1 (1 prohibited, 2 connect failed, 3 unknown
    type, 4 shortage); 0 when no answer came.
    """

    exit_code = 3
    default_code = "open-failed"

    def __init__(self, summary: str, *, reason: int = 0, code: str = "", cause: str = "") -> None:
        super().__init__(summary, code=code, cause=cause, retryable=reason in (2, 4))
        self.reason = reason
