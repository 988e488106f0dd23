from __future__ import annotations

import dataclasses
import ipaddress
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from diagnostics import redact, values
from diagnostics import ssh as s
from diagnostics import system as y
from diagnostics.model import (
    Evidence,
    Finding,
    Hidden,
    InconclusiveError,
    Report,
    Severity,
    Target,
)
from diagnostics.recorded import RecordedSystem
from diagnostics.redact import Redactor, of_run
from diagnostics.redaction import words
from diagnostics.redaction.addresses import stays
from diagnostics.tape import Tape, encode
from netkit.model import Endpoint, Fix, ForwardKind, ForwardSpec
from support.machine import FakeSystem

ALICE = y.Account("alice", 1000, "/home/alice", is_admin=False, hostname="laptop.corp.net")
HOP = s.HopFacts(alias="gw", host="gw.corp.net", user="bob", name="gw.corp.net")


def redactor(*more: object) -> Redactor:
    made = Redactor()
    made.learn(ALICE, s.Route(hops=(HOP,)), *more)
    return made


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/alice/.ssh/id_alice", "<home>/.ssh/id_<user>"),
        ("alice and Alice, malice", "<user> and <user>, malice"),
        ("bob@gw.corp.net:22", "<user-2>@<host-4>:22"),
        ("laptop.corp.net is laptop", "<host-1> is <host-2>"),
        ("gw answers; gateway does not", "<host-3> answers; gateway does not"),
        ("other.corp.net and deep.er.corp.net", "<host-5> and <host-6>"),
        ("192.168.1.20 has 192.168.1.20:22", "<ip-1> has <ip-1>:22"),
        ("127.0.0.2:3389 0.0.0.0 ::1", "127.0.0.2:3389 0.0.0.0 ::1"),
        ("a4:83:e7:00:11:22 = A4-83-E7-00-11-22", "<mac-1> = <mac-1>"),
        ("/home/carol/x", "/home/<user-3>/x"),
        (r"C:\Users\carol\x", r"C:\Users\<user-3>\x"),
        ("http://alice:pw@gw/", "http://<user>:***@<host-3>/"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKq0LZ3rT2s0 my key", None),
        ("gw-10-1-2-3.corp.net", "<host-5>"),
        ("gw-192.168.1.1-laptop", "<host-3>-<ip-1>-<host-2>"),
        ("aes128-gcm@openssh.com", "aes128-gcm@openssh.com"),
        ("root, sshd, localhost, the port", "root, sshd, localhost, the port"),
        ("", ""),
    ],
)
def test_text(text: str, expected: str | None):
    found = redactor().text(text)
    if expected is None:
        assert found.endswith(" <comment-1>")
    else:
        assert found == expected


def test_windows():
    made = Redactor()
    made.learn(y.Account("Alice B", None, r"C:\Users\Alice B", is_admin=False, hostname="PC-7"))
    assert made.text(r"C:\Users\Alice B\.ssh and C:/Users/Alice B/x") == r"<home>\.ssh and <home>/x"
    assert made.text(r"PC-7\Alice B and pc-7") == r"<host-1>\<user> and <host-1>"
    assert made.text("C:\\\\Users\\\\Alice B\\\\x") == "<home>\\\\x"


def test_a_home_that_says_nothing():
    made = Redactor()
    made.learn(y.Account("root", 0, "/root", is_admin=True, hostname="localhost"))
    assert made.text("/root/.ssh of root on localhost") == "/root/.ssh of root on localhost"
    made.learn(y.Account("ubuntu", 0, "/home/ubuntu", is_admin=True, hostname="1"))
    assert made.text("/home/ubuntu on 1") == "/home/ubuntu on 1"


def test_codes_and_states_stay():
    """A user may be called like a word of ours."""
    made = Redactor()
    made.learn(y.Account("taken", 1, "/home/taken", is_admin=False, hostname="refused"))
    finding = Finding(
        code="port-taken",
        title="Port 22 is taken",
        severity=Severity.ERROR,
        evidence=(Evidence("path", "/home/taken/x"),),
        fixes=(Fix(("ls", "/home/taken"), where="here"),),
        caused_by=("name-taken",),
    )
    assert made.value(finding) == Finding(
        code="port-taken",
        title="Port 22 is <user>",
        severity=Severity.ERROR,
        evidence=(Evidence("path", "<home>/x"),),
        fixes=(Fix(("ls", "<home>"), where="here"),),
        caused_by=("name-taken",),
    )
    hidden = Hidden(what="port-taken", check="taken", cause="taken", subject="taken")
    assert made.value(hidden) == Hidden(
        what="port-taken", check="taken", cause="taken", subject="<user>"
    )
    connected = y.Connected(Endpoint("refused", 1), "refused", "refused")
    assert made.value(connected) == y.Connected(Endpoint("<host-1>", 1), "refused", "refused")


