"""The page's tables."""

from __future__ import annotations

import dataclasses

from netkit.bench.compare import compare, read
from netkit.bench.judge import analyse
from netkit.bench.report import tables
from netkit.bench.report.document import encode
from support import bench_samples as samples
from support.bench_pages import checked, words

LOOPBACK = samples.loopback()
ANALYSIS = analyse(LOOPBACK)


def rows(markup: str) -> list[list[str]]:
    """The words of every cell."""
    return [[words(cell) for cell in row] for row in checked(markup).iter("tr")]


def test_limits_have_their_arithmetic_and_a_meter():
    made = tables.limits(ANALYSIS)
    head, first, *_ = rows(made)
    assert head[1] == "limited by"
    assert first[:3] == ["down, not compressed (text, program, random, zeros)", "our CPU", "97 %"]
    assert first[3] == "our side uses 97 % of a processor at 707 MB/s, 1.36 s per GB"
    assert "width:97%" in made
    assert tables.limits(analyse(samples.empty())) == ""


def test_every_figure_has_a_row():
    found = rows(tables.figures(LOOPBACK, ANALYSIS))
    names = [row[0] for row in found]
    assert [name for name in names if name in {each.title for each in ANALYSIS.figures}] == [
        each.title for each in ANALYSIS.figures
    ]
    text = found[names.index("text, down")]
    assert text[1] == "707 MB/s"
    assert text[3:] == ["5", "97 %", "80 %", "our CPU"]
    other = found[names.index(f"random, down, {samples.CTR}")]
    assert other[4].endswith("%")
    assert {len(row) for row in found} == {1, 7}


def test_changes_say_better_and_worse():
    before = samples.earlier()
    old = read(encode(before, analyse(before)), "OLD.json")
    found = rows(tables.changes(compare(old, LOOPBACK, ANALYSIS)))
    by_name = {row[0]: row for row in found}
    assert by_name["login, all of it"][1:3] == ["worse", "+67 %"]
    assert by_name["text, down"][1:3] == ["better", "+67 %"]
    assert len(found) == 4


def test_no_change_no_table():
    old = read(encode(LOOPBACK, ANALYSIS), "OLD.json")
    made = tables.changes(compare(old, LOOPBACK, ANALYSIS))
    assert "<table" not in made
    assert "0 better and 0 worse beyond the noise" in words(checked(made))


def test_skipped_and_notes():
    made = words(checked(tables.skipped(samples.loop_only())))
    assert "down and up: the gateway runs no commands: /bin/false ended at once" in made
    assert tables.skipped(dataclasses.replace(LOOPBACK, notes=(), skipped=())) == ""
    assert "12 % busy" in tables.skipped(LOOPBACK)


def test_conditions_have_command_and_machine():
    made = words(checked(tables.conditions(LOOPBACK)))
    assert "command netkit bench --html bench.html" in made
    assert "AMD EPYC" in made
