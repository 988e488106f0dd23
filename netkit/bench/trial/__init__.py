"""Throw-away gateways on this machine, for ``netkit bench`` without a gateway of one's own.

`start_trial` starts the system's sshd, or netkit's own gateway in a process of its own, with keys
made for the run, on a port of 127.0.0.1; `Trial.stop` leaves nothing of it.
"""

from __future__ import annotations

from netkit.bench.trial.gateway import Trial, TrialError
from netkit.bench.trial.start import start_trial

__all__ = ["Trial", "TrialError", "start_trial"]
