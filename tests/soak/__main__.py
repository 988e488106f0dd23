"""A soak run: every figure of docs/reliability.md, in at most 15 minutes.

    make soak                     everything
    make soak ARGS="--write"      and write docs/reliability.md
    make soak ARGS="--only harm --cycles 20"

The exit code is 1 where a limit is missed.
"""

from __future__ import annotations

import argparse
import time

from soak import crowd, harm, keystrokes, quiet
from soak.report import REPORT, page, table
from soak.rig import rig

PARTS = ("harm", "keystrokes", "crowd", "quiet")
LIMIT = 600.0
"""Seconds for the part that harms; the others take about three minutes."""


def main() -> int:
    """Run it, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    parser.add_argument("--only", choices=PARTS, action="append", help="a part; repeatable")
    parser.add_argument("--cycles", type=int, default=200, help="of harm (200)")
    args = parser.parse_args()
    parts = args.only or PARTS
    began = time.monotonic()
    rows = []
    if "quiet" in parts or "crowd" in parts or "keystrokes" in parts:
        with rig() as there:
            for name, part in (("keystrokes", keystrokes), ("crowd", crowd), ("quiet", quiet)):
                if name in parts:
                    rows += part.rows(there)
                    print(f"{name} after {time.monotonic() - began:.0f} s", flush=True)
    if "harm" in parts:
        rows = [*harm.rows(args.cycles, LIMIT), *rows]
    print("\n".join(table(rows)))
    for row in rows:
        for line in row.details:
            print(line)
    if args.write:
        command = 'make soak ARGS="--write"'
        REPORT.write_text(page(rows, command, time.monotonic() - began))
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
