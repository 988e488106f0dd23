"""What ``netkit profile import|export putty`` say of themselves, and wrong usage."""

from __future__ import annotations

import pytest

from support.cli import run_cli


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("import", ["--session", "--dry-run", "--replace", "--prefix", "--no-host-keys", ".reg"]),
        ("export", ["--to", "--comforts", "--replace", "--convert-keys", "plink -load"]),
    ],
)
def test_help(verb: str, words: list[str]):
    shown = run_cli("profile", verb, "putty", "--help")
    assert shown.code == 0
    assert all(word in shown.out for word in words)
    assert all(len(line) <= 100 for line in shown.out.splitlines())


@pytest.mark.parametrize(
    "words",
    [
        ("import", "putty", "a", "b"),
        ("import", "putty", "--nonsense"),
        ("export", "putty"),
        ("export", "putty", "no-such-profile"),
    ],
)
def test_wrong_usage(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setenv("NETKIT_PROFILES", str(tmp_path / "profiles.toml"))
    assert run_cli("profile", *words).code == 2
