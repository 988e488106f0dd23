"""The command line that the forwarders written for this comparison share."""

from __future__ import annotations

import argparse
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Where to log in, how, and what to forward as (local port, target port)."""

    port: int
    user: str
    identity: str
    known_hosts: str
    ciphers: tuple[str, ...]
    macs: tuple[str, ...]
    forwards: tuple[tuple[int, int], ...]


def read_options(description: str) -> Options:
    """Parse argv."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--identity", required=True)
    parser.add_argument("--known-hosts", required=True)
    parser.add_argument("--ciphers", default="")
    parser.add_argument("--macs", default="")
    parser.add_argument("forwards", nargs="+", metavar="127.0.0.1:LOCAL:127.0.0.1:TARGET")
    given = parser.parse_args()
    return Options(
        port=given.port,
        user=given.user,
        identity=given.identity,
        known_hosts=given.known_hosts,
        ciphers=tuple(filter(None, given.ciphers.split(","))),
        macs=tuple(filter(None, given.macs.split(","))),
        forwards=tuple(
            (int(text.split(":")[1]), int(text.split(":")[3])) for text in given.forwards
        ),
    )
