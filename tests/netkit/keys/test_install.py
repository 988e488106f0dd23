"""Installing a key: what is asked of a gateway, what its answers mean, and the proof.

Real accounts with homes of their own are in tests/integration/recipe/test_keys.py.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from netkit.doctor.session import Access
from netkit.engine.exec_channel import Executed
from netkit.errors import AuthenticationError, GatewayUnreachableError, KeyFileError, UsageError
from netkit.keys import authorize_windows, install
from netkit.keys.authorize import MARK, Answer, Wanted
from netkit.keys.install import Installed, InstallError, prove, with_only
from netkit.model import Hop, Plan
from netkit.text.fingerprints import sha256_fingerprint
from support.asyncssh_server import AsyncsshServer
from support.gateways import TestGateway
from support.sshd import make_key, public_line

HOP = Hop(
    alias="gw",
    host="gw.example",
    port=2222,
    user="me",
    identities=(Path("/k1"), Path("/k2")),
    certificates=(Path("/c"),),
    identity_agent="/agent",
)
JUMP = Hop(alias="jump", host="jump")
WINDOWS = "OpenSSH_for_Windows_9.5"


def blob(key: Path) -> bytes:
    return base64.b64decode(public_line(key).split()[1])


@contextlib.contextmanager
def answering(
    tmp_path: Path, *lines: str, version: str = WINDOWS
) -> Iterator[tuple[Access, list[tuple[str, str]]]]:
    """A gateway that answers any command with these lines; yields what it was sent."""
    heard: list[tuple[str, str]] = []

    async def serve(process) -> None:
        heard.append((process.command, await process.stdin.read()))
        process.stdout.write("Welcome\r\n" + "".join(f"{MARK}{line}\r\n" for line in lines))
        process.exit(0)

    options: dict[str, Any] = {"process_factory": serve, "server_version": version}
    with AsyncsshServer(tmp_path, **options) as server:
        yield access(server, server.client_key), heard


def access(server, key: Path) -> Access:
    hop = Hop(
        alias="gw",
        host="127.0.0.1",
        port=server.port,
        user=server.user,
        name="127.0.0.1",
        known_hosts=(server.known_hosts(),),
        identities=(key,),
        identities_explicit=True,
        connect_timeout=10,
    )
    return Access(plan=Plan(hops=(hop,)))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_key(tmp_path / "key")


def test_windows(tmp_path):
    sent: list[Wanted] = []

    def wish(server: str) -> Wanted:
        assert WINDOWS in server
        sent.append(Wanted(blob=blob(own), comment="me"))
        return sent[-1]

    file = "C:\\Users\\me\\.ssh\\authorized_keys"
    with answering(tmp_path, f"file {file}", "added", "end") as (way, heard):
        own = way.plan.hops[-1].identities[0]
        done = install.install(way, own, wish)
        assert (done.answer.outcome, done.answer.file) == ("added", file)
        how = prove(way, own, done, agent=False)
    ((command, stdin),) = heard
    assert command == authorize_windows.COMMAND
    assert stdin.encode() == authorize_windows.stdin(sent[0])
    assert sha256_fingerprint(blob(own)) in how


def test_the_proof_fails_for_a_key_that_does_not_log_in(tmp_path, key):
    with answering(tmp_path, "file /f", "added", "end") as (way, _heard):
        done = install.install(way, key, lambda _server: Wanted(blob=blob(key)))
        with pytest.raises(InstallError) as caught:
            prove(way, key, done, agent=False)
    error = caught.value
    assert (error.code, error.exit_code) == ("key-does-not-log-in", 6)
    assert "but it does not log in" in error.summary
    assert error.fixes[0].argv[:2] == ("netkit", "doctor")


def test_a_reason_in_the_gateways_words(tmp_path, key):
    with answering(tmp_path, "file /f", "failed not-ours /f", version="OpenSSH_9.2") as (
        way,
        heard,
    ):
        with pytest.raises(InstallError) as caught:
            install.install(way, key, lambda _server: Wanted(blob=blob(key), comment="me"))
    assert caught.value.code == "key-not-added"
    assert "belongs to another account" in caught.value.cause
    assert f"{public_line(key)} me" in str(caught.value.fixes[0])
    ((command, stdin),) = heard
    assert command == "exec sh"
    assert public_line(key).split()[1] in stdin


def test_a_wish_that_cannot_be_granted_ends_the_login(tmp_path, key):
    def wish(_server: str) -> Wanted:
        raise UsageError("no", code="no-permitlisten")

    with answering(tmp_path) as (way, heard), pytest.raises(UsageError):
        install.install(way, key, wish)
    assert heard == []


def test_a_key_that_may_run_nothing_gives_way_to_the_others(tmp_path, key):
    """It got in by itself, and its options keep it from running the script."""
    with answering(tmp_path) as (way, heard):
        own = way.plan.hops[-1].identities[0]
        with pytest.raises(AuthenticationError):
            install.install(way, own, lambda _server: Wanted(blob=blob(own)))
        assert len(heard) == 1


def test_netkits_own_gateway_has_no_shell(tmp_path, key):
    with TestGateway(tmp_path) as server:
        way = access(_Named(server), server.client_key)
        with pytest.raises(InstallError) as caught:
            install.install(way, key, lambda _server: Wanted(blob=blob(key), comment="me"))
    assert caught.value.code == "no-shell"
    assert f"add this line to ~/.ssh/authorized_keys: {public_line(key)} me" in str(
        caught.value.fixes[0]
    )


class _Named:
    """A `TestGateway` with the names that other servers have."""

    def __init__(self, server: TestGateway) -> None:
        self.port = server.address.port
        self.user = "anybody"
        self.known_hosts = server.known_hosts


@pytest.mark.parametrize(
    ("ran", "words"),
    [
        (Executed(outcome="no-session"), "opens no sessions"),
        (Executed(outcome="refused"), "runs no commands"),
        (Executed(outcome="timed-out"), "did not end within"),
        (Executed(outcome="ran", stdout=b"Menu:\x1b[1m"), "a forced command or a menu"),
    ],
)
def test_why_no_script_ran(ran, words):
    attempt = install._Attempt(Answer(), ran, "SSH-2.0-x", Wanted(blob=b""), "password")
    error = install._no_script("gw", attempt)
    assert (error.code, words in error.cause) == ("no-shell", True)
    assert error.cause.isprintable()


def test_a_link_that_was_lost_is_worth_another_try():
    ran = Executed(outcome="link-lost", text="cut")
    error = install._no_script("gw", install._Attempt(Answer(), ran, "", Wanted(blob=b""), ""))
    assert isinstance(error, GatewayUnreachableError)
    assert error.retryable


@pytest.mark.parametrize("agent", [False, True])
def test_a_login_with_one_key_alone(agent):
    plan = with_only(Plan(hops=(JUMP, HOP)), Path("/new"), agent=agent)
    jump, last = plan.hops
    assert jump == JUMP
    assert last == replace(
        HOP,
        identities=(Path("/new"),),
        identities_explicit=True,
        identities_only=True,
        certificates=(),
        identity_agent="/agent" if agent else "",
        auth_methods=("publickey",),
    )


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ({"suspect": ("/home/me drwxrwxrwx",)}, AuthenticationError("x"), "write to /home/me"),
        ({}, AuthenticationError("x", cause="it accepted publickey x and"), "one more factor"),
        ({}, AuthenticationError("x", cause="the gateway takes no RSA with SHA-2"), "SHA-1"),
        ({}, KeyFileError("k is encrypted", code="key-encrypted"), "k is encrypted"),
        ({"types": "rsa-sha2-512"}, AuthenticationError("x"), "no keys of the type ssh-ed25519"),
        ({"read": "/etc/keys/%u"}, AuthenticationError("x"), "read from /etc/keys/%u"),
        ({}, AuthenticationError("x"), "another file"),
        ({"file": "/srv/keys"}, AuthenticationError("x"), "permissions above the file"),
    ],
)  # fmt: skip
def test_causes(answer, error, words):
    answer = Answer(outcome="added", **{"file": "/home/me/.ssh/authorized_keys", **answer})
    wanted = Wanted(blob=b"\0\0\0\x0bssh-ed25519")
    installed = Installed(answer, "SSH-2.0-x", wanted)
    found = install._no_login(Access(plan=Plan(hops=(HOP,))), Path("/k"), installed, error)
    assert words in found.cause
    doctor = next(fix for fix in found.fixes if fix.argv[:2] == ("netkit", "doctor"))
    assert doctor.argv[2:] == ("me@gw:2222", "-i", "/k")


def test_certificates_are_told_from_keys(key):
    assert not install.is_certificate(blob(key))
    assert install.is_certificate(b"\0\0\0\x20ssh-ed25519-cert-v01@openssh.com")
    assert sha256_fingerprint(blob(key)).startswith("SHA256:")