def test_the_kept_fields_exist():
    """A field that was renamed would be redacted, and nobody would notice."""
    from diagnostics import model
    from netkit import model as netkit_model

    for kind, names in redact._KEPT_FIELDS.items():
        cls = next(getattr(m, kind) for m in (y, s, model, netkit_model) if hasattr(m, kind))
        assert set(names) <= {field.name for field in dataclasses.fields(cls)}, kind


def test_any_shape():
    made = redactor()
    assert made.value(["alice", ("gw", b"alice"), {"alice": "alice"}, 7, None, Severity.OK]) == [
        "<user>",
        ("<host-3>", b"<user>"),
        {"alice": "<user>"},
        7,
        None,
        Severity.OK,
    ]
    assert made.value(Finding) is Finding


def test_key_comments():
    facts = s.AgentFacts(
        outcome="ok",
        keys=(
            s.AgentKeyFacts(key_type="x", bits=1, fingerprint="SHA256:x", comment="my own key"),
            s.AgentKeyFacts(key_type="x", bits=1, fingerprint="SHA256:x", comment=""),
            s.AgentKeyFacts(key_type="x", bits=1, fingerprint="SHA256:x", comment="me@laptop"),
            s.AgentKeyFacts(key_type="x", bits=1, fingerprint="SHA256:x", comment="abc"),
            s.AgentKeyFacts(key_type="x", bits=1, fingerprint="SHA256:x", comment="workstation"),
        ),
    )
    made = redactor(facts)
    comments = [key.comment for key in made.value(facts).keys]
    assert comments == ["<comment-1>", "", "<comment-2>", "abc", "<comment-3>"]
    assert made.text("key 'my own key' of workstation") == "key '<comment-1>' of <comment-3>"


def test_link_addresses():
    def interface(address: str) -> y.InterfaceAddress:
        return y.InterfaceAddress("link", address)

    made = redactor()
    infiniband = "80:00:02:08:fe:80:00:00:00:00:00:00:e4:1d:2d:03:00:4f:07:01"
    assert made.value(interface(infiniband)).address == "<mac-1>"
    assert made.value(interface("a4:83:e7:00:11:22")).address == "<mac-2>"
    for kept in ("00:00:00:00:00:00", ""):
        assert made.value(interface(kept)).address == kept
    assert made.value(y.InterfaceAddress("inet", "10.1.1.1", "255.0.0.0")) == y.InterfaceAddress(
        "inet", "<ip-1>", "255.0.0.0"
    )


def test_bytes_that_are_no_text():
    made = redactor()
    assert made.data(b"\xff\xfealice\xff") == b"\xff\xfe<user>\xff"
    assert made.data(b"\xff\xfe") == b"\xff\xfe"
    entry = b"\1\0\0\6laptop\0\0010\0\1p\0\1c"
    assert made.data(entry) == b"\1\0\0\x08<host-2>\0\0010\0\1p\0\1c"
    table = b"  sl  local_address\n   0: 0A02000A:0016 00000000:0000 0A\n"
    assert b"0A02000A" not in made.data(table)


def test_names_are_bounded(monkeypatch):
    monkeypatch.setattr(redact, "_MAX_NAMES", 5)
    monkeypatch.setattr(redact, "_MAX_LITERALS", 1)
    made = Redactor()
    for number in range(9):
        made.learn(Endpoint(f"host{number}", 1))
    assert made.text("host4 host5") == "<host-5> host5"
    literal = Redactor()
    for comment in ("first one", "second one"):
        literal.learn(s.AgentKeyFacts(key_type="", bits=0, fingerprint="", comment=comment))
    assert literal.text("first one, second one") == "<comment-1>, second one"


@pytest.mark.parametrize(
    "name", ["", "x", "7", "*", "?.*", "10.1.2.3", "localhost", "the", " ", "x" * 300]
)
def test_what_is_no_name(name: str):
    made = Redactor()
    made.learn(Endpoint(name, 1))
    assert made.text(f"a {name} b").startswith("a")
    assert "<host" not in made.text(f"a {name} b")


def test_a_very_dotted_name():
    name = ".".join("abcdefghijklmnopqrstuvwxyz")
    made = Redactor()
    made.learn(Endpoint(name, 1))
    assert made.text(f"at {name}!") == "at <host-1>!"
    many = "x." * 3000 + "gw"
    assert redactor().text(many).endswith("<host-3>")


def test_of_run():
    target = Target(
        gateway="carol@gw",
        forwards=(ForwardSpec(ForwardKind.LOCAL, Endpoint("", 1), Endpoint("web.lan", 80)),),
    )
    made = of_run(FakeSystem(account=ALICE), Report(results=(), target=target))
    assert made.text("alice at web.lan") == "<user> at <host-5>"
    assert made.text("carol") == "<user-3>"


