"""Saved tunnels in the foreground."""

from __future__ import annotations

import json
import os
import signal
import threading

import pytest

from netkit import errors, profiles
from netkit.cli import up
from netkit.cli.output import Output
from netkit.cli.terminal import TerminalPrompter
from netkit.model import Fix
from netkit.prompt import HostKeyQuestion
from support.cli import FakeTunnel, run_cli
from support.profiles import OFFICE


@pytest.fixture(autouse=True)
def file(monkeypatch, tmp_path):
    path = tmp_path / "profiles.toml"
    path.write_text(OFFICE + '[[profiles.home.forwards]]\nkind = "dynamic"\nbind = "9"\n')
    monkeypatch.setenv(profiles.VARIABLE, str(path))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield path
    signal.signal(signal.SIGINT, before)


class Tunnels:
    """Makes the tunnel that a test has for each gateway."""

    def __init__(self, **tunnels: FakeTunnel) -> None:
        self.tunnels = tunnels

    def __call__(self, plan, **named):
        return self.tunnels[plan.hops[0].host.replace("gw.example", "office")](plan, **named)


def test_one():
    tunnel = FakeTunnel()
    done = run_cli("up", "office", tunnel=tunnel)
    assert done.code == 0
    assert done.out.splitlines()[0] == (
        "127.0.0.2:3389 -> desktop:3389 through gw.example"
        "   (point your RDP client at 127.0.0.2:3389)"
    )
    assert "a keepalive is sent every 30 s" in done.err
    assert tunnel.password is None


def test_the_default():
    assert run_cli("up").out == run_cli("up", "office").out
    profiles.set_default("")
    done = run_cli("up")
    assert (done.code, done.err.splitlines()[0]) == (
        2,
        "netkit: no profile is named, and none is the default [no-profile]",
    )


def test_unknown():
    done = run_cli("up", "office", "homer")
    assert (done.code, done.out) == (2, "")
    assert "did you mean home?" in done.err


def test_dry_run():
    done = run_cli("up", "office", "home", "--dry-run")
    assert done.code == 0
    assert all(line.startswith(("office: ", "home: ")) for line in done.out.splitlines())
    assert "home:   forward localhost:9 -> any host through the gateway" in done.out


def test_several_are_told_apart():
    tunnels = Tunnels(office=FakeTunnel(), home=FakeTunnel())
    done = run_cli("up", "office", "home", "office", tunnel=tunnels)
    assert done.code == 0
    assert sorted(line.partition(" -> ")[0] for line in done.out.splitlines()) == [
        "home: 127.0.0.1:9",
        "office: 127.0.0.1:1080",
        "office: 127.0.0.2:3389",
    ]
    assert all(line.startswith("netkit: office: ") for line in done.err.splitlines())


def test_events_of_several():
    tunnels = Tunnels(office=FakeTunnel(), home=FakeTunnel())
    done = run_cli("up", "office", "home", "--json", tunnel=tunnels)
    assert {json.loads(line)["profile"] for line in done.out.splitlines()} == {"office"}


def test_one_that_fails_leaves_the_others_alone():
    home = FakeTunnel(stays=True)
    failed = threading.Event()

    class Failing(FakeTunnel):
        def wait(self, timeout=None):
            home.started.wait()
            failed.set()
            return errors.LinkLostError("the link is lost", cause="gone", retryable=True)

    def end():
        failed.wait()
        assert not home.ended.wait(0.2)
        home.stop()

    ending = threading.Thread(target=end)
    ending.start()
    done = run_cli("up", "office", "home", tunnel=Tunnels(office=Failing(), home=home))
    ending.join()
    assert done.code == 4
    assert "netkit: office: the link is lost [link-lost]" in done.err
    assert "netkit: office:   cause: gone" in done.err


def test_the_first_failure_is_the_exit_code(capsys):
    told = threading.Event()

    class First:
        def stop(self, drain):
            """Nothing is to be stopped."""

        def reread(self, spec):
            """Nothing is to be read."""

        def work(self):
            raise errors.BindError("taken")

    class Second(First):
        def work(self):
            assert told.wait(10)
            raise errors.LinkLostError("lost")

    class Telling(Output):
        def error(self, error, *, command):
            super().error(error, command=command)
            told.set()

    job = up.UpJob([up.Member("b", Second(), Output(tag="b")), up.Member("a", First(), Telling())])
    assert job.work() == 7
    assert "netkit: b: lost" in capsys.readouterr().err


def test_ctrl_c_drains_all():
    tunnels = [FakeTunnel(stays=True), FakeTunnel(stays=True)]

    def interrupt():
        for tunnel in tunnels:
            tunnel.started.wait()
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    done = run_cli(
        *("up", "office", "home", "--drain", "1.5"),
        tunnel=Tunnels(office=tunnels[0], home=tunnels[1]),
    )
    thread.join()
    assert done.code == 130
    assert all(tunnel.drains[-1:] in ([1.5], [0.0]) and tunnel.drains for tunnel in tunnels)


