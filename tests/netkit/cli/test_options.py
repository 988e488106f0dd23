from __future__ import annotations

from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.cli import lasting, options
from netkit.errors import UsageError
from netkit.model import (
    Endpoint,
    ForwardKind,
    Gateway,
    HostKeyPolicy,
    Keepalive,
    X11Trust,
)
from support.cli import run_cli


@click.command(cls=options.OrderedForwardsCommand)
@options.gateway_options
@options.forward_options
@options.x11_options
@lasting.endurance_options
@lasting.limit_options
@click.pass_context
def command(ctx, /, gateway, **values):
    return options.tunnel_spec(gateway or "gw", options.forwards_of(ctx), values)


def spec(*argv: str):
    return command.main(["gw", *argv], standalone_mode=False)


def routes(*argv: str) -> list[tuple[str, str, str]]:
    return [(f.kind.value, str(f.bind), str(f.to)) for f in spec(*argv).forwards]


def test_nothing_said_is_nothing_decided():
    said = spec()
    assert said.gateway == Gateway("gw")
    for name in ("jumps", "user", "port", "config_file", "compression", "keepalive", "host_key"):
        assert getattr(said, name) is None, name
    assert (said.identities, said.ciphers, said.macs, said.expose) == ((), (), (), False)


def test_everything_said():
    said = spec(
        *("-l", "me", "-p", "2222", "-i", "k1", "-i", "k2", "-F", "cfg", "-C", "--expose"),
        *("-c", "a,b", "-m", "c", "-J", "u@j1:1,j2", "--host-key", "accept-new"),
        *("--connect-timeout", "7", "--keepalive", "5", "--keepalive-count", "2"),
        *("--proxy", "socks5://proxy:1080"),
    )
    assert said.proxy == "socks5://proxy:1080"
    assert (said.user, said.port) == ("me", 2222)
    assert said.identities == (Path("k1"), Path("k2"))
    assert said.config_file == Path("cfg")
    assert said.compression is True
    assert said.expose is True
    assert (said.ciphers, said.macs) == (("a", "b"), ("c",))
    assert said.jumps == (Gateway("j1", "u", 1), Gateway("j2"))
    assert said.host_key is HostKeyPolicy.ACCEPT_NEW
    assert said.connect_timeout == 7
    assert said.keepalive == Keepalive(5, 2)


def test_the_last_of_two_trusts_counts():
    def trust(*argv: str) -> X11Trust | None:
        said: X11Trust | None = spec(*argv).x11
        return said

    assert trust() is None
    assert trust("-X") is X11Trust.UNTRUSTED
    assert trust("-X", "-Y") is X11Trust.TRUSTED
    assert trust("-Y", "-X") is X11Trust.UNTRUSTED


def test_jump_none_is_no_jump_at_all():
    assert spec("-J", "none").jumps == ()


def test_half_a_keepalive_keeps_the_other_default():
    assert spec("--keepalive", "0").keepalive == Keepalive(0, 3)
    assert spec("--keepalive-count", "9").keepalive == Keepalive(30, 9)


@pytest.mark.parametrize("word", ["auto", "AUTO"])
def test_an_automatic_keepalive_is_left_open(word):
    assert spec("--keepalive", word).keepalive is None
    assert spec("--keepalive", word, "--keepalive-count", "9").keepalive == Keepalive(30, 9)


def test_home_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert spec("-i", "~/k").identities == (tmp_path / "k",)


def test_each_to_belongs_to_the_bind_before_it():
    assert routes(
        *("--bind", "127.0.0.2:1", "--to", "a:10", "--bind", "127.0.0.2:2"),
        *("--bind", "127.0.0.2:3", "--to", "c:30"),
    ) == [
        ("local", "127.0.0.2:1", "a:10"),
        ("local", "127.0.0.2:2", "localhost:2"),
        ("local", "127.0.0.2:3", "c:30"),
    ]


def test_kinds_keep_their_order():
    argv = ("-D", "1", "--bind", "h:2", "-R", "3:x:4", "-L", "5:y:6", "--bind=h:7", "--to=z:8")
    assert [kind for kind, _, _ in routes(*argv)] == [
        "dynamic",
        "local",
        "remote",
        "local",
        "local",
    ]
    assert spec(*argv).forwards[1].to == Endpoint("localhost", 2)


@pytest.mark.parametrize(
    "argv",
    [
        ("--to", "a:1"),
        ("--to", "a:1", "--bind", "h:2"),
        ("--bind", "h:1", "--to", "a:1", "--to", "b:2"),
        ("--bind", "h:1", "-D", "2", "--to", "a:1"),
    ],
)
def test_a_to_without_its_bind_is_an_error(argv):
    with pytest.raises(UsageError, match=r"--to .* follows no --bind") as caught:
        spec(*argv)
    assert caught.value.code == "to-without-bind"


forward = st.one_of(
    st.tuples(st.just("bind"), st.integers(1, 65535), st.integers(1, 65535)),
    st.tuples(st.just("alone"), st.integers(1, 65535), st.just(0)),
    st.tuples(st.just("local"), st.integers(1, 65535), st.integers(1, 65535)),
    st.tuples(st.just("dynamic"), st.integers(1, 65535), st.just(0)),
)


@given(st.lists(forward, max_size=8))
def test_any_mix_comes_out_as_it_went_in(forwards):
    argv, expected = [], []
    for kind, port, to in forwards:
        argv += {
            "bind": ["--bind", f"h:{port}", "--to", f"t:{to}"],
            "alone": ["--bind", f"h:{port}"],
            "local": ["-L", f"h:{port}:t:{to}"],
            "dynamic": ["-D", f"h:{port}"],
        }[kind]
        target = {"alone": f"localhost:{port}", "dynamic": "None"}.get(kind, f"t:{to}")
        name = ForwardKind.DYNAMIC if kind == "dynamic" else ForwardKind.LOCAL
        expected.append((name.value, f"h:{port}", target))
    assert routes(*argv) == expected


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "86401", "x", "", "1e999"])
def test_seconds_are_bounded(text):
    with pytest.raises(click.BadParameter):
        spec("--keepalive", text)


@pytest.mark.parametrize("argv", [("-p", "0"), ("-p", "65536"), ("-p", "x"), ("--host-key", "no")])
def test_values_out_of_range(argv):
    with pytest.raises(click.BadParameter):
        spec(*argv)


@pytest.mark.parametrize("jump", ["", ",", "a,,b", "a,:22", "-oProxyCommand=x"])
def test_bad_jumps(jump):
    with pytest.raises(UsageError):
        spec("-J", jump)


def test_completion_of_a_half_line_does_not_fail():
    context = command.make_context("x", ["gw", "--bind"], resilient_parsing=True)
    assert context.params["bind"] == ()


def test_a_home_that_is_none_is_no_bug():
    done = run_cli("forward", "gw", "-D", "1080", "-i", "~nobody-of-that-name/key")
    assert done.code == 0, done.err
