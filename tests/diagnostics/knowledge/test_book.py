"""Every code has a section, every section a code, and docs/findings.md is all of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from diagnostics import plugins, registry, runner
from diagnostics.knowledge import book

ROOT = Path(__file__).resolve().parents[3]
CODES = {kind.code: check.code for check in registry.CHECKS for kind in check.finds}
OWN = {runner.CRASHED, plugins.BROKEN}


def test_split():
    assert book.split("intro\n## a\n\ntext\n\n## b\nmore\n") == {
        "a": "## a\n\ntext\n",
        "b": "## b\nmore\n",
    }


def test_every_code_has_a_section_and_every_section_a_code():
    assert set(book.sections()) == set(CODES) | OWN


@pytest.mark.parametrize("code", sorted(set(CODES) | OWN))
def test_a_section_says_what_why_how_and_where(code):
    text = book.sections()[code]
    assert len(text.split("**Fix.**")[0]) > len(code) + 60, "say what it means"
    assert "**Fix.** " in text
    assert "**Source.** " in text


def test_no_section_twice():
    for area in book.AREAS:
        file = ROOT / f"diagnostics/knowledge/findings/{area}.md"
        text = file.read_text() if file.is_file() else ""
        headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
        assert sorted(set(headings)) == sorted(headings)


def test_docs_are_current():
    assert (ROOT / "docs/findings.md").read_text() == book.book(), "run `make docs`"
