"""Compare ``netkit forward`` with its peers: ``python bench/peers.py --help``."""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from clients import SSH_AGAIN, SSH_DEFAULT, Client, all_clients
from experiments import EXPERIMENTS, Experiment, Lab, Settings, quick, short
from gateways import Gateways
from measure import Metrics, Samples, interleave
from processes import Processes, ProcessFailedError
from reconnect import kept
from report import as_json, as_markdown, as_text, machine_facts, make_lines
from rows import ROWS, Row, select_rows

UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9}


def talk(text: str) -> None:
    """Progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


def size(text: str) -> int:
    """``500MB`` or ``1GB`` (powers of ten) or a number of bytes, as bytes."""
    unit = UNITS.get(text[-2:].upper(), 1)
    number = text[:-2] if unit > 1 else text
    value = int(float(number) * unit)
    if value < 1_000_000:
        raise argparse.ArgumentTypeError("a transfer must be 1MB at least")
    return value


def words(text: str) -> list[str]:
    """A list with commas."""
    return [word for word in text.split(",") if word]


def read_options() -> argparse.Namespace:
    """The command line."""
    names = ",".join(client.name for client in all_clients())
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and few: does it work at all")
    parser.add_argument("--short", action="store_true", help="a few minutes: what make bench does")
    parser.add_argument("--only", type=words, default=[], metavar="ROW,…", help="see --rows")
    parser.add_argument("--peers", type=words, default=words(names), help=f"of {names}")
    parser.add_argument("--pairs", type=int, help="rounds (5; short: 3; quick: 2)")
    parser.add_argument("--size", type=size, help="bytes of one transfer (1GB; quick: 100MB)")
    parser.add_argument("--limit", type=float, help="kill what takes longer, in seconds (180)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there")
    parser.add_argument("--noise", action="store_true", help="run ssh twice: what is chance here")
    parser.add_argument("--rows", action="store_true", help="list the rows and leave")
    parser.add_argument("--strict", action="store_true", help="exit 1 if a goal is not reached")
    return parser.parse_args()


def settings_of(options: argparse.Namespace) -> Settings:
    """How much to do."""
    if options.short:
        chosen = short(options.size or 200_000_000, options.pairs or 3)
    elif options.quick:
        chosen = quick(options.size or 100_000_000, options.pairs or 2)
    else:
        chosen = Settings(size=options.size or 1_000_000_000, pairs=options.pairs or 5)
    return replace(chosen, limit=options.limit) if options.limit else chosen


def choose_clients(names: Sequence[str], *, noise: bool) -> list[Client]:
    """The clients that were asked for and are here; says which are not.

    With ``noise`` the yardstick takes part twice, so that the table shows its ratio to itself.
    """
    known = {client.name: client for client in all_clients()}
    for name in names:
        if name not in known:
            raise ValueError(f"no peer is called {name!r}; there are {', '.join(known)}")
    chosen = []
    for name, client in known.items():
        if name in names:
            why = client.missing()
            if why:
                talk(f"without {name}: {why}")
            else:
                chosen.append(client)
    return [*chosen, SSH_AGAIN] if noise else chosen


def run_experiment(lab: Lab, name: str, experiment: Experiment, clients: list[Client]) -> Samples:
    """All rounds of one experiment."""
    chosen = kept(clients) if experiment.unattended else clients
    if experiment.crypto.compressed:
        chosen = [client for client in chosen if client.compresses]
    taking_part = {client.name: client for client in chosen}
    if experiment.with_default and "ssh" in taking_part:
        taking_part[SSH_DEFAULT.name] = SSH_DEFAULT

    def sample(participant: str, number: int) -> Metrics:
        begun = time.monotonic()
        try:
            metrics = lab.sample(experiment, taking_part[participant])
        except ProcessFailedError as error:
            talk(f"{name} {number + 1}/{lab.settings.pairs} {participant}: {error}")
            raise
        figures = ", ".join(f"{key} {value:.4g}" for key, value in metrics.items())
        took = time.monotonic() - begun
        talk(f"{name} {number + 1}/{lab.settings.pairs} {participant}: {figures} ({took:.1f} s)")
        return metrics

    return interleave(list(taking_part), lab.settings.pairs, sample, ProcessFailedError)


def run_all(lab: Lab, names: Iterable[str], clients: list[Client]) -> dict[str, Samples]:
    """Every experiment in turn; Ctrl-C keeps what is complete."""
    results: dict[str, Samples] = {}
    try:
        lab.prepare()
        for name in names:
            results[name] = run_experiment(lab, name, EXPERIMENTS[name], clients)
    except KeyboardInterrupt:
        talk("interrupted: what was measured so far")
    return results


def raise_limits() -> None:
    """1 000 flows take more descriptors than the usual soft limit; children inherit ours."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def interrupt(_number: int, _frame: object) -> None:
    """SIGTERM and SIGHUP clean up as Ctrl-C does, even where a shell had that ignored."""
    raise KeyboardInterrupt


def main() -> int:
    """The command line; returns the exit code."""
    options = read_options()
    if options.rows:
        for row in ROWS:
            print(f"{row.key:24}{row.title} [{row.unit}] {row.goal}")
        return 0
    try:
        rows, clients = (
            select_rows(options.only),
            choose_clients(options.peers, noise=options.noise),
        )
    except ValueError as error:
        talk(f"peers.py: {error}")
        return 2
    settings = settings_of(options)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    raise_limits()
    names = dict.fromkeys(row.experiment for row in rows)
    facts = machine_facts(settings)
    with tempfile.TemporaryDirectory(prefix="netkit-bench-") as place, Processes() as processes:
        lab = Lab(processes, Gateways(processes, Path(place)), settings)
        results = run_all(lab, names, clients)
    return publish(options, rows, results, facts)


def publish(
    options: argparse.Namespace,
    rows: Sequence[Row],
    results: dict[str, Samples],
    facts: dict[str, Any],
) -> int:
    """Print the table and write the files; the exit code."""
    lines = make_lines(rows, results)
    print(as_text(lines))
    if options.json:
        options.json.write_text(json.dumps(as_json(lines, results, facts), indent=1) + "\n")
    if options.markdown:
        options.markdown.write_text(as_markdown(lines, facts))
    incomplete = len(results) < len({row.experiment for row in rows})
    missed = any(line.reached is False for line in lines)
    if incomplete:
        return 130
    return 1 if missed and options.strict else 0


if __name__ == "__main__":
    sys.exit(main())
