"""The page's charts: what is drawn for which sample."""

from __future__ import annotations

from netkit.bench.judge import analyse
from netkit.bench.report import pictures
from support import bench_samples as samples
from support.bench_pages import checked, words

LOOPBACK = samples.loopback()


def captions(markup: str) -> list[str]:
    """Captions of the figures in a section."""
    return [words(each) for each in checked(markup).iter("figcaption")]


def test_pairs_show_both_directions_and_their_gains():
    made = pictures.pairs(LOOPBACK, analyse(LOOPBACK))
    assert captions(made) == [
        "Throughput down",
        "Throughput up",
        "Gain of compression, down",
        "Gain of compression, up",
    ]
    described = [words(each) for each in checked(made).iter("desc")]
    assert described[0].startswith("text: off: 707 MB/s ±6.3 %, on: 28.9 MB/s")
    assert "slower" in described[2]


def test_a_gain_is_called_one():
    measured = samples.slow_link()
    made = words(checked(pictures.pairs(measured, analyse(measured))))
    assert "x, faster" in made
    assert "no difference" in made


def test_every_corpus_is_compared_with_the_one_run_without():
    measured = samples.slow_link()
    root = checked(pictures.pairs(measured, analyse(measured)))
    said = words(next(root.iter("desc")))
    assert [row.partition(":")[0] for row in said.split("; ")] == list(samples.CORPORA)
    assert all(row.count("off: 11") == 1 for row in said.split("; "))


def test_ciphers_have_a_bar_for_each_direction():
    root = checked(pictures.ciphers(analyse(LOOPBACK)))
    bars = [each for each in root.iter("rect") if "fill" in each.attrib["class"]]
    assert len(bars) == 2 * len(samples.SETTING.ciphers)
    assert pictures.ciphers(analyse(samples.slow_link())) == ""


def test_times_show_round_trips_login_and_connections():
    made = pictures.times(LOOPBACK, analyse(LOOPBACK))
    assert captions(made) == [
        "Round trips of one byte: share that took no longer",
        "Login: 46.4 ms, median of 8",
        "Flows opened and closed",
    ]
    said = words(checked(made))
    assert "idle 1,500" in said
    assert "beside bulk down 900" in said
    assert "key exchange 19.8 ms" in said


def test_earlier_jumps_count_as_a_part_of_the_login():
    whole = samples.loop_only()
    longer = [samples.dataclasses.replace(each, total=each.total * 2) for each in whole.logins]
    measured = samples.dataclasses.replace(whole, logins=tuple(longer))
    assert "earlier jumps" in words(checked(pictures.times(measured, analyse(measured))))
    assert "earlier jumps" not in pictures.times(whole, analyse(whole))


def test_nothing_is_drawn_of_nothing():
    nothing = samples.empty()
    judged = analyse(nothing)
    assert pictures.pairs(nothing, judged) == ""
    assert pictures.times(nothing, judged) == ""


def test_a_section_has_title_note_and_content():
    made = pictures.section("A & B", "why", pictures.legend([("idle", 4, "9")]))
    assert words(checked(made)) == "A & B why idle 9"
