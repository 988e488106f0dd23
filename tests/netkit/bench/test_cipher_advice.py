"""Another cipher is named only if it is faster beyond the noise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netkit.bench.analysis import Advice
from netkit.bench.cipher_advice import advise_cipher, candidates
from netkit.bench.groups import grouped
from netkit.bench.model import Direction, Transfer
from support.measurements import CHACHA, GCM, REAL, Tunnel, measured

CTR = "aes256-ctr"
DOWN, UP = Direction.DOWN, Direction.UP


def of(
    cipher: str, rate: float, *ways: Direction, rounds: int = 3, **kinds
) -> tuple[Transfer, ...]:
    return Tunnel(link=rate, noise=0.0).transfers(*ways, cipher=cipher, rounds=rounds, **kinds)


def advice(*runs: tuple[Transfer, ...], setting=REAL) -> Advice | None:
    return advise_cipher(measured(*(run for each in runs for run in each), setting=setting))


def test_a_faster_cipher_is_named_with_the_option():
    found = advice(of(GCM, 1e8, DOWN, UP), of(CHACHA, 2e8, DOWN, UP), of(CTR, 1.5e8, DOWN, UP))
    assert found is not None
    assert (found.topic, found.verdict) == ("cipher", CHACHA)
    assert found.text == (
        f"Against {GCM}: {CHACHA} down 2.00 x, up 2.00 x; {CTR} down 1.50 x, up 1.50 x."
    )
    (fix,) = found.fixes
    assert fix.command == f"netkit forward ... -c {CHACHA},{GCM}"
    assert f"Ciphers ^{CHACHA}" in fix.note


@pytest.mark.parametrize(
    ("down", "up", "verdict"),
    [
        (2e8, 1e8, CHACHA),
        (2e8, 0.95e8, CHACHA),  # no difference up
        (2e8, 0.5e8, "keep"),  # faster in one direction, slower in the other
        (1.05e8, 1.05e8, "keep"),
        (0.5e8, 0.5e8, "keep"),
        (1.12e8, 1.12e8, CHACHA),
    ],
)
def test_faster_in_one_direction_and_slower_in_none(down, up, verdict):
    found = advice(of(GCM, 1e8, DOWN, UP), of(CHACHA, down, DOWN), of(CHACHA, up, UP))
    assert found is not None
    assert found.verdict == verdict


def test_noise_is_no_reason():
    noisy = tuple(
        Tunnel(link=rate, noise=0.0).transfer(number=number, cipher=CHACHA)
        for number, rate in enumerate((0.9e8, 1.5e8, 1.6e8))
    )
    found = advice(of(GCM, 1e8, DOWN), noisy)
    assert found is not None
    assert found.verdict == "unclear"
    assert found.fixes == ()


def test_two_rounds_are_no_reason():
    found = advice(of(GCM, 1e8, DOWN, rounds=2), of(CHACHA, 2e8, DOWN, rounds=2))
    assert found is not None
    assert found.verdict == "unclear"


def test_rounds_are_paired():
    """Every other round the machine does something else; in each of them the cipher wins."""
    rates = (1e8, 0.3e8, 1e8)
    runs = tuple(
        Tunnel(link=rate * factor, noise=0.0).transfer(number=number, cipher=cipher)
        for number, rate in enumerate(rates)
        for cipher, factor in ((GCM, 1.0), (CHACHA, 1.3))
    )
    found = advice(runs)
    assert found is not None
    assert found.verdict == CHACHA


@pytest.mark.parametrize(
    "weak", ["aes128-cbc", "3des-cbc", "rijndael-cbc@lysator.liu.se", "arcfour"]
)
def test_what_is_weak_is_not_recommended(weak):
    found = advice(of(GCM, 1e8, DOWN), of(weak, 9e8, DOWN))
    assert found is not None
    assert found.verdict == "keep"
    assert weak in found.text


def test_nothing_to_compare():
    assert advice(of(GCM, 1e8, DOWN)) is None
    assert advice() is None
    # Of one direction each, and compression is another matter.
    assert advice(of(GCM, 1e8, DOWN), of(CHACHA, 1e8, UP)) is None
    assert advice(of(GCM, 1e8, DOWN), of(CHACHA, 1e8, DOWN, ratio=0.5)) is None


def test_without_an_agreed_cipher_the_first_one_is_compared_with():
    found = advice(of(CTR, 1e8, DOWN), of(CHACHA, 2e8, DOWN), setting=replace(REAL, cipher=""))
    assert found is not None
    assert found.verdict in {CTR, CHACHA}


def test_the_best_candidate_comes_first():
    groups = grouped(
        measured(
            *of(GCM, 1e8, DOWN), *of(CTR, 2e8, DOWN), *of(CHACHA, 3e8, DOWN), *of("x", 0, DOWN)
        )
    )
    found = candidates(groups, GCM)
    assert [candidate.cipher for candidate in found] == [CHACHA, CTR, "x"]
    assert [candidate.score for candidate in found] == pytest.approx([3.0, 2.0, 0.0])
