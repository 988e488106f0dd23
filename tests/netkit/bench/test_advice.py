"""Window, links and gateway: what to do about the term that limits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netkit.bench.advice import advise
from netkit.bench.analysis import Advice
from netkit.bench.limits import limits
from netkit.bench.model import Direction, Transfer
from netkit.bench.pairs import pairs
from netkit.text.link_shapes import LinkShape
from support.measurements import CHACHA, GCM, REAL, TRIAL, Tunnel, measured

DOWN, UP = Direction.DOWN, Direction.UP


def advice(*runs: Transfer, setting=REAL) -> dict[str, Advice]:
    facts = measured(*runs, setting=setting)
    limiting = limits(facts)
    found = advise(facts, pairs(facts, limiting), limiting)
    assert len({each.topic for each in found}) == len(found)
    return {each.topic: each for each in found}


def test_no_advice_without_transfers():
    assert advice() == {}


def test_the_order_of_the_topics():
    tunnel = Tunnel(gateways=1e8, gateways_packed=1e7)
    runs = (
        *tunnel.transfers(),
        *tunnel.transfers(ratio=0.5),
        *tunnel.transfers(cipher=CHACHA),
    )
    assert list(advice(*runs)) == ["compression", "cipher", "window", "links", "gateway"]


# --- window


def test_the_gateways_window_is_fixed_and_flows_multiply_it():
    tunnel = Tunnel(window=2 << 20, round_trip=0.1, link=8e7)
    found = advice(*tunnel.transfers(UP), setting=replace(REAL, round_trip=0.1))
    window = found["window"]
    assert window.verdict == "limits"
    assert "gateway's window" in window.title
    assert window.text.startswith(
        "2 MiB of the gateway's window per 100 ms round trip allow 21.0 MB/s; "
    )
    assert "sshd grants 2 MiB" in window.text
    assert found["links"].verdict == "flows"
    assert "gateway" not in found


def test_our_window_grows():
    found = advice(*Tunnel(window=2 << 20).transfers(DOWN))
    assert found["window"].verdict == "limits"
    assert found["window"].title.startswith("Our window")
    assert "grows to 64 MiB" in found["window"].text


def test_a_window_that_is_wide_enough():
    found = advice(*Tunnel(link=1e6, window=2 << 20).transfers(UP))
    assert found["window"].verdict == "enough"
    assert "0.95 %" not in found["window"].text
    assert "1.0 % of one was needed per 20.0 ms round trip" in found["window"].text


def test_nothing_about_a_window_that_was_not_seen():
    found = advice(*Tunnel(link=1e6).transfers(), setting=replace(REAL, round_trip=0.0))
    assert "window" not in found


def test_how_much_more_several_flows_may_carry():
    tunnel = Tunnel(window=2 << 20, ours=5e8, sees_gateway=False)
    text = advice(*tunnel.transfers(UP))["links"].text
    assert "room for 4.77 x this rate" in text
    idle = Tunnel(window=2 << 20, sees_gateway=False)
    assert "room for" not in advice(*idle.transfers(UP))["links"].text


# --- links


def test_several_links_where_our_processor_limits():
    found = advice(*Tunnel(ours=1e8).transfers(), setting=replace(REAL, cores=8))
    links = found["links"]
    assert links.verdict == "links"
    assert links.text.startswith("Our side uses 100 % of a processor at 100 MB/s")
    assert [fix.argv[:2] for fix in links.fixes] == [("netkit", "forward")]


def test_several_links_where_the_gateways_processor_limits():
    found = advice(*Tunnel(gateways=1e8).transfers(), setting=replace(REAL, cores=1))
    assert found["links"].verdict == "links"


@pytest.mark.parametrize("setting", [replace(REAL, cores=1), TRIAL])
def test_no_second_link_where_there_is_no_second_processor(setting):
    links = advice(*Tunnel(ours=1e8).transfers(), setting=setting)["links"]
    assert links.verdict == "one"
    assert links.fixes == ()


def test_no_second_link_where_all_processors_are_busy():
    runs = (replace(run, busy=0.97) for run in Tunnel(link=4e8).transfers())
    links = advice(*runs, setting=TRIAL)["links"]
    assert links.verdict == "one"
    assert links.fixes == ()
    assert "97 % busy" in links.text


def test_one_link_fills_the_line():
    assert advice(*Tunnel(link=1e6).transfers())["links"].verdict == "one"


def test_several_links_where_packets_are_lost():
    shape = LinkShape(rate=1e6, round_trip=0.02, loss=0.01)
    setting = replace(TRIAL, shape=shape, round_trip=0.02, cores=8)
    links = advice(*Tunnel(link=3e5).transfers(), setting=setting)["links"]
    assert links.verdict == "links"
    assert "packets are lost" in links.title


def test_no_word_about_links_where_the_limit_is_unknown():
    assert "links" not in advice(*Tunnel(link=1e6, sees_gateway=False).transfers())


def test_compression_is_no_reason_for_more_links():
    """Without it the link is the limit: leave it off instead."""
    tunnel = Tunnel(link=1e8, ours_packed=1e7)
    found = advice(*tunnel.transfers(), *tunnel.transfers(ratio=0.5))
    assert found["links"].verdict == "one"
    assert found["compression"].verdict == "off"


# --- gateway


def test_a_busy_gateway():
    gateway = advice(*Tunnel(gateways=1e8).transfers())["gateway"]
    assert gateway.verdict == "busy"
    assert gateway.text.startswith("The gateway uses 100 % of a processor")
    assert gateway.fixes == (), "AES-GCM is agreed on already"


def test_a_busy_gateway_may_take_a_cheaper_cipher():
    setting = replace(REAL, cipher=CHACHA, ciphers=(CHACHA, GCM))
    runs = Tunnel(gateways=1e8).transfers(cipher=CHACHA)
    (fix,) = advice(*runs, setting=setting)["gateway"].fixes
    assert fix.command == f"netkit forward ... -c {GCM}"
    other = replace(setting, ciphers=(CHACHA,))
    assert advice(*runs, setting=other)["gateway"].fixes == ()


def test_a_gateway_that_compresses_is_told_to_stop():
    tunnel = Tunnel(link=5e8, gateways=1e9, gateways_packed=3e7)
    gateway = advice(*tunnel.transfers(), *tunnel.transfers(ratio=0.5))["gateway"]
    assert "level 6" in gateway.text
    assert gateway.title.endswith("limits compressed transfers.")


def test_a_gateway_on_this_machine_shares_it():
    tunnel = Tunnel(gateways=1e8)
    assert "shares this machine" in advice(*tunnel.transfers(), setting=TRIAL)["gateway"].title
    assert "shares this machine" not in advice(*tunnel.transfers())["gateway"].title


def test_a_gateway_that_is_idle_or_unseen():
    assert "gateway" not in advice(*Tunnel(ours=1e8).transfers())
    assert "gateway" not in advice(*Tunnel(ours=1e8, sees_gateway=False).transfers())
