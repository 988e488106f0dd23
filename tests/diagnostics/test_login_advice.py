"""Words and commands for each refusal: they name the key, the user and the way in."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics import login_refusals as r
from diagnostics.approach import Approach
from diagnostics.login_advice import Advice, Refusal, advise
from diagnostics.login_refusals import Tried
from diagnostics.parsers.login_words import Credential
from diagnostics.ssh import Login
from support.any_values import any_of
from support.machine import HOP

KINDS = [name for key, name in vars(r).items() if key.isupper() and isinstance(name, str)]
FILE = "/home/me/.ssh/id_ed25519"
KEY = Credential(FILE, "ED25519", "SHA256:x")
HELD = Credential("me@laptop", "RSA", "SHA256:y", in_agent=True)
LOGIN = Login(stage="auth", hop="gw", methods=("publickey",), error="failed", cause="why")
BASE = Approach(os="linux", typed="me@gw", user="me", hop=replace(HOP, user="me"), login=LOGIN)
SECRET = replace(BASE, login=replace(LOGIN, methods=("publickey", "password")))


def say(kind: str, tried: Tried | None = None, given: Approach = BASE, *others: str) -> Advice:
    tried = tried or Tried((KEY,), (KEY,), ((KEY, "denied"),), (("key-is-ssh2", f"{FILE} is"),))
    return advise(kind, Refusal(given, others), tried)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("os", ["linux", "darwin", "windows"])
def test_every_kind_has_words_and_a_command(kind: str, os: str):
    for approach in (BASE, SECRET):
        said = say(kind, None, replace(approach, os=os))
        assert said.title
        assert said.explain
        assert said.fixes


def test_a_key_that_is_not_authorized():
    said = say(r.NOT_AUTHORIZED, Tried((HELD, KEY)), SECRET)
    assert f"the key {FILE} (ED25519 SHA256:x) for me nor 1 more" in said.title
    assert "your name on this machine" in said.explain
    assert said.fixes[0].argv == ("ssh-copy-id", "-i", FILE, "me@gw.example")
    only_keys = say(r.NOT_AUTHORIZED, Tried((KEY,)))
    assert only_keys.fixes[0].argv == ("ssh-keygen", "-y", "-f", FILE)
    agent = say(r.NOT_AUTHORIZED, Tried((HELD,)))
    assert "me@laptop in the agent" in agent.title
    assert agent.fixes[0].argv == ("ssh-add", "-L")
    root = replace(BASE, hop=replace(HOP, user="root"))
    said = say(r.NOT_AUTHORIZED, Tried((KEY,)), root)
    assert "PermitRootLogin" in said.explain
    assert "your name" not in said.explain
    nobody = replace(BASE, hop=replace(HOP, user=""))
    assert (
        "for nobody" in say(r.NOT_AUTHORIZED, Tried((replace(KEY, fingerprint=""),)), nobody).title
    )


def test_no_key_to_offer():
    said = say(r.NO_KEY, Tried(), SECRET)
    assert [fix.argv[0] for fix in said.fixes] == ["ssh-keygen", "ssh-copy-id", "netkit"]
    said = say(r.NO_KEY, Tried(agent="it is gone"), BASE, "/home/me/.ssh/work.pem")
    assert said.fixes[0].argv == ("netkit", "doctor", "me@gw", "-i", "/home/me/.ssh/work.pem")
    assert "work.pem" in said.explain
    assert "it is gone" in said.explain


def test_too_many_keys(tmp_path: Path):
    said = say(r.TOO_MANY, Tried((KEY,) * 5), BASE, FILE)
    assert "after 5 keys" in said.title
    once, ever, _ = said.fixes
    assert once.argv[-2:] == ("-i", FILE)
    (tmp_path / ".ssh").mkdir()
    config = tmp_path / ".ssh/config"
    config.write_text("Host other\n")
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    subprocess.run(ever.argv, check=True, env=environment)
    text = f"Host gw\n  IdentitiesOnly yes\n  IdentityFile {FILE}\nHost other\n"
    assert config.read_text() == text
    subprocess.run(ever.undo, check=True, env=environment)
    assert config.read_text() == "Host other\n"
    assert say(r.TOO_MANY, Tried()).fixes[0].argv[0] == "ssh-keygen"
    windows = say(r.TOO_MANY, Tried(), replace(BASE, os="windows"), FILE)
    assert len(windows.fixes) == 2


def test_a_locked_key_is_named():
    login = replace(LOGIN, error=f"{FILE} is encrypted")
    approach = replace(BASE, hop=replace(HOP, identities=("/x", FILE)), login=login)
    said = say(r.LOCKED, Tried(agent="gone"), approach)
    assert said.fixes[0].argv == ("ssh-add", FILE)
    assert "gone" in said.explain
    assert FILE in say(r.PASSPHRASE, Tried(), approach).title
    mac = say(r.LOCKED, Tried(), replace(BASE, os="darwin"))
    assert mac.fixes[0].argv == ("ssh-add", "--apple-use-keychain")
    assert "for gw" in mac.title


def test_keys_of_no_use_are_told():
    login = replace(LOGIN, error_code="key-is-ssh2", error=f"{FILE} is a key of ssh.com")
    assert FILE in say(r.UNUSABLE, Tried(), replace(BASE, login=login)).title
    assert "x is odd" in say(r.UNUSABLE, Tried(faults=(("key-odd", "x is odd"),))).title


def test_a_second_factor():
    login = replace(LOGIN, cause="it accepted publickey and wants one more factor", methods=())
    said = say(r.FACTOR, Tried(), replace(BASE, login=login))
    assert said.explain.startswith("It accepted publickey, and now asks for something else")


@given(any_of(Refusal), st.sampled_from([*KINDS, "odd"]))
def test_is_total(refusal: Refusal, kind: str):
    said = say(kind, None, refusal.approach, *refusal.others)
    assert said.title.isprintable()
