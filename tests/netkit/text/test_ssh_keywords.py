"""The table of keywords, against the ssh of this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

from netkit.text.ssh_config import parse_ssh_g
from netkit.text.ssh_keywords import ALIASES, DEFAULTS, KEYWORDS, NONE_CLEARS, Kind
from support import peers


def test_aliases_and_lists_name_keywords():
    assert set(ALIASES.values()) <= set(KEYWORDS)
    assert not set(ALIASES) & set(KEYWORDS)
    assert set(NONE_CLEARS) <= set(KEYWORDS)
    assert set(DEFAULTS) <= set(KEYWORDS)
    assert all(name == name.lower() for name in KEYWORDS)


def test_choices_include_what_they_print():
    for name, keyword in KEYWORDS.items():
        if keyword.kind is Kind.CHOICE:
            assert set(keyword.choices.values()) <= set(keyword.choices), name


def test_defaults_are_ssh_s(tmp_path: Path):
    printed = subprocess.run(
        [peers.require("ssh"), "-F", "none", "-G", "host.invalid"],
        check=True,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    ).stdout
    theirs = parse_ssh_g(printed)
    # Algorithm lists and default keys change with every release of ssh.
    fixed = {
        name: value
        for name, value in DEFAULTS.items()
        if KEYWORDS[name].kind is not Kind.ALGORITHMS and name != "identityfile"
    }
    assert fixed["userknownhostsfile"][0] == "~/.ssh/known_hosts"
    del fixed["userknownhostsfile"]  # printed with the home directory put in
    assert {name: theirs.get(name) for name in fixed} == fixed
    assert set(DEFAULTS["identityfile"]) <= set(theirs["identityfile"])


def test_ssh_knows_the_keywords_that_matter(tmp_path: Path):
    ssh = peers.require("ssh")
    # Of these some belong to newer or to other makes of ssh.
    names = sorted(n for n, k in KEYWORDS.items() if k.kind not in (Kind.IGNORED, Kind.BLOCK))
    names += sorted(ALIASES)
    config = tmp_path / "config"
    config.write_text("".join(f"{name} x y z\n" for name in names))
    said = subprocess.run(
        [ssh, "-F", config, "-G", "host.invalid"],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    ).stderr
    assert "terminating" in said
    assert "Bad configuration option" not in said
