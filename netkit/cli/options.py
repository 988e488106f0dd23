"""Options that several commands share, their types, and the ordered forwards of a command line."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from netkit.errors import UsageError
from netkit.files import at_home
from netkit.model import (
    Endurance,
    ForwardKind,
    ForwardSpec,
    Gateway,
    HostKeyPolicy,
    Keepalive,
    Limits,
    TunnelSpec,
    X11Trust,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from click.shell_completion import CompletionItem

F = TypeVar("F", bound="Callable[..., Any]")

AUTO = "auto"
"""A ``--keepalive`` that what is known of this network decides."""

_META_WORDS = "netkit.forward-words"
META_TYPED = "netkit.typed"
_FORWARD_OPTIONS = ("bind", "to", "local", "remote", "dynamic")
_KINDS = {
    "local": ForwardKind.LOCAL,
    "remote": ForwardKind.REMOTE,
    "dynamic": ForwardKind.DYNAMIC,
}


class Seconds(click.FloatRange):
    """A number of seconds between two bounds; ``nan`` is none."""

    name = "seconds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number; a word, ``nan`` or a value out of bounds fails."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return number


class KeepaliveInterval(click.ParamType[float | str]):
    """Seconds between keepalives, or ``auto``: what is known of this network decides."""

    name = "seconds|auto"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | str:
        """Return the number, or `AUTO`."""
        if str(value).strip().lower() == AUTO:
            return AUTO
        return Seconds(0, 86400).convert(value, param, ctx)


class RememberingCommand(click.Command):
    """A command that remembers what was typed, for errors that say it again with a change."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note the words, then parse as usual."""
        from netkit.cli.again import Typed

        ctx.meta[META_TYPED] = Typed(tuple(ctx.command_path.split()), tuple(args))
        return super().parse_args(ctx, args)


class OrderedForwardsCommand(RememberingCommand):
    """A command that remembers the order in which forwards were given.

    A ``--to`` belongs to the ``--bind`` before it, which click alone cannot tell.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note (option, value) of every forward in order, then parse as usual."""
        values, _, order = self.make_parser(ctx).parse_args(args=list(args))
        words = []
        taken = dict.fromkeys(_FORWARD_OPTIONS, 0)
        for parameter in order:
            name = parameter.name
            if name in taken:
                words.append((name, values[name][taken[name]]))
                taken[name] += 1
        ctx.meta[_META_WORDS] = words
        return super().parse_args(ctx, args)


def forwards_of(ctx: click.Context) -> tuple[ForwardSpec, ...]:
    """Return the forwards of the command line, in the order given.

    Raises:
        UsageError: one is malformed, or a ``--to`` follows no ``--bind``.
    """
    from netkit.text.forwards import parse_bind_to, parse_forward

    forwards: list[ForwardSpec] = []
    bind: str | None = None
    for name, value in [*ctx.meta[_META_WORDS], ("end", "")]:
        if name == "to":
            if bind is None:
                raise _lonely_to(value)
            forwards.append(parse_bind_to(bind, value))
            bind = None
            continue
        if bind is not None:
            forwards.append(parse_bind_to(bind, None))
        bind = value if name == "bind" else None
        if name in _KINDS:
            forwards.append(parse_forward(_KINDS[name], value))
    ctx.meta[META_TYPED] = replace(ctx.meta[META_TYPED], forwards=tuple(forwards))
    return tuple(forwards)


def _lonely_to(value: str) -> UsageError:
    return UsageError(
        f"--to {value} follows no --bind",
        code="to-without-bind",
        cause="each --to belongs to the --bind before it: --bind 127.0.0.2:3389 --to HOST:PORT",
    )


