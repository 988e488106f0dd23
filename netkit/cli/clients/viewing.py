"""What ``netkit rdp``, ``vnc`` and ``open`` share: one forward, the server awaited, the client."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from netkit.cli import lasting, options
from netkit.cli.clients.errors import A_SERVER
from netkit.cli.clients.launching import Launcher, accompanied
from netkit.cli.clients.order import LIMIT, Order
from netkit.cli.forward import no_gateway
from netkit.cli.lifecycle import leave_at_once, run_job
from netkit.cli.main import META_OUTPUT, PROGRAM, debug_option
from netkit.cli.naming import Naming
from netkit.cli.output import Output, write_stderr
from netkit.cli.profile import resolve as profiles
from netkit.cli.services import Services
from netkit.cli.tunnel_job import Request
from netkit.desktop import launch, loopback_alias, try_bind
from netkit.desktop.addresses import (
    PORTS,
    SECOND,
    choose,
    forward_for,
    is_refused_by_mstsc,
    places,
    wants_second_address,
)
from netkit.desktop.clients import Desktop, Kind
from netkit.errors import BindError, UsageError
from netkit.model import Endpoint, Fix, ForwardKind, ForwardSpec, Profile
from netkit.plan.binds import is_loopback
from netkit.text.endpoints import check_host, parse_bind, parse_port, split_host_port

if TYPE_CHECKING:
    from collections.abc import Sequence

F = TypeVar("F", bound="Callable[..., Any]")

EXIT_CODES = """\b
Exit codes: 0 the client ended, or stopped by SIGTERM, 2 usage, 3 the server does not answer or
the client failed, 4 gateway not reached or lost, 5 host key refused, 6 login failed, 7 local
bind failed, 70 bug in netkit, 130 stopped by Ctrl-C.
"""


def view_options(kind: Kind) -> Callable[[F], F]:
    """Add the options that the three commands share; ``kind`` gives the usual port."""

    def add(function: F) -> F:
        for decorator in reversed(
            (
                options.gateway_options,
                click.option(
                    "--to",
                    metavar=f"HOST[:{PORTS[kind]}]",
                    help="The server, as the gateway sees it (default: the gateway itself).",
                ),
                click.option(
                    "--bind",
                    metavar="ADDR:PORT",
                    help="Listen here (default: the first address that suits the client).",
                ),
                click.option(
                    "--no-launch", is_flag=True, help="Start no client; print how to start one."
                ),
                click.option(
                    "--wait",
                    type=options.Seconds(0, 3600),
                    metavar="SECONDS",
                    help="How long the server may take to answer; it may refuse meanwhile"
                    f" (default {LIMIT:g}, not refusing; 0: it is not asked).",
                ),
                click.option("--dry-run", is_flag=True, help="Print the plan, and do nothing."),
                click.option(
                    "--json", "as_json", is_flag=True, help="Print events as NDJSON, nothing else."
                ),
                lasting.drain_option(),
                click.option("-v", "--verbose", is_flag=True, help="Show every flow."),
                debug_option,
            )
        ):
            function = decorator(function)
        return function

    return add


class Size(click.ParamType[tuple[int, int]]):
    """``1280x800``."""

    name = "WxH"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Return width and height; both from 200 to 8192 (MS-RDPBCGR 2.2.1.3.2)."""
        if isinstance(value, tuple):
            return value
        width, _, height = str(value).lower().partition("x")
        numbers = [
            int(each) if each.isascii() and each.isdecimal() and len(each) <= 4 else 0
            for each in (width, height)
        ]
        if not all(200 <= each <= 8192 for each in numbers):
            self.fail(f"{str(value)[:40]!r} is no size such as 1280x800.", param, ctx)
        return numbers[0], numbers[1]


