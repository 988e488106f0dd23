"""ssh's grammar for -L, -R and -D."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import UsageError
from netkit.model import Address, Endpoint, ForwardKind, ForwardSpec, UnixPath
from netkit.text.forwards import (
    format_forward,
    format_option,
    parse_bind_to,
    parse_config_forward,
    parse_forward,
)
from netkit.text.ssh_config import parse_ssh_g
from support import peers

LOCAL, REMOTE, DYNAMIC = ForwardKind.LOCAL, ForwardKind.REMOTE, ForwardKind.DYNAMIC
DB = Endpoint("db", 5432)


@pytest.mark.parametrize(
    ("kind", "text", "bind", "to"),
    [
        (LOCAL, "8080:db:5432", Endpoint("", 8080), DB),
        (LOCAL, "0:db:5432", Endpoint("", 0), DB),
        (LOCAL, "127.0.0.2:3389:db:5432", Endpoint("127.0.0.2", 3389), DB),
        (LOCAL, ":8080:db:5432", Endpoint("*", 8080), DB),
        (LOCAL, "*:8080:db:5432", Endpoint("*", 8080), DB),
        (LOCAL, "[::1]:8080:[fd00::2]:80", Endpoint("::1", 8080), Endpoint("fd00::2", 80)),
        (LOCAL, "8080:/run/d.sock", Endpoint("", 8080), UnixPath("/run/d.sock")),
        (LOCAL, "[::1]:1:/run/d", Endpoint("::1", 1), UnixPath("/run/d")),
        (LOCAL, "localhost:1:/run/d", Endpoint("localhost", 1), UnixPath("/run/d")),
        (LOCAL, "/tmp/l:db:5432", UnixPath("/tmp/l"), DB),
        (LOCAL, "/tmp/l:/run/d", UnixPath("/tmp/l"), UnixPath("/run/d")),
        (LOCAL, r"/tmp/a\:b:[/run/c:d]", UnixPath("/tmp/a:b"), UnixPath("/run/c:d")),
        (LOCAL, " 8080:db:5432", Endpoint("", 8080), DB),
        (REMOTE, "8080:db:5432", Endpoint("", 8080), DB),
        (REMOTE, "0:db:5432", Endpoint("", 0), DB),
        (REMOTE, "/tmp/r:/tmp/l", UnixPath("/tmp/r"), UnixPath("/tmp/l")),
        (REMOTE, "1080", Endpoint("", 1080), None),
        (REMOTE, "*:1080", Endpoint("*", 1080), None),
        (REMOTE, "[::]:1080", Endpoint("::", 1080), None),
        (DYNAMIC, "1080", Endpoint("", 1080), None),
        (DYNAMIC, "0", Endpoint("", 0), None),
        (DYNAMIC, "127.0.0.1:1080", Endpoint("127.0.0.1", 1080), None),
        (DYNAMIC, ":1080", Endpoint("*", 1080), None),
    ],
)
def test_parse(kind: ForwardKind, text: str, bind: Address, to: Address | None):
    assert parse_forward(kind, text) == ForwardSpec(kind, bind, to, text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (LOCAL, ""),
        (LOCAL, "8080"),
        (LOCAL, "127.0.0.1:8080"),
        (LOCAL, "8080:db:0"),
        (LOCAL, "8080:db:70000"),
        (LOCAL, "8080::80"),
        (LOCAL, "x:db:80"),
        (LOCAL, "8080:db:http"),
        (LOCAL, "1:2:3:4:5"),
        (LOCAL, "::1:8080:db:80"),
        (LOCAL, "[::1:8080:db:80"),
        (LOCAL, "[::1]x:8080:db:80"),
        (LOCAL, "8080:d b:80"),
        (LOCAL, "8080:db:80\\"),
        (LOCAL, "/tmp/l:80"),
        (LOCAL, "/" + "x" * 108 + ":db:80"),
        (LOCAL, "8080:db:80" + " " * 2000),
        (REMOTE, "/tmp/r"),
        (DYNAMIC, "1080:db:80"),
        (DYNAMIC, "/tmp/d"),
        (DYNAMIC, "port"),
    ],
)
def test_refused(kind: ForwardKind, text: str):
    with pytest.raises(UsageError) as caught:
        parse_forward(kind, text)
    assert caught.value.cause


def test_message_shows_the_form():
    with pytest.raises(UsageError) as caught:
        parse_forward(LOCAL, "8080")
    assert caught.value.code == "bad-forward"
    assert "-L '8080'" in caught.value.summary
    assert "[BIND:]PORT:HOST:PORT" in caught.value.cause


_NAMES = st.from_regex(r"[a-z][a-z0-9.-]{0,8}[a-z0-9]", fullmatch=True)
_HOSTS = st.one_of(_NAMES, st.ip_addresses().map(str))
_PATHS = st.builds(
    "{}/{}".format, st.text("a.[] :\\", max_size=4), st.text("bü]: \\[", min_size=1, max_size=8)
).map(UnixPath)
_BINDS = st.builds(Endpoint, _HOSTS | st.sampled_from(["", "*"]), st.integers(0, 65535)) | _PATHS
_TARGETS = st.builds(Endpoint, _HOSTS, st.integers(1, 65535)) | _PATHS
_SPECS = st.one_of(
    st.builds(ForwardSpec, st.sampled_from([LOCAL, REMOTE]), _BINDS, _TARGETS),
    st.builds(
        ForwardSpec,
        st.sampled_from([REMOTE, DYNAMIC]),
        st.builds(Endpoint, _HOSTS | st.sampled_from(["", "*"]), st.integers(0, 65535)),
    ),
)


@given(_SPECS)
def test_format_is_the_inverse_of_parse(spec: ForwardSpec):
    option, text = format_option(spec)
    assert option == {LOCAL: "-L", REMOTE: "-R", DYNAMIC: "-D"}[spec.kind]
    parsed = parse_forward(spec.kind, text)
    assert (parsed.bind, parsed.to) == (spec.bind, spec.to)


def test_format_makes_a_bare_name_a_path():
    assert format_forward(ForwardSpec(LOCAL, UnixPath("sock"), DB)) == "./sock:db:5432"


@given(st.sampled_from(ForwardKind), st.text() | st.text("[]:/\\1.*a"))
def test_anything_parses_or_is_a_usage_error(kind: ForwardKind, text: str):
    for parse in (parse_forward, parse_config_forward):
        try:
            parse(kind, text)
        except UsageError as error:
            assert "\n" not in error.summary
    for to in (None, text):
        try:
            parse_bind_to(text, to, kind)
        except UsageError as error:
            assert "\n" not in error.summary


@pytest.mark.parametrize(
    ("kind", "value", "bind", "to"),
    [
        (LOCAL, "8080 [db]:5432", Endpoint("", 8080), DB),
        (LOCAL, "8080 db:5432", Endpoint("", 8080), DB),
        (LOCAL, "[]:8080 [::1]:80", Endpoint("*", 8080), Endpoint("::1", 80)),
        (LOCAL, "[127.0.0.1]:80 /run/d.sock", Endpoint("127.0.0.1", 80), UnixPath("/run/d.sock")),
        (LOCAL, "/tmp/a b [db]:5432", UnixPath("/tmp/a b"), DB),
        (LOCAL, "/tmp/a /tmp/b c", UnixPath("/tmp/a"), UnixPath("/tmp/b c")),
        (LOCAL, "/tmp/a:b [db]:5432", UnixPath("/tmp/a:b"), DB),
        (REMOTE, "9000 [socks]:0", Endpoint("", 9000), None),
        (REMOTE, "9000", Endpoint("", 9000), None),
        (REMOTE, "[::]:9000 [db]:5432", Endpoint("::", 9000), DB),
        (DYNAMIC, "[*]:1080", Endpoint("*", 1080), None),
    ],
)
def test_config_forwards(kind: ForwardKind, value: str, bind: Address, to: Address | None):
    spec = parse_config_forward(kind, value)
    assert (spec.kind, spec.bind, spec.to) == (kind, bind, to)
    assert str(spec).endswith(f"Forward {value}")


@pytest.mark.parametrize(
    ("bind", "to", "expected"),
    [
        ("127.0.0.2:3389", None, (Endpoint("127.0.0.2", 3389), Endpoint("localhost", 3389))),
        ("127.0.0.2:3389", "ts:3390", (Endpoint("127.0.0.2", 3389), Endpoint("ts", 3390))),
        ("3389", "/run/x", (Endpoint("", 3389), UnixPath("/run/x"))),
        ("/tmp/l", "db:5432", (UnixPath("/tmp/l"), DB)),
        (":0", "db:5432", (Endpoint("*", 0), DB)),
    ],
)
def test_bind_to(bind: str, to: str | None, expected: tuple[Address, Address]):
    spec = parse_bind_to(bind, to)
    assert (spec.kind, spec.bind, spec.to) == (LOCAL, *expected)


@pytest.mark.parametrize(
    ("bind", "to", "kind"),
    [
        ("127.0.0.1:0", None, LOCAL),
        ("/tmp/l", None, LOCAL),
        ("3389", "ts", LOCAL),
        ("3389", "ts:0", LOCAL),
        ("3389", "3390", LOCAL),
        ("1080", "db:1", DYNAMIC),
    ],
)
def test_bad_bind_to(bind: str, to: str | None, kind: ForwardKind):
    with pytest.raises(UsageError):
        parse_bind_to(bind, to, kind)


def test_bind_to_dynamic():
    assert parse_bind_to("1080", None, DYNAMIC).to is None


@pytest.mark.parametrize(
    "text",
    [
        "8080:db:5432",
        "127.0.0.1:8080:db:5432",
        ":8080:db:5432",
        "[::1]:8080:[fd00::2]:80",
        "8080:/run/d.sock",
        "/tmp/l:db:5432",
        "/tmp/l:/run/d",
        r"/tmp/a\:b:db:80",
        "[/tmp/a:b]:db:80",
    ],
)
@pytest.mark.parametrize("kind", [LOCAL, REMOTE])
def test_reads_as_ssh_does(kind: ForwardKind, text: str):
    ours = parse_forward(kind, text)
    option = format_option(ours)[0]
    ssh = peers.require("ssh")
    printed = subprocess.run(
        [ssh, "-F", "none", "-G", option, text, "host"],
        check=True,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    ).stdout
    (value,) = parse_ssh_g(printed)[f"{kind.value}forward"]
    theirs = parse_config_forward(kind, value)
    assert (theirs.bind, theirs.to) == (ours.bind, ours.to)


@pytest.mark.parametrize("text", ["99999:h:80", "80:h:0", "80:h:x"])
def test_a_wrong_part_is_shown_with_its_forward(text):
    with pytest.raises(UsageError) as caught:
        parse_forward(ForwardKind.LOCAL, text)
    assert caught.value.summary.startswith(f"-L '{text}': ")
    assert caught.value.code == "bad-address"
    assert "from" in caught.value.cause
