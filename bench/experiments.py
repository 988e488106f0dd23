"""What is done to a client: each experiment starts a fresh one and yields some figures."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from clients import Client, Running, running
from gateways import CTR, GCM, ZLIB, Crypto, Gateways
from measure import Metrics, cpu_seconds, resident_mb, wire_bytes
from processes import Processes, ended_within
from reconnect import reconnect

FAR_MILLISECONDS = 50
THIN_MILLISECONDS = 10
THIN_RATE = 2_000_000 / 8


@dataclass(frozen=True, slots=True)
class Settings:
    """How much is done; sizes in bytes, times in seconds.

    ``limit`` bounds one load run: whatever takes longer is killed and its row says so.
    """

    size: int = 1_000_000_000
    pairs: int = 5
    echo_trips: int = 10_000
    echo_seconds: float = 4.0
    flows: int = 3_000
    flow_seconds: float = 5.0
    far_seconds: float = 6.0
    far_trips: int = 30
    idle_flows: int = 1_000
    reconnects: int = 3
    rekey_most: int = 400_000_000
    limit: float = 180.0

    @property
    def rekey_size(self) -> int:
        """Bytes each way of the rekeying experiment: 400 MB when a transfer is 1 GB."""
        return min(self.size * 2 // 5, self.rekey_most)

    @property
    def zlib_size(self) -> int:
        """Bytes of a compressed transfer, which takes ten times as long."""
        return self.size // 10

    def thin_size(self, corpus: str) -> int:
        """Bytes of a transfer through the thin link: about eight seconds when another is 1 GB."""
        return self.size // (170 if corpus == "text" else 600)


def quick(size: int, pairs: int) -> Settings:
    """Everything small: to see that it works, not what it gives."""
    return Settings(
        size=size,
        pairs=pairs,
        echo_trips=1_000,
        echo_seconds=1.0,
        flows=300,
        flow_seconds=2.0,
        far_seconds=2.0,
        far_trips=5,
        reconnects=1,
        limit=60.0,
    )


def short(size: int, pairs: int) -> Settings:
    """As little as gives figures worth reading: what ``make bench`` does."""
    return Settings(
        size=size,
        pairs=pairs,
        echo_trips=3_000,
        echo_seconds=1.5,
        flows=1_000,
        flow_seconds=1.5,
        far_seconds=4.0,
        far_trips=10,
        rekey_most=12_000_000,
        reconnects=2,
        limit=60.0,
    )


@dataclass(slots=True)
class Lab:
    """What the experiments share: gateways, the far ends of the load, delaying proxies."""

    processes: Processes
    gateways: Gateways
    settings: Settings
    targets: tuple[int, int] = (0, 0)
    _proxies: dict[tuple[int, float, float], int] = field(default_factory=dict)

    def prepare(self) -> None:
        """Start the echo and the bulk target."""
        ports = [self._port(self.processes.worker("targets.py", kind)) for kind in ("echo", "bulk")]
        self.targets = (ports[0], ports[1])

    def behind(self, port: int, milliseconds: float, rate: float = 0.0) -> int:
        """The port of a proxy that is so far away from ``port``, at ``rate`` bytes per second."""
        wanted = (port, milliseconds, rate)
        if wanted not in self._proxies:
            proxy = self.processes.worker("delay.py", *wanted)
            self._proxies[wanted] = self._port(proxy)
        return self._proxies[wanted]

    def _port(self, child: Any) -> int:
        return int(self.processes.read_answer(child, 15)["port"])

    def load(self, *arguments: object) -> dict[str, Any]:
        """Run load.py to its answer."""
        return self.processes.run("load.py", *arguments, limit=self.settings.limit)

    def sample(self, experiment: Experiment, client: Client) -> Metrics:
        """One run of ``experiment`` with a fresh process of ``client``."""
        crypto = client.choose(experiment.crypto)
        login = self.gateways.get(crypto, experiment.gateway_options)
        if experiment.far:
            login = login.through(self.behind(login.port, FAR_MILLISECONDS))
        if experiment.thin:
            login = login.through(self.behind(login.port, THIN_MILLISECONDS, THIN_RATE))
        with running(self.processes, client, login, crypto, self.targets) as client_now:
            return experiment.run(self, client_now)


def bulk(lab: Lab, client: Running, kind: str, flows: int = 1) -> Metrics:
    """Move the whole size one way."""
    before = cpu_seconds(client.pid)
    answer = lab.load(kind, client.ports[1], "--bytes", lab.settings.size, "--flows", flows)
    return _moved(answer, client, before)


def corpus_bulk(
    lab: Lab, client: Running, kind: str, corpus: str = "text", *, thin: bool = False
) -> Metrics:
    """Move one corpus one way and count what of it passes the network."""
    settings = lab.settings
    size = settings.thin_size(corpus) if thin else settings.zlib_size
    before, wire = cpu_seconds(client.pid), wire_bytes(client.gateway)
    answer = lab.load(kind, client.ports[1], "--bytes", size, "--corpus", corpus)
    sent, received = wire_bytes(client.gateway)
    passed = sent - wire[0] if kind == "upload" else received - wire[1]
    return {**_moved(answer, client, before), "wire_share": passed / answer["bytes"]}


def far_bulk(lab: Lab, client: Running, kind: str) -> Metrics:
    """Move as much as a fixed time allows: at a distance the speeds differ by orders."""
    before = cpu_seconds(client.pid)
    answer = lab.load(kind, client.ports[1], "--seconds", lab.settings.far_seconds)
    return _moved(answer, client, before)


def both_ways(lab: Lab, client: Running) -> Metrics:
    """Both ways at once on one flow, every byte checked."""
    before = cpu_seconds(client.pid)
    answer = lab.load("duplex", client.ports[1], "--bytes", lab.settings.rekey_size)
    return {"seconds": answer["seconds"], **_moved(answer, client, before)}


def _moved(answer: dict[str, Any], client: Running, cpu_before: float) -> Metrics:
    cpu = cpu_seconds(client.pid) - cpu_before
    return {
        "mb_per_s": answer["bytes"] / 1e6 / answer["seconds"],
        "cpu_s_per_gb": cpu / (answer["bytes"] / 1e9),
        "peak_mb": resident_mb(client.pid, peak=True),
    }


def echo(lab: Lab, client: Running, *, far: bool = False) -> Metrics:
    """Round trips on an otherwise idle link."""
    trips = lab.settings.far_trips if far else lab.settings.echo_trips
    limits = ("--count", trips, "--seconds", 2 * lab.settings.echo_seconds)
    answer = lab.load("echo", client.ports[0], *limits)
    return {"p50_us": answer["p50_us"], "p99_us": answer["p99_us"]}


def echo_beside(lab: Lab, client: Running, kind: str, corpus: str = "block") -> Metrics:
    """Round trips for a fixed time while another flow moves all it can."""
    seconds = lab.settings.echo_seconds
    # The transfer outlasts the round trips by the time a Python process takes to start.
    options = ("--seconds", seconds + 1.0, "--signal", "--corpus", corpus)
    transfer = lab.processes.worker("load.py", kind, client.ports[1], *options)
    try:
        lab.processes.read_answer(transfer, lab.settings.limit)
        trips = ("--count", 10_000_000, "--seconds", seconds)
        answer = lab.load("echo", client.ports[0], *trips)
        moved = lab.processes.read_answer(transfer, lab.settings.limit)
    finally:
        lab.processes.stop(transfer)
    return {
        "p50_us": answer["p50_us"],
        "p99_us": answer["p99_us"],
        "trips": answer["count"],
        "mb_per_s": moved["bytes"] / 1e6 / moved["seconds"],
    }


def new_flows(lab: Lab, client: Running, at_once: int) -> Metrics:
    """Flows that carry one byte there and back."""
    settings = lab.settings
    limits = ("--count", settings.flows, "--seconds", settings.flow_seconds)
    answer = lab.load("flows", client.ports[0], "--flows", at_once, *limits)
    return {"flows_per_s": answer["count"] / answer["seconds"]}


def held_memory(lab: Lab, client: Running, kind: str, flows: int, read: int = 0) -> Metrics:
    """Resident memory that ``flows`` open flows add, once it no longer grows."""
    before = resident_mb(client.pid)
    port = client.ports[0] if kind == "idle" else client.ports[1]
    holder = lab.processes.worker("load.py", kind, port, "--flows", flows, "--bytes", read)
    try:
        lab.processes.read_answer(holder, lab.settings.limit)
        return {"added_mb": _settled(client) - before, "flows": flows}
    finally:
        lab.processes.stop(holder)


def _settled(client: Running, quiet: float = 1.0, most: float = 20.0) -> float:
    """The highest resident memory until it has not risen for ``quiet`` seconds."""
    highest, begun = resident_mb(client.pid), time.monotonic()
    risen = begun
    while (now := time.monotonic()) - risen < quiet and now - begun < most:
        if ended_within(client.child, 0.1):
            break
        current = resident_mb(client.pid)
        if current > highest + 0.25:
            highest, risen = current, time.monotonic()
    return highest


@dataclass(frozen=True, slots=True)
class Experiment:
    """One thing done to every participant.

    ``with_default``: ssh takes part a second time with the cipher it would choose itself.
    ``unattended``: the clients run in a loop that starts them again.
    ``thin``: through a link of 2 Mbit/s.
    """

    run: Callable[[Lab, Running], Metrics]
    crypto: Crypto = GCM
    far: bool = False
    gateway_options: tuple[str, ...] = ()
    with_default: bool = False
    unattended: bool = False
    thin: bool = False


def _idle_flows(lab: Lab, client: Running) -> Metrics:
    return held_memory(lab, client, "idle", lab.settings.idle_flows)


def _download(**options: Any) -> Callable[[Lab, Running], Metrics]:
    return functools.partial(bulk, kind="download", **options)


def _upload(**options: Any) -> Callable[[Lab, Running], Metrics]:
    return functools.partial(bulk, kind="upload", **options)


def _corpus(kind: str, **options: Any) -> Callable[[Lab, Running], Metrics]:
    return functools.partial(corpus_bulk, kind=kind, **options)


EXPERIMENTS: dict[str, Experiment] = {
    "download": Experiment(_download(), with_default=True),
    "upload": Experiment(_upload(), with_default=True),
    "many-download": Experiment(_download(flows=32)),
    "many-upload": Experiment(_upload(flows=32)),
    "echo": Experiment(echo),
    "echo-download": Experiment(functools.partial(echo_beside, kind="download")),
    "echo-upload": Experiment(functools.partial(echo_beside, kind="upload")),
    "flows-sequential": Experiment(functools.partial(new_flows, at_once=1)),
    "flows-64": Experiment(functools.partial(new_flows, at_once=64)),
    "far-download": Experiment(functools.partial(far_bulk, kind="download"), far=True),
    "far-upload": Experiment(functools.partial(far_bulk, kind="upload"), far=True),
    "far-echo": Experiment(functools.partial(echo, far=True), far=True),
    "far-echo-download": Experiment(functools.partial(echo_beside, kind="download"), far=True),
    "far-echo-upload": Experiment(functools.partial(echo_beside, kind="upload"), far=True),
    "far-flows-64": Experiment(functools.partial(new_flows, at_once=64), far=True),
    "ctr-download": Experiment(_download(), crypto=CTR),
    "ctr-upload": Experiment(_upload(), crypto=CTR),
    "zlib-upload": Experiment(_corpus("upload"), crypto=ZLIB),
    "zlib-download": Experiment(_corpus("download"), crypto=ZLIB),
    "zlib-upload-random": Experiment(_corpus("upload", corpus="random"), crypto=ZLIB),
    "zlib-thin-upload": Experiment(_corpus("upload", thin=True), crypto=ZLIB, thin=True),
    "zlib-thin-download": Experiment(_corpus("download", thin=True), crypto=ZLIB, thin=True),
    "zlib-thin-upload-random": Experiment(
        _corpus("upload", corpus="random", thin=True), crypto=ZLIB, thin=True
    ),
    "zlib-echo": Experiment(echo, crypto=ZLIB),
    "zlib-echo-upload": Experiment(
        functools.partial(echo_beside, kind="upload", corpus="text"), crypto=ZLIB
    ),
    "rekey": Experiment(both_ways, gateway_options=("RekeyLimit 1M",)),
    "reconnect": Experiment(reconnect, unattended=True),
    "idle-flows": Experiment(_idle_flows),
    "stalled-1": Experiment(
        functools.partial(held_memory, kind="stall", flows=1, read=100_000_000)
    ),
    "stalled-100": Experiment(
        functools.partial(held_memory, kind="stall", flows=100, read=5_000_000)
    ),
}