def test_of_a_run_on_a_recording():
    system = RecordedSystem(encode(Tape("linux", Target())))
    with pytest.raises(InconclusiveError):
        system.account()
    assert of_run(system, Report(results=())).text("x") == "x"


def test_examples():
    made = redactor().examples()
    text = "/home/alice: alice@gw.corp.net (10.1.2.3), a4:83:e7:00:11:22"
    assert made.text(text) == ("/home/user-1: user-1@host-4.example (10.0.1.1), 02:00:00:00:00:01")
    assert Redactor().examples().text("x 10.1.2.3") == "x 10.0.1.1"


def test_paths_that_begin_with_the_home():
    made = redactor()
    assert made.text("/home/alice2/x") == "/home/<user-3>/x"
    assert made.text("x/home/alice/x").count("alice") == 0


# --- nothing is left ---

SEPARATORS = [" ", "\n", ":", "@", "/", ", ", "'", '"', "=", "-", "_", ".", "\\", "(", "[", "<"]
NAME = st.from_regex(r"\A[a-z][a-z0-9]{1,8}([.-][a-z0-9]{1,6}){0,2}\Z").filter(
    lambda name: (
        not (
            {name, *name.replace("-", ".").split(".")}
            & (
                words.USERS
                | words.HOSTS
                | words.PLAIN
                | {"user", "host", "ip", "mac", "comment", "home"}
            )
        )
        and not any(part.isdecimal() for part in name.replace("-", ".").split("."))
    )
)
USER = st.from_regex(r"\A[a-z][a-z0-9]{2,8}\Z").filter(
    lambda name: name not in words.USERS | words.PLAIN | {"mac", "home", "comment"}
)
ADDRESS = st.ip_addresses().filter(lambda address: not stays(address))
MAC = (
    st.binary(min_size=6, max_size=6)
    .map(lambda data: data.hex(":"))
    .filter(lambda mac: len(set(mac)) > 3)
)


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    text: str
    data: bytes
    inner: tuple[object, ...]


@given(
    USER,
    USER,
    NAME,
    NAME,
    ADDRESS,
    MAC,
    st.lists(st.sampled_from(SEPARATORS), min_size=9),
    st.data(),
)
def test_no_name_and_no_address_is_left(
    user: str,
    remote: str,
    host: str,
    gateway: str,
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
    mac: str,
    separators: list[str],
    data: st.DataObject,
):
    secrets = [user, remote, host, gateway, str(address), mac]
    assume(len(set(secrets)) == len(secrets))
    home = f"/home/{user}"
    pieces: list[str] = []
    for separator in separators:
        piece = data.draw(st.sampled_from([*secrets, home, user.upper(), gateway.upper()]))
        # An address or a MAC that runs on with the next word is another one.
        around = " " if piece in (str(address), mac) else ""
        pieces += [around + piece + around, separator]
    text = "".join(pieces)
    made = Redactor()
    made.learn(
        y.Account(user, 1, home, is_admin=False, hostname=host),
        s.HopFacts(alias=gateway, host=gateway, user=remote),
    )
    facts = Facts(text, text.encode(), (text, (text, Facts(text, b"", ()))))
    for one in (made, made.examples()):
        shown = [part for part in values.parts(one.value(facts)) if isinstance(part, str | bytes)]
        for part in shown:
            found = part if isinstance(part, str) else part.decode()
            for secret in secrets:
                if one is not made and secret == one.text(secret):
                    continue  # the example for it happens to be the same
                assert not contains(found, secret), (found, secret)
        assert one.value(facts) == one.value(facts)


def contains(text: str, secret: str) -> bool:
    """Tell whether ``secret`` is in ``text`` as a word of its own."""
    word = rf"(?<![^\W_]){re.escape(secret)}(?![^\W_])"
    return re.search(word, text, re.IGNORECASE) is not None


@given(st.text(max_size=120), st.lists(st.text(max_size=10), max_size=4))
def test_anything(text: str, names: list[str]):
    made = Redactor()
    made.learn(*(Endpoint(name, 1) for name in names), text)
    made.text(text)
    made.data(text.encode("utf-8", "surrogatepass"))
    made.examples().text(text)


@given(st.binary(max_size=120))
def test_any_bytes(data: bytes):
    redactor().data(data)


def test_cost_is_bounded():
    made = redactor()
    for piece in ("alice ", "a.", "1:", "AAAA ", "/home/x ", "gw-", "\xff", "_"):
        made.text(piece * 30_000)


def test_a_whole_answer():
    """Whatever the checks pass around is gone over: answers of every kind."""
    answer = y.ToolOutput(
        ("ssh", "-G", "alice@gw"), "ran", 0, b"user alice\nhostname gw.corp.net\n"
    )
    assert redactor().value(answer) == y.ToolOutput(
        ("ssh", "-G", "<user>@<host-3>"), "ran", 0, b"user <user>\nhostname <host-4>\n"
    )
