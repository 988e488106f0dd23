from __future__ import annotations

import json
import os
import signal
import threading
from dataclasses import replace

import pytest

from netkit import errors, events
from netkit.events import KeepaliveTightened
from netkit.model import Fix, ForwardKind, Keepalive
from netkit.text.networks import Timeout
from support.cli import LINK_UP, FakeTunnel, plan_of, run_cli

RDP = ("forward", "gw", "--bind", "127.0.0.2:3389", "--to", "10.0.0.5:3389")


@pytest.fixture(autouse=True)
def _interruptible():
    """A background job has SIGINT ignored; the tests need it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def emit(*what: events.Event):
    def on_start(tunnel: FakeTunnel) -> None:
        for event in what:
            tunnel.observer(event)

    return on_start


def test_one_line_per_forward_with_the_real_address():
    done = run_cli("forward", "gw", "-L", "0:db:5432", "-D", "1080")
    assert done.code == 0
    assert done.err == ""
    assert done.out == (
        "127.0.0.1:40000 -> db:5432 through gw   (psql -h 127.0.0.1 -p 40000)\n"
        "127.0.0.1:1080 -> any host through gw"
        "   (curl --proxy socks5h://127.0.0.1:1080 URL; SOCKS4, SOCKS4a and HTTP work too)\n"
    )


def test_the_promised_rdp_line():
    assert run_cli(*RDP).out == (
        "127.0.0.2:3389 -> 10.0.0.5:3389 through gw   (point your RDP client at 127.0.0.2:3389)\n"
    )


def test_no_gateway(monkeypatch, tmp_path):
    monkeypatch.setenv("NETKIT_PROFILES", str(tmp_path / "absent"))
    done = run_cli("forward", "-D", "1080")
    assert done.code == 2
    assert done.err.splitlines() == [
        "netkit: no gateway is named, and there is no default profile [no-gateway]",
        "  cause: netkit needs to know which SSH server to go through: [user@]host[:port]",
        "  next:  netkit forward me@gateway.example --bind 127.0.0.2:3389 --to 10.0.0.5:3389",
        (
            "  or:    netkit profile save NAME me@gateway.example --bind 127.0.0.2:3389"
            " --to 10.0.0.5:3389 --default   (makes one the default)"
        ),
        "  or:    netkit demo   (needs no gateway)",
    ]


def test_no_forward():
    done = run_cli("forward", "me@gw:2222")
    assert done.code == 2
    assert done.err.splitlines() == [
        "netkit: there is nothing to forward through me@gw:2222 [no-forward]",
        "  cause: neither the command line (--bind, -L, -R, -D) nor ssh_config names a forward",
        "  next:  netkit forward me@gw:2222 --bind 127.0.0.2:3389 --to 10.0.0.5:3389",
    ]


def test_forwards_of_ssh_config_are_enough():
    configured = plan_of(forward_spec("-D", "1080")).forwards
    done = run_cli("forward", "gw", plan=lambda spec: replace(plan_of(spec), forwards=configured))
    assert done.code == 0
    assert "-> any host" in done.out


def forward_spec(*argv: str):
    seen = []

    def plan(spec):
        seen.append(spec)
        return plan_of(spec)

    run_cli("forward", "gw", *argv, "--dry-run", plan=plan)
    return seen[0]


WRONG = [
    (("forward", "gw", "--to", "a:1"), "--to a:1 follows no --bind", "to-without-bind"),
    (("forward", "gw", "-L", "99999:db:5432"), "99999", "bad-address"),
    (("forward", "gw", "-L", "nonsense"), "nonsense", "bad-forward"),
    (("forward", "gw", "-D", "x"), "'x' is not a port", "bad-address"),
    (("forward", "gw", "--bind", "[::1:80"), "[::1:80", "bad-address"),
    (("forward", "me@", "-D", "1"), "me@", "bad-address"),
    (("forward", "-o", "x"), "no such option '-o'", "usage"),
    (("forward", "gw", "b", "c", "-D", "1"), "unexpected extra arguments (b c)", "usage"),
    (("forward", "gw", "--drain", "-1"), "'--drain'", "usage"),
    (("forward", "gw", "--drain", "nan"), "'--drain'", "usage"),
    (("forward", "gw", "-p", "0"), "'-p'", "usage"),
    (("forward", "gw", "--host-key", "never"), "'--host-key'", "usage"),
    (("forward", "gw", "-L"), "'-L' requires an argument", "usage"),
    (("forward", "gw\x1b[2J", "-D", "1"), "gw", "bad-address"),
    (("forward", "x" * 5000, "-D", "1"), "xxx", "bad-address"),
]


@pytest.mark.parametrize(("argv", "text", "code"), WRONG)
def test_wrong_usage(argv, text, code):
    done = run_cli(*argv)
    assert (done.code, done.out) == (2, "")
    first, *others = done.err.splitlines()
    assert text in first
    assert first.endswith(f"[{code}]")
    assert [line[:9] for line in others[:2]] == ["  cause: ", "  next:  "]
    assert done.err.replace("\n", "").isprintable()


ENDINGS = [
    (errors.UsageError, 2),
    (errors.ConfigError, 2),
    (errors.OpenError, 3),
    (errors.GatewayUnreachableError, 4),
    (errors.LinkLostError, 4),
    (errors.AlgorithmError, 4),
    (errors.HostKeyError, 5),
    (errors.AuthenticationError, 6),
    (errors.BindError, 7),
    (errors.RemoteForwardError, 8),
]


@pytest.mark.parametrize(("kind", "code"), ENDINGS)
def test_a_failure_to_start(kind, code):
    done = run_cli(*RDP, tunnel=FakeTunnel(start_error=kind("no luck")))
    assert (done.code, done.out) == (code, "")
    assert done.err.splitlines()[0] == f"netkit: no luck [{kind.default_code}]"
    assert len(done.err.splitlines()) == 3


def test_a_lost_link_says_why():
    lost = errors.LinkLostError(
        "the link to gw was lost: no answer for 90 s",
        code="keepalive-timeout",
        cause="the gateway is frozen or the network dropped the connection",
        fixes=(Fix(("ssh", "-v", "gw")),),
    )
    done = run_cli(*RDP, tunnel=FakeTunnel(end_error=lost))
    assert done.code == 4
    assert done.out.startswith("127.0.0.2:3389 -> ")
    assert done.err.splitlines() == [
        "netkit: the link to gw was lost: no answer for 90 s [keepalive-timeout]",
        "  cause: the gateway is frozen or the network dropped the connection",
        "  next:  ssh -v gw",
    ]


def test_a_bug_is_one_line_and_a_way_to_report_it():
    done = run_cli(*RDP, tunnel=FakeTunnel(start_error=ZeroDivisionError("oops")))
    assert done.code == 70
    assert done.err.splitlines() == [
        "netkit: internal error: ZeroDivisionError: oops [bug]",
        "  cause: a fault in netkit, not in what you asked for",
        "  next:  repeat the command with --debug and report what it prints",
    ]


@pytest.mark.parametrize("argv", [(*RDP, "--debug"), ("--debug", *RDP)])
def test_debug_shows_the_traceback(argv):
    done = run_cli(*argv, tunnel=FakeTunnel(start_error=ZeroDivisionError("oops")))
    assert done.code == 70
    assert "Traceback (most recent call last):" in done.err
    assert "report the traceback above" in done.err


def test_json_is_the_events_and_nothing_else():
    flow = events.FlowOpened(flow=1, forward=None, source="s", target="t")
    done = run_cli(*RDP, "--json", tunnel=FakeTunnel(on_start=emit(LINK_UP, flow)))
    assert done.code == 0
    documents = [json.loads(line) for line in done.out.splitlines()]
    assert [each["event"] for each in documents] == ["link-up", "flow-opened"]
    assert documents[0]["cipher"] == "aes128-gcm@openssh.com"
    assert done.err == ""


def test_json_ends_with_the_failure():
    tunnel = FakeTunnel(on_start=emit(LINK_UP), end_error=errors.LinkLostError("gone"))
    done = run_cli(*RDP, "--json", tunnel=tunnel)
    last = json.loads(done.out.splitlines()[-1])
    assert (last["event"], last["code"], last["exit_code"]) == ("failed", "link-lost", 4)


def test_verbose_shows_flows_on_stderr():
    flow = events.FlowOpened(flow=1, forward=None, source="127.0.0.1:5", target="db:1")
    done = run_cli(*RDP, "-v", tunnel=FakeTunnel(on_start=emit(LINK_UP, flow)))
    assert "netkit: flow 1: 127.0.0.1:5 -> db:1\n" in done.err
    assert "netkit: logged in to gw in 0.25 s" in done.err
    assert "flow" not in done.out
    assert run_cli(*RDP, tunnel=FakeTunnel(on_start=emit(LINK_UP, flow))).err == ""


def test_warnings_of_the_plan_are_told():
    done = run_cli(*RDP, plan=lambda spec: replace(plan_of(spec), warnings=("beware\x1b[1m",)))
    assert done.err == "netkit: beware?[1m\n"


def test_dry_run_touches_nothing():
    tunnel = FakeTunnel()
    done = run_cli(*RDP, "--dry-run", tunnel=tunnel)
    assert done.code == 0
    assert not tunnel.started.is_set()
    assert done.out.startswith("netkit would\n  connect to gw:22 as me\n")
    assert "  forward 127.0.0.2:3389 -> 10.0.0.5:3389 through the gateway\n" in done.out


def test_dry_run_as_json():
    document = json.loads(run_cli(*RDP, "--dry-run", "--json").out)
    assert document["event"] == "plan"
    assert document["forwards"][0]["kind"] == "local"


def test_spec_is_what_was_said():
    spec = forward_spec("-R", "8080:localhost:80", "-l", "you", "-c", "aes128-ctr", "--expose")
    assert [forward.kind for forward in spec.forwards] == [ForwardKind.REMOTE]
    assert (spec.user, spec.ciphers, spec.expose) == ("you", ("aes128-ctr",), True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_signal_while_up_drains(number, code):
    tunnel = FakeTunnel(stays=True)
    tunnel.on_start = lambda _tunnel: None
    wait = tunnel.wait

    def wait_after_signal(timeout=None):
        os.kill(os.getpid(), number)
        return wait(timeout)

    tunnel.wait = wait_after_signal
    done = run_cli(*RDP, "--drain", "3", tunnel=tunnel)
    assert (done.code, done.err) == (code, "")
    assert tunnel.drains == [3.0]


def test_a_signal_while_connecting_ends_at_once():
    tunnel = FakeTunnel(blocks=True, start_error=errors.LinkLostError("stopped", code="stopped"))
    tunnel.on_start = lambda _tunnel: os.kill(os.getpid(), signal.SIGINT)
    done = run_cli(*RDP, "--drain", "3600", tunnel=tunnel)
    assert (done.code, done.out, done.err) == (130, "", "")
    assert tunnel.drains[0] == 0.0


def test_a_signal_while_planning():
    seen, go = [], threading.Event()

    def plan(spec):
        os.kill(os.getpid(), signal.SIGTERM)
        go.wait(0.3)
        seen.append(spec)
        return plan_of(spec)

    tunnel = FakeTunnel()
    done = run_cli(*RDP, plan=plan, tunnel=tunnel)
    assert done.code == 0
    assert seen
    assert not tunnel.started.is_set()


def test_the_password_comes_from_stdin(monkeypatch, tmp_path):
    (tmp_path / "in").write_bytes(b"s3cret\nnot this\n")
    tunnel = FakeTunnel()
    with (tmp_path / "in").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        done = run_cli(*RDP, "--password-stdin", "-v", tunnel=tunnel)
    assert tunnel.password == "s3cret"
    assert "s3cret" not in done.out + done.err


def test_no_password_on_stdin(monkeypatch, tmp_path):
    (tmp_path / "in").touch()
    with (tmp_path / "in").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        done = run_cli(*RDP, "--password-stdin")
    assert done.code == 2
    assert done.err.splitlines()[:2] == [
        "netkit: --password-stdin got no password [no-password-on-stdin]",
        "  cause: standard input is empty",
    ]


KNOWN = Timeout(
    network="0" * 32,
    gateway="1" * 32,
    alive=28.0,
    dead=45.0,
    how="silence",
    interval=14.0,
    measured=0.0,
)


class TestAutomaticKeepalive:
    def run(self, *argv, known=None):
        tunnel = FakeTunnel()
        done = run_cli(
            *("forward", "gw", "-D", "1080", "--keepalive", "auto", *argv),
            tunnel=tunnel,
            recall=lambda _plan: known,
        )
        assert done.code == 0
        return tunnel.plan.keepalive, done.err

    def test_what_is_known_of_the_network_decides(self):
        keepalive, said = self.run(known=KNOWN)
        assert keepalive == Keepalive(14, 7)
        assert "every 14 s: this network forgets idle connections after 28 to 45 s" in said

    def test_a_count_that_was_asked_for_stays(self):
        keepalive, _ = self.run("--keepalive-count", "2", known=KNOWN)
        assert keepalive.interval == 14

    def test_where_nothing_is_known_the_default_does_it(self):
        keepalive, said = self.run()
        assert keepalive == Keepalive(30, 3)
        assert "nothing is known of this network" in said
        assert "netkit doctor gw --nat" in said

    def test_nobody_asks_where_it_is_not_automatic(self):
        done = run_cli(*RDP, "--keepalive", "5", recall=lambda _plan: pytest.fail("asked"))
        assert done.code == 0

    def test_dry_run_shows_it(self):
        done = run_cli(*RDP, "--keepalive", "auto", "--dry-run", recall=lambda _plan: KNOWN)
        assert "every 14 s" in done.out

    def test_what_a_link_that_broke_tells_is_kept(self):
        told = KeepaliveTightened(
            code="keepalive-tightened",
            text="more often now",
            way="gw:22",
            alive=0.0,
            dead=30.0,
            interval=15.0,
        )
        kept: list[KeepaliveTightened] = []
        tunnel = FakeTunnel(on_start=lambda tunnel: tunnel.observer(told))
        done = run_cli(
            *("forward", "gw", "-D", "1080", "--keepalive", "auto"),
            tunnel=tunnel,
            learn=kept.append,
        )
        assert kept == [told]
        assert "more often now" in done.err
