"""The chain of gateways."""

from __future__ import annotations

import pytest

from netkit.errors import ConfigError, UsageError
from netkit.model import Gateway, TunnelSpec
from netkit.plan.chain import Environment, destination, walk
from netkit.text.ssh_config import Options
from netkit.text.ssh_tokens import LocalFacts


def chain(
    jumps: dict[str, str], gateway: str = "gw", asked: tuple[Gateway, ...] | None = None
) -> list[str]:
    """Return the chain as texts; ``jumps`` maps a host to its ProxyJump."""

    def look_up(asked_for: Gateway) -> Options:
        jump = jumps.get(asked_for.host)
        return {"proxyjump": (jump,)} if jump else {}

    spec = TunnelSpec(gateway=Gateway(gateway), jumps=asked)
    return [str(step.gateway) for step in walk(spec, look_up)]


def test_no_jump():
    assert chain({}) == ["gw"]


def test_configured_chain_and_the_first_follows_its_own():
    assert chain({"gw": "a,u@b:22", "a": "z", "b": "never"}) == ["z", "a", "u@b:22", "gw"]


def test_asked_goes_before_configured():
    jumps = {"gw": "never", "b": "never", "a": "z"}
    assert chain(jumps, asked=(Gateway("a"), Gateway("b"))) == ["z", "a", "b", "gw"]
    assert chain({"gw": "a"}, asked=()) == ["gw"]


def test_same_host_twice_is_no_loop():
    assert chain({"gw": "a,gw,a"}) == ["a", "gw", "a", "gw"]


@pytest.mark.parametrize("jumps", [{"gw": "a", "a": "b", "b": "a"}, {"gw": "gw"}])
def test_loop(jumps: dict[str, str]):
    with pytest.raises(ConfigError, match="circles") as caught:
        chain(jumps)
    assert "ProxyJump none" in caught.value.cause


def test_chain_is_bounded():
    endless = {f"h{n}": f"h{n + 1}" for n in range(100)}
    with pytest.raises(UsageError) as caught:
        chain(endless, "h0")
    assert caught.value.code == "too-many-hops"


def test_tokens_in_proxyjump():
    def look_up(gateway: Gateway) -> Options:
        if gateway.host != "gw":
            return {}
        return {"proxyjump": ("jump-%n.%h",), "hostname": ("real",)}

    steps = walk(TunnelSpec(gateway=Gateway("gw")), look_up)
    assert [step.gateway.host for step in steps] == ["jump-gw.real", "gw"]


def test_direct_is_the_first_only():
    steps = walk(TunnelSpec(gateway=Gateway("gw"), jumps=(Gateway("a"),)), lambda gateway: {})
    assert [step.direct for step in steps] == [True, False]


def test_destination_takes_the_command_line_first():
    spec = TunnelSpec(gateway=Gateway("gw", "u", 1), user="v", port=2)
    assert destination(spec) == Gateway("gw", "v", 2)
    assert destination(TunnelSpec(gateway=Gateway("gw", "u", 1))) == Gateway("gw", "u", 1)


@pytest.mark.parametrize(
    "spec",
    [
        TunnelSpec(gateway=Gateway("gw"), port=0),
        TunnelSpec(gateway=Gateway("gw"), port=65536),
        TunnelSpec(gateway=Gateway("gw"), user="-x"),
        TunnelSpec(gateway=Gateway("-oProxyCommand=x")),
        TunnelSpec(gateway=Gateway("gw", "-x")),
    ],
)
def test_impossible_destinations(spec: TunnelSpec):
    with pytest.raises(UsageError):
        destination(spec)


def test_environment_of_another_tunnel():
    environment = Environment(
        local=LocalFacts(home="/", user="me"), hosts={Gateway("a"): {"port": ("1",)}}
    )
    assert environment.options(Gateway("a")) == {"port": ("1",)}
    with pytest.raises(ConfigError, match="no configuration was read for b"):
        environment.options(Gateway("b"))
