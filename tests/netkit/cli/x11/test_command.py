"""The command line of ``netkit x11`` and of ``netkit forward -X``, with fakes behind it."""

from __future__ import annotations

import pytest

from netkit import errors
from netkit.desktop.display import LocalDisplay
from netkit.engine.x11 import XServer
from netkit.engine.x11_mapping import X11Mapping
from netkit.engine.x11_session import X11Session
from netkit.events import Notice
from netkit.model import Endpoint, ForwardKind, UnixPath, X11Trust
from support.cli import FakeTunnel, run_cli

COOKIE = b"\xc0" * 16
SERVER = XServer(name=":0", address=UnixPath("/tmp/.X11-unix/X0"), cookie=COOKIE)


class Desk:
    """A desktop that is asked for its display."""

    def __init__(self, **more) -> None:
        self.asked: list[X11Trust] = []
        self.found = LocalDisplay(SERVER, **more)
        self.error: Exception | None = None

    def display(self, trust: X11Trust) -> LocalDisplay:
        self.asked.append(trust)
        if self.error is not None:
            raise self.error
        return self.found


def x11(*argv: str, desk: Desk | None = None, tunnel: FakeTunnel | None = None):
    desk = desk or Desk()
    return run_cli(
        "x11", *argv, tunnel=tunnel or FakeTunnel(), display=desk.display, where=lambda: SERVER
    )


class Unlucky(FakeTunnel):
    """A tunnel whose gateway refuses; what was to be lent is in ``x11``."""

    def __init__(self, error: errors.NetkitError | None = None) -> None:
        super().__init__(start_error=error or errors.RemoteForwardError("no", cause="taken there"))


class TestWords:
    """Which words are netkit's, and which the remote command's."""

    @pytest.mark.parametrize(
        ("argv", "command", "trust"),
        [
            (("gw", "xeyes"), "xeyes", "untrusted"),
            (("-Y", "gw", "xeyes"), "xeyes", "trusted"),
            (("gw", "-Y", "xeyes"), "xeyes", "trusted"),
            (("gw", "-X", "-Y", "xeyes", "-X"), "xeyes -X", "trusted"),
            (("gw", "xterm", "-e", "top", "--display", "3"), "xterm -e top --display 3", None),
            (("gw", "--", "xterm", "-Y"), "xterm -Y", "untrusted"),
            (("--", "gw", "xterm", "-Y"), "xterm -Y", "untrusted"),
            (("-l", "me", "gw", "-p", "22", "a b", "c"), "a b c", "untrusted"),
            (("gw", "-Y", "--", "-odd"), "-odd", "trusted"),
        ],
    )
    def test_command(self, argv, command, trust):
        desk, tunnel = Desk(), Unlucky()
        done = x11(*argv, desk=desk, tunnel=tunnel)
        assert done.code == 8, done.err
        assert isinstance(tunnel.x11, X11Session)
        assert tunnel.x11._command == command
        assert tunnel.x11.server.cookie == COOKIE
        if trust is not None:
            assert desk.asked == [X11Trust(trust)]

    @pytest.mark.parametrize(
        "argv",
        [
            ("gw", "--display", "1"),
            ("--display=1", "gw"),
            ("--display", "1", "gw"),
            ("gw", "-Y", "--display", "1"),
        ],
    )
    def test_display(self, argv):
        tunnel = Unlucky()
        assert x11(*argv, tunnel=tunnel).code == 8
        assert isinstance(tunnel.x11, X11Mapping)
        (forward,) = tunnel.plan.forwards
        assert (forward.kind, forward.bind) == (ForwardKind.REMOTE, Endpoint("", 6001))
        assert forward.to == SERVER.address
        assert tunnel.x11.forward == forward

    @pytest.mark.parametrize(
        ("argv", "code"),
        [
            ((), "no-gateway"),
            (("gw",), "x11-what"),
            (("gw", " "), "x11-what"),
            (("gw", "--display", "1", "xeyes"), "x11-what"),
            (("gw", "--bind", "*", "xeyes"), "x11-option"),
            (("gw", "--expose", "xeyes"), "x11-option"),
            (("gw", "--install-cookie", "xeyes"), "x11-option"),
            (("gw", "--single", "--display", "1"), "x11-option"),
            (("gw", "--display", "59536"), "usage"),
            (("gw", "--display", "-1"), "usage"),
            (("gw", "--display", "x"), "usage"),
            (("gw", "--nonsense", "xeyes"), "usage"),
            (("gw", "--bind", "*", "--display", "1"), "bind-needs-expose"),
        ],
    )
    def test_what_makes_no_sense(self, argv, code):
        tunnel = FakeTunnel()
        done = x11(*argv, tunnel=tunnel)
        assert done.code == 2
        assert f"[{code}]" in done.err
        assert not tunnel.started.is_set()

    def test_single(self):
        tunnel = Unlucky()
        x11("--single", "gw", "xeyes", tunnel=tunnel)
        assert tunnel.x11._single

    def test_help_says_what_untrusted_means(self):
        done = run_cli("x11", "--help")
        assert done.code == 0
        assert "the default" in done.out
        assert "ForwardX11" in done.out


