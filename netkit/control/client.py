"""Asking running tunnels: who runs, and one request to one of them."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from netkit.control.answers import Added
from netkit.control.protocol import (
    MAX_ANSWER,
    ControlError,
    Request,
    format_request,
    parse_answer,
)
from netkit.control.views import addresses, flow_views, tunnel_view
from netkit.desktop import instance
from netkit.desktop.instance import ControlPoint, Holder
from netkit.events import FlowView, TunnelView
from netkit.model import ForwardSpec

TIMEOUT: Final = 5.0
"""Seconds that a tunnel may take to answer; adding a remote forward waits for the gateway."""


@dataclass(frozen=True, slots=True)
class Running:
    """What a running tunnel says of itself."""

    name: str
    gateway: str
    pid: int
    view: TunnelView


def running(folder: Path | None = None) -> tuple[Holder, ...]:
    """Return the tunnels of this user that run, by name."""
    return instance.running(folder)


def ask(holder: Holder, request: Request, timeout: float = TIMEOUT) -> dict[str, Any]:
    """Return what the tunnel answers.

    Raises:
        ControlError: it cannot be asked, does not answer in time, or not in the protocol.
        NetkitError: it says that it cannot do it.
    """
    point = holder.control
    if point is None:
        raise ControlError(
            f"{holder.name} ({holder}) cannot be asked",
            code="control-unavailable",
            cause="it is starting, or has no control socket",
            retryable=True,
        )
    request = replace(request, token=point.token) if point.token else request
    deadline = time.monotonic() + timeout
    try:
        with contextlib.closing(_connect(point, timeout)) as connection:
            connection.sendall(format_request(request))
            return parse_answer(_answer(connection, deadline))
    except OSError as error:
        late = isinstance(error, TimeoutError)
        reason = f"no answer in {timeout:g} s" if late else error.strerror or str(error)
        raise ControlError(
            f"{holder.name} ({holder}) cannot be asked: {reason}",
            code="control-timeout" if late else "control-unavailable",
            cause="the process hangs, or is ending",
            retryable=True,
        ) from None


def status(holder: Holder, timeout: float = TIMEOUT) -> Running:
    """Return what a tunnel is like now; raises as `ask` does."""
    said = ask(holder, Request("status"), timeout)
    name, gateway, pid = said.get("name"), said.get("gateway"), said.get("pid")
    return Running(
        name if isinstance(name, str) else holder.name,
        gateway if isinstance(gateway, str) else holder.gateway,
        pid if isinstance(pid, int) else holder.pid,
        tunnel_view(said.get("view")),
    )


def flows(holder: Holder, timeout: float = TIMEOUT) -> tuple[FlowView, ...]:
    """Return the flows of a tunnel; raises as `ask` does."""
    return flow_views(ask(holder, Request("flows"), timeout).get("flows"))


def add(
    holder: Holder, forwards: Sequence[ForwardSpec], timeout: float = TIMEOUT
) -> tuple[Added, ...]:
    """Have a tunnel listen further; return where it does.  Raises as `ask` does."""
    said = ask(holder, Request("add", forwards=tuple(forwards)), timeout).get("added")
    if not isinstance(said, list) or len(said) != len(forwards):
        raise ControlError("the tunnel does not say where it listens", code="control-protocol")
    return tuple(
        Added(forward, addresses(each.get("addresses") if isinstance(each, dict) else None))
        for forward, each in zip(forwards, said, strict=True)
    )


def _connect(point: ControlPoint, timeout: float) -> socket.socket:
    if point.port:
        return socket.create_connection(("127.0.0.1", point.port), timeout)
    _check_owner(point.path)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        connection.connect(point.path)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_owner(path: str) -> None:
    """Do not talk to a socket that another user has put there."""
    if sys.platform == "win32":
        return
    found = Path(path).lstat()
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid not in (0, os.geteuid()):
        raise ControlError(
            f"{path} is no socket of yours",
            code="control-refused",
            cause="another user has put something there",
        )


def _answer(connection: socket.socket, deadline: float) -> bytes:
    data = bytearray()
    while not data.endswith(b"\n") and len(data) <= MAX_ANSWER:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        piece = connection.recv(1 << 18)
        if not piece:
            raise ConnectionResetError("it closed the connection")
        data += piece
    return bytes(data)
