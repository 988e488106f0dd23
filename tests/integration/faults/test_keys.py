"""Keys, agents and logins that fail, each in another way: made for real, and found.

    pytest tests/integration/faults/test_keys.py

The server is sshd, or one that a test says what to do; agents are real ssh-agents.
"""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.agent import Agent
from support.asyncssh_server import AsyncsshServer
from support.doctor import Diagnosis, expect, run_doctor
from support.peers import require
from support.sshd import Sshd, make_key, public_line

UNUSABLE = "login-key-unusable"


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    with Sshd(tmp_path) as running:
        yield running


@pytest.fixture
def agent() -> Iterator[Agent]:
    with Agent() as running:
        yield running


def words(sshd: Sshd, home: Path, *lines: str, user: str = "") -> list[str]:
    """Return the words that lead to ``sshd``, with these lines of ssh_config for it."""
    config = home / "ssh_config"
    hosts = (f"UserKnownHostsFile {sshd.known_hosts()}", "GlobalKnownHostsFile none")
    config.write_text("\n".join(("Host *", *hosts, *lines)) + "\n")
    return [f"{user or sshd.user}@{sshd.host}:{sshd.port}", "-F", str(config)]


def with_key(sshd: Sshd, home: Path, key: Path, **more) -> Diagnosis:
    """Examine a login with that key alone."""
    lines = (f"IdentityFile {key}", "IdentityAgent none", "IdentitiesOnly yes")
    return run_doctor(*words(sshd, home, *lines, **more), home=home)


def with_agent(sshd: Sshd, home: Path, socket: Path, *lines: str) -> Diagnosis:
    """Examine a login with that agent, and the keys that ``lines`` name."""
    argv = words(sshd, home, *lines)
    return run_doctor(*argv, home=home, env={"SSH_AUTH_SOCK": str(socket)})


def authorize(sshd: Sshd, *keys: Path) -> None:
    sshd.authorized_keys.write_text("".join(f"{public_line(key)}\n" for key in keys))


def commands(diagnosis: Diagnosis, code: str) -> list[str]:
    return [shlex.join(fix["argv"]) for fix in diagnosis.finding(code)["fixes"]]


def do(diagnosis: Diagnosis, code: str) -> None:
    """Run the first fix."""
    argv = diagnosis.finding(code)["fixes"][0]["argv"]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=20)


# --- key files ---


def test_others_can_read_the_key(tmp_path, record_property, sshd):
    sshd.client_key.chmod(0o644)
    diagnosis = with_key(sshd, tmp_path, sshd.client_key)
    code = "key-permissions"
    expect(record_property, diagnosis, "key file of mode 0644", {code}, hidden={UNUSABLE})
    assert diagnosis.finding(code)["subject"] == str(sshd.client_key)
    assert diagnosis.code == 1
    do(diagnosis, code)
    assert with_key(sshd, tmp_path, sshd.client_key).codes() == set()


def test_putty_key(tmp_path, record_property, sshd):
    ppk = tmp_path / "key.ppk"
    subprocess.run([require("puttygen"), sshd.client_key, "-o", ppk], check=True, timeout=20)
    diagnosis = with_key(sshd, tmp_path, ppk)
    expect(record_property, diagnosis, "PuTTY key, which netkit reads", set())
    assert diagnosis.code == 0
    finding = diagnosis.finding("key-is-ppk")
    assert finding["severity"] == "info"
    netkit, *words = finding["fixes"][0]["argv"]
    assert netkit == "netkit"
    subprocess.run([sys.executable, "-m", netkit, *words], check=True, timeout=20)
    assert with_key(sshd, tmp_path, tmp_path / "key").codes() == set()


def test_damaged_putty_key(tmp_path, record_property, sshd):
    ppk = tmp_path / "key.ppk"
    subprocess.run([require("puttygen"), sshd.client_key, "-o", ppk], check=True, timeout=20)
    ppk.write_bytes(ppk.read_bytes().replace(b"Comment: ", b"Comment: x"))
    diagnosis = with_key(sshd, tmp_path, ppk)
    fault = "PuTTY key that was changed"
    expect(record_property, diagnosis, fault, {"key-not-recognised"}, hidden={UNUSABLE})


def test_missing_key(tmp_path, record_property, sshd):
    diagnosis = with_key(sshd, tmp_path, tmp_path / "nothing")
    fault = "named key does not exist"
    expect(record_property, diagnosis, fault, {"key-missing"}, hidden={UNUSABLE})


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "empty"),
        (os.urandom(3_000_000), "megabytes of junk"),
        (b"<html>Please log in</html>", "a web page"),
    ],
    ids=["empty", "junk", "html"],
)
def test_damaged_key(tmp_path, record_property, sshd, data, what):
    key = tmp_path / "key"
    key.write_bytes(data)
    key.chmod(0o600)
    diagnosis = with_key(sshd, tmp_path, key)
    fault = f"key file: {what}"
    expect(record_property, diagnosis, fault, {"key-not-recognised"}, hidden={UNUSABLE})


