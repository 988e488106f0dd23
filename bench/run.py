"""Measure everything: the suites, then netkit beside ssh; ``python bench/run.py --help``.

One JSON document comes out (``document.py``), and docs/performance.md of it.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import document
import performance
from processes import ROOT

from netkit import __version__

RESULTS = ROOT / "bench" / "results"
LATEST = RESULTS / "bench.json"
PEERS = "ssh,netkit"


class FailedError(Exception):
    """A part did not run to its end; the text says which, and what to do."""


def suite_argv(output: Path, *, quick: bool) -> list[str]:
    """The command that runs the suites."""
    limits = ("0.05", "3") if quick else ("0.4", "5")
    return [
        *(sys.executable, "-m", "pytest", "bench", "-q", "-p", "no:cacheprovider"),
        *(f"--benchmark-max-time={limits[0]}", f"--benchmark-min-rounds={limits[1]}"),
        *("--benchmark-quiet", f"--benchmark-json={output}"),
    ]


def peers_argv(output: Path, *, quick: bool) -> list[str]:
    """The command that runs the comparison with peers."""
    size = ("--quick", "--pairs", "1", "--size", "20MB") if quick else ("--short",)
    return [sys.executable, "bench/peers.py", *size, "--peers", PEERS, "--json", str(output)]


def measure(command: str, *, quick: bool) -> bytes:
    """Run everything; the document.

    Raises:
        FailedError: a part failed.
    """
    begun, load = time.monotonic(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="netkit-bench-") as place:
        suites = _part("the suites", suite_argv(Path(place, "suites.json"), quick=quick))
        peers = _part("the comparison with peers", peers_argv(Path(place, "p.json"), quick=quick))
    seconds = time.monotonic() - begun
    return document.merge(
        suites, peers, command=command, version=__version__, seconds=seconds, load=load
    )


def _part(what: str, argv: Sequence[str]) -> dict[str, Any]:
    """Run a command whose last word names, alone or behind ``=``, the JSON that it writes."""
    print(f"--- {what}", file=sys.stderr, flush=True)
    done = subprocess.run(argv, cwd=ROOT, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise FailedError(f"{what} failed with exit {done.returncode}: {shlex.join(argv)}")
    found: dict[str, Any] = json.loads(Path(argv[-1].rpartition("=")[2]).read_text("utf-8"))
    return found


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small: does it work; no docs")
    parser.add_argument("--output", type=Path, default=LATEST, metavar="FILE")
    parser.add_argument("--no-docs", action="store_true", help="leave docs/ as it is")
    options = parser.parse_args()
    try:
        command = "make bench ARGS=--quick" if options.quick else "make bench"
        data = measure(command, quick=options.quick)
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_bytes(data)
        print(f"wrote {options.output}")
        if not options.quick and not options.no_docs:
            performance.SAVED.write_bytes(data)
            for path in performance.write(document.parse(data), performance.DOCS):
                print(f"wrote {path}")
    except KeyboardInterrupt:
        print("run.py: interrupted; nothing was written", file=sys.stderr)
        return 130
    except (FailedError, document.DocumentError, OSError, ValueError) as error:
        print(f"run.py: {error}", file=sys.stderr)
        print("What went wrong is said above it.", file=sys.stderr)
        print("See whether the parts work at all: make bench ARGS=--quick", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
