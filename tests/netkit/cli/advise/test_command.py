"""`netkit advise` as a command: options, questions on a terminal, files, exit codes."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from netkit.advise.model import System
from netkit.cli.advise import check as advise_check
from netkit.cli.advise import command as advise
from netkit.cli.advise.check import BROKEN, Checked
from netkit.cli.terminal import TerminalPrompter
from support import cli
from support.cli import run_cli
from support.peers import require

LAN = ("--need", "lan-to-lan", "--root", "both", "--gateway", "me@gw.example")
NETS = ("--local-net", "192.168.1.0/24", "--remote-net", "10.1.0.0/16")


@pytest.fixture(autouse=True)
def nobody_to_ask(monkeypatch):
    monkeypatch.setattr(TerminalPrompter, "has_terminal", staticmethod(lambda: False))
    monkeypatch.setattr(advise, "here", lambda: System.LINUX)


@pytest.mark.parametrize(
    ("argv", "first"),
    [
        (("--need", "tcp"), "a TCP forward: one command"),
        (("--need", "web"), "a SOCKS proxy (-D): one command"),
        (("--need", "network", "--root", "here"), "sshuttle: "),
        (("--need", "udp", "--root", "both"), "WireGuard: "),
        (("--need", "udp", "--root", "both", "--udp-blocked"), "OpenVPN: "),
        (("--need", "lan-to-lan", "--root", "both", "--peer", "ipsec"), "IPsec, one tunnel"),
        (("--need", "tcp", "--no-ssh", "--root", "none", "--peer", "zebedee"), "Zebedee: "),
        (("--need", "udp", "--root", "both", "--use", "ppp-ssh"), "PPP over SSH: "),
    ],
)
def test_advice_without_addresses(argv, first):
    done = run_cli("advise", *argv)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(first)
    assert "say also: " in done.out


def test_nothing_fits():
    done = run_cli("advise", "--need", "udp", "--root", "none")
    assert (done.code, done.err) == (1, "")
    assert done.out.startswith("Nothing fits")


@pytest.mark.parametrize(
    ("argv", "names"),
    [
        ((), ["--need"]),
        (("--need", "udp"), ["--root"]),
        (LAN, ["--remote-net", "--local-net"]),
        ((*LAN, "--write", "x"), ["--remote-net", "--local-net"]),
        (("--need", "tcp", "--to", "db:1"), ["--gateway"]),
        (("--need", "tcp", "--no-ssh"), ["--root"]),
    ],
)
def test_missing_answers_are_named(argv, names):
    done = run_cli("advise", *argv)
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[0] == (
        "netkit: not everything that has to be known was said:"
        f" {', '.join(names)} [answers-missing]"
    )


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        ((*LAN, *NETS, "--remote-net", "192.168.0.0/16"), "networks-overlap"),
        ((*LAN, *NETS, "--gateway-address", "10.1.0.1"), "address-inside-network"),
        (
            (*LAN, *NETS, "--gateway-address", "192.0.2.1", "--local-address", "192.0.2.1"),
            "same-gateway",
        ),
        ((*LAN, *NETS, "--remote-net", "10.9.0.1/16"), "bad-address"),
        ((*LAN, *NETS, "--remote-net", "$(id)"), "bad-address"),
        ((*LAN[:-1], "me@gw;id", *NETS), "bad-address"),
        ((*LAN, *NETS, "--name", "../x"), "bad-address"),
        ((*LAN, *NETS, "--tunnel-net", "10.1.0.0/30"), "networks-overlap"),
        ((*LAN, *NETS, "--use", "socks"), "does-not-fit"),
        ((*LAN, *NETS, "--port", "0"), "usage"),
    ],
)
def test_what_does_not_go_together(argv, code):
    done = run_cli("advise", *argv)
    assert (done.code, done.out) == (2, "")
    assert f"[{code}]" in done.err


def test_printed_files_have_no_keys():
    require("wg-quick")
    done = run_cli("advise", *LAN, *NETS)
    assert done.code == 0
    assert "PrivateKey = (this side's private key)" in done.out
    assert "checked: wg-quick reads it" in done.out
    assert "Endpoint = gw.example:51820" in done.out


def test_files_are_written_for_the_user_alone(tmp_path):
    folder = tmp_path / "tunnel"
    done = run_cli("advise", *LAN, *NETS, "--write", str(folder))
    assert done.code == 0, done.err
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert found == ["README.txt", "gateway/netkit0.conf", "here/netkit0.conf"]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()}
    assert modes == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    text = (folder / "here/netkit0.conf").read_text()
    key = next(line for line in text.splitlines() if line.startswith("PrivateKey"))
    assert key.partition(" = ")[2] not in done.out
    assert len(key.partition(" = ")[2]) == 44
    assert f"Written to {folder}" in done.out


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "x").write_text("mine")
    for folder in (tmp_path, tmp_path / "x"):
        done = run_cli("advise", *LAN, *NETS, "--write", str(folder))
        assert done.code == 2
        assert "[folder-not-empty]" in done.err
    assert (tmp_path / "x").read_text() == "mine"
    missing = run_cli("advise", *LAN, *NETS, "--write", str(tmp_path / "no" / "such"))
    assert (missing.code, "[cannot-write]" in missing.err) == (2, True)


def test_what_a_program_refuses_is_not_written(monkeypatch, tmp_path):
    broken = Checked("here/netkit0.conf", "wg-quick", BROKEN, "Key is not right")
    monkeypatch.setattr(advise_check, "check", lambda _recipe: (broken,))
    folder = tmp_path / "tunnel"
    done = run_cli("advise", *LAN, *NETS, "--write", str(folder))
    assert done.code == 3
    assert "wg-quick does not take here/netkit0.conf; nothing was written [file-broken]" in done.err
    assert not folder.exists()


def test_json():
    done = run_cli("advise", *LAN, *NETS, "--json")
    document = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert document["technology"] == "wireguard"
    assert document["recipe"]["files"][0]["path"] == "here/netkit0.conf"
    assert "(this side's private key)" in document["recipe"]["files"][0]["text"]
    failure = json.loads(run_cli("advise", "--json").out)
    assert failure["code"] == "answers-missing"


@pytest.mark.parametrize(
    ("platform", "system"),
    [("linux", "linux"), ("darwin", "macos"), ("win32", "windows"), ("freebsd14", "other")],
)
def test_this_system(monkeypatch, platform, system):
    monkeypatch.undo()
    monkeypatch.setattr("netkit.cli.advise.command.sys.platform", platform)
    assert advise.here() is System(system)


def ask(home: Path, *argv: str, answers: str) -> tuple[int, str, str]:
    """Run it on a terminal of its own and type ``answers``."""
    master, slave = os.openpty()
    try:
        with cli.process(
            ["-m", "netkit", "advise", *argv], home=home, tty=slave, stdin=slave
        ) as process:
            os.write(master, answers.encode())
            out, err = process.communicate(timeout=30)
            os.set_blocking(master, False)
            asked = os.read(master, 1 << 16).decode()
            return process.returncode, out, asked + err
    finally:
        os.close(master)
        os.close(slave)


def test_questions_on_a_terminal(tmp_path):
    typed = "6\nboth\n\nnone\n\ngw.example\n10.1.0.1/16\n10.1.0.0/16\n192.168.1.0/24\n"
    code, out, asked = ask(tmp_path, answers=typed)
    assert code == 0, asked
    assert out.startswith("WireGuard: ")
    assert out.count("Do not fit:") == 1
    assert "What do you need to reach?" in asked
    assert "the network is 10.1.0.0/16" in asked
    assert "AllowedIPs = 10.255.255.253/32, 192.168.1.0/24" in out


def test_advice_alone_on_a_terminal(tmp_path):
    code, out, asked = ask(tmp_path, answers="1\nno\n")
    assert code == 0, asked
    assert out.startswith("a TCP forward: ")
    assert "say also: --gateway, --to" in out


def test_end_of_input_is_no_answer(tmp_path):
    code, out, _ = ask(tmp_path, answers="6\n\x04")
    assert (code, out) == (130, "")


def test_help_loads_nothing_heavy(tmp_path):
    code = (
        "import sys; from netkit.cli.main import run; run(['advise', '--help'])\n"
        "assert not {'cryptography', 'paramiko', 'rich'} & set(sys.modules)"
    )
    argv = ["-c", code]
    done = subprocess.run(
        [cli.sys.executable, *argv], env=cli.environment(tmp_path), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
