"""The three commands on a machine of the test: a fake tunnel, a real server at its address."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from netkit.cli.clients import viewing
from netkit.cli.clients.viewing import parse_target
from netkit.desktop.clients import Desktop
from netkit.errors import BindError, UsageError
from netkit.model import Endpoint, ForwardKind, Gateway, Profile, TunnelSpec
from netkit.text.forwards import parse_forward
from support.cli import FakeTunnel, run_cli
from support.speaker import CONFIRM, Speaker

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shell scripts stand for clients")


@pytest.fixture
def home(tmp_path: Path, monkeypatch) -> Path:
    """A home without profiles, a PATH with one client, and a screen."""
    folder = tmp_path / "bin"
    folder.mkdir()
    client = folder / "xfreerdp"
    client.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/argv\n')
    client.chmod(0o755)
    for name, value in {
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "PATH": str(folder),
        "DISPLAY": ":0",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NETKIT_PROFILES", raising=False)
    return tmp_path


def on(monkeypatch, os: str, *, second: bool = True, free=lambda _at: True) -> None:
    """Make the machine another one."""
    monkeypatch.setattr(viewing.launch, "this_desktop", lambda: Desktop(os))
    monkeypatch.setattr(viewing.try_bind, "is_there", lambda _host: second)
    monkeypatch.setattr(viewing.try_bind, "is_free", free)


def planned(*argv: str) -> list[str]:
    """Return the forwards of a plan, without carrying it out."""
    done = run_cli(*argv, "--dry-run", "--json")
    assert done.code == 0, done.err
    plan = json.loads(done.out)
    return [forward["text"] for forward in plan["forwards"]]


def test_the_whole_way(home: Path):
    with Speaker(CONFIRM) as server:
        tunnel = FakeTunnel(stays=True)
        done = run_cli(
            *("rdp", "me@gw", "--to", "desk", "--bind", str(server.at), "--user", "alice"),
            tunnel=tunnel,
        )
    assert done.code == 0, done.err
    assert (home / "argv").read_text() == f"/v:{server.at} /u:alice /cert:name:desk\n"
    assert done.out.startswith(f"{server.at} -> desk:3389 through gw ")
    assert tunnel.drains


def test_an_error_of_the_server_is_the_commands(home: Path):
    with Speaker(b"SSH-2.0-x\r\n", listens_first=False) as server:
        done = run_cli(
            *("rdp", "gw", "--to", "desk:22", "--bind", str(server.at)),
            tunnel=FakeTunnel(stays=True),
        )
    assert done.code == 3
    assert done.err.splitlines()[-3:] == [
        "netkit: desk:22 is not an RDP server: an SSH server answers [wrong-server]",
        "  cause: --to names another port or machine; an RDP server usually has port 3389",
        f"  next:  netkit rdp gw --to desk:22 --bind {server.at} --to desk:3389",
    ]


@pytest.mark.parametrize(
    ("system", "argv", "forward"),
    [
        ("linux", ("rdp", "gw", "--to", "desk"), "--bind 127.0.0.2:3389 --to desk:3389"),
        ("windows", ("rdp", "gw"), "--bind 127.0.0.2:3389 --to localhost:3389"),
        ("linux", ("vnc", "gw", "--to", "desk:5901"), "--bind 127.0.0.1:5900 --to desk:5901"),
        ("darwin", ("vnc", "gw", "--to", "desk"), "--bind 127.0.0.1:5901 --to desk:5900"),
        ("linux", ("open", "gw", "--to", "web"), "--bind 127.0.0.1:8080 --to web:80"),
        ("linux", ("open", "gw", "--to", "[::1]:3000"), "--bind 127.0.0.1:3000 --to [::1]:3000"),
        (
            "linux",
            ("rdp", "gw", "--to", "desk", "--bind", "127.0.0.3:0"),
            "--bind 127.0.0.3:0 --to desk:3389",
        ),
    ],
)
def test_where_it_listens(
    home: Path, monkeypatch, system: str, argv: tuple[str, ...], forward: str
):
    on(monkeypatch, system)
    assert planned(*argv) == [forward]


def test_a_windows_that_is_a_server_itself(home: Path, monkeypatch):
    on(monkeypatch, "windows", free=lambda at: at.port != 3389)
    assert planned("rdp", "gw", "--to", "desk") == ["--bind 127.0.0.2:13389 --to desk:3389"]


def test_nothing_is_free(home: Path, monkeypatch):
    on(monkeypatch, "linux", free=lambda _at: False)
    done = run_cli("open", "gw", "--to", "web")
    assert done.code == 7
    assert "netkit open gw --to web --bind 127.0.0.1:0" in done.err


@pytest.mark.parametrize("bind", ["127.0.0.1:3389", "localhost:3389", "[::1]:3389"])
def test_what_mstsc_refuses_is_refused(home: Path, monkeypatch, bind: str):
    on(monkeypatch, "windows")
    done = run_cli("rdp", "gw", "--to", "desk", "--bind", bind)
    assert done.code == 2
    assert "[rdp-own-address]" in done.err
    assert "--bind 127.0.0.2:3389" in done.err.splitlines()[2]
    # another program may do with it what it wants
    assert planned("rdp", "gw", "--to", "desk", "--bind", bind, "--no-launch")


def test_a_taken_address_has_a_fix_of_this_command(home: Path, monkeypatch):
    on(monkeypatch, "linux")
    tunnel = FakeTunnel(start_error=BindError("taken", code="bind-address-in-use"))
    done = run_cli("vnc", "gw", "--bind", "127.0.0.1:5900", tunnel=tunnel)
    assert done.code == 7
    assert "netkit vnc gw --bind 127.0.0.1:5900 --bind 127.0.0.1:0" in done.err


# ---------------------------------------------------------------- profiles


@pytest.fixture
def saved(home: Path) -> Path:
    from netkit import profiles

    spec = TunnelSpec(
        gateway=Gateway("gw.example", "me"),
        forwards=(
            parse_forward(ForwardKind.LOCAL, "127.0.0.1:5432:db:5432"),
            parse_forward(ForwardKind.LOCAL, "127.0.0.2:3390:desk:3389"),
        ),
    )
    profiles.save(Profile(name="office", tunnel=spec))
    return home


def test_a_profiles_own_forward(saved: Path):
    assert planned("rdp", "office") == ["--bind 127.0.0.2:3390 --to desk:3389"]
    assert planned("rdp", "office", "--bind", "127.0.0.2:0") == [
        "--bind 127.0.0.2:0 --to desk:3389"
    ]


def test_the_gateway_of_a_profile(saved: Path, monkeypatch):
    on(monkeypatch, "linux")
    assert planned("rdp", "office", "--to", "other") == ["--bind 127.0.0.2:3389 --to other:3389"]


def test_a_profile_without_a_forward_to_such_a_server(saved: Path):
    done = run_cli("vnc", "office")
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[0] == (
        "netkit: the profile office has no forward to a VNC server [no-forward]"
    )
    assert "netkit vnc office --to 10.0.0.5:5900" in done.err
    assert "has no forward to a web server" in run_cli("open", "office").err


def test_a_profile_that_says_what_it_is_for(saved: Path):
    from netkit import profiles

    office = profiles.get("office")
    profiles.save(replace(office, launch="vnc"), replace=True)
    assert planned("vnc", "office") == ["--bind 127.0.0.1:5432 --to db:5432"]


def test_the_default_profile(saved: Path):
    done = run_cli("rdp")
    assert done.code == 2
    assert "[no-gateway]" in done.err
    assert "netkit rdp me@gateway.example --to 10.0.0.5:3389" in done.err
    from netkit import profiles

    profiles.set_default("office")
    assert planned("rdp") == ["--bind 127.0.0.2:3390 --to desk:3389"]


# ---------------------------------------------------------------- the second address of a Mac


@pytest.fixture
def mac(home: Path, monkeypatch) -> list[str]:
    on(monkeypatch, "darwin", second=False, free=lambda at: at.host == "127.0.0.1")
    done: list[str] = []

    def add(host: str, *, terminal: bool) -> bool:
        done.append(f"add {host}")
        on(monkeypatch, "darwin")
        return True

    def remove(host: str, *, terminal: bool) -> bool:
        done.append(f"remove {host}")
        return not (home / "stubborn").exists()

    monkeypatch.setattr(viewing.loopback_alias, "add", add)
    monkeypatch.setattr(viewing.loopback_alias, "remove", remove)
    return done


def rdp(*more: str):
    return run_cli("rdp", "gw", "--to", "desk", "--no-launch", "--wait", "0", *more)


def test_without_consent_another_port_does(mac: list[str]):
    done = rdp()
    assert done.code == 0, done.err
    assert done.out.startswith("127.0.0.1:13389 -> desk:3389 ")
    assert mac == []


def test_with_consent_it_is_added_and_taken_back(mac: list[str]):
    done = rdp("--yes")
    assert done.out.startswith("127.0.0.2:3389 -> desk:3389 ")
    assert mac == ["add 127.0.0.2", "remove 127.0.0.2"]


@pytest.mark.parametrize(("answer", "added"), [("y", True), ("YES\n", True), ("", False)])
def test_it_is_asked_for_on_the_terminal(mac: list[str], monkeypatch, answer: str, added: bool):
    from netkit.cli.terminal import TerminalPrompter

    asked: list[str] = []

    def answers(_self: TerminalPrompter, prompt: str) -> str:
        asked.append(prompt)
        return answer

    monkeypatch.setattr(TerminalPrompter, "answer", answers)
    assert rdp().code == 0
    assert "sudo ifconfig lo0 alias 127.0.0.2 up" in asked[0]
    assert bool(mac) is added


def test_it_is_taken_back_after_a_failure(mac: list[str]):
    done = run_cli(
        *("rdp", "gw", "--yes", "--no-launch"),
        tunnel=FakeTunnel(start_error=BindError("no")),
    )
    assert done.code == 7
    assert mac == ["add 127.0.0.2", "remove 127.0.0.2"]


def test_nothing_is_added_for_a_profile_that_is_elsewhere(mac: list[str], saved: Path):
    from netkit import profiles

    office = profiles.get("office")
    forward = parse_forward(ForwardKind.LOCAL, "127.0.0.1:3390:desk:3389")
    tunnel = replace(office.tunnel, forwards=(forward,))
    profiles.save(replace(office, tunnel=tunnel), replace=True)
    done = run_cli("rdp", "office", "--yes", "--no-launch", "--wait", "0")
    assert done.out.startswith("127.0.0.1:3390 -> desk:3389 ")
    assert mac == []


def test_one_that_stays_is_told(mac: list[str], home: Path):
    (home / "stubborn").touch()
    assert "remove it with: sudo ifconfig lo0 -alias 127.0.0.2" in rdp("--yes").err


def test_it_is_taken_back_when_the_tunnel_hangs(mac: list[str], monkeypatch):
    left: list[int] = []

    def hangs(_job, *, drain, hard_exit):
        hard_exit(130)
        return 130

    monkeypatch.setattr(viewing, "run_job", hangs)
    monkeypatch.setattr(viewing, "leave_at_once", left.append)
    assert rdp("--yes").code == 130
    assert mac[:2] == ["add 127.0.0.2", "remove 127.0.0.2"]
    assert left == [130]


@pytest.mark.parametrize("more", [("--dry-run",), ("--bind", "127.0.0.1:13389")])
def test_nothing_is_added_that_is_not_used(mac: list[str], more: tuple[str, ...]):
    assert rdp("--yes", *more).code == 0
    assert mac == []


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("desk", Endpoint("desk", 3389)),
        ("desk:99", Endpoint("desk", 99)),
        ("[::1]", Endpoint("::1", 3389)),
        ("[::1]:99", Endpoint("::1", 99)),
        ("10.0.0.5", Endpoint("10.0.0.5", 3389)),
    ],
)
def test_targets(text: str, target: Endpoint):
    assert parse_target(text, 3389) == target


@pytest.mark.parametrize(
    "text", ["", ":3389", "a b", "desk:0", "desk:x", "desk:70000", "a\nb", "["]
)
def test_no_targets(text: str):
    with pytest.raises(UsageError):
        parse_target(text, 3389)


@pytest.mark.parametrize(
    "argv",
    [
        ("rdp", "gw", "--size", "big"),
        ("rdp", "gw", "--size", "1x1"),
        ("rdp", "gw", "--size", "1280x800x2"),
        ("rdp", "gw", "--size", "99999x99999"),
        ("rdp", "gw", "--user", ""),
        ("rdp", "gw", "--user", "a\nb"),
        ("rdp", "gw", "--wait", "-1"),
        ("rdp", "gw", "--bind", "/tmp/socket"),
        ("rdp", "gw", "--bind", ""),
        ("rdp", "gw", "--to", ""),
        ("rdp", "gw", "--bind", "0.0.0.0:3390"),
        ("open", "gw", "--bind", "*:8080"),
        ("vnc", "gw", "--size", "800x600"),
        ("open", "gw", "--path", "a\nb"),
        ("open", "gw", "--path", "x" * 3000),
        ("rdp",),
    ],
)
def test_wrong_words(home: Path, argv: tuple[str, ...]):
    done = run_cli(*argv)
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) in (3, 4, 5)
    assert "Traceback" not in done.err