def run_view(ctx: click.Context, order: Order, gateway: str | None, values: dict[str, Any]) -> int:
    """Run the tunnel and the client of ``order``; return the exit code.  Raises as commands do."""
    output = Output(as_json=values["as_json"], verbose=values["verbose"])
    ctx.meta[META_OUTPUT] = output
    desktop = launch.this_desktop()
    kind = order.view.kind
    profile = profiles.find(gateway) if gateway is not None else profiles.default_profile()
    if gateway is None and profile is None:
        raise no_gateway(_word(kind), "--to", f"10.0.0.5:{PORTS[kind]}")
    saved = None if values["to"] is not None or profile is None else _saved_forward(kind, profile)
    order = replace(
        order,
        launch=not values["no_launch"],
        limit=LIMIT if values["wait"] is None else values["wait"],
        again=values["wait"] is not None,
        command=tuple(ctx.command_path.split()),
    )
    bind = values["bind"] or (str(saved.bind) if saved else "")
    with _second_address(kind, desktop, values, bind) as added:
        forward = _forward(kind, saved, desktop, values)
        _check_mstsc(forward, desktop, values)
        request = _request(gateway, forward, values)
        companions = (Launcher(order, output, desktop),)
        job = accompanied(request, ctx.obj or Services(), output, companions)
        try:
            return run_job(
                job, drain=request.drain, hard_exit=_take_back_and_leave if added else None
            )
        except BindError as error:
            error.fixes = _elsewhere(error, order.command, forward)
            raise


def _request(gateway: str | None, forward: ForwardSpec, values: dict[str, Any]) -> Request:
    wish = profiles.wish(gateway, (forward,), {**values, "expose": False}, default=True)
    assert wish is not None  # a gateway or a profile was found
    return Request(
        spec=wish.spec,
        auto_keepalive=wish.auto_keepalive,
        counted=wish.counted,
        password_stdin=values["password_stdin"],
        password_of=wish.password_of,
        dry_run=values["dry_run"],
        drain=values["drain"],
        naming=Naming(wish.profile.name if wish.profile else str(wish.spec.gateway)),
    )


def _forward(
    kind: Kind, saved: ForwardSpec | None, desktop: Desktop, values: dict[str, Any]
) -> ForwardSpec:
    """Return the forward to make: of the options, else the one that is ``saved``."""
    if saved is not None and saved.to is not None:
        target = saved.to
    else:
        target = parse_target("localhost" if values["to"] is None else values["to"], PORTS[kind])
    if values["bind"] is not None:
        bind = _bind(kind, values["bind"])
    elif saved is not None and isinstance(saved.bind, Endpoint):
        bind = saved.bind
    else:
        port = target.port if isinstance(target, Endpoint) else PORTS[kind]
        found = choose(places(kind, desktop.os, port), try_bind.is_free)
        if found is None:
            raise _nothing_free(kind)
        bind = found
    return ForwardSpec(ForwardKind.LOCAL, bind, target, f"--bind {bind} --to {target}")


def _bind(kind: Kind, text: str) -> Endpoint:
    bind = parse_bind(text)
    if not isinstance(bind, Endpoint):
        raise UsageError(
            f"--bind {bind} is a path",
            code="bad-address",
            cause="a client connects to a TCP address: 127.0.0.1:13389",
        )
    if not is_loopback(bind.host):
        raise _exposed(kind, bind)
    return bind


def _saved_forward(kind: Kind, profile: Profile) -> ForwardSpec:
    """Return the forward of a profile that leads to a server of ``kind``.

    Any will do where the profile says itself that this is what it is for.
    """
    forwards = profile.tunnel.forwards
    index = forward_for(kind, forwards, usual=profile.launch != kind.value)
    if index is not None:
        return forwards[index]
    raise UsageError(
        f"the profile {profile.name} has no forward to {A_SERVER[kind]}",
        code="no-forward",
        cause=f"no local forward of it leads to a port such as {PORTS[kind]}",
        fixes=(
            Fix((PROGRAM, _word(kind), profile.name, "--to", f"10.0.0.5:{PORTS[kind]}")),
            Fix((PROGRAM, "profile", "show", profile.name), note="what it has"),
        ),
    )


