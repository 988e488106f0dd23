"""``netkit demo``: a gateway, a target behind it and a forward, all on this machine."""

from __future__ import annotations

import contextlib
import errno
import shutil
import socket
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netkit import events
from netkit.cli import render
from netkit.cli.demo.target import MOST_BYTES, DemoError, Target, Transfer, download, upload
from netkit.cli.lifecycle import run_job
from netkit.cli.main import META_OUTPUT, debug_option
from netkit.cli.output import Output
from netkit.cli.services import Services
from netkit.keys.make import write_key
from netkit.model import (
    Endpoint,
    Endurance,
    ForwardKind,
    ForwardSpec,
    Gateway,
    HostKeyPolicy,
    TunnelSpec,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from netkit.cli.services import GatewayLike, TunnelLike

WANTED = Endpoint("127.0.0.2", 3389)
"""The address of the 2003 recipe: RDP's port, on the loopback address Windows clients accept."""

_USER = "demo"


@click.command(
    "demo",
    short_help="Show it working: a gateway, a target and a forward, all on this machine.",
)
@click.option(
    "--size",
    type=click.IntRange(1, MOST_BYTES // 1_000_000),
    default=100,
    show_default=True,
    metavar="MB",
    help="Megabytes to move each way.",
)
@debug_option
@click.pass_context
def command(ctx: click.Context, /, *, size: int) -> int:
    """Start an SSH gateway and a target, forward 127.0.0.2:3389, move data each way, clean up.

    Needs no gateway, no keys and no configuration, and leaves nothing behind.
    """
    output = Output()
    ctx.meta[META_OUTPUT] = output
    return run_job(DemoJob(size * 1_000_000, ctx.obj or Services(), output))


class DemoJob:
    """Sets everything up in a private directory, moves the bytes, and takes it all down."""

    def __init__(self, size: int, services: Services, output: Output) -> None:
        self._size = size
        self._services = services
        self._output = output
        self._lock = threading.Lock()
        self._stopped = False
        self._stops: list[Callable[[], None]] = []
        self._link: events.LinkUp | None = None

    def work(self) -> int:
        """Run the demo; return 0, or raise what went wrong."""
        from netkit.cli import debugging

        debugging.keep_quiet()
        begun = time.perf_counter()
        with contextlib.ExitStack() as cleanup:
            directory = Path(tempfile.mkdtemp(prefix="netkit-demo-"))
            self._on_end(cleanup, lambda: shutil.rmtree(directory, ignore_errors=True))
            target = Target()
            self._on_end(cleanup, target.stop)
            target.start()
            server = self._start_gateway(directory, target.address, cleanup)
            tunnel = self._start_tunnel(directory, server, target.address, cleanup)
            self._explain(server, target, tunnel)
            self._move(_first_endpoint(tunnel))
        self._output.data(
            f"All is taken down again after {time.perf_counter() - begun:.1f} s."
            " For a desktop of your own:\n"
            "  netkit forward me@gateway --bind 127.0.0.2:3389 --to DESKTOP:3389"
        )
        return 0

    def stop(self, drain: float) -> None:
        """Take everything down; ``work`` then fails at whatever it is doing."""
        del drain
        with self._lock:
            self._stopped = True
            stops = list(self._stops)
        for stop in reversed(stops):
            stop()

    def _on_end(self, cleanup: contextlib.ExitStack, stop: Callable[[], None]) -> None:
        """Call ``stop`` when the demo ends or is interrupted; at once if it has been."""
        cleanup.callback(stop)
        with self._lock:
            self._stops.append(stop)
            stopped = self._stopped
        if stopped:
            raise DemoError("the demo was stopped", code="stopped")

    def _start_gateway(
        self, directory: Path, target: Endpoint, cleanup: contextlib.ExitStack
    ) -> GatewayLike:
        public = write_key(directory / "id_ed25519", "netkit-demo")
        server = self._services.gateway(
            host="127.0.0.1",
            port=0,
            authorized_keys=(public,),
            password=None,
            allow=(target,),
            observer=None,
        )
        self._on_end(cleanup, server.stop)
        server.start()
        (directory / "known_hosts").write_text(f"{server.host_key_line}\n", "utf-8")
        (directory / "config").write_text(config_text(directory), "utf-8")
        return server

    def _start_tunnel(
        self,
        directory: Path,
        server: GatewayLike,
        target: Endpoint,
        cleanup: contextlib.ExitStack,
    ) -> TunnelLike:
        choice = choose_bind(WANTED)
        if choice.why:
            self._output.talk(choice.why)
        spec = TunnelSpec(
            gateway=Gateway(server.address.host, _USER, server.address.port),
            forwards=(ForwardSpec(ForwardKind.LOCAL, choice.bind, target),),
            config_file=directory / "config",
            host_key=HostKeyPolicy.STRICT,
            endurance=Endurance(reconnect=False),
        )
        tunnel = self._services.tunnel(
            self._services.plan(spec), prompter=None, password=None, observer=self._observe
        )
        self._on_end(cleanup, lambda: tunnel.stop(0.0))
        tunnel.start()
        return tunnel

    def _observe(self, event: events.Event) -> None:
        if isinstance(event, events.LinkUp):
            self._link = event

    def _explain(self, server: GatewayLike, target: Target, tunnel: TunnelLike) -> None:
        show = self._output.data
        show("A gateway, a target behind it and a forward, all on this machine:")
        show(f"  gateway   {server.address}   netkit's own, with keys made for this run")
        show(f"  target    {target.address}   what a desktop or a database would be")
        show(f"  forward   {_first_endpoint(tunnel)} -> {target.address} through the gateway")
        if self._link is not None:
            link = self._link
            show(f"  login     {link.seconds:.2f} s   {link.cipher}, {link.kex}, {link.auth}")

    def _move(self, address: Endpoint) -> None:
        for name, move in (("download", download), ("upload", upload)):
            transfer = move(address, self._size)
            self._output.data(transfer_line(name, transfer))
            if not transfer.is_whole:
                raise DemoError(
                    f"the {name} arrived damaged",
                    code="checksum-mismatch",
                    cause=f"SHA-256 sent {transfer.sent}, arrived {transfer.arrived}",
                )


def _first_endpoint(tunnel: TunnelLike) -> Endpoint:
    address = tunnel.forwards[0].addresses[0]
    if not isinstance(address, Endpoint):
        raise TypeError(f"a TCP forward listens at {address!r}")
    return address


def transfer_line(name: str, transfer: Transfer) -> str:
    """Return how much moved, how fast, and whether it arrived whole."""
    verdict = "SHA-256 agrees" if transfer.is_whole else "SHA-256 DIFFERS"
    return (
        f"  {name:<9} {render.size(transfer.size)} in {transfer.seconds:.2f} s,"
        f" {transfer.rate / 1e6:.0f} MB/s   {verdict} ({transfer.arrived[:16]}…)"
    )


def config_text(directory: Path) -> str:
    """Return an ssh_config that uses the files in ``directory`` and nothing of the user's."""

    def quoted(name: str) -> str:
        # A percent sign begins a token of ssh_config(5).
        return '"' + (directory / name).as_posix().replace("%", "%%") + '"'

    return "\n".join(
        [
            "Host *",
            f"  IdentityFile {quoted('id_ed25519')}",
            "  IdentitiesOnly yes",
            "  IdentityAgent none",
            f"  UserKnownHostsFile {quoted('known_hosts')}",
            f"  GlobalKnownHostsFile {quoted('none')}",
            "  StrictHostKeyChecking yes",
            "",
        ]
    )


@dataclass(frozen=True, slots=True)
class Choice:
    """Where to listen, and why not where the demo wanted to (empty if it can)."""

    bind: Endpoint
    why: str = ""


def choose_bind(wanted: Endpoint, *, platform: str = sys.platform) -> Choice:
    """Return ``wanted`` if it can be bound, else another port, else another address, and why."""
    fault = bind_fault(wanted)
    if fault is None:
        return Choice(wanted)
    why = explain_fault(wanted, fault, platform)
    same_host = Endpoint(wanted.host, 0)
    bind = same_host if bind_fault(same_host) is None else Endpoint("127.0.0.1", 0)
    return Choice(bind, f"{why}; the demo listens on another port instead")


def bind_fault(address: Endpoint) -> OSError | None:
    """Return why ``address`` cannot be bound, or ``None`` if it can."""
    with socket.socket() as probe:
        if sys.platform == "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
            probe.listen(1)  # with SO_REUSEADDR a port that is taken may fail only here
        except OSError as error:
            return error
    return None


def explain_fault(address: Endpoint, fault: OSError, platform: str) -> str:
    """Return in words why ``address`` cannot be bound, with the remedy where there is one."""
    if fault.errno == errno.EADDRNOTAVAIL:
        if platform == "darwin":
            return (
                f"{address.host} is no address of this Mac until it is added with"
                f" `sudo ifconfig lo0 alias {address.host}`"
            )
        return f"{address.host} is no address of this machine"
    if fault.errno == errno.EADDRINUSE:
        return f"another program listens on {address}"
    if fault.errno == errno.EACCES:
        return f"this system does not let you listen on {address}"
    return f"cannot listen on {address}: {fault.strerror}"
