"""Reading another process's costs, interleaving the runs, and comparing them.

Linux only: this is the one place of the benchmarks that reads /proc.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from processes import ProcessFailedError

Metrics = dict[str, float]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all its threads, also those that have ended.

    The same sum as utime+stime of /proc/PID/stat, read from the process's CPU clock
    (clock_getcpuclockid(3)), which counts nanoseconds instead of hundredths of a second.
    """
    return time.clock_gettime((~pid << 3) | 2)


def resident_mb(pid: int, *, peak: bool = False) -> float:
    """Resident memory of a process in MB (10^6 bytes), now or at its highest so far."""
    wanted = "VmHWM:" if peak else "VmRSS:"
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(wanted):
            return int(line.split()[1]) * 1024 / 1e6
    raise ProcessLookupError(f"process {pid} has ended")


def wire_bytes(port: int) -> tuple[int, int]:
    """What the TCP connection to 127.0.0.1:``port`` has sent and received, in bytes.

    Asks ``ss``, which reads the kernel's counters (tcp_info: payload of TCP, without headers).

    Raises:
        ProcessFailedError: there is no such program, or not one such connection.
    """
    argv = ["ss", "-tinH", "state", "established", "dst", "127.0.0.1", "dport", "=", f":{port}"]
    try:
        said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise ProcessFailedError(f"ss does not answer ({error}): install iproute2") from error
    counters = [re.findall(rf"\b{word}:(\d+)", said) for word in ("bytes_sent", "bytes_received")]
    if [len(found) for found in counters] != [1, 1]:
        raise ProcessFailedError(f"the client has not one connection to port {port}")
    return int(counters[0][0]), int(counters[1][0])


@dataclass(slots=True)
class Samples:
    """What the rounds of one experiment gave.

    ``rounds[participant]`` has one entry a round; ``failures`` says why a participant has none
    from some round on.
    """

    rounds: dict[str, list[Metrics]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def values(self, participant: str, metric: str) -> list[float]:
        """One metric of one participant, in the order of the rounds."""
        return [values[metric] for values in self.rounds.get(participant, [])]


def interleave(
    participants: Sequence[str],
    rounds: int,
    sample: Callable[[str, int], Metrics],
    failed: type[Exception],
) -> Samples:
    """Sample every participant once a round; every other round runs in the reverse order.

    The reversal (A B, B A, A B …) keeps a drift of the machine from favouring whoever is first.
    A participant whose sample raises ``failed`` is left out from then on.
    """
    samples = Samples({name: [] for name in participants})
    for number in range(rounds):
        order = list(participants) if number % 2 == 0 else list(reversed(participants))
        for name in order:
            if name in samples.failures:
                continue
            try:
                samples.rounds[name].append(sample(name, number))
            except failed as error:
                samples.failures[name] = str(error)
    return samples


@dataclass(frozen=True, slots=True)
class Comparison:
    """``ours`` against ``base``: the median of the ratios of each round is the one that counts."""

    ratio: float
    lowest: float
    highest: float
    ratio_of_medians: float


def compare(ours: Sequence[float], base: Sequence[float]) -> Comparison | None:
    """Compare values of the same rounds; None when there is no complete round."""
    pairs = [(one, other) for one, other in zip(ours, base, strict=False) if other]
    if not pairs:
        return None
    ratios = [one / other for one, other in pairs]
    return Comparison(
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        statistics.median(one for one, _ in pairs) / statistics.median(two for _, two in pairs),
    )
