from __future__ import annotations

import click
import pytest

from netkit.cli import lasting, options
from netkit.errors import UsageError
from netkit.model import Endurance, Gateway, Limits, TunnelSpec
from support.cli import run_cli


@click.command(cls=options.OrderedForwardsCommand)
@options.gateway_options
@options.forward_options
@lasting.endurance_options
@lasting.limit_options
@click.pass_context
def command(ctx, /, gateway, **values):
    return options.tunnel_spec(gateway or "gw", options.forwards_of(ctx), values)


def spec(*words: str) -> TunnelSpec:
    made: TunnelSpec = command.main(list(words), standalone_mode=False)
    return made


def test_what_becomes_of_a_tunnel_whose_link_is_lost():
    assert spec().endurance == Endurance()
    said = spec("--retries", "3", "--hold", "2.5", "--probe", "60")
    assert said.endurance == Endurance(retries=3, hold=2.5, probe=60)
    assert spec("--no-reconnect").endurance == Endurance(reconnect=False)
    assert spec("--no-reconnect", "--reconnect").endurance == Endurance()


def test_what_is_not_said_is_as_it_was_saved():
    saved = Endurance(reconnect=False, retries=7, hold=0, probe=5)
    assert lasting.endurance({}, saved) == saved
    said = {"reconnect": True, "hold": 10.0, "retries": None}
    assert lasting.endurance(said, saved) == Endurance(retries=7, hold=10, probe=5)


def test_what_a_tunnel_allows():
    assert spec().limits == Limits()
    said = spec(
        *("--max-flows", "9", "--limit-rate", "1.5M", "--idle-timeout", "60"),
        *("--window-budget", "64M", "--allow-target", "*.internal:443"),
        *("--allow-target", "10.0.0.0/8:*", "--allow-source", "192.0.2.0/24"),
    )
    assert said.limits == Limits(
        flows=9,
        rate=3 << 19,
        idle=60,
        window=64 << 20,
        targets=("*.internal:443", "10.0.0.0/8:*"),
        sources=("192.0.2.0/24",),
    )


def test_a_limit_that_was_saved_can_be_taken_back():
    saved = Limits(flows=9, rate=1024, targets=("h:1",))
    assert lasting.limits({"allow_target": (), "max_flows": None}, saved) == saved
    said = {"max_flows": 0, "limit_rate": 0, "allow_target": ("i:2",)}
    assert lasting.limits(said, saved) == Limits(targets=("i:2",))


@pytest.mark.parametrize(
    "words",
    [
        *[("--retries", "-1"), ("--hold", "nan"), ("--hold", "-1"), ("--probe", "x")],
        *[("--max-flows", "-1"), ("--limit-rate", "fast"), ("--window-budget", "-1")],
        ("--idle-timeout", "nan"),
    ],
)
def test_numbers_that_are_none(words):
    with pytest.raises(click.UsageError):
        spec(*words)


def test_links_and_gateways():
    assert spec("--links", "auto").endurance == Endurance(links=0)
    said = spec("--links", "4", "--via", "two, me@three:2222", "--spread")
    assert said.endurance == Endurance(links=4, spread=True)
    assert said.via == (Gateway("two"), Gateway("three", "me", 2222))


@pytest.mark.parametrize("words", [("--links", "0"), ("--links", "17"), ("--links", "many")])
def test_numbers_of_links_that_are_none(words):
    with pytest.raises(click.UsageError):
        spec(*words)


def test_a_gateway_that_is_none():
    with pytest.raises(UsageError, match="--via"):
        spec("--via", "two,-oProxyCommand=x")


def test_via_alone_names_all():
    done = run_cli("forward", "--via", "one,two", "-D", "1080", "--dry-run")
    assert done.code == 0
    assert "one" in done.out
