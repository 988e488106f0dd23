"""Benchmark sessions against test gateways."""

from __future__ import annotations

import contextlib
import os
import threading
import zlib
from collections.abc import Iterator

from netkit.bench.measuring import ways
from netkit.bench.measuring.commands import WHOLE
from netkit.bench.measuring.latency import idle_round_trip
from netkit.bench.model import Way
from netkit.doctor.session import Access, Session, open_session
from netkit.model import Hop, Plan

WORDS = b"select id, name from customers where city = 'Graz' and age > 30 order by name;\n"
TEXT = b"".join(b"%08x %s" % (zlib.crc32(b"%d" % n), WORDS) for n in range(2000))[:WHOLE]
CORPORA = {"text": TEXT, "random": os.urandom(WHOLE), "zeros": bytes(WHOLE)}


@contextlib.contextmanager
def session(hop: Hop) -> Iterator[Session]:
    """Log in to one gateway."""
    made = open_session(Access(plan=Plan(hops=(hop,))))
    try:
        yield made
    finally:
        made.close()


@contextlib.contextmanager
def maker(hop: Hop, way: Way | None = None) -> Iterator[ways.Maker]:
    """Log in and prepare ``way``, by default the one that is found."""
    with session(hop) as made:
        found = way or ways.find_way(made, 20)[0]
        trip = idle_round_trip(made, 3, 20)
        this = ways.make_way(made, found, CORPORA, trip, threading.Event())
        try:
            yield this
        finally:
            this.close()
