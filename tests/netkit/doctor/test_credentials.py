"""Agents and key files as facts, with real ones and broken ones."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path

import pytest

from netkit.doctor import credentials
from netkit.doctor.credentials import ask_agent, look_at_key
from netkit.wire.messages import string, u32
from support.agent import Agent
from support.login import certified
from support.sshd import make_key
from support.targets import short_directory


def test_no_agent():
    assert ask_agent("").outcome == "none"


def test_keys_of_a_real_agent(tmp_path):
    key, big = make_key(tmp_path / "id"), make_key(tmp_path / "rsa", "rsa", "-b", "3072")
    with Agent() as agent:
        assert ask_agent(str(agent.socket)).keys == ()
        agent.add(key)
        agent.add(big)
        found = ask_agent(str(agent.socket))
    assert (found.outcome, found.path, found.text) == ("ok", str(agent.socket), "")
    assert [(k.key_type, k.bits, k.comment) for k in found.keys] == [
        ("ssh-ed25519", 256, "id"),
        ("ssh-rsa", 3072, "rsa"),
    ]
    assert found.keys[0].fingerprint == look_at_key(str(key)).fingerprint


def test_a_certificate_is_known_by_its_key(tmp_path):
    authority = make_key(tmp_path / "ca")
    key = certified(tmp_path / "id", authority)
    with Agent() as agent:
        agent.add(key)
        plain, certificate = sorted(ask_agent(str(agent.socket)).keys, key=lambda k: k.key_type)[
            ::-1
        ]
    names = {plain.key_type, certificate.key_type}
    assert names == {"ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com"}
    assert plain.fingerprint == certificate.fingerprint
    assert plain.bits == certificate.bits == 256


@pytest.mark.parametrize("kind", ["missing", "file", "left-over", "below a file"])
def test_agent_that_is_gone(kind, tmp_path):
    with short_directory() as directory:
        path = Path(directory) / "agent"
        if kind == "file":
            path.write_text("")
        elif kind == "left-over":
            with contextlib.closing(socket.socket(socket.AF_UNIX)) as sock:
                sock.bind(str(path))
        elif kind == "below a file":
            path.write_text("")
            path = path / "agent"
        found = ask_agent(str(path))
    assert (found.outcome, found.path, found.keys) == ("absent", str(path), ())
    assert str(path) in found.text


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\xff\xff\xff\xff",
        u32(1) + b"\x05",
        u32(5) + b"\x0c" + u32(9),
        u32(5) + b"\x0c" + u32(1 << 30),
        u32(13) + b"\x0c" + u32(1) + string(b"?")[:4] + u32(0),
    ],
    ids=["hangs up", "long", "failure", "short", "many", "cut"],
)
def test_agent_that_talks_nonsense(reply):
    with _server(reply) as path:
        found = ask_agent(path)
    assert (found.outcome, found.keys) == ("failed", ())
    assert found.text


def test_agent_that_says_nothing(monkeypatch):
    monkeypatch.setattr(credentials, "PATIENCE", 0.2)
    with _server(None) as path:
        assert ask_agent(path).outcome == "failed"


@contextlib.contextmanager
def _server(reply: bytes | None):
    with short_directory() as directory:
        path = str(Path(directory) / "agent")
        done = threading.Event()
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
            listener.bind(path)
            listener.listen()

            def serve() -> None:
                sock, _ = listener.accept()
                with sock:
                    sock.recv(100)
                    if reply is None:
                        done.wait(10)
                    else:
                        sock.sendall(reply)

            thread = threading.Thread(target=serve)
            thread.start()
            try:
                yield path
            finally:
                done.set()
                thread.join(10)


def test_key_file(tmp_path):
    found = look_at_key(str(make_key(tmp_path / "id")))
    assert (found.key_type, found.bits, found.encrypted) == ("ssh-ed25519", 256, False)
    assert found.fingerprint.startswith("SHA256:")
    assert (found.error_code, found.error, found.cause) == ("", "", "")


def test_encrypted_key_shows_its_public_half(tmp_path):
    found = look_at_key(str(make_key(tmp_path / "id", passphrase="secret")))
    assert (found.encrypted, found.key_type, found.error_code) == (True, "ssh-ed25519", "")
    assert found.fingerprint


def test_encrypted_pem_shows_nothing_by_itself(tmp_path):
    key = make_key(tmp_path / "id", "rsa", "-m", "PEM", "-b", "2048", passphrase="secret")
    beside = look_at_key(str(key))
    assert (beside.encrypted, beside.key_type, beside.bits) == (True, "ssh-rsa", 2048)
    Path(f"{key}.pub").unlink()
    alone = look_at_key(str(key))
    assert (alone.encrypted, alone.key_type, alone.fingerprint) == (True, "", "")
    assert alone.error_code == ""


def test_public_key(tmp_path):
    key = make_key(tmp_path / "id")
    found = look_at_key(f"{key}.pub")
    assert (found.error_code, found.key_type) == ("key-is-public", "ssh-ed25519")
    assert found.fingerprint == look_at_key(str(key)).fingerprint


def test_unusable_files(tmp_path):
    key = make_key(tmp_path / "open")
    key.chmod(0o644)
    found = look_at_key(str(key))
    assert (found.error_code, found.key_type) == ("key-permissions", "ssh-ed25519")
    assert found.error.startswith(str(key))
    putty = tmp_path / "id.ppk"
    putty.write_text("PuTTY-User-Key-File-3: ssh-ed25519\n")
    assert look_at_key(str(putty)).error_code == "key-not-recognised"
    assert look_at_key(str(tmp_path / "none")).error_code == "key-missing"
    assert look_at_key(str(tmp_path)).error_code == "key-unreadable"
    assert look_at_key("\0").error_code == "key-unreadable"
    damaged = tmp_path / "damaged"
    lines = make_key(tmp_path / "whole").read_text().splitlines()
    damaged.write_text("\n".join([*lines[:3], lines[-1]]) + "\n")
    damaged.chmod(0o600)
    assert look_at_key(str(damaged)).error_code == "key-not-recognised"


def test_a_certificate_that_is_none():
    """An agent may hold anything; it is still listed."""
    blob = string("ssh-ed25519-cert-v01@openssh.com") + b"rest"
    body = b"\x0c" + u32(1) + string(blob) + string("odd")
    with _server(u32(len(body)) + body) as path:
        (key,) = ask_agent(path).keys
    assert (key.key_type, key.comment) == ("ssh-ed25519-cert-v01@openssh.com", "odd")
    assert key.fingerprint
