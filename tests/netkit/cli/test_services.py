from __future__ import annotations

import inspect

import pytest

from netkit.cli import services


@pytest.mark.parametrize(
    ("maker", "real"),
    [
        (services._tunnel, "netkit.engine.tunnel.Tunnel"),
        (services._gateway, "netkit.engine.gateway.GatewayServer"),
    ],
)
def test_the_ports_fit_the_real_things(maker, real):
    module, _, name = real.rpartition(".")
    wanted = inspect.signature(maker).parameters
    constructor = inspect.signature(getattr(__import__(module, fromlist=[name]), name)).parameters
    assert set(wanted) <= set(constructor)
    missing = [
        parameter.name
        for parameter in constructor.values()
        if parameter.default is parameter.empty and parameter.name not in wanted
    ]
    assert not missing


def test_the_real_plan_reads_the_configuration(tmp_path):
    from netkit.cli.options import tunnel_spec

    config = tmp_path / "config"
    config.write_text("Host gw\n  HostName gw.example\n  Port 2222\n  User me\n")
    unsaid = "jump user port compression ciphers macs host_key connect_timeout keepalive proxy"
    nothing = dict.fromkeys([*unsaid.split(), "keepalive_count"])
    values = {**nothing, "config": config, "identity": (), "expose": False}
    plan = services.Services().plan(tunnel_spec("gw", (), values))
    hop = plan.hops[-1]
    assert (hop.host, hop.port, hop.user) == ("gw.example", 2222, "me")
