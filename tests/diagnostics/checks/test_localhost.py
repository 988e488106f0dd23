"""localhost: right, unknown, elsewhere, in another family; and the machine's own name."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.checks.localhost import CHECK, Facts, judge, probe
from diagnostics.model import Severity, Target
from diagnostics.system import FileRead, Resolution
from netkit.model import Endpoint, ForwardKind, ForwardSpec, UnixPath
from support.any_values import any_of
from support.machine import ACCOUNT, HOSTS, FakeSystem

CODES = {kind.code for kind in CHECK.finds}
WINDOWS_HOSTS = r"D:\Win\System32\drivers\etc\hosts"
UNKNOWN = Resolution("localhost", error="EAI_NONAME", text="Name or service not known")


def examine(*binds: str, os: str = "linux", localhost=None, hosts=HOSTS, **machine):
    """Judge a machine whose resolver and hosts file say this about localhost."""
    forwards = [ForwardSpec(ForwardKind.DYNAMIC, Endpoint(host, 1080)) for host in binds]
    forwards.append(ForwardSpec(ForwardKind.REMOTE, Endpoint("::1", 80), Endpoint("web", 80)))
    forwards.append(ForwardSpec(ForwardKind.DYNAMIC, UnixPath("/x")))
    names = dict(machine.pop("names", {}))
    if localhost is not None:
        names["localhost"] = localhost
    files = {"/etc/hosts": hosts, WINDOWS_HOSTS: hosts, **machine.pop("files", {})}
    variables = {"SystemRoot": r"D:\Win"}
    system = FakeSystem(os, names=names, files=files, variables=variables, **machine)
    return judge(probe(Target(forwards=tuple(forwards)), system))


def codes(found):
    return [each.code for each in found]


@pytest.mark.parametrize("os", ["linux", "darwin", "windows", "freebsd"])
def test_a_healthy_machine(os):
    assert examine("127.0.0.2", "", os=os) == ()


def test_a_minimal_container():
    account = replace(ACCOUNT, hostname="localhost")
    found = examine(localhost=("127.0.0.1",), hosts=b"127.0.0.1 localhost\n", account=account)
    assert found == ()
    found = examine(localhost=("127.0.0.1",), names={"host": UNKNOWN}, hosts=b"")
    assert [(each.code, each.severity) for each in found] == [("own-name-unknown", Severity.INFO)]


@pytest.mark.parametrize(
    ("os", "words", "undo"),
    [
        ("linux", "printf '127.0.0.1 localhost\\n::1 localhost\\n' >> /etc/hosts", "mv"),
        ("windows", rf"-Path '{WINDOWS_HOSTS}' -Value '127.0.0.1 localhost','::1 localhost'", ""),
    ],
)
def test_unknown(os, words, undo):
    (finding,) = examine(os=os, localhost=UNKNOWN, hosts=b"127.0.1.1 host\n")
    assert finding.code == "localhost-unknown"
    assert words in finding.fixes[0].argv[-1]
    assert finding.fixes[0].undo[1:2] == ((undo,) if undo else ())
    assert "Name or service not known" in finding.evidence[0].value


def test_unknown_without_ipv6_and_with_an_unreadable_file():
    (finding,) = examine(
        localhost=Resolution("localhost", error="timeout"),
        interfaces=(),
        files={"/etc/hosts": FileRead("/etc/hosts", "EACCES")},
        names={"host": ("127.0.1.1",)},
    )
    assert "'127.0.0.1 localhost\\n'" in finding.fixes[0].argv[-1]
    assert [each.value for each in finding.evidence] == ["timeout", "EACCES"]


def test_elsewhere_because_of_a_line():
    (finding,) = examine(localhost=("192.0.2.7",), hosts=b"#\n192.0.2.7 localhost host\n")
    assert (finding.code, finding.severity) == ("localhost-elsewhere", Severity.ERROR)
    assert "Line 2" in finding.explain
    edit = "2s/^[[:space:]]*[^[:space:]]*/127.0.0.1/"
    assert finding.fixes[0].argv == ("sudo", "sed", "-i.before", edit, "/etc/hosts")
    assert finding.fixes[0].note == ""


def test_elsewhere_in_ipv6_because_of_a_line_about_others_too():
    (finding,) = examine(localhost=("127.0.0.1", "2001:db8::1"), hosts=b"2001:db8::1 nas localhost")
    assert "/::1/" in finding.fixes[0].argv[3]
    assert "nas" in finding.fixes[0].note


@pytest.mark.parametrize(("names", "note"), [(b"", ""), (b" nas", "mind nas")])
def test_elsewhere_on_windows(names, note):
    hosts = b"192.0.2.7 localhost" + names
    (finding,) = examine(os="windows", localhost=("192.0.2.7",), hosts=hosts)
    assert finding.fixes[0].argv == ("notepad", WINDOWS_HOSTS)
    assert "line 1: 127.0.0.1" in finding.fixes[0].note
    assert note in finding.fixes[0].note


def test_elsewhere_because_of_a_name_server():
    (finding,) = examine(localhost=("203.0.113.5",), hosts=b"")
    assert "does not mention it" in finding.explain
    assert ">> /etc/hosts" in finding.fixes[0].argv[-1]
    (finding,) = examine(localhost=("203.0.113.5",))
    assert "says otherwise" in finding.explain
    assert finding.fixes == ()


def test_a_hosts_file_that_is_not_asked():
    files = {"/etc/nsswitch.conf": b"hosts: dns\n"}
    ignored, unknown = examine(localhost=UNKNOWN, files=files)
    assert codes((ignored, unknown)) == ["hosts-file-ignored", "localhost-unknown"]
    assert ignored.fixes[0].argv[3] == "s/^hosts:/hosts: files/"
    kinds = {kind.code: kind for kind in CHECK.finds}
    assert kinds["localhost-unknown"].caused_by == ("hosts-file-ignored",)
    files = {"/etc/nsswitch.conf": b"hosts: files dns\n"}
    assert codes(examine(localhost=UNKNOWN, files=files)) == ["localhost-unknown"]


@pytest.mark.parametrize(
    ("bind", "addresses", "severity"),
    [
        ("127.0.0.1", ("127.0.0.1", "::1"), None),
        ("127.0.0.1", ("::1", "127.0.0.1"), Severity.INFO),
        ("127.0.0.1", ("::1",), Severity.WARNING),
        ("::1", ("127.0.0.1",), Severity.WARNING),
        ("::1", ("::1",), None),
    ],
)
def test_family(bind, addresses, severity):
    found = examine(bind, localhost=addresses)
    assert [each.severity for each in found] == ([severity] if severity else [])
    assert codes(found) == ["localhost-other-family"] * len(found)


def test_slow():
    (finding,) = examine(localhost=Resolution("localhost", ("127.0.0.1",), seconds=1.3))
    assert finding.code == "localhost-slow"
    assert "1.3 s" in finding.title


@pytest.mark.parametrize("addresses", [("192.0.2.10",), ("198.51.100.1", "127.0.1.1")])
def test_own_name_is_ours(addresses):
    assert examine(names={"host": addresses}) == ()


def test_own_name_is_elsewhere():
    (finding,) = examine(names={"host": ("198.51.100.1",)})
    assert (finding.code, finding.severity) == ("own-name-elsewhere", Severity.INFO)
    hosts = HOSTS + b"198.51.100.1 host.example host\n"
    (finding,) = examine(names={"host": ("198.51.100.1",)}, hosts=hosts)
    assert finding.severity is Severity.WARNING
    assert "4s/" in finding.fixes[0].argv[3]
    assert finding.fixes[0].note == ""


@pytest.mark.parametrize(
    ("junk", "words"), [(b"junk\n", "1 line says"), (b"\0\n\xff\n", "2 lines")]
)
def test_junk(junk, words):
    (finding,) = examine(hosts=HOSTS + junk)
    assert (finding.code, finding.severity) == ("hosts-file-bad-lines", Severity.INFO)
    assert words in finding.title


@given(st.sampled_from(["linux", "darwin", "windows"]), any_of(Facts))
def test_is_total(os, facts):
    assert {each.code for each in judge(replace(facts, os=os))} <= CODES
