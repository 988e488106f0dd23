"""Who gets into netkit's gateway: the login messages, without a connection."""

from __future__ import annotations

import contextlib
import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from netkit.engine.transport.server_login import MAX_PROBES, Identity, Login, LoginRules
from netkit.engine.transport.signatures import PrivateKey, public_blob, sign
from netkit.errors import RemoteProtocolError
from netkit.text.authorized_keys import AuthorizedKey
from netkit.wire.messages import Fields, string, u32

SESSION = b"the session's identifier"
ALICE = ed25519.Ed25519PrivateKey.generate()
MALLORY = ed25519.Ed25519PrivateKey.generate()
SK = "sk-ssh-ed25519@openssh.com"


class Wire:
    """What paramiko hands over: it knows `asbytes`."""

    def __init__(self, payload: bytes):
        self.payload = payload

    def asbytes(self) -> bytes:
        return self.payload


class Client:
    """A login and everything it said."""

    def __init__(self, *keys: AuthorizedKey, password=None, user=None, max_tries=6):
        self.said: list[bytes] = []
        self.identities: list[Identity] = []
        self.left: list[tuple[int, str]] = []
        self.login = Login(
            LoginRules(keys, password, user, max_tries),
            session_id=lambda: SESSION,
            send=self.said.append,
            disconnect=lambda code, text: self.left.append((code, text)),
            logged_in=self.identities.append,
        )

    def service(self, name="ssh-userauth"):
        self.login._handler_table[5](Wire(string(name)))
        return self

    def ask(self, method, rest=b"", user="alice", service="ssh-connection") -> int:
        """Make a request; return the type of the answer."""
        payload = string(user) + string(service) + string(method) + rest
        self.login._handler_table[50](Wire(payload))
        return self.said[-1][0]

    def password(self, password: str, **options) -> int:
        return self.ask("password", b"\0" + string(password), **options)

    def key(self, key: PrivateKey, algorithm="ssh-ed25519", user="alice", **changes) -> int:
        """Log in with ``key``; ``changes`` spoil what is signed."""
        blob = changes.get("blob", public_blob(key))
        signed = (
            string(changes.get("session", SESSION))
            + b"\x32"
            + string(changes.get("signed_user", user))
            + string("ssh-connection")
            + string("publickey")
            + b"\1"
            + string(algorithm)
            + string(blob)
        )
        signature = changes.get("signature", sign(key, algorithm, signed))
        rest = b"\1" + string(algorithm) + string(blob) + string(signature)
        return self.ask("publickey", rest, user=user)


def may(key: PrivateKey = ALICE, **options) -> AuthorizedKey:
    return AuthorizedKey(public_blob(key), **options)


def methods(client: Client) -> str:
    return Fields(client.said[-1]).text()


def test_key_logs_in():
    key = may(comment="hers")
    client = Client(may(MALLORY), key).service()
    assert client.said == [b"\x06" + string("ssh-userauth")]
    assert client.key(ALICE) == 52
    (identity,) = client.identities
    assert (identity.user, identity.key) == ("alice", key)
    assert identity.how.startswith("publickey ED25519 SHA256:")
    assert client.login.is_authenticated()
    assert client.login.get_username() == "alice"


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (rsa.generate_private_key(65537, 2048), "rsa-sha2-256"),
        (rsa.generate_private_key(65537, 2048), "rsa-sha2-512"),
        (ec.generate_private_key(ec.SECP256R1()), "ecdsa-sha2-nistp256"),
        (ec.generate_private_key(ec.SECP521R1()), "ecdsa-sha2-nistp521"),
    ],
)
def test_every_kind_of_key_logs_in(key: PrivateKey, algorithm: str):
    assert Client(may(key)).service().key(key, algorithm) == 52


@pytest.mark.parametrize(
    "changes",
    [
        {"session": b"another session"},
        {"signed_user": "root"},
        {"signature": b""},
        {"signature": string("ssh-ed25519") + string(bytes(64))},
        {"signature": string("ssh-rsa") + string(bytes(64))},
        {"signature": u32(1 << 31)},
        {"blob": b""},
        {"blob": public_blob(ALICE) + b"x"},
    ],
)
def test_forged_key_login_fails(changes: dict[str, Any]):
    client = Client(may()).service()
    assert client.key(ALICE, **changes) == 51
    assert client.identities == []
    assert client.key(ALICE) == 52  # and nothing is spoilt by it


def test_signature_of_another_key_fails():
    client = Client(may()).service()
    assert client.key(MALLORY, blob=public_blob(ALICE)) == 51


@pytest.mark.parametrize(
    "algorithm", ["ssh-rsa", "ssh-dss", "x", "ssh-ed25519-cert-v01@openssh.com"]
)
def test_algorithms_without_trust_fail(algorithm: str):
    client = Client(may()).service()
    probe = b"\0" + string(algorithm) + string(public_blob(ALICE))
    assert client.ask("publickey", probe) == 51


def test_probe_is_answered_and_costs_nothing():
    client = Client(may(), max_tries=1).service()
    fields = string("ssh-ed25519") + string(public_blob(ALICE))
    assert client.ask("publickey", b"\0" + fields) == 60
    assert client.said[-1] == b"\x3c" + fields
    assert client.login.failures == 0
    assert not client.login.is_authenticated()


