"""netkit's own gateway as a throw-away one: ``netkit gateway`` in a process of its own.

It needs an interpreter of its own, or it would share one with what measures it.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Final

import netkit
from netkit.bench.trial.gateway import HOST, Keys, Trial, TrialError, check_cancelled
from netkit.bench.trial.processes import Served
from netkit.model import Endpoint

USER: Final = "bench"
"""Any name may log in."""

READY_LIMIT: Final = 20.0
"""Seconds until it listens; it has to load Python first."""


def start(keys: Keys, cancelled: threading.Event, *, why: str = "") -> Trial:
    """Start it and wait until it listens; ``why`` becomes that of the `Trial`.

    Raises:
        TrialError: it cannot be started.
        NetkitError: it was cancelled.
    """
    argv = [*program(), "gateway", "--host", HOST, "--authorized-keys", str(keys.authorized)]
    try:
        server = Served(argv, keys.directory, env=environment())
    except OSError as error:
        raise _failed(f"{argv[0]}: {error.strerror}") from error
    try:
        found = server.wait_for(
            rf"^known_hosts: \[{HOST}\]:(\d+) (\S+ \S+)", READY_LIMIT, cancelled
        )
        check_cancelled(cancelled)
        if found is None:
            raise _failed(_cause(server) or f"it did not listen within {READY_LIMIT:g} s")
        keys.know(found[2])
    except BaseException:
        server.stop()
        raise
    address = Endpoint(HOST, int(found[1]))
    return Trial(kind="netkit", address=address, user=USER, keys=keys, server=server, why=why)


def program() -> tuple[str, ...]:
    """Return the words that start netkit.

    Raises:
        TrialError: this Python does not know where its own executable is.
    """
    if not sys.executable:
        raise _failed("this Python runs inside another program and cannot be started on its own")
    if getattr(sys, "frozen", False):
        return (sys.executable,)
    # -P: a module of the current directory is not taken for netkit.
    return (sys.executable, "-P", "-m", "netkit")


def environment() -> dict[str, str]:
    """Return ours, with this very netkit to be found first."""
    here = str(Path(netkit.__file__).resolve().parents[1])
    known = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([here, known] if known else [here])}


def _cause(server: Served) -> str:
    """Return why it has ended: the second line of an error of netkit's, or its last word."""
    cause = server.find(r"^cause: +(.+)")
    return cause[1] if cause else server.last_words()


def _failed(cause: str) -> TrialError:
    return TrialError("netkit's own gateway cannot be started", cause=cause)