def parse_target(text: str, port: int) -> Endpoint:
    """Parse ``HOST[:PORT]``.

    Raises:
        UsageError: it is no such thing.
    """
    host, given = split_host_port(text, "--to")
    return Endpoint(check_host(host, text), port if given is None else parse_port(given))


def _check_mstsc(forward: ForwardSpec, desktop: Desktop, values: dict[str, Any]) -> None:
    bind = forward.bind
    if desktop.os != "windows" or not isinstance(bind, Endpoint) or values["no_launch"]:
        return
    if isinstance(forward.to, Endpoint) and is_refused_by_mstsc(bind):
        raise UsageError(
            f"the Remote Desktop client refuses {bind}",
            code="rdp-own-address",
            cause="it takes its own machine at port 3389 for a session that exists already",
            fixes=(Fix((PROGRAM, "rdp", "...", "--bind", f"{SECOND}:3389")),),
        )


# ---------------------------------------------------------------- 127.0.0.2 on a Mac


@contextlib.contextmanager
def _second_address(
    kind: Kind, desktop: Desktop, values: dict[str, Any], bind: str
) -> Iterator[bool]:
    """Make 127.0.0.2 meanwhile, where it is missing, wanted, and the person agrees.

    ``bind`` is the address that is asked for, empty for none.

    Yields whether that was done.
    """
    if (
        not wants_second_address(kind, desktop.os, there=try_bind.is_there(SECOND))
        or values["dry_run"]
        or (bind and not bind.startswith(f"{SECOND}:"))
        or not _agrees(agreed=values.get("yes", False))
        or not loopback_alias.add(SECOND, terminal=desktop.terminal)
    ):
        yield False
        return
    try:
        yield True
    finally:
        if not loopback_alias.remove(SECOND, terminal=desktop.terminal):
            undo = " ".join(loopback_alias.alias_fix(SECOND).undo)
            write_stderr([f"{PROGRAM}: {SECOND} is still there; remove it with: {undo}"])


def _take_back_and_leave(code: int) -> NoReturn:
    loopback_alias.remove(SECOND, terminal=False)
    leave_at_once(code)


def _agrees(*, agreed: bool) -> bool:
    from netkit.cli.terminal import TerminalPrompter

    if agreed:
        return True
    command = loopback_alias.alias_fix(SECOND)
    answer = TerminalPrompter().answer(
        f"This Mac has no {SECOND}. Add it while the tunnel is open"
        f" ({' '.join(command.argv)})? [y/N]"
    )
    return answer is not None and answer.strip().lower() in ("y", "yes")


# ---------------------------------------------------------------- errors


def _word(kind: Kind) -> str:
    """Return the name of the command."""
    return "open" if kind is Kind.HTTP else kind.value


def _exposed(kind: Kind, bind: Endpoint) -> UsageError:
    loopback = Endpoint(SECOND if kind is Kind.RDP else "127.0.0.1", bind.port)
    return UsageError(
        f"{bind} would let other machines use the tunnel",
        code="bind-needs-expose",
        cause="the client is on this machine; netkit forward --expose serves others",
        fixes=(Fix((PROGRAM, _word(kind), "...", "--bind", str(loopback))),),
    )


def _nothing_free(kind: Kind) -> BindError:
    return BindError(
        f"no address for a {kind.value} client is free on this machine",
        code="bind-address-in-use",
        cause="other programs listen at all the ports that would do",
        fixes=(Fix((PROGRAM, _word(kind), "...", "--bind", "127.0.0.1:0"), note="any port"),),
    )


def _elsewhere(error: BindError, command: tuple[str, ...], forward: ForwardSpec) -> tuple[Fix, ...]:
    """Return the fixes of ``error`` as words of our command."""
    if not isinstance(forward.bind, Endpoint):
        return error.fixes
    fixes: Sequence[Fix] = [fix for fix in error.fixes if fix.argv[:1] != (PROGRAM,)]
    anywhere = Endpoint(forward.bind.host or "127.0.0.1", 0)
    return (
        *fixes,
        Fix((*command, "...", "--bind", str(anywhere)), note="lets the system choose the port"),
    )
