"""``netkit x11``: X programs of a gateway on this display."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from netkit.cli import lasting, options
from netkit.cli.lifecycle import run_job
from netkit.cli.main import META_OUTPUT, PROGRAM, debug_option
from netkit.cli.naming import Naming
from netkit.cli.output import Output
from netkit.cli.profile import resolve as profiles
from netkit.cli.services import Services
from netkit.errors import UsageError
from netkit.model import Fix, X11Trust

if TYPE_CHECKING:
    from netkit.cli.profile.resolve import Wish

MAX_NUMBER = 59535
"""Display numbers are ports above 6000."""

_EPILOG = """\b
Examples:
  netkit x11 gw xterm                     one program; its exit status is passed on
  netkit x11 gw --display 1               DISPLAY=localhost:1 on gw shows here
  netkit x11 gw --display 1 --bind '*' --expose     for other hosts too: DISPLAY=gw:1

Programs there never get the cookie of this X server: they show one that opens this link alone.
With -X, the default, they see no window but their own; some programs end with BadAccess then, and
need -Y. What ssh_config says of ForwardX11 and ForwardX11Trusted is not asked.

\b
Exit codes: the program's, or 0 stopped by SIGTERM or SIGHUP, 2 usage or no DISPLAY, 3 no X server
that lets us in, 4 gateway not reached or lost, 5 host key refused, 6 login failed, 8 the gateway
forwards no X11 or has that display itself, 70 bug in netkit, 130 stopped by Ctrl-C.
"""


class X11Command(options.RememberingCommand):
    """A command whose options may follow GATEWAY, and end where the remote command begins.

    What the remote command is told is not netkit's to read: ``netkit x11 gw xterm -e top``.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put options in front of GATEWAY, then parse as usual."""
        ctx.allow_interspersed_args = False
        return super().parse_args(ctx, self._in_order(ctx, list(args)))

    def _in_order(self, ctx: click.Context, args: list[str]) -> list[str]:
        values, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        gateway, behind = values.get("gateway"), _words(values)
        if not isinstance(gateway, str) or not behind:
            return args
        front = args[: len(args) - len(behind) - 1]
        if front[-1:] == ["--"]:
            return args
        # What follows GATEWAY is read once more: its options, and then the first other word.
        values, _, _ = self.make_parser(ctx).parse_args(args=[*front, *behind])
        words = _words(values)
        if isinstance(values.get("gateway"), str):
            words = behind[len(behind) - len(words) - 1 :]
        given = behind[: len(behind) - len(words)]
        if given[-1:] == ["--"]:
            given.pop()
        # Behind a command nothing of netkit's can be added: errors look for the "--".
        return [*front, *given, *(["--"] if words else []), gateway, *words]


def _words(values: Mapping[str, Any]) -> list[str]:
    found = values.get("command")  # click has a value of its own for what was not typed
    return list(found) if isinstance(found, list | tuple) else []


@click.command(
    "x11",
    cls=X11Command,
    short_help="Show X programs of a gateway here, or lend it this display.",
    epilog=_EPILOG,
)
@options.gateway_options
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@options.x11_options
@click.option("--single", is_flag=True, help="Let a single X connection in, and no more.")
@click.option(
    "--display",
    "number",
    type=click.IntRange(0, MAX_NUMBER),
    metavar="N",
    help="Lend the display as number N of the gateway: port 6000+N leads here.",
)
@click.option("--bind", metavar="ADDRESS", help="Where the gateway listens (default: localhost).")
@click.option("--expose", is_flag=True, help="Allow a bind that other hosts reach.")
@click.option("--install-cookie", is_flag=True, help="Have xauth on the gateway keep the cookie.")
@click.option("--dry-run", is_flag=True, help="Print what would be done, and do nothing.")
@lasting.drain_option("With --display: how long a stop waits for open windows.")
@click.option("-v", "--verbose", is_flag=True, help="Show every flow.")
@debug_option
@click.pass_context
def command(
    ctx: click.Context, /, gateway: str | None, command: tuple[str, ...], **values: Any
) -> int:
    """Run COMMAND on GATEWAY and show its windows here, or lend it this display.

    GATEWAY is [user@]host[:port], an ssh_config alias or a profile. The words of COMMAND are
    joined and read by the shell there, as ssh does; it reads nothing from here.
    """
    output = Output(verbose=values["verbose"])
    ctx.meta[META_OUTPUT] = output
    if gateway is None:
        raise _nothing_said()
    _check(gateway, command, values)
    wish = profiles.wish(gateway, (), values)
    assert wish is not None
    from netkit.cli.x11.job import X11Job

    request = _request(ctx, wish, command, values)
    job = X11Job(request, ctx.obj or Services(), output)
    return run_job(job, drain=request.request.drain)


def _request(
    ctx: click.Context, wish: Wish, command: tuple[str, ...], values: dict[str, Any]
) -> Any:
    from netkit.cli.tunnel_job import Request
    from netkit.cli.x11.job import X11Request

    return X11Request(
        request=Request(
            spec=wish.spec,
            auto_keepalive=wish.auto_keepalive,
            counted=wish.counted,
            password_stdin=values["password_stdin"],
            password_of=wish.password_of,
            dry_run=values["dry_run"],
            drain=0.0 if command else values["drain"],
            naming=Naming(wish.profile.name if wish.profile else str(wish.spec.gateway)),
        ),
        trust=wish.spec.x11 or X11Trust.UNTRUSTED,
        command=" ".join(command),
        single=values["single"],
        display=values["number"] or 0,
        bind=values["bind"] or "",
        install=values["install_cookie"],
        typed=ctx.meta[options.META_TYPED].words,
        words=len(command) + 1,
    )


def _check(gateway: str, command: tuple[str, ...], values: dict[str, Any]) -> None:
    """Refuse words that contradict each other."""
    lends = values["number"] is not None
    if lends == bool("".join(command).strip()):
        what = "both a command and --display" if lends else "neither a command nor --display"
        raise UsageError(
            f"netkit x11 {gateway}: {what} is given",
            code="x11-what",
            cause="it runs one X program there, or lends this display under a number",
            fixes=(
                Fix((PROGRAM, "x11", gateway, "xterm")),
                Fix((PROGRAM, "x11", gateway, "--display", "1")),
            ),
        )
    for name in ("bind", "expose", "install_cookie"):
        if values[name] and not lends:
            raise _only_with(name, "--display")
    if values["single"] and lends:
        raise _only_with("single", "a command")


def _only_with(name: str, what: str) -> UsageError:
    option = f"--{name.replace('_', '-')}"
    return UsageError(f"{option} goes with {what} only", code="x11-option")


def _nothing_said() -> UsageError:
    return UsageError(
        "no gateway is named",
        code="no-gateway",
        cause="netkit needs to know where the X program runs: [user@]host[:port]",
        fixes=(Fix((PROGRAM, "x11", "me@gateway.example", "xterm")),),
    )