class TestRefusals:
    def test_fix_that_trusts_names_this_command(self):
        from netkit.desktop.display_errors import no_security

        desk = Desk()
        desk.error = no_security(":0", "XQuartz")
        done = x11("-X", "-l", "me", "gw", "xterm", "-X", "top", desk=desk)
        assert done.code == 3
        assert "  next:  netkit x11 -Y -l me -- gw xterm -X top" in done.err

    def test_fix_that_adds_an_option_adds_it_before_the_command(self):
        error = errors.LinkLostError("gone")
        done = x11("gw", "xterm", "-e", "top", tunnel=Unlucky(error))
        assert done.code == 4
        assert "  next:  netkit x11 --debug -- gw xterm -e top" in done.err

    def test_refused_display_suggests_another(self):
        done = x11("gw", "-Y", "--display", "1", tunnel=Unlucky())
        assert done.code == 8
        lines = done.err.splitlines()
        assert lines[0].endswith("gw gives display 1 (port 6001) to nobody [x-display-collides]")
        assert lines[1] == "  cause: taken there"
        assert lines[2].startswith("  next:  netkit x11 -Y --display=2 gw")

    def test_no_x11_there(self):
        from netkit.engine.x11_session import refused

        done = x11("gw", "xeyes", tunnel=Unlucky(refused([], "SSH-2.0-OpenSSH_9.2", "gw")))
        assert (done.code, done.out) == (8, "")
        assert len(done.err.splitlines()) == 4
        assert "[x-forwarding-refused]" in done.err

    def test_server_for_everybody_is_not_exposed(self):
        tunnel = FakeTunnel()
        argv = ("gw", "--display", "1", "--bind", "*", "--expose")
        done = x11(*argv, desk=Desk(open=True), tunnel=tunnel)
        assert done.code == 3
        assert "[x-open-to-anyone]" in done.err
        assert "xhost -" in done.err
        assert not tunnel.started.is_set()

    @pytest.mark.parametrize(
        ("number", "warned"), [(1, False), (10, True), (99, True), (100, False)]
    )
    def test_display_that_sshd_may_take(self, number, warned):
        done = x11("gw", "-Y", "--display", str(number), tunnel=Unlucky())
        assert ("ssh -X" in done.err) is warned

    def test_server_for_everybody_is_warned_of(self):
        desk = Desk(open=True, warnings=("xhost - ends that",))
        done = x11("gw", "--display", "1", desk=desk, tunnel=Unlucky())
        assert "warning: xhost - ends that" in done.err


class TestDryRun:
    @pytest.mark.parametrize(
        ("argv", "line"),
        [
            (("xeyes",), "  show X programs of the gateway here (untrusted)"),
            (
                ("--display", "1"),
                "  forward localhost:6001 on the gateway -> /tmp/.X11-unix/X0 through this machine",
            ),
        ],
    )
    def test_nothing_is_asked_or_started(self, argv, line):
        desk, tunnel = Desk(), FakeTunnel()
        done = x11("gw", "--dry-run", *argv, desk=desk, tunnel=tunnel)
        assert done.code == 0
        assert line in done.out.splitlines()
        assert desk.asked == []
        assert not tunnel.started.is_set()
        assert COOKIE.hex() not in done.out + done.err


class TestForward:
    """``netkit forward -X`` and ``-Y``."""

    def forward(self, *argv: str, desk: Desk, tunnel: FakeTunnel):
        return run_cli("forward", "gw", *argv, tunnel=tunnel, display=desk.display)

    def test_alone_it_is_enough(self):
        def start(tunnel) -> None:
            tunnel.x11.display = "localhost:10.0"

        desk, tunnel = Desk(warnings=("mind",)), FakeTunnel(on_start=start)
        done = self.forward("-Y", desk=desk, tunnel=tunnel)
        assert (done.code, done.out) == (0, "DISPLAY=localhost:10.0 on gw shows here (:0)\n")
        assert "netkit: mind" in done.err
        assert desk.asked == [X11Trust.TRUSTED]

    def test_beside_other_forwards(self):
        desk, tunnel = Desk(), FakeTunnel()
        done = self.forward("-X", "-L", "1:h:2", desk=desk, tunnel=tunnel)
        assert len(done.out.splitlines()) == 2
        assert desk.asked == [X11Trust.UNTRUSTED]

    def test_events_for_programs(self):
        def start(tunnel) -> None:
            tunnel.x11.display = "localhost:10.0"

        tunnel = FakeTunnel(on_start=start)
        done = self.forward("-Y", "--json", desk=Desk(), tunnel=tunnel)
        assert done.out == (
            '{"event": "display-lent", "display": "localhost:10.0", "server": ":0", '
            '"trust": "trusted"}\n'
        )

    def test_without_it_nothing_is_lent(self):
        desk, tunnel = Desk(), FakeTunnel()
        self.forward("-D", "0", desk=desk, tunnel=tunnel)
        assert desk.asked == []
        assert tunnel.x11 is None

    @pytest.mark.parametrize("more", [(), ("--json",)])
    def test_dry_run_tells_no_secret(self, more):
        desk, tunnel = Desk(), FakeTunnel()
        done = self.forward("-Y", "--dry-run", *more, desk=desk, tunnel=tunnel)
        assert done.code == 0
        assert "trusted" in done.out
        assert COOKIE.hex() not in done.out + done.err
        assert desk.asked == []

    def test_no_display_here(self):
        from netkit.desktop.display_errors import no_display

        desk, tunnel = Desk(), FakeTunnel()
        desk.error = no_display("linux")
        done = self.forward("-X", desk=desk, tunnel=tunnel)
        assert (done.code, done.out) == (2, "")
        assert "[x-display-missing]" in done.err
        assert not tunnel.started.is_set()

    def test_notice_of_a_refused_client_is_talk(self):
        def start(tunnel) -> None:
            tunnel.observer(Notice(code="x11-cookie-missing", text="not let in"))

        done = self.forward("-X", desk=Desk(), tunnel=FakeTunnel(on_start=start))
        assert "netkit: not let in" in done.err
