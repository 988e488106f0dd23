"""The yardstick: it takes a while, and says how steady the machine was."""

from __future__ import annotations

import yardstick
from yardstick import Yardstick


def test_a_piece_takes_time():
    taken = yardstick.pieces()
    assert len(taken) == yardstick.PIECES
    assert min(taken) > 0


def test_drift():
    assert Yardstick.of([1.0, 1.0, 9.0], [1.0, 1.0, 1.0]) == Yardstick(1.0, 1.0)
    slower = Yardstick.of([1.0, 1.0, 1.0], [2.0, 2.0, 2.0])
    assert slower == Yardstick(1.5, 2.0)
    assert Yardstick.of([2.0, 2.0, 2.0], [1.0, 1.0, 1.0]) == slower
