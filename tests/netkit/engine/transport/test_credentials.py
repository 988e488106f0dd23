"""Keys: which are offered, in which order, from files and from a real agent, to a real sshd."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from netkit.errors import AuthenticationError, KeyFileError
from support.agent import Agent
from support.login import b64, certified, fails, logged_in, sshd_hop
from support.prompts import Person
from support.putty_keys import ppk
from support.scripted_server import ScriptedServer
from support.sshd import Sshd, make_key, public_line


@pytest.fixture
def sshd(tmp_path):
    with Sshd(tmp_path, tcp=False) as server:
        yield server


def test_key_file(sshd):
    with logged_in(sshd_hop(sshd), sshd.pipe()) as transport:
        assert transport.auth_method.startswith("publickey ED25519 SHA256:")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("ed25519", ()),
        ("ecdsa", ("-b", "256")),
        ("ecdsa", ("-b", "521")),
        ("rsa", ("-b", "2048")),
        ("rsa", ("-b", "2048", "-m", "PEM")),
        ("rsa", ("-b", "2048", "-m", "PKCS8")),
        ("ecdsa", ("-b", "384", "-m", "PEM")),
    ],
)
def test_every_kind_of_key(sshd, tmp_path, kind, options):
    key = make_key(tmp_path / "key", kind, *options)
    sshd.authorized_keys.write_text(public_line(key))
    with logged_in(sshd_hop(sshd, identities=(key,)), sshd.pipe()) as transport:
        assert transport.is_authenticated()


@pytest.mark.parametrize("algorithm", ["rsa-sha2-256", "rsa-sha2-512"])
@pytest.mark.parametrize("from_agent", [False, True])
def test_rsa_uses_what_the_server_accepts(tmp_path, algorithm, from_agent):
    key = make_key(tmp_path / "key", "rsa", "-b", "2048")
    other = {"rsa-sha2-256", "rsa-sha2-512"} - {algorithm}

    def only_one(transport):
        transport.disabled_algorithms = {"pubkeys": list(other)}

    with (
        ScriptedServer(
            factors=[{"publickey"}], accepted_keys=[b64(key)], before=only_one
        ) as server,
        Agent() as agent,
    ):
        agent.add(key)
        hop = server.hop(identities=() if from_agent else (key,))
        hop = replace(hop, identity_agent=str(agent.socket) if from_agent else "")
        with logged_in(hop, server.sock):
            pass


@pytest.mark.parametrize("options", [(), ("-m", "PEM")])
def test_encrypted_key_asks_for_its_passphrase(sshd, tmp_path, options):
    key = make_key(tmp_path / "key", "rsa", *options, passphrase="open sesame")
    sshd.authorized_keys.write_text(public_line(key))
    person = Person(["wrong", "open sesame"])
    with logged_in(sshd_hop(sshd, identities=(key,)), sshd.pipe(), prompter=person):
        assert person.asked == [f"Enter passphrase for key '{key}': "] * 2


@pytest.mark.parametrize("version", [2, 3])
def test_putty_key_asks_for_its_passphrase_when_it_is_wanted(sshd, tmp_path, version):
    key = make_key(tmp_path / "key")
    path = ppk(key, tmp_path / "key.ppk", version=version, passphrase="open sesame")
    person = Person(["wrong", "open sesame"])
    error = fails(sshd_hop(sshd, identities=(path,)), sshd.pipe(), prompter=person)
    assert (person.asked, error.code) == ([], "authentication-failed")
    sshd.authorized_keys.write_text(public_line(key))
    with logged_in(sshd_hop(sshd, identities=(path,)), sshd.pipe(), prompter=person):
        assert person.asked == [f"Enter passphrase for key '{path}': "] * 2


def test_damaged_putty_key_is_named(sshd, tmp_path):
    path = ppk(sshd.client_key, tmp_path / "key.ppk", passphrase="right")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"Comment: ", b"Comment: x"))
    error = fails(sshd_hop(sshd, identities=(path,)), sshd.pipe(), prompter=Person(["right"]))
    assert (error.code, error.summary.split()[0]) == ("key-wrong-passphrase", str(path))
    path.write_bytes(content[:200])
    error = fails(sshd_hop(sshd, identities=(path,)), sshd.pipe())
    assert error.code == "key-not-recognised"
    assert error.cause.startswith("line 8: ")


def test_no_passphrase_is_asked_for_a_key_the_gateway_does_not_want(sshd, tmp_path):
    key = make_key(tmp_path / "key", passphrase="open sesame")
    person = Person(["open sesame"])
    error = fails(sshd_hop(sshd, identities=(key,)), sshd.pipe(), prompter=person)
    assert person.asked == []
    assert "refused by the gateway" in error.cause


def test_encrypted_key_and_nobody_to_ask(sshd, tmp_path):
    key = make_key(tmp_path / "key", passphrase="open sesame")
    sshd.authorized_keys.write_text(public_line(key))
    error = fails(sshd_hop(sshd, identities=(key,)), sshd.pipe())
    assert isinstance(error, KeyFileError)
    assert error.code == "key-encrypted"
    assert error.fixes[0].argv == ("ssh-add", str(key))


def test_next_key_after_one_that_cannot_be_unlocked(sshd, tmp_path):
    locked = make_key(tmp_path / "locked", passphrase="open sesame")
    with sshd.authorized_keys.open("a") as file:
        file.write(public_line(locked) + "\n")
    person = Person()
    hop = sshd_hop(sshd, identities=(locked, sshd.client_key))
    with logged_in(hop, sshd.pipe(), prompter=person) as transport:
        assert transport.is_authenticated()


def test_agent_key(sshd):
    with Agent() as agent:
        agent.add(sshd.client_key)
        hop = sshd_hop(sshd, identities=(), identity_agent=str(agent.socket))
        with logged_in(hop, sshd.pipe()) as transport:
            assert transport.auth_method.startswith("publickey ED25519")


def test_named_key_comes_before_a_full_agent(tmp_path):
    with Sshd(tmp_path, tcp=False, MaxAuthTries="2") as sshd, Agent() as agent:
        for index in range(8):
            agent.add(make_key(tmp_path / f"other{index}"))
        agent.add(sshd.client_key)
        hop = sshd_hop(sshd, identity_agent=str(agent.socket))
        with logged_in(hop, sshd.pipe()):
            sshd.wait_log("Accepted publickey")
        assert "Failed publickey" not in sshd.log()


def test_identities_only_leaves_the_other_agent_keys_out(tmp_path):
    with Sshd(tmp_path, tcp=False, MaxAuthTries="2") as sshd, Agent() as agent:
        for index in range(8):
            agent.add(make_key(tmp_path / f"other{index}"))
        hop = sshd_hop(sshd, identity_agent=str(agent.socket), identities_only=True)
        with logged_in(hop, sshd.pipe()):
            pass


def test_public_key_file_selects_the_agents_key(sshd):
    with Agent() as agent:
        agent.add(sshd.client_key)
        sshd.client_key.unlink()
        public = Path(f"{sshd.client_key}.pub")
        hop = sshd_hop(
            sshd,
            identities=(public,),
            identities_only=True,
            identity_agent=str(agent.socket),
        )
        with logged_in(hop, sshd.pipe()):
            pass


def test_too_many_failures(tmp_path):
    with Sshd(tmp_path, tcp=False, MaxAuthTries="3") as sshd, Agent() as agent:
        for index in range(8):
            agent.add(make_key(tmp_path / f"other{index}"))
        hop = sshd_hop(sshd, identities=(), identity_agent=str(agent.socket))
        error = fails(hop, sshd.pipe())
        assert error.code == "too-many-auth-failures"
        assert isinstance(error, AuthenticationError)
        assert "-i" in error.fixes[0].argv
        assert "IdentitiesOnly" in error.fixes[0].note


def test_a_given_password_gets_the_last_try(tmp_path):
    keys = [make_key(tmp_path / f"other{index}") for index in range(8)]
    with (
        Agent() as agent,
        ScriptedServer(factors=[{"publickey", "password"}], password="pw") as server,
    ):
        for key in keys:
            agent.add(key)
        hop = server.hop(identity_agent=str(agent.socket))
        with logged_in(hop, server.sock, password="pw") as transport:
            assert transport.auth_method == "password"
        assert server.methods_seen() == ["none", *["publickey"] * 5, "password"]


def test_certificate_next_to_the_key(tmp_path):
    authority = make_key(tmp_path / "ca")
    key = certified(tmp_path / "key", authority)
    with Sshd(tmp_path, tcp=False, TrustedUserCAKeys=f"{authority}.pub") as sshd:
        with logged_in(sshd_hop(sshd, identities=(key,)), sshd.pipe()) as transport:
            assert "ED25519-CERT" in transport.auth_method


def test_rsa_certificate_file_with_the_key_in_the_agent(tmp_path):
    authority = make_key(tmp_path / "ca")
    key = certified(tmp_path / "key", authority, "rsa")
    certificate = Path(f"{key}-cert.pub").rename(tmp_path / "elsewhere-cert.pub")
    with (
        Agent() as agent,
        Sshd(tmp_path, tcp=False, TrustedUserCAKeys=f"{authority}.pub") as sshd,
    ):
        agent.add(key)
        hop = sshd_hop(
            sshd,
            identities=(),
            certificates=(certificate,),
            identity_agent=str(agent.socket),
        )
        with logged_in(hop, sshd.pipe()) as transport:
            assert "RSA-CERT" in transport.auth_method


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_certificate_held_by_the_agent(tmp_path, kind):
    authority = make_key(tmp_path / "ca")
    key = certified(tmp_path / "key", authority, kind)
    with (
        Agent() as agent,
        Sshd(tmp_path, tcp=False, TrustedUserCAKeys=f"{authority}.pub") as sshd,
    ):
        agent.add(key)  # ssh-add takes key-cert.pub along
        hop = sshd_hop(sshd, identities=(), identity_agent=str(agent.socket))
        with logged_in(hop, sshd.pipe()) as transport:
            assert "-CERT" in transport.auth_method


def test_named_file_that_is_missing_is_the_error(sshd, tmp_path):
    notices = []
    error = fails(
        sshd_hop(sshd, identities=(tmp_path / "none",)),
        sshd.pipe(),
        log=lambda code, text: notices.append(code),
    )
    assert isinstance(error, KeyFileError)
    assert error.code == "key-missing"
    assert notices == [], "said once: by the error"


def test_named_file_that_is_missing_is_a_notice_when_another_works(sshd, tmp_path):
    notices = []
    hop = sshd_hop(sshd, identities=(tmp_path / "none", sshd.client_key))
    with logged_in(hop, sshd.pipe(), log=lambda code, text: notices.append(code)):
        assert notices == ["key-missing"]


def test_default_file_that_is_missing_is_no_news(sshd, tmp_path):
    notices = []
    hop = sshd_hop(sshd, identities=(tmp_path / "none", sshd.client_key), identities_explicit=False)
    with logged_in(hop, sshd.pipe(), log=lambda code, text: notices.append(code)):
        assert notices == []


def test_dead_agent_is_a_notice(sshd, tmp_path):
    notices = []
    hop = sshd_hop(sshd, identity_agent=str(tmp_path / "gone"))
    with logged_in(hop, sshd.pipe(), log=lambda code, text: notices.append(code)):
        assert notices == ["agent-unreachable"]


def test_refused_keys_are_listed(sshd, tmp_path):
    key = make_key(tmp_path / "stranger")
    error = fails(sshd_hop(sshd, identities=(key,)), sshd.pipe())
    assert error.code == "authentication-failed"
    assert f"{key} (ED25519 SHA256:" in error.cause
    assert error.cause.endswith("It offers publickey")
    # The gateway takes keys alone, so ssh-copy-id could not log in either: show the public key.
    assert error.fixes[0].argv[:2] == ("ssh-keygen", "-y")


def test_rsa_key_where_the_gateway_takes_none(tmp_path):
    def no_rsa(transport):
        transport.disabled_algorithms = {"pubkeys": ["rsa-sha2-256", "rsa-sha2-512"]}

    key = make_key(tmp_path / "key", "rsa", "-b", "2048")
    with ScriptedServer(factors=[{"publickey"}], before=no_rsa) as server:
        error = fails(server.hop(identities=(key,)), server.sock)
        assert "no RSA with SHA-2" in error.cause
        assert server.methods_seen() == ["none"]


def test_agent_that_would_not_sign_makes_room_for_the_next_key(sshd, tmp_path, monkeypatch):
    unwilling = make_key(tmp_path / "unwilling")
    with sshd.authorized_keys.open("a") as file:
        file.write(public_line(unwilling) + "\n")
    with Agent() as agent:
        agent.add(unwilling, "-c")  # nobody is there to confirm
        hop = sshd_hop(sshd, identities=(unwilling, sshd.client_key))
        unwilling.unlink()
        notices = []
        with logged_in(
            replace(hop, identity_agent=str(agent.socket)),
            sshd.pipe(),
            log=lambda code, text: notices.append(code),
        ):
            assert notices == ["agent-refused"]


@pytest.mark.parametrize("beside", [True, False])
def test_public_key_whose_private_half_is_nowhere(sshd, tmp_path, beside):
    public = Path(f"{sshd.client_key}.pub")
    if not beside:
        public = public.rename(tmp_path / "alone.pub")
    error = fails(sshd_hop(sshd, identities=(public,)), sshd.pipe())
    assert error.code == "key-is-public"
    assert (str(sshd.client_key) in error.cause) == beside


def test_pair_that_was_mixed_up(sshd, tmp_path):
    key = make_key(tmp_path / "key", "rsa", "-b", "2048", "-m", "PEM", passphrase="secret")
    Path(f"{key}.pub").write_text(Path(f"{sshd.client_key}.pub").read_text())
    error = fails(sshd_hop(sshd, identities=(key,)), sshd.pipe(), prompter=Person(["secret"]))
    assert error.code == "key-pair-mismatch"


@pytest.mark.parametrize("answers", [["secret"], ["no", "no", "no"]])
def test_encrypted_pem_without_a_public_half_is_unlocked_first(sshd, tmp_path, answers):
    key = make_key(tmp_path / "key", "rsa", "-b", "2048", "-m", "PEM", passphrase="secret")
    sshd.authorized_keys.write_text(public_line(key))
    Path(f"{key}.pub").unlink()
    hop, person = sshd_hop(sshd, identities=(key,)), Person(answers)
    if answers == ["secret"]:
        with logged_in(hop, sshd.pipe(), prompter=person):
            pass
    else:
        error = fails(hop, sshd.pipe(), prompter=person)
        assert error.code == "key-wrong-passphrase"
        assert len(person.asked) == 3


def test_certificate_file_that_is_none(sshd, tmp_path):
    (tmp_path / "bad-cert.pub").write_text("nothing")
    notices = []
    hop = sshd_hop(sshd, certificates=(tmp_path / "bad-cert.pub",))
    with logged_in(hop, sshd.pipe(), log=lambda code, text: notices.append(code)):
        assert notices == ["bad-certificate"]


def test_certificate_of_another_key_is_not_offered(tmp_path):
    authority = make_key(tmp_path / "ca")
    other = certified(tmp_path / "other", authority)
    with Sshd(tmp_path, tcp=False, TrustedUserCAKeys=f"{authority}.pub") as sshd:
        hop = sshd_hop(sshd, certificates=(Path(f"{other}-cert.pub"),))
        with logged_in(hop, sshd.pipe()) as transport:
            assert "CERT" not in transport.auth_method


def test_same_key_is_offered_once(sshd, tmp_path):
    copy = tmp_path / "copy"
    copy.write_bytes(sshd.client_key.read_bytes())
    copy.chmod(0o600)
    sshd.authorized_keys.write_text("")
    with Agent() as agent:
        agent.add(sshd.client_key)
        hop = sshd_hop(sshd, identities=(sshd.client_key, copy), identity_agent=str(agent.socket))
        error = fails(hop, sshd.pipe())
    assert error.cause.count("refused by the gateway") == 1
