"""The table: 80 columns whatever happens, every section, and the verdict last."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from netkit.bench.analysis import Advice, Analysis
from netkit.bench.compare import compare, read
from netkit.bench.judge import analyse
from netkit.bench.model import Measured, Setting
from netkit.bench.report.cells import COLUMNS, width
from netkit.bench.report.document import encode
from netkit.bench.report.table import lines
from netkit.model import Fix
from support import bench_samples as samples
from support.bench_values import ANALYSES, MEASURED


def text_of(measured: Measured) -> str:
    """The whole table of a sample."""
    return "\n".join(lines(measured, analyse(measured)))


@pytest.mark.parametrize("name", samples.ALL)
def test_samples_fit(name):
    measured = samples.ALL[name]()
    made = lines(measured, analyse(measured))
    assert all(width(line) <= COLUMNS and line == line.rstrip() for line in made)
    assert all(line.isprintable() for line in made)


@given(MEASURED, ANALYSES)
def test_anything_fits(measured, analysis):
    for judged in (analysis, analyse(measured)):
        made = lines(measured, judged)
        assert all(width(line) <= COLUMNS for line in made)
        assert all(line.isprintable() for line in made)


def test_sections_come_in_order():
    made = text_of(samples.loopback())
    titles = [
        "netkit bench: a throw-away sshd on this machine",
        "\nLogin, latency and connections\n",
        f"\nThroughput down, {samples.GCM}\n",
        f"\nThroughput up, {samples.GCM}\n",
        "\nCiphers, random, not compressed\n",
        "\nWhat limits\n",
        "\nVerdict\n",
    ]
    places = [made.index(title) for title in titles]
    assert places == sorted(places)


def test_a_row_has_median_spread_gain_ratio_loads_and_limit():
    made = text_of(samples.loopback())
    row = re.search(
        r"  text +off +\d+ MB/s +±[\d.]+ % +9\d % +8\d %  our CPU\n"
        r" +on +2\d\.\d MB/s +±[\d.]+ % +0\.04\S? ?x +24 % +12 % +9\d %  gateway zlib\n",
        made,
    )
    assert row, made


def test_one_row_without_compression_stands_for_all():
    made = text_of(samples.slow_link())
    assert re.search(
        r"  any +off +11\d kB/s +±[\d.]+ % .* link\n"
        r"  text +on +\d+ kB/s +±[\d.]+ % +4\.\d+ x +24 % .* link\n"
        r"  program +on ",
        made,
    ), made


def test_login_and_latency_have_their_range():
    made = text_of(samples.loopback())
    assert re.search(r"  login, all of it +[\d.]+ ms +[\d.]+ ms … [\d.]+ ms +8\n", made)
    assert re.search(r"  echo, beside bulk down, p99 +[\d.]+ ms +\S+ ms … \S+ ms +5\n", made)
    assert re.search(r"  flows opened and closed, 64 at a time +4\D126/s", made)


def test_the_verdict_ends_in_a_command():
    made = text_of(samples.slow_link())
    assert "  compression: on\n    Compression pays over a link of" in made
    assert re.search(
        r"\n    run:  netkit forward \.\.\. -C\n +\(compresses both directions\)", made
    )


def test_what_was_skipped_is_said():
    made = text_of(samples.loop_only())
    assert "Not measured\n  down and up: the gateway runs no commands: /bin/false" in made
    assert "by a loop: out and back through a remote forward" in made


def test_an_interruption_is_said_even_when_nothing_is_known():
    assert "interrupted" in text_of(samples.interrupted()).partition("\nVerdict\n")[2]
    assert lines(samples.empty(), analyse(samples.empty()))[-3:] == [
        "Verdict",
        "  interrupted: what follows rests on what was measured until then",
        "  none: too little was measured",
    ]


def test_a_long_command_is_broken_where_a_shell_allows_it():
    argv = ("netkit", "bench", "--sample", "a file", *(f"--option-{n}" for n in range(12)))
    advice = Advice(topic="t", verdict="v", title="x", text="", fixes=(Fix(argv, note="n"),))
    made = lines(Measured(setting=Setting(gateway="gw")), Analysis(advice=(advice,)))
    at = next(number for number, line in enumerate(made) if "run:" in line)
    assert made[at].endswith(" \\")
    command = " ".join(line.strip().removesuffix(" \\") for line in made[at:-1])
    assert command == "run:  netkit bench --sample 'a file' " + " ".join(argv[4:])
    assert made[-1].strip() == "(n)"


def test_changes_are_flagged():
    before, now = samples.earlier(), samples.loopback()
    old = read(encode(before, analyse(before)), "OLD.json")
    judged = analyse(now)
    made = "\n".join(lines(now, judged, compare(old, now, judged)))
    assert re.search(r"  login, all of it +27.8 ms +46.4 ms +\+67 %  worse\n", made)
    assert re.search(r"  text, down +4\d\d MB/s +7\d\d MB/s +\+67 %  better\n", made)
    assert "not the same: netkit: netkit 0.0.9 before, netkit 0.1.0 now" in made