def test_no_forwards(file):
    file.write_text('[profiles.bare]\ngateway = "gw"\n')
    done = run_cli("up", "bare")
    assert (done.code, done.err.splitlines()) == (
        2,
        [
            "netkit: there is nothing to forward through gw [no-forward]",
            "  cause: neither the profile nor ssh_config names a forward",
            "  next:  netkit profile save bare --bind 127.0.0.2:3389 --to 10.0.0.5:3389 --replace",
        ],
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.AuthenticationError("no"), 0),
        (errors.HostKeyError("changed"), 0),
        (errors.BindError("taken"), 7),
        (errors.GatewayUnreachableError("away"), 4),
    ],
)
@pytest.mark.parametrize("names", [("home",), ("home", "office")])
def test_a_service_that_cannot_help_itself_stays_down(error, code, names):
    done = run_cli("up", *names, "--stay-down", tunnel=FakeTunnel(start_error=error))
    assert done.code == code
    assert error.summary in done.err
    done = run_cli("up", *names, tunnel=FakeTunnel(start_error=error))
    assert done.code == error.exit_code


def test_a_service_without_its_profile_stays_down():
    assert run_cli("up", "gone", "--stay-down").code == 0
    assert run_cli("up", "gone").code == 2


def test_a_fix_says_the_profile():
    tunnel = FakeTunnel(start_error=errors.LinkLostError("lost", retryable=True))
    done = run_cli("up", "home", tunnel=tunnel)
    assert done.err.splitlines()[-1] == "  next:  netkit forward home   (tries again)"


def test_a_fix_that_moves_a_forward_names_them_all():
    fix = Fix(("netkit", "forward", "...", "-D", "10"))
    taken = errors.BindError("taken", fixes=(fix,))
    done = run_cli("up", "home", tunnel=FakeTunnel(start_error=taken))
    assert done.err.splitlines()[-1].startswith("  next:  netkit forward ")
    assert done.err.endswith(" -D 10\n")
    assert "..." not in done.err


def test_so_does_one_of_netkit_forward():
    fix = Fix(("netkit", "forward", "...", "-D", "10"))
    taken = errors.BindError("taken", fixes=(fix,))
    done = run_cli("forward", "home", "-C", tunnel=FakeTunnel(start_error=taken))
    assert done.err.endswith(" -D 10\n")
    assert " -C " in done.err
    assert "..." not in done.err


class TestPasswords:
    def test_of_the_keyring(self, monkeypatch):
        monkeypatch.setattr("netkit.secrets.recall", {"home": "hush"}.get)
        tunnel = FakeTunnel()
        run_cli("up", "home", tunnel=tunnel)
        assert tunnel.password == "hush"
        run_cli("forward", "home", tunnel=tunnel)
        assert tunnel.password == "hush"
        run_cli("forward", "home", "-l", "you", tunnel=tunnel)
        assert tunnel.password is None

    def test_there_is_one_standard_input(self):
        done = run_cli("up", "office", "home", "--password-stdin")
        assert (done.code, done.err.splitlines()[0]) == (
            2,
            "netkit: --password-stdin goes with one profile [bad-combination]",
        )


class TestLaunch:
    @pytest.fixture
    def told(self, monkeypatch, file):
        file.write_text(file.read_text().replace('"home"', '"home"\nlaunch = "rdp"'))
        told: list[str] = []

        class Companion:
            def up(self, tunnel, plan, end):
                told.append("up")

            def down(self):
                told.append("down")

        def companions_of(profile, _output):
            told.append(profile.name)
            return [Companion()]

        monkeypatch.setattr("netkit.cli.clients.launching.companions_of", companions_of)
        return told

    def test_a_program_goes_with_it(self, told):
        assert run_cli("up", "home").code == 0
        assert told == ["home", "up", "down"]

    @pytest.mark.parametrize("argv", [("home", "--no-launch"), ("home", "--dry-run"), ("office",)])
    def test_or_not(self, told, argv):
        assert run_cli("up", *argv).code == 0
        assert told == []


class TestTurns:
    QUESTION = HostKeyQuestion(
        host="gw", address="1.2.3.4", key_type="ED25519", fingerprint="SHA256:x", randomart=""
    )

    def test_one_question_at_a_time(self, monkeypatch):
        asking: list[str] = []
        most = []

        def ask(_self, prompt, *, echo):
            asking.append(prompt)
            most.append(len(asking))
            asking.remove(prompt)
            return f"{prompt}{echo}"

        monkeypatch.setattr(TerminalPrompter, "_ask", ask)
        turns = up.TurnTaker()
        office, home = turns.named("office"), turns.named("home")
        assert office.secret("Password:") == "office: Password: False"
        assert home.answer("Code:") == "home: Code: True"
        threads = [threading.Thread(target=each.secret, args=("?",)) for each in (office, home)] * 1
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert max(most) == 1

    def test_a_host_key_is_asked_about_once(self, monkeypatch):
        answers = ["no", "yes"]
        monkeypatch.setattr(TerminalPrompter, "_ask", lambda *_, echo: answers.pop(0))
        turns = up.TurnTaker()
        assert turns.named("a").trust_host_key(self.QUESTION) is False
        assert turns.named("b").trust_host_key(self.QUESTION) is True
        assert turns.named("c").trust_host_key(self.QUESTION) is True

    def test_cancelling_one_cancels_all(self):
        turns = up.TurnTaker()
        turns.named("office").cancel()
        assert turns.named("home").secret("?") is None
        assert turns.named("home").trust_host_key(self.QUESTION) is False

    def test_what_a_gateway_says_is_shown(self, capsys):
        up.TurnTaker().named("x").show("hello")
        assert capsys.readouterr().err == "hello\n"