def _complete_gateway(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    from netkit.cli.hosts import complete_gateway
    from netkit.cli.profile.resolve import complete_name

    profiles = complete_name(ctx, param, incomplete)
    taken = {item.value for item in profiles}
    others = [item for item in complete_gateway(incomplete) if item.value not in taken]
    return [*profiles, *others]


password_option = click.option(
    "--password-stdin",
    is_flag=True,
    help="Read the password from the first line of standard input.",
)


def forward_options(function: F) -> F:
    """Add the options that say what to forward."""
    return all_of(
        click.option("--bind", multiple=True, metavar="ADDR:PORT", help="Listen here…"),
        click.option(
            "--to",
            multiple=True,
            metavar="HOST:PORT",
            help="…and lead to this target as the gateway sees it (default: same port there).",
        ),
        click.option(
            "-L", "local", multiple=True, metavar="[ADDR:]PORT:HOST:PORT", help="As for ssh."
        ),
        click.option(
            "-R", "remote", multiple=True, metavar="[ADDR:]PORT:HOST:PORT", help="As for ssh."
        ),
        click.option(
            "-D", "dynamic", multiple=True, metavar="[ADDR:]PORT", help="SOCKS and HTTP proxy."
        ),
        click.option(
            "--expose", is_flag=True, help="Allow listening where other machines can connect."
        ),
    )(function)


def x11_options(function: F) -> F:
    """Add the options that lend the display here; the last one counts."""
    return all_of(
        click.option(
            "-X",
            "x11",
            flag_value=X11Trust.UNTRUSTED.value,
            help="Show X programs of the gateway here, untrusted: they see their own windows only.",
        ),
        click.option(
            "-Y",
            "x11",
            flag_value=X11Trust.TRUSTED.value,
            help="The same, trusted: they may see and type in every window here.",
        ),
    )(function)


def gateway_options(function: F) -> F:
    """Add the options that say how to reach a gateway and log in; most are ssh's own."""
    path = click.Path(path_type=Path)
    return all_of(
        click.argument("gateway", required=False, shell_complete=_complete_gateway),
        click.option("-J", "jump", metavar="GATEWAY,…", help="Go through these first."),
        click.option("-l", "user", metavar="USER", help="Login name."),
        click.option(
            "-p", "port", type=click.IntRange(1, 65535), metavar="PORT", help="The gateway's port."
        ),
        click.option(
            "-i", "identity", multiple=True, type=path, metavar="FILE", help="Private key file."
        ),
        click.option(
            "--proxy",
            metavar="URL",
            help="Reach it through socks5://HOST:PORT or http://HOST:PORT.",
        ),
        click.option("-F", "config", type=path, metavar="FILE", help="ssh_config to read."),
        click.option("-C", "compression", is_flag=True, default=None, help="Compress."),
        click.option("-c", "ciphers", metavar="CIPHERS", help="Allowed ciphers, best first."),
        click.option("-m", "macs", metavar="MACS", help="Allowed MACs, best first."),
        click.option(
            "--host-key",
            type=click.Choice([policy.value for policy in HostKeyPolicy]),
            help="What to do with an unknown host key (a changed one is always refused).",
        ),
        password_option,
        click.option(
            "--connect-timeout", type=Seconds(0.1, 3600), help="For each hop (default 30)."
        ),
        click.option(
            "--keepalive",
            type=KeepaliveInterval(),
            help="Silence after which the gateway is asked for a sign of life; 0: never; auto: as"
            " 'netkit doctor --nat' measured in this network. (default 30)",
        ),
        click.option(
            "--keepalive-count",
            type=click.IntRange(1, 1000),
            metavar="N",
            help="Unanswered questions that end the link (default 3).",
        ),
    )(function)


def all_of(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    def apply(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


def tunnel_spec(
    gateway: str, forwards: Sequence[ForwardSpec], values: dict[str, Any]
) -> TunnelSpec:
    """Return the spec for the values that ``gateway_options`` and ``forward_options`` collect.

    A keepalive of `AUTO` is left open; `netkit.cli.keepalive` decides it when there is a plan.

    Raises:
        UsageError: the gateway or a jump is malformed.
    """
    from netkit.cli import lasting
    from netkit.text.endpoints import parse_gateway

    policy = values["host_key"]
    try:
        parsed = parse_gateway(gateway)
    except UsageError as error:
        raise about(gateway, error) from None
    return TunnelSpec(
        gateway=parsed,
        forwards=tuple(forwards),
        jumps=_jumps(values["jump"]),
        user=values["user"],
        port=values["port"],
        identities=tuple(map(at_home, values["identity"])),
        config_file=at_home(values["config"]) if values["config"] else None,
        compression=values["compression"],
        ciphers=_names(values["ciphers"]),
        macs=_names(values["macs"]),
        keepalive=_keepalive(values["keepalive"], values["keepalive_count"]),
        host_key=HostKeyPolicy(policy) if policy else None,
        connect_timeout=values["connect_timeout"],
        expose=values["expose"],
        x11=X11Trust(values["x11"]) if values.get("x11") else None,
        proxy=values["proxy"],
        endurance=lasting.endurance(values, Endurance()),
        limits=lasting.limits(values, Limits()),
        via=lasting.via(values.get("via")),
    )


def _jumps(text: str | None) -> tuple[Gateway, ...] | None:
    from netkit.text.endpoints import parse_gateway

    if text is None:
        return None
    if text.lower() == "none":
        return ()
    try:
        return tuple(parse_gateway(part.strip()) for part in text.split(","))
    except UsageError as error:
        raise about(f"-J {text}", error) from None


def about(shown: str, error: UsageError) -> UsageError:
    """Name the argument in an error about a part of it."""
    if shown in error.summary:
        return error
    return UsageError(f"{shown}: {error.summary}", code=error.code, cause=error.cause)


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def _keepalive(interval: float | str | None, count: int | None) -> Keepalive | None:
    seconds = None if isinstance(interval, str) else interval
    if seconds is None and count is None:
        return None
    default = Keepalive()
    return Keepalive(
        default.interval if seconds is None else seconds,
        default.count if count is None else count,
    )
