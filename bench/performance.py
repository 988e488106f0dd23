"""Make docs/performance.md and its charts of one run: ``python bench/performance.py RUN.json``.

The page is ``performance.md.in`` with its ``{{…}}`` filled in, so that no figure is typed by hand.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import tables
from document import Document, DocumentError, read
from drawings import drawings

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent / "docs"
SAVED = DOCS / "performance.json"
TEMPLATE = HERE / "performance.md.in"
REMARKS = HERE / "remarks.toml"
CHARTS = "performance"
PLACE = re.compile(r"\{\{(\S+?)(?: ([^}]+))?\}\}")


@dataclass(frozen=True, slots=True)
class Page:
    """The text and the charts by file name, relative to the docs."""

    text: str
    charts: Mapping[str, str]


def make_page(document: Document, template: str, remarks: Mapping[str, str]) -> Page:
    """Fill the template in.  Pure.

    Raises:
        ValueError: the template asks for something that there is not.
    """
    charts = drawings(document)
    words: dict[str, Callable[[str], str]] = {
        "command": lambda _: document.netkit.command,
        "minutes": lambda _: _minutes(document.netkit.seconds),
        "machine": lambda _: machine(document),
        "pairs": lambda _: f"{document.netkit.peers.settings.get('pairs', 0):g}",
        "settings": lambda _: settings(document),
        "peers": lambda _: tables.peers_table(document),
        "others": lambda _: tables.others(document),
        "missed": lambda _: tables.missed(document, remarks),
        "codec": lambda _: tables.codec_table(document),
        "suite": lambda names: tables.suite_table(document, names.split(", ")),
        "chart": lambda name: f"![{name}]({CHARTS}/{name}.svg)" if name in charts else "",
        "figure": lambda names: _figure(document, *names.split(" ")),
        "ratio": lambda key: _ratio(document, key),
    }

    def fill(found: re.Match[str]) -> str:
        make = words.get(found[1])
        if make is None:
            raise ValueError(f"nobody knows what {found[0]} stands for")
        return make(found[2] or "")

    text = re.sub(r"\n{3,}", "\n\n", PLACE.sub(fill, template))
    return Page(text, {f"{CHARTS}/{name}.svg": chart for name, chart in charts.items()})


def machine(document: Document) -> str:
    """What the figures depend on, in one line."""
    found = document.netkit.peers.machine
    packages = [
        f"{name} {version}"
        for name, version in found.packages.items()
        if name in {"cryptography", "paramiko"}
    ]
    parts = [
        f"{found.processor}, {found.cores} cores that carry both ends too",
        f"Linux {found.kernel}",
    ]
    parts += [f"Python {found.python}", found.ssh.replace("_", " "), *packages]
    return ", ".join([*parts, f"netkit {document.netkit.version}"])


def settings(document: Document) -> str:
    """How much was moved."""
    found = document.netkit.peers.settings
    size, date = found.get("size", 0.0) / 1e6, document.datetime.partition("T")[0]
    load = document.netkit.load
    before = f"; load average before the run {load:.2f}" if load >= 0 else ""
    return f"{size:,.0f} MB a transfer, {found.get('pairs', 0):g} rounds, {date}{before}."


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} minutes" if seconds >= 60 else f"{seconds:.0f} seconds"


def _figure(document: Document, key: str, participant: str) -> str:
    row = document.row(key)
    return tables.figure(row, participant) if row else tables.NOTHING


def _ratio(document: Document, key: str) -> str:
    row = document.row(key)
    return tables.ratio(row) if row else tables.NOTHING


def write(document: Document, docs: Path) -> list[Path]:
    """Write the page and its charts below ``docs``; charts that are no more are removed.

    Raises:
        OSError: something cannot be written.
        ValueError: the template or the remarks are broken.
    """
    remarks = tomllib.loads(REMARKS.read_text("utf-8"))
    page = make_page(document, TEMPLATE.read_text("utf-8"), remarks)
    files = {docs / name: text for name, text in page.charts.items()}
    files[docs / "performance.md"] = page.text
    (docs / CHARTS).mkdir(parents=True, exist_ok=True)
    for old in set((docs / CHARTS).glob("*.svg")) - set(files):
        old.unlink()
    for path, text in files.items():
        path.write_text(text, "utf-8", newline="\n")
    return list(files)


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", type=Path, default=SAVED, help="docs/performance.json")
    parser.add_argument("--docs", type=Path, default=DOCS, metavar="DIR", help="write there (docs)")
    options = parser.parse_args()
    try:
        written = write(read(options.run), options.docs)
    except (DocumentError, OSError, ValueError) as error:
        print(f"performance.py: {error}", file=sys.stderr)
        print("The page is made from the JSON of one run of the benchmarks.", file=sys.stderr)
        print("Make one: make bench", file=sys.stderr)
        return 2
    print(f"wrote {len(written)} files below {options.docs}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
