"""Fuzz every target for its share of some seconds: ``python tests/fuzz.py --help``."""

from __future__ import annotations

import argparse
import sys

from support.fuzz import fuzz
from support.fuzz_saved import SAVED_TARGETS
from support.fuzz_targets import TARGETS
from support.fuzz_wire import WIRE_TARGETS

EVERY = (*TARGETS, *SAVED_TARGETS, *WIRE_TARGETS)


def main() -> int:
    """Return 0, or 1 with the input that a target did not survive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120, help="in all, shared evenly (120)")
    parser.add_argument("--seed", type=int, default=0, help="start of the random numbers (0)")
    parser.add_argument("--only", choices=[target.name for target in EVERY], help="one target")
    options = parser.parse_args()
    chosen = [target for target in EVERY if options.only in (None, target.name)]
    findings = 0
    for target in chosen:
        outcome = fuzz(target, seconds=options.seconds / len(chosen), seed=options.seed)
        print(
            f"{target.name:14} {outcome.inputs:>8} inputs, {outcome.kept:>5} kept,"
            f" {outcome.edges:>5} edges: {'FAILED' if outcome.finding else 'ok'}",
            flush=True,
        )
        if outcome.finding:
            findings += 1
            print(outcome.finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
