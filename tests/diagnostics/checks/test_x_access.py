"""Who is let in by the X server: we with our cookie, others without."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from diagnostics.checks.x_access import CHECK, Facts, judge, probe
from diagnostics.model import Confidence, Finding, Severity, Target, Unknown
from diagnostics.parsers.x_display import parse
from diagnostics.system import FileRead, SocketTable
from support.any_values import any_of
from support.machine import FakeSystem, listening
from support.xservers import FULL, MAGIC, Fake, answers, entry, rejected, talk

CODES = {kind.code for kind in CHECK.finds}
COOKIE = b"secret-of-mine!!"
X0 = "/tmp/.X11-unix/X0"
FILE = "/home/me/.Xauthority"
WANTS_COOKIE = {X0: Fake(cookie=COOKIE)}
OPEN = {X0: Fake(answers=answers(control=False))}


def examine(servers: dict[str, Fake], kept: bytes = b"", text: str = ":0", **more):
    target = more.pop("target", Target())
    os = more.pop("os", "linux")
    variables = {"DISPLAY": text, **more.pop("variables", {})}
    files = {FILE: kept, **more.pop("files", {})}
    names = {"127.0.0.2": ("127.0.0.2",), "192.0.2.9": ("192.0.2.9",)}
    system = FakeSystem(
        os, variables=variables, files=files, names=names, talk=talk(servers), **more
    )
    return judge(probe(target, system))


def only(*given, **more) -> Finding:
    (found,) = examine(*given, **more)
    assert isinstance(found, Finding)
    assert COOKIE.decode() not in repr(found)
    assert COOKIE.hex() not in repr(found)
    return found


def test_healthy():
    assert examine(WANTS_COOKIE, entry(COOKIE, 0)) == ()
    assert examine({X0: Fake()}) == ()


@pytest.mark.parametrize("text", ["", "nonsense", ":7"])
def test_nothing_was_asked(text: str):
    """Without a DISPLAY, or with one that leads to nobody; other checks say so."""
    assert examine(WANTS_COOKIE, text=text) == ()


def test_not_for_this_check():
    assert examine({X0: Fake(words=b"220 mail.example\r\n")}) == ()
    assert examine({X0: Fake(words=rejected(FULL))}) == ()


def test_no_cookie():
    found = only(WANTS_COOKIE)
    assert (found.code, found.severity) == ("x-no-cookie", Severity.WARNING)
    assert found.caused_by == ()
    assert only(WANTS_COOKIE, target=Target(protocol="x11")).severity is Severity.ERROR


def test_no_cookie_because_of_the_file():
    found = only(WANTS_COOKIE, files={FILE: FileRead(FILE, "EACCES")})
    assert found.caused_by == ("x-authority-unreadable",)


def test_no_cookie_after_sudo():
    found = only(WANTS_COOKIE, variables={"SUDO_USER": "jane"})
    assert found.fixes[0].argv[2] == "sudo -u jane xauth extract - :0 | xauth merge -"


@pytest.mark.parametrize("user", ["", "a b", "$(reboot)", "-u"])
def test_no_line_for_a_strange_user(user: str):
    (fix,) = only(WANTS_COOKIE, variables={"SUDO_USER": user}).fixes
    assert fix.argv == ()


def test_wrong_cookie():
    found = only(WANTS_COOKIE, entry(b"w" * 16, 0), variables={"SUDO_USER": "jane"})
    assert found.code == "x-wrong-cookie"
    assert found.fixes[0].argv == ("xauth", "remove", ":0")
    assert len(found.fixes) == 2


def test_cookie_of_the_old_host_name():
    found = only(WANTS_COOKIE, entry(COOKIE, 0, address=b"old"))
    assert found.code == "x-cookie-key"
    assert "old/unix:0" in found.title
    assert "host/unix:0" in found.title
    assert "renamed" in found.explain
    (fix,) = found.fixes
    assert "xauth -i list old/unix:0" in fix.argv[2]


@pytest.mark.parametrize(("os", "commands"), [("linux", 2), ("windows", 1)])
def test_cookie_for_another_loopback_address(os: str, commands: int):
    file = "/home/me\\.Xauthority" if os == "windows" else FILE
    found = only(
        {"127.0.0.2:6000": Fake(cookie=COOKIE)},
        text="127.0.0.2:0",
        os=os,
        files={file: entry(COOKIE, 0)},
    )
    assert found.code == "x-cookie-key"
    assert "127.0.0.2:0" in found.title
    assert "127.0.1.1" in found.explain
    assert len(found.fixes) == commands
    assert found.fixes[-1].argv == ("export", "DISPLAY=:0")


def test_cookie_in_another_file():
    found = only(
        WANTS_COOKIE,
        variables={"XAUTHORITY": "/elsewhere"},
        files={FILE: entry(COOKIE, 0), "/elsewhere": entry(b"w" * 16, 0)},
    )
    assert found.code == "x-cookie-elsewhere"
    assert found.fixes[0].argv == ("export", f"XAUTHORITY={FILE}")


def test_cookie_in_no_file():
    found = only(
        WANTS_COOKIE,
        variables={"XAUTHORITY": "/elsewhere"},
        files={FILE: entry(b"v" * 16, 0), "/elsewhere": b""},
    )
    assert found.code == "x-no-cookie"


def test_cookie_of_another_protocol():
    xdm = entry(COOKIE, 0).replace(
        len(MAGIC).to_bytes(2, "big") + MAGIC, b"\0\x13XDM-AUTHORIZATION-1"
    )
    (unknown,) = examine(WANTS_COOKIE, xdm)
    assert isinstance(unknown, Unknown)
    assert "XDM-AUTHORIZATION-1" in unknown.reason


@pytest.mark.parametrize(("kept", "why"), [(b"", "no cookie"), (entry(b"w" * 16, 0), "not fit")])
def test_hung_up(kept: bytes, why: str):
    found = only({X0: Fake(words=b"")}, kept)
    assert (found.code, found.confidence) == ("x-forwarding-hangs-up", Confidence.LIKELY)
    assert why in found.explain


def test_more():
    (unknown,) = examine({X0: Fake(words=b"\2\0\x0b\0\0\0\0\0")})
    assert isinstance(unknown, Unknown)


def test_no_such_screen():
    found = only({X0: Fake(screens=2)}, text=":0.2")
    assert found.code == "x-no-such-screen"
    assert found.fixes[0].argv == ("export", "DISPLAY=:0")
    assert examine({X0: Fake(screens=2)}, text=":0.1") == ()


def rows(*hosts: str) -> SocketTable:
    others = (listening("0.0.0.0", 22), replace(listening("0.0.0.0", 6000), state="CLOSE"))
    return SocketTable(rows=(*others, *(listening(host, 6000) for host in hosts)))


def test_open_to_the_network():
    found = only(OPEN, sockets=rows("127.0.0.1", "0.0.0.0", "::"))
    assert (found.code, found.severity) == ("x-server-open", Severity.ERROR)
    assert found.evidence[-1].value == "0.0.0.0 ::"
    assert found.fixes[0].undo == ("xhost", "+")


@pytest.mark.parametrize("hosts", [(), ("127.0.0.1", "::1")])
def test_open_to_accounts(hosts: tuple[str, ...]):
    found = only(OPEN, sockets=rows(*hosts))
    assert (found.code, found.severity) == ("x-access-control-off", Severity.INFO)


def test_open_and_elsewhere():
    """Who reaches the port of another machine is not to be seen here."""
    servers = {"192.0.2.9:6000": Fake(answers=answers(control=False))}
    found = only(servers, text="192.0.2.9:0", sockets=rows("0.0.0.0"))
    assert found.code == "x-access-control-off"


def test_open_by_tcp():
    servers = {"127.0.0.2:6000": Fake(answers=answers(control=False))}
    found = only(servers, text="127.0.0.2:0", sockets=rows("0.0.0.0"))
    assert found.code == "x-server-open"


def test_no_answer():
    assert judge(Facts("linux", ":0", parse(":0"))) == ()


@given(any_of(Facts))
def test_any_facts(facts: Facts):
    assert {each.code for each in judge(facts) if isinstance(each, Finding)} <= CODES
