"""Why no client was started, or why it failed: errors with the command to run next."""

from __future__ import annotations

from netkit.cli.again import SAME
from netkit.desktop.addresses import PORTS
from netkit.desktop.await_server import Answer, Result
from netkit.desktop.clients import Kind
from netkit.errors import NetkitError
from netkit.events import FlowFailed
from netkit.model import Fix

A_SERVER = {Kind.RDP: "an RDP server", Kind.VNC: "a VNC server", Kind.HTTP: "a web server"}
_TLS = "a server that speaks TLS"
_PLAIN = "a server that does not speak TLS"


class ServerError(NetkitError):
    """The server behind the tunnel does not answer as it should."""

    exit_code = 3
    default_code = "server-silent"


class ClientError(NetkitError):
    """The program that was to show it could not be started, or failed."""

    exit_code = 3
    default_code = "client-failed"


def server_error(
    command: tuple[str, ...],
    kind: Kind,
    target: str,
    *,
    gateway: str,
    answer: Answer,
    limit: float,
    reason: FlowFailed | None,
) -> ServerError:
    """Return why ``target`` is not the server that ``kind`` asks for.

    ``command`` is the command to type again with a change (``netkit up NAME`` as it is), empty
    where there is none; ``reason`` is what the gateway said of our connection.
    """
    server = A_SERVER[kind]
    longer = _again(command, "--wait", f"{max(120, 2 * limit):g}", note="asks again meanwhile")
    if answer.result is Result.SILENT:
        return ServerError(
            f"{target} did not answer as {server} within {limit:g} s",
            code="server-silent",
            cause="a firewall drops the packets, the machine is starting, or something else"
            " listens there and waits to be spoken to",
            fixes=longer,
            retryable=True,
        )
    if answer.result is Result.OTHER:
        cause = f"--to names another port or machine; {server} usually has port {PORTS[kind]}"
        if kind is Kind.HTTP and answer.text in (_TLS, _PLAIN):
            cause = "https and http are not the same to it"
        return ServerError(
            f"{target} is not {server}: {answer.text} answers",
            code="wrong-server",
            cause=cause,
            fixes=_instead(command, kind, gateway, target, answer.text),
        )
    if reason is None:
        return ServerError(
            f"{target} ends the connection without a word",
            code="server-refused",
            cause=f"nothing listens there, or it is not {server}",
            fixes=longer,
            retryable=True,
        )
    return ServerError(
        f"{gateway} cannot connect to {target}",
        code=reason.code,
        cause=reason.reason,
        fixes=longer if reason.code == "target-refused" else (),
        retryable=reason.code in ("target-refused", "target-timed-out", "target-unreachable"),
    )


def client_error(name: str, why: str, line: str) -> ClientError:
    """Return the error for a client that failed; ``line`` is what to type to start one."""
    return ClientError(
        f"{name} failed: {why}",
        cause="its own messages, above, say more",
        fixes=(Fix((), note=f"keep the tunnel with --no-launch, then: {line}"),),
    )


def _again(command: tuple[str, ...], *words: str, note: str = "") -> tuple[Fix, ...]:
    if command[1:2] == ("up",):
        return (Fix(command, note="tries again"),)
    return (Fix((*command, SAME, *words), note=note),) if command else ()


def _instead(
    command: tuple[str, ...], kind: Kind, gateway: str, target: str, speaks: str
) -> tuple[Fix, ...]:
    if kind is Kind.HTTP and speaks in (_TLS, _PLAIN) and command[1:2] != ("up",):
        return _again(command, "--https" if speaks == _TLS else "--no-https")
    others = {
        "a web server": ("netkit", "open", gateway, "--to", target),
        "a VNC server": ("netkit", "vnc", gateway, "--to", target),
        "an RDP server": ("netkit", "rdp", gateway, "--to", target),
    }
    if speaks in others:
        return (Fix(others[speaks], note=f"for {speaks}"),)
    if command[1:2] == ("up",):
        return (Fix((*command[:1], "profile", "show", *command[2:]), note="where it leads"),)
    host = target.rpartition(":")[0]
    return _again(command, "--to", f"{host}:{PORTS[kind]}") if not _has_port(kind, target) else ()


def _has_port(kind: Kind, target: str) -> bool:
    return target.rpartition(":")[2] == str(PORTS[kind])
