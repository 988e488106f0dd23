"""The tables of tests/conformance/README.md name tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
README = TESTS / "conformance" / "README.md"


def named() -> list[tuple[Path, str]]:
    """Return (file, class or function) of every test that the tables name."""
    found: list[tuple[Path, str]] = []
    for line in README.read_text("utf-8").splitlines():
        if not line.startswith("|"):
            continue
        file = README
        for word in re.findall(r"`([^`]+)`", line):
            path, *parts = word.split("::")
            if path.endswith(".py"):
                file = README.parent / path if "/" not in path else TESTS.parent / path
                found += [(file, part) for part in parts or [""]]
            elif path.lower().startswith("test"):
                found.append((file, path))
    return found


@pytest.mark.parametrize(("file", "name"), named(), ids=lambda value: getattr(value, "name", value))
def test_it_is_there(file: Path, name: str):
    assert file.is_file()
    assert (
        re.search(rf"^\s*(class|def) {name}\b", file.read_text("utf-8"), re.MULTILINE) or not name
    )


def test_every_pitfall_and_rule_has_a_row():
    text = README.read_text("utf-8")
    assert re.findall(r"^\| (\d+) \| ", text, re.MULTILINE) == [str(n) for n in range(1, 24)]
    assert len(re.findall(r"^\| \d+ [a-zA-Z]", text, re.MULTILINE)) == 10
