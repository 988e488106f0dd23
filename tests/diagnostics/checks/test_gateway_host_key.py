"""Host keys: unknown, changed, revoked; and known_hosts files that are damaged."""

from __future__ import annotations

import base64
import subprocess
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from diagnostics.checks.gateway_host_key import CHECK, Facts, judge, probe
from diagnostics.model import Finding, Severity, Target, Unknown
from diagnostics.parsers.public_keys import fingerprint
from diagnostics.ssh import Login, Route
from support.any_values import any_of
from support.machine import HOP, LOGIN, FakeSsh, FakeSystem

CODES = {kind.code for kind in CHECK.finds}
FILE, GLOBAL = "/home/me/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts"
BLOB = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(32)
PRINT = fingerprint(BLOB)
KEY = f"ssh-ed25519 {base64.b64encode(BLOB).decode()}"


def look(code: str = "", content: str = "", os: str = "linux", **words: Any) -> Facts:
    login = replace(LOGIN, host_key=PRINT)
    if code:
        login = replace(login, stage="host-key", error_code=code, error="it failed", cause="why")
    hop = {key: words.pop(key) for key in list(words) if hasattr(HOP, key)}
    login = replace(login, **words)
    route = Route(hops=(replace(HOP, **{"global_known_hosts": (GLOBAL,), **hop}),))
    files = {FILE: content.encode()} if content else {}
    system = FakeSystem(os, ssh=FakeSsh(route=route, login=login), files=files)
    return probe(Target(gateway="me@gw"), system)


def only(facts: Facts) -> Finding:
    (found,) = judge(facts)
    assert isinstance(found, Finding)
    return found


def test_a_known_key_is_fine():
    assert judge(look(content=f"gw.example {KEY}\n")) == ()


@pytest.mark.parametrize("code", ["host-key-unknown", "host-key-declined"])
def test_unknown(code: str):
    found = only(look(code))
    assert (found.code, found.subject) == ("host-key-unknown", "gw.example")
    assert PRINT in found.title
    compare, accept, scan = found.fixes
    assert compare.where == "gateway"
    assert compare.argv[-1] == "/etc/ssh/ssh_host_ed25519_key.pub"
    assert accept.argv == ("netkit", "doctor", "me@gw", "--host-key", "accept-new")
    assert scan.argv[-1] == f"ssh-keyscan -p 22 -t ed25519 gw.example >> {FILE}"
    assert not any("StrictHostKeyChecking" in str(fix) for fix in found.fixes)


def test_unknown_in_other_circumstances():
    assert len(only(look("host-key-unknown", os="windows")).fixes) == 2
    assert len(only(look("host-key-unknown", known_hosts=())).fixes) == 2
    odd = only(look("host-key-unknown", host_key_type="sk-ssh-ed25519@openssh.com"))
    assert "ssh_host_*_key.pub" in odd.fixes[0].argv[-1]
    assert "-t" not in odd.fixes[2].argv[-1]
    alias = look("host-key-unknown", name="alias", port=2222)
    assert alias.name == "alias"
    assert look("host-key-unknown", name="", port=2222).name == "[gw.example]:2222"


def test_the_same_key_under_another_name():
    text = f"gw-old {KEY}\n|1|AAAA|{'A' * 27}= {KEY}\n"
    found = only(look("host-key-unknown", text))
    assert f"known as gw-old ({FILE}:1)" in found.explain
    assert found.evidence[2].value == "a hashed name"


def test_changed():
    other = KEY.replace("AAAAAAAAAAA", "AAAAAAAAAAB")
    found = only(look("host-key-changed", f"# c\ngw.example {other}\n"))
    assert found.code == "host-key-changed"
    assert f"{FILE}:2 holds SHA256:" in found.title
    compare, forget = found.fixes
    assert compare.where == "gateway"
    assert forget.argv == ("ssh-keygen", "-R", "gw.example", "-f", FILE)
    assert forget.undo == ("mv", f"{FILE}.old", FILE)
    assert "another one" in only(look("host-key-changed")).title


def test_changed_in_the_file_of_all_users():
    facts = look("host-key-changed", f"gw.example {KEY}\n", known_hosts=())
    (file,) = facts.files
    moved = replace(facts, files=(replace(look("x", f"gw.example {KEY}\n").files[0],
                                          path=file.path, is_global=True),))  # fmt: skip
    assert only(moved).fixes[1].argv[0] == "sudo"


def test_revoked():
    found = only(look("host-key-revoked", f"@revoked * {KEY}\n"))
    assert found.code == "host-key-revoked"
    assert found.fixes[0].argv == ("ssh-keygen", "-F", "gw.example", "-f", FILE)
    nowhere = only(look("host-key-revoked", known_hosts=(), global_known_hosts=()))
    assert nowhere.fixes[0].argv == ("ssh-keygen", "-F", "gw.example")


def test_certificates_and_what_may_come():
    assert only(look("host-certificate-invalid")).code == "host-certificate-invalid"
    assert only(look("host-key-refused")).code == "host-key-refused"


def test_a_damaged_line_about_another_host():
    found = only(look(content=f"gw.example {KEY}\nother ssh-ed25519 AAAA\nx\n"))
    assert (found.code, found.severity) == ("known-hosts-damaged", Severity.WARNING)
    assert found.subject == f"{FILE}:2"
    assert "line 2 and 1 more" in found.title


def test_a_damaged_line_is_the_cause(tmp_path):
    unknown, damaged = judge(look("host-key-unknown", "gw.example ssh-ed25519 AAAA\n"))
    assert isinstance(unknown, Finding)
    assert isinstance(damaged, Finding)
    assert unknown.caused_by == (damaged.code,) == ("known-hosts-entry-damaged",)
    assert damaged.severity is Severity.ERROR
    file = tmp_path / "known_hosts"
    file.write_text("gw.example ssh-ed25519 AAAA\nkept\n")
    argv = [word.replace(FILE, str(file)) for word in damaged.fixes[0].argv]
    subprocess.run(argv, check=True)
    assert file.read_text() == "kept\n"
    subprocess.run([word.replace(FILE, str(file)) for word in damaged.fixes[0].undo], check=True)
    assert file.read_text() == "gw.example ssh-ed25519 AAAA\nkept\n"


def test_damage_on_windows():
    found = only(look(content="x\n", os="windows"))
    assert found.fixes[0].argv[0] == "powershell"


@pytest.mark.parametrize("code", ["known-hosts-unreadable", "host-key-not-recorded"])
def test_notices(code: str):
    text = f"{FILE} was left out"
    found = only(look(notices=((code, text), ("other", "x"))))
    assert (found.code, found.severity) == (code, Severity.WARNING)
    assert found.fixes[0].argv == ("ls", "-l", FILE)
    assert only(look(notices=((code, "x"),), os="windows")).fixes == ()


def test_what_cannot_be_known():
    facts = probe(Target(gateway="gw"), FakeSystem(ssh=FakeSsh(login=Login())))
    assert isinstance(judge(facts)[0], Unknown)
    assert isinstance(judge(look("cancelled"))[0], Unknown)


@given(any_of(Facts))
def test_is_total(facts: Facts):
    for stage in ("host-key", facts.approach.login.stage):
        login = replace(facts.approach.login, stage=stage)
        for found in judge(replace(facts, approach=replace(facts.approach, login=login))):
            if isinstance(found, Finding):
                assert found.code in CODES
                assert found.title.isprintable()
