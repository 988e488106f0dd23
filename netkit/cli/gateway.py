"""``netkit gateway``: netkit's own SSH server, for trials, tests and hosts without sshd."""

from __future__ import annotations

import ipaddress
import shlex
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netkit.cli import options
from netkit.cli.lifecycle import run_job
from netkit.cli.main import META_OUTPUT, PROGRAM, debug_option
from netkit.cli.output import EventPrinter, Output
from netkit.cli.services import Services
from netkit.cli.terminal import read_password
from netkit.errors import UsageError
from netkit.model import Fix

if TYPE_CHECKING:
    from netkit.cli.services import GatewayLike
    from netkit.model import Endpoint

_MOST_KEYS = 1 << 20
"""Bytes of an authorized_keys file; ten thousand keys fit."""

_PRINT_REST = 1.0

_EPILOG = """\b
Examples:
  netkit gateway --port 2222 --authorized-keys ~/.ssh/id_ed25519.pub
  netkit gateway --authorized-keys keys --allow 127.0.0.1:5432 --allow db:5432

It forwards and nothing else: no shell, no files. Its host key is made for the run.
"""


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line of ``netkit gateway`` asks for."""

    host: str
    port: int
    keys: tuple[str, ...]
    allow: tuple[Endpoint, ...] | None
    password_stdin: bool


@click.command(
    "gateway",
    cls=options.RememberingCommand,
    short_help="Run a small SSH server to tunnel through, for trials and tests.",
    epilog=_EPILOG,
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on; 0: any free one."
)
@click.option(
    "--authorized-keys",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Public keys that may log in, one a line.",
)
@options.password_option
@click.option(
    "--allow", multiple=True, metavar="HOST:PORT", help="Forward only there (default: anywhere)."
)
@click.option("--expose", is_flag=True, help="Allow a HOST that other machines can reach.")
@click.option("-v", "--verbose", is_flag=True, help="Show every flow.")
@debug_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    host: str,
    port: int,
    authorized_keys: Path | None,
    password_stdin: bool,
    allow: tuple[str, ...],
    expose: bool,
    verbose: bool,
) -> int:
    """Run an SSH server that does nothing but carry forwards, until Ctrl-C."""
    output = Output(verbose=verbose)
    ctx.meta[META_OUTPUT] = output
    _check_exposure(host, expose=expose)
    if authorized_keys is None and not password_stdin:
        raise _nobody_may_log_in()
    request = Request(
        host=host,
        port=port,
        keys=read_authorized_keys(authorized_keys) if authorized_keys else (),
        allow=_allowed(allow),
        password_stdin=password_stdin,
    )
    return run_job(GatewayJob(request, ctx.obj or Services(), output))


class GatewayJob:
    """Starts the server, says how to reach it, and waits to be stopped."""

    def __init__(self, request: Request, services: Services, output: Output) -> None:
        self._request = request
        self._services = services
        self._output = output
        self._stopped = threading.Event()

    def work(self) -> int:
        """Serve until ``stop``; return 0."""
        from netkit.cli import debugging

        debugging.keep_quiet()
        request = self._request
        password = read_password() if request.password_stdin else None
        printer = EventPrinter(self._output.event, flows=self._output.flows)
        try:
            server = self._services.gateway(
                host=request.host,
                port=request.port,
                authorized_keys=request.keys,
                password=password,
                allow=request.allow,
                observer=printer.post,
            )
            server.start()
            try:
                self._say_how(server)
                self._stopped.wait()
            finally:
                server.stop()
        finally:
            printer.close(_PRINT_REST)
        return 0

    def stop(self, drain: float) -> None:
        """Make ``work`` end; open flows end with it, there is nothing to drain for."""
        del drain
        self._stopped.set()

    def _say_how(self, server: GatewayLike) -> None:
        address = server.address
        self._output.data(f"listening on {address}")
        self._output.data(f"known_hosts: {server.host_key_line}")
        self._output.data(f"connect: {shlex.join(connect_argv(address))}")


def connect_argv(address: Endpoint) -> tuple[str, ...]:
    """Return a command that forwards through the gateway at ``address``."""
    return (PROGRAM, "forward", str(address), "-D", "1080")


def read_authorized_keys(path: Path) -> tuple[str, ...]:
    """Return the lines of an authorized_keys file that hold keys.

    Raises:
        UsageError: the file cannot be read, is longer than 1 MiB, no text, or holds no key.
    """
    try:
        with path.expanduser().open("rb") as file:
            data = file.read(_MOST_KEYS + 1)
    except OSError as error:
        raise _bad_keys(path, f"it cannot be read: {error.strerror}") from None
    if len(data) > _MOST_KEYS:
        raise _bad_keys(path, f"it is longer than {_MOST_KEYS} bytes")
    try:
        lines = [line.strip() for line in data.decode("utf-8").splitlines()]
    except UnicodeDecodeError:
        raise _bad_keys(path, "it is not text; is it a key in another format?") from None
    if any(line.startswith("-----BEGIN") for line in lines):
        raise _bad_keys(path, f"it holds a private key; the public one is in {path}.pub")
    keys = tuple(line for line in lines if line and not line.startswith("#"))
    if not keys:
        raise _bad_keys(path, "there is no key in it")
    return keys


def _bad_keys(path: Path, why: str) -> UsageError:
    return UsageError(
        f"{path} is no use as an authorized_keys file", code="bad-authorized-keys", cause=why
    )


def _allowed(texts: tuple[str, ...]) -> tuple[Endpoint, ...] | None:
    from netkit.text.endpoints import parse_endpoint

    return tuple(parse_endpoint(text) for text in texts) or None


def _check_exposure(host: str, *, expose: bool) -> None:
    try:
        is_local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = False
    if is_local or expose:
        return
    raise UsageError(
        f"{host} can be reached by other machines",
        code="needs-expose",
        cause="whoever may log in can use this machine to connect elsewhere",
        fixes=(Fix((PROGRAM, "gateway", "...", "--expose"), note="if that is meant"),),
    )


def _nobody_may_log_in() -> UsageError:
    return UsageError(
        "nobody could log in to this gateway",
        code="no-credentials",
        cause="neither --authorized-keys FILE nor --password-stdin says who may",
        fixes=(Fix((PROGRAM, "gateway", "...", "--authorized-keys", "~/.ssh/id_ed25519.pub")),),
    )
