"""Choosing and starting a throw-away gateway."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from netkit.bench.trial import own, sshd
from netkit.bench.trial.gateway import Keys, Trial, TrialError, check_cancelled, make_keys
from netkit.model import Fix

PREFIX: Final = "netkit-trial-"
"""How the name of the directory with its files begins."""


def start_trial(prefer: str | None = None, *, cancelled: threading.Event | None = None) -> Trial:
    """Start a gateway on a port of 127.0.0.1, with keys made for the run.

    Args:
        prefer: the kind that must be started, ``sshd`` or ``netkit``; None for the system's sshd,
            and where that does not work netkit's own (`Trial.why` says why then).
        cancelled: interrupts it.

    Raises:
        TrialError: none can be started.
        GatewayUnreachableError: it was cancelled (code ``cancelled``).
    """
    cancelled = cancelled or threading.Event()
    if prefer == "netkit":
        return _start(lambda keys: own.start(keys, cancelled), cancelled)
    try:
        return _start(lambda keys: sshd.start(keys, cancelled), cancelled)
    except TrialError as error:
        if prefer == "sshd":
            raise TrialError(
                error.summary,
                cause=error.cause,
                fixes=(Fix(("netkit", "bench", "--server", "netkit")),),
            ) from error
        why = error.cause
    return _start(lambda keys: own.start(keys, cancelled, why=why), cancelled)


def _start(start: Callable[[Keys], Trial], cancelled: threading.Event) -> Trial:
    """Start one with a directory of its own, which is removed if that fails."""
    check_cancelled(cancelled)
    try:
        directory = Path(tempfile.mkdtemp(prefix=PREFIX))  # 0700
    except OSError as error:
        raise _no_room(error) from error
    try:
        return start(make_keys(directory))
    except OSError as error:
        shutil.rmtree(directory, ignore_errors=True)
        raise _no_room(error) from error
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise


def _no_room(error: OSError) -> TrialError:
    return TrialError(
        f"no files for a gateway of our own can be written: {error.strerror}",
        cause="the disk is full, or the directory for temporary files is missing or not writable",
    )
