"""The page: one self-contained document, whatever the gateway calls itself."""

from __future__ import annotations

import pytest
from hypothesis import given

from netkit.bench.compare import compare, read
from netkit.bench.judge import analyse
from netkit.bench.report.document import encode
from netkit.bench.report.page import page
from support import bench_samples as samples
from support.bench_pages import checked, words
from support.bench_values import ANALYSES, MEASURED


def page_of(name: str) -> str:
    """The page of a sample."""
    measured = samples.ALL[name]()
    return page(measured, analyse(measured))


@pytest.mark.parametrize("name", samples.ALL)
def test_samples_are_well_formed_and_self_contained(name):
    made = page_of(name)
    root = checked(made)
    assert made.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert root.find("head/meta").attrib == {"charset": "utf-8"}
    assert made.isascii() or made.encode("utf-8")
    assert "://" not in made
    assert len(made) < 300_000


@given(MEASURED, ANALYSES)
def test_anything_is_well_formed(measured, analysis):
    checked(page(measured, analysis))
    checked(page(measured, analyse(measured)))


def test_nothing_may_be_fetched_or_run():
    policies = [
        each.attrib["content"]
        for each in checked(page_of("loopback")).iter("meta")
        if each.attrib.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_markup_of_a_gateway_is_text():
    made = page_of("hostile")
    assert "<script" not in made
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in made
    assert "\u202e" not in made
    assert "\x1b" not in made


def test_the_verdict_is_at_the_top_with_its_command():
    root = checked(page_of("slow_link"))
    main = next(root.iter("main"))
    assert main[0].tag == "header"
    assert words(main[1]).startswith("Verdict compression on Compression pays over a link")
    assert "netkit forward ... -C" in [each.text for each in main[1].iter("code")]


def test_every_section_is_there():
    titles = [each.text for each in checked(page_of("loopback")).iter("h2")]
    assert titles == [
        "Verdict",
        "Throughput and compression",
        "Ciphers",
        "Latency, login and connections",
        "What limits",
        "All figures",
        "Not measured, and notes",
        "How it was measured",
    ]


def test_key_figures_stand_out():
    tiles = next(iter(checked(page_of("loopback")).iter("dl")))
    assert words(tiles).startswith("Download 707 MB/s ±6.3 %, limit: our CPU Upload 778 MB/s")
    assert "Round trip, idle 242 µs 239 µs … 246 µs" in words(tiles)


def test_an_interruption_is_said():
    assert "Interrupted: this rests on" in words(checked(page_of("interrupted")))
    empty = words(checked(page_of("empty")))
    assert "Interrupted" in empty
    assert "None: too little was measured." in empty


def test_a_comparison_is_shown():
    before, now = samples.earlier(), samples.loopback()
    judged = analyse(now)
    old = read(encode(before, analyse(before)), "OLD.json")
    root = checked(page(now, judged, compare(old, now, judged)))
    assert "Compared with before" in [each.text for each in root.iter("h2")]
