"""The section of our own: what cannot be said as a number is said in a word."""

from __future__ import annotations

import dataclasses
import math

import pytest

from netkit.bench.analysis import Analysis, Effect, Pair
from netkit.bench.compare import SCHEMA_VERSION
from netkit.bench.judge import analyse
from netkit.bench.model import Direction, Way
from netkit.bench.report.forms import section
from netkit.bench.statistics import Spread
from support import bench_samples as samples


def pair(break_even: float | None, *, at_least: bool = False) -> Pair:
    """A pair with that point of break-even."""
    return Pair(
        direction=Direction.DOWN,
        corpus="text",
        gain=Spread.of([2.0, 1.5]),
        effect=Effect.HELPS,
        ratio=0.5,
        break_even=break_even,
        at_least=at_least,
    )


@pytest.mark.parametrize(
    ("value", "number", "kind"),
    [
        (pair(None), None, "unknown"),
        (pair(math.inf), None, "any"),
        (pair(math.nan), None, "unknown"),
        (pair(3e6), 3e6, "exact"),
        (pair(3e6, at_least=True), 3e6, "at-least"),
    ],
)
def test_break_even(value, number, kind):
    form = section(samples.empty(), Analysis(pairs=(value,))).pairs[0]
    assert (form.break_even, form.break_even_is) == (number, kind)
    assert form.gain == (1.5, 2.0)


def test_the_setting_is_whole():
    measured = samples.slow_link()
    form = section(measured, analyse(measured))
    assert form.schema_version == SCHEMA_VERSION
    assert form.setting.link == "1mbit/50ms"
    assert form.setting.way is Way.POSIX
    assert form.setting.trial == "sshd"
    assert form.setting.ciphers == samples.SETTING.ciphers
    assert {field.name for field in dataclasses.fields(form.setting)} == (
        {field.name for field in dataclasses.fields(measured.setting)} - {"shape"}
    ) | {"link"}


def test_figures_limits_and_advice_are_there():
    measured = samples.slow_link()
    judged = analyse(measured)
    form = section(measured, judged)
    assert [each.key for each in form.figures] == [each.key for each in judged.figures]
    assert [each.figure for each in form.limits] == [each.figure for each in judged.limits]
    assert form.advice[0].topic == "compression"
    assert form.advice[0].fixes[0].command == "netkit forward ... -C"
    assert form.skipped[0].why == "the time was up"


def test_text_of_others_is_printable():
    measured = samples.hostile()
    form = section(measured, analyse(measured))
    assert form.setting.server.isprintable()
    assert all(word.isprintable() for word in form.setting.command)
    assert form.notes[0].isprintable()
