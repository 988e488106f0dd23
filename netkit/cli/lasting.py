"""Options about a tunnel that lasts: what becomes of a lost link, its links, what it allows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from netkit.cli.options import AUTO, Seconds, about, all_of
from netkit.errors import UsageError
from netkit.model import Endurance, Gateway, Limits

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

MOST_LINKS = 16
"""Links of a tunnel whose number is said."""


class LinkCount(click.ParamType[int]):
    """A number of links, or ``auto``, which is 0."""

    name = "n|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        if str(value).strip().lower() == AUTO:
            return 0
        return int(click.IntRange(1, MOST_LINKS).convert(value, param, ctx))


def endurance_options(function: F) -> F:
    """Add the options about what becomes of a tunnel whose link is lost."""
    return all_of(
        click.option(
            "--reconnect/--no-reconnect",
            default=None,
            help="Make a link that is lost again, or end with it (default: again).",
        ),
        click.option(
            "--retries",
            type=click.IntRange(0),
            metavar="N",
            help="Attempts in a row that may fail before it ends (default: no limit).",
        ),
        click.option(
            "--hold",
            type=Seconds(0, 3600),
            help="How long new connections wait for the link; 0: not at all. (default 10)",
        ),
        click.option(
            "--probe",
            type=Seconds(0, 86400),
            help="Prove each -L forward by connecting to its target, so often; 0: never.",
        ),
        click.option(
            "--takeover/--no-takeover",
            default=None,
            help="End our own dead session on the gateway that still holds a -R port.",
        ),
        click.option(
            "--links",
            type=LinkCount(),
            help="SSH connections that share the flows; interactive ones apart. (default 1)",
        ),
        click.option(
            "--via",
            metavar="GW,GW",
            help="Further gateways that lead to the same place, for when the first fails.",
        ),
        click.option(
            "--spread/--no-spread", default=None, help="Spread --links over all gateways at once."
        ),
    )(function)


def drain_option(help_text: str = "How long a stop waits for open flows.") -> Callable[[F], F]:
    """Return the option about how long open flows may take to finish at a stop."""
    return click.option(
        "--drain",
        "--grace",
        type=Seconds(0, 3600),
        default=5.0,
        show_default=True,
        help=help_text,
    )


def via(text: str | None) -> tuple[Gateway, ...]:
    """Return the gateways of a ``--via``.

    Raises:
        UsageError: one of them is none.
    """
    from netkit.text.endpoints import parse_gateway

    if not text:
        return ()
    try:
        return tuple(parse_gateway(part.strip()) for part in text.split(","))
    except UsageError as error:
        raise about(f"--via {text}", error) from None


def endurance(values: dict[str, Any], saved: Endurance) -> Endurance:
    """Return what `endurance_options` collected, and for the rest what is ``saved``."""
    names = ("reconnect", "retries", "hold", "takeover", "probe", "links", "spread")
    said = {name: values.get(name) for name in names}
    return replace(saved, **{name: value for name, value in said.items() if value is not None})


class Size(click.ParamType[int]):
    """Bytes, or bytes per second: ``4096``, ``512k``, ``10M``; 0 for no limit."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number of bytes."""
        from netkit.text.limits import parse_size

        if value == "0" or isinstance(value, int):
            return int(value)
        try:
            return parse_size(value)
        except UsageError as error:
            self.fail(f"{error.summary}: {error.cause}", param, ctx)


def limit_options(function: F) -> F:
    """Add the options about what a tunnel allows."""
    return all_of(
        click.option(
            "--max-flows",
            type=click.IntRange(0),
            metavar="N",
            help="Connections at once per forward.",
        ),
        click.option(
            "--limit-rate",
            type=Size(),
            help="Bytes per second, per forward and direction: 512k, 10M.",
        ),
        click.option(
            "--idle-timeout",
            type=Seconds(0, 30 * 86400),
            help="Reset connections that carried no byte in either direction for so long.",
        ),
        click.option(
            "--window-budget",
            type=Size(),
            help="Bytes of receive window for all connections together.",
        ),
        click.option(
            "--allow-target",
            multiple=True,
            metavar="HOST:PORT",
            help="What clients of -D may reach: names with *, networks, ports a-b, *. Repeatable.",
        ),
        click.option(
            "--allow-source",
            multiple=True,
            metavar="NETWORK",
            help="Who may connect to a bind that other machines reach. Repeatable.",
        ),
    )(function)


_LIMITS = {
    "flows": "max_flows",
    "rate": "limit_rate",
    "idle": "idle_timeout",
    "window": "window_budget",
    "targets": "allow_target",
    "sources": "allow_source",
}


def limits(values: dict[str, Any], saved: Limits) -> Limits:
    """Return what `limit_options` collected, and for the rest what is ``saved``."""
    said = {name: values.get(option) for name, option in _LIMITS.items()}
    return replace(
        saved, **{name: value for name, value in said.items() if value is not None and value != ()}
    )
