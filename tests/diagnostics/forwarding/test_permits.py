"""Which rule forbids: settings of sshd before options of the key, lists last."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.forwarding.permits import LOCAL, REMOTE, barrier
from diagnostics.forwarding.shell import Asked
from diagnostics.model import Confidence
from diagnostics.parsers.gateway_survey import Survey
from diagnostics.parsers.key_options import KeyLine
from diagnostics.parsers.sshd_config import ConfigFile, parse, parse_effective
from support.any_values import any_of

OPENSSH = "SSH-2.0-OpenSSH_9.2p1"


def asked(config: str = "", *, file: str = "", server: str = OPENSSH) -> Asked:
    read = parse((ConfigFile(path=file, data=config.encode()),)) if file else None
    return Asked(
        server=server,
        survey=Survey(has_shell=True, config=read or parse_effective(config.encode())),
    )


def key(*options: str) -> KeyLine:
    return KeyLine(file="/k", line=2, options=options, fingerprint="")


@pytest.mark.parametrize(
    ("config", "direction", "socket", "scope"),
    [
        ("AllowTcpForwarding no", LOCAL, False, "all"),
        ("AllowTcpForwarding local", LOCAL, False, ""),
        ("AllowTcpForwarding local", REMOTE, False, "all"),
        ("AllowTcpForwarding all", REMOTE, False, ""),
        ("AllowTcpForwarding", REMOTE, False, "all"),
        ("DisableForwarding yes", LOCAL, False, "all"),
        ("DisableForwarding no", LOCAL, False, ""),
        ("AllowStreamLocalForwarding no", LOCAL, False, ""),
        ("AllowStreamLocalForwarding no", LOCAL, True, "all"),
        ("AllowTcpForwarding no", LOCAL, True, "all"),
        ("PermitOpen any", LOCAL, False, ""),
        ("PermitOpen a:1", LOCAL, False, "listed"),
        ("PermitOpen a:1", REMOTE, False, ""),
        ("PermitListen 1", REMOTE, False, "listed"),
    ],
)
def test_settings(config, direction, socket, scope):
    found = barrier(direction, asked(config), None, socket=socket)
    assert found.scope == scope
    assert found.confidence is (Confidence.CERTAIN if scope else Confidence.LIKELY)
    assert not scope or config.split()[0] in found.because


def test_a_place_is_told():
    found = barrier(LOCAL, asked("\nAllowTcpForwarding no\n", file="/c"), None)
    assert "(/c:2)" in found.because
    assert found.evidence[0].what == "/c:2"
    found = barrier(LOCAL, asked("PermitOpen a:1\n", file="/c"), None)
    assert "(/c:1)" in found.because


def test_a_list_grows():
    found = barrier(LOCAL, asked("PermitOpen none"), None, "web:80")
    assert "PermitOpen web:80" in found.fixes[0].argv[-1]
    assert "PermitOpen any" in barrier(LOCAL, asked("PermitOpen a:1"), None).fixes[0].argv[-1]


def test_options_of_a_key():
    found = barrier(LOCAL, asked(), key("restrict"))
    assert (found.scope, found.evidence[0].what) == ("all", "/k:2")
    limited = key('permitopen="a:1"', 'permitopen="b:2"')
    found = barrier(LOCAL, asked(), limited, "web:80")
    assert (found.scope, found.allowed) == ("listed", "a:1 b:2")
    assert 'permitopen="web:80"' in found.fixes[0].argv[-2]
    assert barrier(LOCAL, asked(), limited).fixes == ()
    assert barrier(REMOTE, asked(), limited).scope == ""


def test_a_match_block():
    text = "Match User me\nAllowTcpForwarding no\n"
    found = barrier(LOCAL, asked(text, file="/c"), None)
    assert found.scope == ""
    assert "'Match User me'" in found.because
    assert "AllowTcpForwarding no" in found.because


def test_nothing_tells():
    found = barrier(LOCAL, Asked(outcome="no-shell", server=OPENSSH), None)
    assert "AllowTcpForwarding or PermitOpen" in found.because
    assert "no shell" in found.because
    assert "AllowStreamLocalForwarding yes" in str(barrier(LOCAL, asked(), None, socket=True).fixes)
    found = barrier(LOCAL, asked(server="SSH-2.0-dropbear_2022"), None)
    assert "rules of its own" in found.because
    assert len(found.fixes) == 1


@given(
    st.sampled_from([LOCAL, REMOTE]),
    any_of(Asked),
    any_of(KeyLine | None),
    st.text(),
    st.booleans(),
)
def test_total(direction, asked_of, line, wanted, socket):
    found = barrier(direction, asked_of, line, wanted, socket=socket)
    assert found.scope in ("", "all", "listed")
    assert found.because
