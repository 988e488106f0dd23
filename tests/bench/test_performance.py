"""docs/performance.md comes from a run, all of it."""

from __future__ import annotations

import re
import sys
import tomllib

import document
import performance
import pytest
from drawings import drawings
from rows import ROWS

from support import bench_runs

TEMPLATE = performance.TEMPLATE.read_text("utf-8")
REMARKS = tomllib.loads(performance.REMARKS.read_text("utf-8"))


def test_page():
    page = performance.make_page(bench_runs.run(), TEMPLATE, REMARKS)
    assert "{{" not in page.text
    assert "wrote in 8.3 minutes, on Some CPU, 2 cores" in page.text
    assert "Linux 6.1.0, Python 3.11.7, OpenSSH 9.2p1 Debian, paramiko 5.1.0" in page.text
    assert "250 MB a transfer, 3 rounds, 2026-01-02; load average before the run 0.25." in page.text
    assert "![throughput](performance/throughput.svg)" in page.text
    assert set(page.charts) == {f"performance/{n}.svg" for n in drawings(bench_runs.run())}


def test_what_was_not_measured_is_not_shown():
    page = performance.make_page(
        bench_runs.run(rows=(), figures={}, benchmarks=()), TEMPLATE, REMARKS
    )
    assert not page.charts
    assert ".svg" not in page.text


def test_places():
    fill = lambda text: performance.make_page(bench_runs.run(), text, {}).text  # noqa: E731
    assert fill("{{ratio echo-p50}} {{figure echo-p50 ssh}} {{ratio none}}") == "1.30 200 -"
    assert fill("{{figure none ssh}}") == "-"
    with pytest.raises(ValueError, match=r"\{\{nonsense\}\}"):
        fill("{{nonsense}}")


def test_no_figure_is_typed_by_hand():
    """Digits stand only in names: of ciphers, percentiles and files."""
    prose = performance.PLACE.sub("", TEMPLATE) + "\n".join(REMARKS.values())
    typed = re.sub(r"AES-128-GCM|p99|`[^`\n]*`", "", prose)
    assert not re.findall(r".*\d.*", typed)


def test_every_chart_has_a_place_and_every_remark_a_row():
    named = set(re.findall(r"\{\{chart (\S+)\}\}", TEMPLATE))
    assert set(drawings(bench_runs.run())) <= named
    assert set(REMARKS) <= {row.key for row in ROWS if row.goal}


def test_every_row_of_the_template_exists():
    keys = re.findall(r"\{\{(?:ratio|figure) (\S+?)[ }]", TEMPLATE)
    assert keys
    assert set(keys) <= {row.key for row in ROWS}


def test_files(tmp_path, monkeypatch, capsys):
    stale = tmp_path / "performance" / "old.svg"
    stale.parent.mkdir()
    stale.write_text("<svg/>")
    run = tmp_path / "run.json"
    run.write_bytes(bench_runs.run_json())
    monkeypatch.setattr(sys, "argv", ["performance.py", str(run), "--docs", str(tmp_path)])
    assert performance.main() == 0
    assert not stale.exists()
    assert (tmp_path / "performance.md").read_text("utf-8").startswith("# Performance")
    assert (tmp_path / "performance" / "codec.svg").read_text("utf-8").startswith("<svg")
    run.write_bytes(b"{}")
    assert performance.main() == 2
    assert "run.json: it is no document" in capsys.readouterr().err


def test_the_page_is_what_the_saved_run_makes():
    page = performance.make_page(document.read(performance.SAVED), TEMPLATE, REMARKS)
    files = {"performance.md": page.text, **page.charts}
    for name, text in files.items():
        assert (performance.DOCS / name).read_text("utf-8") == text, (
            "run `python bench/performance.py`"
        )


def test_the_saved_run_names_no_host():
    assert b'"node": ""' in performance.SAVED.read_bytes()
