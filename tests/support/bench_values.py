"""Hypothesis strategies for any result of a benchmark, sensible or not."""

from __future__ import annotations

from hypothesis import strategies as st

from netkit.bench.analysis import (
    Advice,
    Analysis,
    Effect,
    Figure,
    Limit,
    Pair,
    Term,
    Unit,
)
from netkit.bench.model import Direction, Measured
from netkit.bench.statistics import Spread
from netkit.model import Fix
from support.any_values import any_of

TEXT = st.text(max_size=30) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        "長い名前" * 30,
        "a\x1b[2Jb\u202ec",
        "x" * 200,
        "a b\nc",
        "&amp;\"'",
    ]
)
KEYS = st.sampled_from(["a", "down.text.off.x", "up.zeros.on.<b>"]) | st.text(max_size=5)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
SPREADS = st.lists(
    NUMBERS | st.floats(0, 1e9) | st.sampled_from([0.0, 5e-324, 1.7e308]), min_size=1, max_size=5
).map(Spread.of)
FIGURES = st.builds(
    Figure,
    key=KEYS,
    group=st.sampled_from(
        ["login", "latency", "throughput", "ciphers", "connections", "compression"]
    ),
    title=TEXT,
    unit=st.sampled_from(Unit),
    spread=SPREADS,
    more_is_better=st.booleans(),
    direction=st.none() | st.sampled_from(Direction),
    cipher=TEXT,
    compression=st.booleans(),
    corpus=TEXT | st.sampled_from(["text", "random"]),
)
FIXES = st.builds(
    Fix, st.lists(TEXT, max_size=4).map(tuple), TEXT, TEXT, st.booleans(), st.booleans()
)
ANALYSES = st.builds(
    Analysis,
    figures=st.lists(FIGURES, max_size=6).map(tuple),
    limits=st.lists(
        st.builds(
            Limit,
            figure=KEYS,
            term=st.sampled_from(Term),
            load=st.floats(),
            text=TEXT,
            loads=st.lists(st.tuples(st.sampled_from(Term), st.floats()), max_size=2).map(tuple),
        ),
        max_size=4,
    ).map(tuple),
    pairs=st.lists(
        st.builds(
            Pair,
            direction=st.sampled_from(Direction),
            corpus=TEXT | st.sampled_from(["text", "random"]),
            gain=SPREADS,
            effect=st.sampled_from(Effect),
            ratio=st.floats(),
            break_even=st.none() | st.floats(),
            at_least=st.booleans(),
        ),
        max_size=3,
    ).map(tuple),
    advice=st.lists(
        st.builds(
            Advice,
            topic=TEXT,
            verdict=TEXT | st.sampled_from(["on", "off", "busy"]),
            title=TEXT,
            text=TEXT,
            fixes=st.lists(FIXES, max_size=2).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
)
MEASURED = any_of(Measured)
