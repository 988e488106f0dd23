"""From what was measured to what it means: pure, and total over everything that can be measured."""

from __future__ import annotations

from netkit.bench.advice import advise
from netkit.bench.analysis import Analysis
from netkit.bench.figures import figures
from netkit.bench.limits import limits
from netkit.bench.model import Measured
from netkit.bench.pairs import pairs


def analyse(measured: Measured) -> Analysis:
    """Return figures, limits, pairs and advice; empty where nothing was measured.

    Raises nothing.  Values that no measurement can have, such as a transfer that took no time, are
    left out.
    """
    limiting = limits(measured)
    compared = pairs(measured, limiting)
    return Analysis(
        figures=figures(measured),
        limits=limiting,
        pairs=compared,
        advice=advise(measured, compared, limiting),
    )
