"""A `GatewayExaminer` for a test gateway: ssh_config of its own, nothing of this machine.

    with start("sshd", tmp_path) as gateway, examiner(gateway, tmp_path) as subject:
        subject.run("echo hello")

Words are ssh_config options in place of the defaults; None leaves one out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from netkit.doctor.gateway import GatewayExaminer
from netkit.doctor.session import Access, Session, open_session
from netkit.model import Gateway, HostKeyPolicy, Plan, TunnelSpec
from support.tunnels import TestGateway

ALIAS = "gate"


def spec(gateway: TestGateway | int, tmp_path: Path, **words: str | None) -> TunnelSpec:
    """Return what leads to ``gateway``, or to a port of 127.0.0.1 that nothing is known of."""
    options: dict[str, str | None] = {
        "HostName": "127.0.0.1",
        "Port": str(gateway if isinstance(gateway, int) else gateway.port),
        "GlobalKnownHostsFile": "/dev/null",
        "UserKnownHostsFile": str(tmp_path / "known_hosts"),
        "IdentityAgent": "none",
        "ConnectTimeout": "5",
        "LogLevel": "ERROR",
    }
    if not isinstance(gateway, int):
        options |= {
            "User": gateway.user,
            "UserKnownHostsFile": str(gateway.known_hosts),
            "IdentityFile": str(gateway.client_key),
            "IdentitiesOnly": "yes",
        }
    options |= words
    lines = [f"  {word} {value}" for word, value in options.items() if value is not None]
    config = tmp_path / "ssh_config"
    config.write_text("\n".join([f"Host {ALIAS}", *lines]) + "\n")
    return TunnelSpec(
        gateway=Gateway(ALIAS), config_file=config, host_key=HostKeyPolicy.STRICT, jumps=()
    )


@contextlib.contextmanager
def examiner(
    gateway: TestGateway | int, tmp_path: Path, *, more: Any = None, **words: str | None
) -> Iterator[GatewayExaminer]:
    """Return the examiner of ``gateway`` and close it at the end; ``more`` are its arguments."""
    subject = GatewayExaminer(spec(gateway, tmp_path, **words), **(more or {}))
    try:
        yield subject
    finally:
        subject.close()


@contextlib.contextmanager
def session(*gateways: TestGateway, **more: Any) -> Iterator[Session]:
    """Return a session through ``gateways`` and close it at the end."""
    plan = Plan(hops=tuple(each.hop() for each in gateways))
    subject = open_session(Access(plan=plan, **more))
    try:
        yield subject
    finally:
        subject.close()
