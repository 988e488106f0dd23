"""Algorithms: what is not shared, on which side it is missing, and what is weak."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from diagnostics.approach import Approach
from diagnostics.checks.gateway_algorithms import CHECK, judge
from diagnostics.model import Finding, Severity, Target, Unknown
from diagnostics.ssh import Algorithms, Login, Route
from netkit.model import Endpoint
from support.any_values import any_of
from support.machine import HOP, LOGIN, OFFER, FakeSsh, FakeSystem

CODES = {kind.code for kind in CHECK.finds}


def look(login: Login, os: str = "linux") -> Approach:
    ssh = FakeSsh(route=Route(hops=(HOP,)), login=login)
    return CHECK.probe(Target(gateway="gw"), FakeSystem(os, ssh=ssh))  # type: ignore[no-any-return]


def failed(code: str = "no-common-algorithm", **theirs: Any) -> Login:
    return Login(
        stage="kex",
        hop="gw",
        error_code=code,
        error="it failed",
        server="SSH-2.0-OpenSSH_5.3",
        ours=replace(OFFER, ciphers=("aes128-gcm@openssh.com", "aes128-ctr")),
        theirs=replace(OFFER, **theirs) if theirs else OFFER,
    )


def only(approach: Approach) -> Finding:
    (found,) = judge(approach)
    assert isinstance(found, Finding)
    return found


def test_a_good_connection():
    assert judge(look(LOGIN)) == ()


@pytest.mark.parametrize(
    ("key", "names", "code", "word"),
    [
        ("kex", ("diffie-hellman-group1-sha1", "kex-strict-s-v00@openssh.com"), "no-common-kex",
         "retired"),
        ("kex", ("sntrup761x25519-sha512",), "no-common-kex", "leaves out"),
        ("kex", ("ecdh-sha2-nistp256",), "no-common-kex", "ssh_config"),
        ("host_keys", ("ssh-dss",), "no-common-host-key", "retired"),
        ("host_keys", ("ssh-new",), "no-common-host-key", "leaves out"),
        ("ciphers", ("chacha20-poly1305@openssh.com",), "no-common-cipher", "leaves out"),
        ("compression", ("zlib2",), "no-common-compression", "leaves out"),
    ],
)  # fmt: skip
def test_nothing_in_common(key: str, names: tuple[str, ...], code: str, word: str):
    found = only(look(failed(**{key: names})))  # type: ignore[arg-type]
    assert found.code == code
    assert word in found.explain
    assert found.fixes
    assert found.evidence[0].value == names[0]


def test_the_fix_keeps_what_the_server_has():
    found = only(look(failed(ciphers=("chacha20-poly1305@openssh.com",))))
    script = found.fixes[0].argv[-1]
    assert "'Ciphers aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr," in script
    assert "chacha20-poly1305@openssh.com'" in script


def test_macs_matter_only_without_gcm():
    assert only(look(failed(macs=("hmac-md5",)))).code == "gateway-protocol-error"
    found = only(look(failed(macs=("hmac-md5",), ciphers=("aes128-ctr",))))
    assert found.code == "no-common-mac"


def test_several_lists_at_once():
    found = judge(look(failed(kex=("x",), ciphers=("y",))))
    assert [each.code for each in found] == ["no-common-kex", "no-common-cipher"]


@pytest.mark.parametrize("os", ["linux", "darwin", "windows"])
@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("no-usable-algorithm", "no-usable-algorithm"),
        ("key-exchange-timeout", "key-exchange-stalled"),
        ("disconnected-by-gateway", "key-exchange-closed"),
        ("link-cut", "key-exchange-closed"),
        ("bad-host-key-signature", "host-key-unproven"),
        ("host-key-changed-in-session", "host-key-unproven"),
        ("protocol-error", "gateway-protocol-error"),
        ("no-common-algorithm", "gateway-protocol-error"),
    ],
)
def test_each_way_to_fail(error: str, code: str, os: str):
    found = only(look(failed(error), os))
    assert (found.code, found.severity) == (code, Severity.ERROR)
    assert found.fixes


@pytest.mark.parametrize("os", ["linux", "darwin", "windows"])
def test_the_interface_towards_the_gateway_is_found_by_the_command(os: str):
    login = replace(failed("key-exchange-timeout"), peer=Endpoint("198.51.100.1", 22))
    assert "198.51.100.1" in only(look(login, os)).fixes[1].argv[-1]
    named = replace(login, peer=Endpoint("$(reboot)", 22))
    assert len(only(look(named, os)).fixes) == 1


def test_the_command_for_linux_finds_it():
    login = replace(failed("key-exchange-timeout"), peer=Endpoint("127.0.0.1", 22))
    script = only(look(login)).fixes[1].argv[-1]
    find = script.partition("$(")[2].partition(')"')[0]
    done = subprocess.run(["sh", "-c", find], check=True, capture_output=True, text=True)
    assert done.stdout == "lo\n"


def test_what_cannot_be_known():
    assert isinstance(judge(look(Login()))[0], Unknown)
    assert isinstance(judge(look(failed("cancelled")))[0], Unknown)


def test_strict_key_exchange_is_missing():
    theirs = replace(OFFER, ciphers=("chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com"))
    found = only(look(replace(LOGIN, strict_kex=False, theirs=theirs)))
    assert (found.code, found.severity) == ("strict-kex-missing", Severity.WARNING)
    assert "OpenSSH has it since 9.6" in found.explain
    assert "ChaCha20" in found.explain
    other = only(look(replace(LOGIN, strict_kex=False, server="SSH-2.0-x", cipher="")))
    assert "since" not in other.explain
    assert judge(look(replace(LOGIN, strict_kex=None))) == ()


def test_weak_algorithms():
    found = only(look(replace(LOGIN, mac="hmac-sha1")))
    assert (found.code, found.severity) == ("weak-algorithm-used", Severity.WARNING)
    assert "hmac-sha1" in found.title
    old = replace(OFFER, kex=("diffie-hellman-group1-sha1",), compression=("none",))
    found = only(look(replace(LOGIN, theirs=old)))
    assert (found.code, found.severity) == ("weak-algorithms-offered", Severity.INFO)
    assert found.evidence[0].value == "diffie-hellman-group1-sha1"


def test_a_failure_later_on_does_not_hide_weakness():
    login = replace(LOGIN, stage="auth", error_code="no-credentials", strict_kex=False)
    assert only(look(login)).code == "strict-kex-missing"


@given(any_of(Approach))
def test_is_total(approach: Approach):
    for stage in ("kex", approach.login.stage):
        for found in judge(replace(approach, login=replace(approach.login, stage=stage))):
            if isinstance(found, Finding):
                assert found.code in CODES
                assert found.title.isprintable()


@given(any_of(Algorithms), any_of(Algorithms))
def test_is_total_for_any_lists(ours: Algorithms, theirs: Algorithms):
    for code in ("no-common-algorithm", ""):
        login = replace(failed(code), ours=ours, theirs=theirs)
        assert judge(look(login))
        judge(look(replace(login, stage="done")))