def test_probes_have_an_end():
    client = Client(may()).service()
    probe = b"\0" + string("ssh-ed25519") + string(public_blob(ALICE))
    for _ in range(MAX_PROBES):
        client.ask("publickey", probe)
    with pytest.raises(RemoteProtocolError):
        client.ask("publickey", probe)


def test_password():
    client = Client(password="open sésame").service()
    assert client.password("open sesame") == 51
    assert methods(client) == "password"
    assert client.password("open sésame") == 52
    assert client.identities == [Identity("alice", "password", None)]


@pytest.mark.parametrize("given_password", ["", "x"])
def test_no_password_lets_nobody_in(given_password: str):
    client = Client(may()).service()
    assert client.password(given_password) == 51
    assert methods(client) == "publickey"


def test_password_change_is_refused():
    client = Client(password="right").service()
    assert client.ask("password", b"\1" + string("right") + string("new")) == 51


@pytest.mark.parametrize(("user", "answer"), [("alice", 52), ("Alice", 51), ("root", 51), ("", 51)])
def test_user_name(user: str, answer: int):
    assert Client(password="p", user="alice").service().password("p", user=user) == answer
    assert Client(may(), user="alice").service().key(ALICE, user=user) == answer


def test_first_none_is_free_and_lists_methods():
    client = Client(may(), password="p", max_tries=2).service()
    assert client.ask("none") == 51
    assert methods(client) == "publickey,password"
    assert client.login.failures == 0
    client.ask("none")
    assert client.login.failures == 1


def test_too_many_tries():
    client = Client(password="p", max_tries=3).service()
    client.ask("none")
    assert [client.password("x") for _ in range(2)] == [51, 51]
    with pytest.raises(RemoteProtocolError):
        client.password("x")
    assert client.left == [(14, "too many authentication failures")]


@pytest.mark.parametrize("service", ["ssh-connection", "", "ssh-userauth2"])
def test_other_services_do_not_exist(service: str):
    client = Client(password="p")
    with pytest.raises(RemoteProtocolError):
        client.service(service)
    assert client.left[0][0] == 7


def test_login_for_another_service_ends_it():
    client = Client(password="p").service()
    with pytest.raises(RemoteProtocolError):
        client.password("p", service="ssh-root")
    assert client.identities == []


def test_login_without_the_service_ends_it():
    client = Client(password="p")
    with pytest.raises(RemoteProtocolError):
        client.password("p")
    assert client.identities == []


def test_user_cannot_change():
    client = Client(password="p").service()
    client.password("x", user="alice")
    with pytest.raises(RemoteProtocolError):
        client.password("p", user="bob")
    assert client.identities == []


def test_requests_after_the_login_are_ignored():
    client = Client(password="p").service()
    client.password("p")
    before = len(client.said)
    client.password("x", user="root")
    assert len(client.said) == before
    assert len(client.identities) == 1


class SecurityKey:
    """A software imitation of a FIDO key (OpenSSH's PROTOCOL.u2f)."""

    def __init__(self):
        self.key = ed25519.Ed25519PrivateKey.generate()
        point = public_blob(self.key)[-32:]
        self.blob = string(SK) + string(point) + string("ssh:")

    def log_in(self, client: Client, flags: int) -> int:
        data = (
            string(SESSION)
            + b"\x32"
            + string("alice")
            + string("ssh-connection")
            + string("publickey")
            + b"\1"
            + string(SK)
            + string(self.blob)
        )
        trailer = bytes([flags]) + u32(7)
        signed = hashlib.sha256(b"ssh:").digest() + trailer + hashlib.sha256(data).digest()
        signature = string(SK) + string(self.key.sign(signed)) + trailer
        rest = b"\1" + string(SK) + string(self.blob) + string(signature)
        return client.ask("publickey", rest)


@pytest.mark.parametrize(
    ("options", "flags", "answer"),
    [
        ({}, 1, 52),
        ({}, 0, 51),
        ({"needs_touch": False}, 0, 52),
        ({"needs_pin": True}, 1, 51),
        ({"needs_pin": True}, 5, 52),
    ],
)
def test_security_key_needs_its_user(options: dict[str, Any], flags: int, answer: int):
    device = SecurityKey()
    client = Client(AuthorizedKey(device.blob, **options)).service()
    assert device.log_in(client, flags) == answer


@given(
    st.sampled_from([5, 50]),
    st.binary(max_size=200)
    | st.lists(
        st.sampled_from(["alice", "ssh-connection", "publickey", "password", "none"]).map(string)
        | st.binary(max_size=20),
        max_size=6,
    ).map(b"".join),
)
def test_arbitrary_messages_log_nobody_in(kind: int, payload: bytes):
    client = Client(may(), password="p\N{SNOWMAN}").service()
    with contextlib.suppress(RemoteProtocolError):
        client.login._handler_table[kind](Wire(payload))
    assert client.identities == []
    assert all(said[0] in {6, 51, 60} for said in client.said)
