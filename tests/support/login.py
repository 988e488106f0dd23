"""Logging in with netkit's transport, for tests."""

from __future__ import annotations

import getpass
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from netkit.engine.transport.session import establish
from netkit.errors import NetkitError
from netkit.model import Hop
from support.sshd import Sshd, make_key, public_line

if TYPE_CHECKING:
    import socket

    from netkit.engine.transport.algorithms import Agreed
    from netkit.engine.transport.client import SshTransport


@contextmanager
def logged_in(hop: Hop, sock: socket.socket, **options: Any) -> Iterator[SshTransport]:
    """Establish a transport and shut it down at the end."""
    transport = establish(hop, sock, **options)
    try:
        yield transport
    finally:
        transport.shut()


def fails(hop: Hop, sock: socket.socket, **options: Any) -> NetkitError:
    """Return the error that establishing ends with; without one the test fails."""
    with pytest.raises(NetkitError) as caught:
        establish(hop, sock, **options)
    assert sock.fileno() == -1, "the socket was left open"
    return caught.value


def sshd_hop(sshd: Sshd, **changes: Any) -> Hop:
    """A hop for a server with ``tcp=False`` that logs in with its client key."""
    hop = Hop(
        alias="gate",
        host="127.0.0.1",
        user=sshd.user,
        identities=(sshd.client_key,),
        identities_explicit=True,
        known_hosts=(sshd.known_hosts(),),
        connect_timeout=20,
    )
    return replace(hop, **changes)


def agreed(transport: SshTransport) -> Agreed:
    """What was agreed on, client to server."""
    assert transport.agreed is not None
    return transport.agreed


def b64(key: Path) -> str:
    """The base64 part of a key's public half."""
    return public_line(key).split()[1]


def certified(path: Path, authority: Path, kind: str = "ed25519") -> Path:
    """A key with ``path-cert.pub`` beside it that may log in as whoever runs the tests."""
    key = make_key(path, kind, *(("-b", "2048") if kind == "rsa" else ()))
    who = ["-I", "test", "-n", getpass.getuser()]
    subprocess.run(["ssh-keygen", "-q", "-s", str(authority), *who, f"{key}.pub"], check=True)
    return key