def test_half_a_key(tmp_path, record_property, sshd):
    text = sshd.client_key.read_text()
    sshd.client_key.write_text(text[: len(text) // 2])
    diagnosis = with_key(sshd, tmp_path, sshd.client_key)
    fault = "key file that was cut off"
    expect(record_property, diagnosis, fault, {"key-not-recognised"}, hidden={UNUSABLE})


def test_public_key_named(tmp_path, record_property, sshd):
    public = Path(f"{sshd.client_key}.pub")
    public.chmod(0o600)
    diagnosis = with_key(sshd, tmp_path, public)
    fault = "public key named, no agent"
    expect(record_property, diagnosis, fault, {"key-is-public"}, hidden={UNUSABLE})
    assert commands(diagnosis, "key-is-public") == [f"ssh-add {sshd.client_key}"]


def test_dsa_key(tmp_path, record_property, sshd):
    key = make_key(tmp_path / "dsa", "dsa")
    diagnosis = with_key(sshd, tmp_path, key)
    expect(record_property, diagnosis, "DSA key", {"key-is-dsa"}, hidden={UNUSABLE})


def test_short_rsa_key_that_works(tmp_path, record_property):
    key = make_key(tmp_path / "rsa", "rsa", "-b", "1024")
    with Sshd(tmp_path, RequiredRSASize="1024") as sshd:
        authorize(sshd, key)
        diagnosis = with_key(sshd, tmp_path, key)
    expect(record_property, diagnosis, "RSA key of 1024 bits", {"key-rsa-short"})
    assert diagnosis.status("gateway-login") == "ran"
    assert diagnosis.code == 0


def test_mixed_up_pair(tmp_path, record_property, sshd):
    other = make_key(tmp_path / "other")
    Path(f"{sshd.client_key}.pub").write_text(Path(f"{other}.pub").read_text())
    diagnosis = with_key(sshd, tmp_path, sshd.client_key)
    assert diagnosis.codes() == {"key-pair-mismatch"}
    expect(record_property, diagnosis, ".pub of another key", {"key-pair-mismatch"})
    do(diagnosis, "key-pair-mismatch")
    assert with_key(sshd, tmp_path, sshd.client_key).codes() == set()


def test_encrypted_key_without_agent(tmp_path, record_property, sshd):
    key = make_key(tmp_path / "locked", passphrase="secret")
    authorize(sshd, key)
    diagnosis = with_key(sshd, tmp_path, key)
    expect(record_property, diagnosis, "encrypted key, no agent", {"key-locked"})
    assert f"ssh-add {key}" in commands(diagnosis, "key-locked")


# --- what the gateway says ---


def test_key_not_authorised(tmp_path, record_property, sshd):
    sshd.authorized_keys.write_text("")
    diagnosis = with_key(sshd, tmp_path, sshd.client_key)
    code = "key-not-authorized"
    expect(record_property, diagnosis, "key not authorised", {code})
    assert str(sshd.client_key) in diagnosis.finding(code)["title"]
    assert diagnosis.code == 1


def test_wrong_user(tmp_path, record_property, sshd):
    diagnosis = with_key(sshd, tmp_path, sshd.client_key, user="nosuchuser")
    code = "key-not-authorized"
    expect(record_property, diagnosis, "user that does not exist", {code})
    assert "for nosuchuser" in diagnosis.finding(code)["title"]


def test_rsa_key_too_short_for_the_gateway(tmp_path, record_property):
    key = make_key(tmp_path / "rsa", "rsa", "-b", "1024")
    with Sshd(tmp_path, RequiredRSASize="2048") as sshd:
        authorize(sshd, key)
        diagnosis = with_key(sshd, tmp_path, key)
    # the gateway does not say for which of the two reasons it refuses the key
    codes = {"key-rsa-short", "key-not-authorized"}
    expect(record_property, diagnosis, "RSA key of 1024 bits, gateway wants 2048", codes)


def test_no_key_at_all(tmp_path, record_property, sshd):
    diagnosis = with_agent(sshd, tmp_path, tmp_path / "none", "IdentityAgent none")
    expect(record_property, diagnosis, "no key at all", {"login-no-key"})
    assert any(
        each.startswith("ssh-keygen -t ed25519") for each in commands(diagnosis, "login-no-key")
    )


def test_password_only(tmp_path, record_property):
    with AsyncsshServer(tmp_path, password="pw", public_key_auth=False) as server:
        known = server.known_hosts()
        argv = [f"{server.user}@127.0.0.1:{server.port}", "-F", "none", "--host-key", "accept-new"]
        home = tmp_path / "home"
        (home / ".ssh").mkdir(parents=True, mode=0o700)
        (home / ".ssh/known_hosts").write_text(known.read_text())
        make_key(home / ".ssh/id_ed25519")
        diagnosis = run_doctor(*argv, home=home)
    expect(record_property, diagnosis, "password-only gateway", {"login-password-only"})


def test_second_factor(tmp_path, record_property):
    both = "publickey,password"
    with Sshd(tmp_path, PasswordAuthentication="yes", AuthenticationMethods=both) as sshd:
        diagnosis = with_key(sshd, tmp_path, sshd.client_key)
    expect(record_property, diagnosis, "gateway wants a password too", {"login-second-factor"})


# --- agents ---


def test_agent_with_the_key(tmp_path, sshd, agent):
    agent.add(sshd.client_key)
    diagnosis = with_agent(sshd, tmp_path, agent.socket)
    assert diagnosis.codes("warning") == set()
    assert diagnosis.code == 0


def test_dead_agent(tmp_path, record_property, sshd):
    with tempfile.TemporaryDirectory(prefix="nk-") as directory:
        path = Path(directory) / "agent"
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(str(path))
        diagnosis = with_agent(sshd, tmp_path, path)
        expect(record_property, diagnosis, "dead agent", {"agent-dead"}, hidden={"login-no-key"})
        assert diagnosis.finding("agent-dead")["severity"] == "error"
        assert diagnosis.finding("agent-dead")["subject"] == str(path)
        spare = with_agent(sshd, tmp_path, path, f"IdentityFile {sshd.client_key}")
        fault = "dead agent, key in a file"
        expect(record_property, spare, fault, {"agent-dead"})
        assert spare.code == 0


def test_agent_that_is_none(tmp_path, record_property, sshd):
    with tempfile.TemporaryDirectory(prefix="nk-") as directory:
        path = Path(directory) / "agent"
        with socket.socket(socket.AF_UNIX) as mute:
            mute.bind(str(path))
            mute.listen()
            diagnosis = with_agent(sshd, tmp_path, path, f"IdentityFile {sshd.client_key}")
        fault = "socket of an agent that does not answer"
        expect(record_property, diagnosis, fault, {"agent-failed"})


def test_empty_agent(tmp_path, record_property, sshd, agent):
    diagnosis = with_agent(sshd, tmp_path, agent.socket)
    expect(record_property, diagnosis, "empty agent, no key", {"login-no-key"})


def test_empty_agent_and_a_locked_key(tmp_path, record_property, sshd, agent):
    key = make_key(tmp_path / "locked", passphrase="secret")
    authorize(sshd, key)
    diagnosis = with_agent(sshd, tmp_path, agent.socket, f"IdentityFile {key}")
    expect(record_property, diagnosis, "empty agent, encrypted key", {"key-locked"})
    assert "agent-empty" in diagnosis.codes("info")


def test_agent_with_too_many_keys(tmp_path, record_property, agent):
    for number in range(7):
        agent.add(make_key(tmp_path / f"key{number}"))
    with Sshd(tmp_path, MaxAuthTries="6") as sshd:
        diagnosis = with_agent(sshd, tmp_path, agent.socket)
        code = "login-too-many-keys"
        fault = "agent with 7 keys, MaxAuthTries 6"
        expect(record_property, diagnosis, fault, {code}, hidden={"agent-too-many-keys"})
        named = (f"IdentityFile {sshd.client_key}", "IdentitiesOnly yes")
        assert with_agent(sshd, tmp_path, agent.socket, *named).codes() == set()


def test_agent_others_can_use(tmp_path, record_property, sshd, agent):
    agent.add(sshd.client_key)
    agent.socket.chmod(0o666)
    agent.socket.parent.chmod(0o755)
    diagnosis = with_agent(sshd, tmp_path, agent.socket)
    expect(record_property, diagnosis, "agent others can use", {"agent-exposed"})
    do(diagnosis, "agent-exposed")
    assert with_agent(sshd, tmp_path, agent.socket).codes() == set()


def test_directory_others_can_change(tmp_path, record_property, sshd):
    directory = tmp_path / ".ssh"
    directory.mkdir()
    directory.chmod(0o777)
    diagnosis = with_key(sshd, tmp_path, sshd.client_key)
    expect(record_property, diagnosis, "~/.ssh of mode 0777", {"ssh-directory-permissions"})
    do(diagnosis, "ssh-directory-permissions")
    assert with_key(sshd, tmp_path, sshd.client_key).codes() == set()
