from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics import ssh as s
from diagnostics import system as y
from diagnostics.model import Target
from diagnostics.redaction import learning
from diagnostics.redaction.learning import found_in, is_address
from diagnostics.tape import Question
from netkit.model import Endpoint
from support.any_values import QUESTIONS, any_of, hints_of

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKq0LZ3rT2s0 alice@laptop one"


@dataclass(frozen=True, slots=True)
class Facts:
    inner: tuple[object, ...]


def learnt(value: object, kind: str = "host") -> set[str]:
    return {name for found, name in found_in(value) if found == kind and name}


def test_structured_answers():
    account = y.Account("alice", 1, "/home/alice", is_admin=False, hostname="laptop")
    assert learnt(Facts((account,)), "user") == {"alice"}
    assert learnt(account) == {"laptop"}
    assert learnt(account, "home") == {"/home/alice"}
    hop = s.HopFacts(alias="gw", host="gw.example", user="bob", name="gw-key")
    assert learnt(s.Route(hops=(hop,))) == {"gw", "gw.example", "gw-key"}
    assert learnt(hop, "user") == {"bob"}
    assert learnt(y.ProcessInfo(1, user="CORP\\alice"), "user") == {"alice"}
    assert learnt(y.ProcessInfo(1, user="CORP\\alice")) == {"CORP"}
    assert learnt(
        s.AgentKeyFacts(key_type="x", bits=1, fingerprint="", comment="c"), "comment"
    ) == {"c"}
    assert learnt({"any": [Endpoint("web", 80)]}) == {"web"}


@pytest.mark.parametrize(
    ("gateway", "host", "user"),
    [
        ("alice@gw:22", "gw", "alice"),
        ("gw", "gw", ""),
        ("alice@[2001:db8::1]:22", "2001:db8::1", "alice"),
        ("2001:db8::1", "2001:db8::1", ""),
        ("a@b@gw", "gw", "a@b"),
    ],
)
def test_gateways(gateway: str, host: str, user: str):
    target = Target(gateway=gateway)
    assert learnt(target) == {host}
    assert learnt(target, "user") == ({user} if user else set())


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("/home/alice/.ssh", "alice"),
        ("/Users/alice: no such file", "alice"),
        (r"C:\Users\alice\x", "alice"),
        (r"C:\\Users\\alice\\x", "alice"),
        ("/mnt/c/Users/alice/", "alice"),
        ("uid=1000(alice) gid=0(alice)", "alice"),
        ("Failed password for alice from 1.2.3.4 port 5", "alice"),
        ("Failed none for invalid user alice from 1.2.3.4", "alice"),
    ],
)
def test_texts(text: str, user: str):
    assert learnt((text,), "user") == {user}
    assert learnt(text.encode(), "user") == {user}


@pytest.mark.parametrize(
    ("text", "comment"),
    [
        (KEY, "alice@laptop one"),
        (f"command=x {KEY}\n", "alice@laptop one"),
        ("256 SHA256:" + "a" * 43 + " my (old) key (ED25519)", "my (old) key"),
        ("PuTTY-User-Key-File-3: x\nEncryption: none\nComment: imported\n", "imported"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKq0LZ3rT2s0", ""),
    ],
)
def test_key_comments(text: str, comment: str):
    assert learnt(text, "comment") == ({comment} if comment else set())


@pytest.mark.parametrize(
    ("path", "data", "hosts"),
    [
        ("/etc/hosts", b"10.0.0.5 intra.corp intra # old\n\n# x y\n", {"intra.corp", "intra"}),
        (r"C:\Windows\System32\drivers\etc\hosts", b"1.1.1.1 one", {"one"}),
        (
            "/home/me/.ssh/known_hosts",
            b"gw,[gw2]:2222 ssh-rsa AAAA\n|1|x|y ssh-rsa AAAA\n@revoked !old ssh-rsa A\n\n@x\n",
            {"gw", "gw2", "old"},
        ),
        (
            "/x/config",
            b"Host a b *.c !d\n HostName=gw.example\nProxyJump alice@j1:22,j2 # x\nuser bob\n",
            {"a", "b", "gw.example", "j1", "j2"},
        ),
        (
            "/etc/resolv.conf",
            b"search corp.net lab.net\nnameserver 1.1.1.1\n",
            {"corp.net", "lab.net"},
        ),
        ("/etc/hostname", b"laptop\n", {"laptop"}),
        ("/etc/hostname", b"", set()),
        ("/etc/other", b"Host secret", set()),
    ],
)
def test_files(path: str, data: bytes, hosts: set[str]):
    assert learnt(y.FileRead(path, "", data)) == hosts


def test_users_in_a_configuration():
    file = y.FileRead("/x/ssh_config", "", b"User bob\nProxyJump alice@j1\n")
    assert learnt(file, "user") == {"alice", "bob"}


def test_a_configuration_is_bounded(monkeypatch):
    monkeypatch.setattr(learning, "_MAX_LINES", 2)
    data = b"".join(b"Host h%d\n" % number for number in range(9))
    assert learnt(y.FileRead("/x/config", "", data)) == {"h0", "h1", "h2"}


def ask(method: str, answer: object, of: str = "system", **arguments: object) -> Question:
    return Question(of, method, arguments, answer)


def output(text: str) -> y.ToolOutput:
    return y.ToolOutput((), "ran", 0, text.encode())


@pytest.mark.parametrize(
    ("question", "kind", "names"),
    [
        (ask("user_name", "alice", uid=7), "user", {"alice"}),
        (ask("variable", "alice", name="LogName"), "user", {"alice"}),
        (ask("variable", r"\\DC1", name="LOGONSERVER"), "host", {"DC1"}),
        (ask("variable", "x", name="TERM"), "host", set()),
        (ask("variable", None, name="USER"), "user", set()),
        (ask("resolve", y.Resolution("b"), name="a", family="any"), "host", {"a", "b"}),
        (ask("run", output("laptop\n"), argv=("hostname", "-f")), "host", {"laptop"}),
        (ask("run", output("laptop\n"), argv=("uname", "-n")), "host", {"laptop"}),
        (ask("run", output("Linux laptop 6.1 x\n"), argv=("uname", "-a")), "host", {"laptop"}),
        (ask("run", output("alice\n"), of="ssh", command="whoami"), "user", {"alice"}),
        (ask("run", output("alice\n"), of="ssh", command="id -un"), "user", {"alice"}),
        (ask("run", output("host gw\nuser bob\n"), argv=("ssh", "-G", "x")), "host", {"gw"}),
        (ask("run", output("something\n"), argv=("ss",)), "host", set()),
        (ask("run", output(""), argv=("hostname",)), "host", set()),
        (ask("stat", y.FileStat("/x"), path="/x"), "host", set()),
    ],
)
def test_questions(question: Question, kind: str, names: set[str]):
    assert learnt(question, kind) == names


def test_addresses_are_no_names():
    for text in ("1.2.3.4", "::1", "fe80::1%eth0", "[::1]"):
        assert is_address(text)
    assert not is_address("host")


@given(st.text(max_size=100) | st.binary(max_size=100))
def test_anything(value: str | bytes):
    list(found_in(value))
    for path in ("hosts", "known_hosts", "config", "hostname"):
        data = value.encode() if isinstance(value, str) else value
        list(found_in(y.FileRead(path, "", data)))


@given(st.data())
def test_any_answer(data: st.DataObject):
    of, method = data.draw(st.sampled_from(QUESTIONS))
    list(found_in(data.draw(any_of(hints_of(of, method)["return"]))))
