"""The failed command with its change, so that it can be pasted."""

from __future__ import annotations

import pytest

from netkit.cli.again import Typed, expand
from netkit.errors import BindError, GatewayUnreachableError, HostKeyError, LinkLostError
from netkit.model import Fix, ForwardKind
from netkit.text.forwards import parse_bind_to, parse_forward
from support.cli import FakeTunnel, run_cli

L, D = ForwardKind.LOCAL, ForwardKind.DYNAMIC
PATH = ("netkit", "forward")


def expanded(words: str, change: str, *forwards) -> str:
    fix = Fix((*PATH, "...", *change.split()))
    argv = expand(fix, Typed(PATH, tuple(words.split()), forwards)).argv
    assert argv[:2] == PATH
    return " ".join(argv[2:])


def test_options_are_added():
    assert expanded("-F cfg gw -D 1", "--expose") == "-F cfg gw -D 1 --expose"
    assert expanded("-D 1 -- gw", "--expose") == "--expose -D 1 -- gw"
    assert expanded("gw --expose -D 1", "--expose") == "gw --expose -D 1"


@pytest.mark.parametrize("typed", ["--metrics 1:2", "--metrics=1:2", "--metrics 1:2 --metrics=3"])
def test_an_option_that_is_given_once_takes_the_place_of_the_old(typed):
    change = "--metrics 127.0.0.1:0"
    assert expanded(f"gw {typed} -D 1", change) == f"gw -D 1 {change}"
    assert expanded(f"{typed} -- gw --metrics x", change) == f"{change} -- gw --metrics x"
    assert expanded("gw --metrics", change) == f"gw {change}"


def test_a_forward_that_the_typed_words_only_imply():
    typed = Typed(PATH, ("office",), (parse_forward(D, "80"),), ("gw", "-C", "-D", "80"))
    argv = expand(Fix((*PATH, "...", "-D", "81")), typed).argv
    assert argv == (*PATH, "gw", "-C", "-D", "81")
    assert expand(Fix((*PATH, "...", "-v")), typed).argv == (*PATH, "office", "-v")
    assert "..." in expand(Fix((*PATH, "...", "-L", "9:a:9")), typed).argv


def test_commands_that_log_in_as_forward_does():
    fix = Fix((*PATH, "...", "--host-key", "accept-new"))
    assert expand(fix, Typed(("netkit", "x11"), ("--", "gw", "xterm"))).argv == (
        *("netkit", "x11", "--host-key", "accept-new", "--", "gw", "xterm"),
    )
    assert expand(Fix((*PATH, "...")), Typed(("netkit", "rdp"), ("gw",))).command == "netkit rdp gw"
    assert expand(fix, Typed(("netkit", "doctor"), ("gw",))) == fix
    moved = Fix((*PATH, "...", "-D", "81"))
    assert expand(moved, Typed(("netkit", "rdp"), ("gw",))) == moved


@pytest.mark.parametrize(
    ("words", "forward", "change", "result"),
    [
        ("gw -L 80:a:1 -C", parse_forward(L, "80:a:1"), "-L 81:a:1", "gw -L 81:a:1 -C"),
        ("gw -L80:a:1", parse_forward(L, "80:a:1"), "-L 81:a:1", "gw -L81:a:1"),
        ("gw -D 80", parse_forward(D, "80"), "-D 81", "gw -D 81"),
        (
            "gw --bind h:80 --to a:1",
            parse_bind_to("h:80", "a:1"),
            "-L h:81:a:1",
            "gw --bind h:81 --to a:1",
        ),
        (
            "gw --bind=[::1]:80 --to a:1",
            parse_bind_to("[::1]:80", "a:1"),
            "-L [::1]:0:a:1",
            "gw --bind=[::1]:0 --to a:1",
        ),
    ],
)
def test_a_forward_takes_the_place_of_the_one_typed(words, forward, change, result):
    assert expanded(words, change, forward, parse_forward(L, "9:other:9")) == result


def test_what_has_no_place_stays():
    assert expanded("gw", "-L 81:a:1") == "... -L 81:a:1"  # from ssh_config
    twice = (parse_forward(L, "80:a:1"), parse_forward(L, "82:a:1"))
    assert expanded("gw -L 80:a:1 -L 82:a:1", "-L 81:a:1", *twice) == "... -L 81:a:1"
    other = Fix(("ssh", "-v", "gw"))
    assert expand(other, Typed(PATH, ("gw",))) is other
    same = Fix((*PATH, "...", "--debug"))
    assert expand(same, None) is same
    assert expand(same, Typed(("netkit", "gateway"), ())) is same


@pytest.mark.parametrize(
    ("error", "following"),
    [
        (BindError("no", fixes=(Fix((*PATH, "...", "-D", "1081")),)), "gw -D 1081 -J 'a b'"),
        (HostKeyError("no", fixes=(Fix((*PATH, "...", "-C")),)), "gw -D 1080 -J 'a b' -C"),
        (LinkLostError("no", retryable=True), "gw -D 1080 -J 'a b'   (tries again)"),
        (
            GatewayUnreachableError("no"),
            "gw -D 1080 -J 'a b' --debug   (shows what was tried)",
        ),
    ],
)
def test_the_command_line_shows_it(error, following, monkeypatch):
    monkeypatch.setattr("netkit.cli.options._jumps", lambda _text: None)
    done = run_cli("forward", "gw", "-D", "1080", "-J", "a b", tunnel=FakeTunnel(start_error=error))
    assert done.err.splitlines()[2] == f"  next:  netkit forward {following}"
