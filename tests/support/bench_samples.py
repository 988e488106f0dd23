"""Results of benchmarks as they come out of real ones, for the tests of what reads them."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterator
from typing import Any

from netkit.bench.model import (
    Connections,
    Direction,
    Echo,
    FirstBytes,
    Login,
    Measured,
    Setting,
    Skipped,
    Transfer,
    Way,
)
from netkit.text.link_shapes import LinkShape

GCM, GCM256 = "aes128-gcm@openssh.com", "aes256-gcm@openssh.com"
CTR, CHACHA = "aes128-ctr", "chacha20-poly1305@openssh.com"
MB, MIB = 1e6, 1 << 20
CORPORA = ("text", "program", "random", "zeros")
RATIOS = {"text": 0.24, "program": 0.51, "random": 1.001, "zeros": 0.0016}
DOWN, UP, LOOP = Direction.DOWN, Direction.UP, Direction.LOOP

SETTING = Setting(
    gateway="a throw-away sshd on this machine",
    trial="sshd",
    server="SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10",
    way=Way.POSIX,
    round_trip=142e-6,
    cipher=GCM,
    ciphers=(GCM, GCM256, CHACHA, CTR),
    compression=True,
    compressor="zlib 1.2.13",
    client="netkit 0.1.0",
    python="CPython 3.11.7",
    platform="Linux 6.18 x86_64",
    processor="AMD EPYC",
    cores=2,
    began="2026-11-26T09:15:02+00:00",
    wanted=30.0,
    took=28.4,
    command=("netkit", "bench", "--html", "bench.html"),
)


class _Noise:
    """Figures around a middle, the same ones each time."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def near(self, middle: float, share: float = 0.03) -> float:
        return middle * math.exp(self._random.gauss(0, share))

    def latencies(self, fastest: float, usual: float, count: int) -> tuple[float, ...]:
        """Nothing is faster than ``fastest``; a few of a hundred are many times slower."""
        spread = usual - fastest
        values = [fastest + spread * self._random.lognormvariate(0, 0.45) for _ in range(count)]
        return tuple(v * self.near(4, 0.5) if self._random.random() < 0.015 else v for v in values)

    def login(self, round_trip: float, *, compression: bool = False) -> Login:
        parts = [self.near(round_trip + 0.2e-3, 0.1), self.near(3 * round_trip + 19e-3, 0.06)]
        parts.append(self.near(5 * round_trip + 24e-3, 0.08))
        return Login(
            cipher=GCM,
            compression=compression,
            tcp=parts[0],
            key_exchange=parts[1],
            authentication=parts[2],
            total=sum(parts) + self.near(0.3e-3),
        )


def _transfer(source: _Noise, rate: float, seconds: float, **more: Any) -> Transfer:
    """One transfer of about ``rate``; ``load`` and ``gateway_load`` are shares of a processor."""
    share = more.pop("noise", 0.03)
    loads = [more.pop("load", 0.9), more.pop("gateway_load", 0.8)]
    ratio = more.pop("ratio", 1.001)
    took = source.near(seconds, 0.02)
    size = round(source.near(rate, share) * took)
    return Transfer(
        size=size,
        seconds=took,
        wire=round(size * ratio),
        cpu=min(source.near(loads[0]), 1.0) * took,
        gateway_cpu=None if loads[1] is None else min(source.near(loads[1]), 1.0) * took,
        **more,
    )


def _local_transfers(noise: _Noise, rounds: int) -> Iterator[Transfer]:
    """Compression costs wherever the processor limits; other ciphers are slower."""
    compressed = {"text": 29.0, "program": 17.5, "random": 52.0, "zeros": 330.0}
    for number in range(rounds):
        for direction, rate in ((DOWN, 690.0), (UP, 790.0)):
            common: dict[str, Any] = {
                "direction": direction,
                "round": number,
                "window": 64 * MIB if direction is DOWN else 2 * MIB,
                "starved": 0.21 if direction is UP else None,
            }
            for corpus in CORPORA:
                off: dict[str, Any] = {"corpus": corpus, "cipher": GCM, "compression": False}
                yield _transfer(noise, rate * MB, 0.3, load=0.97, **off, **common)
                on: dict[str, Any] = {"corpus": corpus, "cipher": GCM, "compression": True}
                ratio = RATIOS[corpus]
                faster = 1.7 if direction is UP else 1.0
                loads: dict[str, Any] = {"load": 0.98 if direction is UP else 0.12}
                loads["gateway_load"] = 0.2 if direction is UP else 0.99
                yield _transfer(
                    noise,
                    compressed[corpus] * faster * MB,
                    0.3,
                    **on,
                    **common,
                    **loads,
                    ratio=ratio,
                    noise=0.015,
                )
            for cipher, share in ((GCM256, 0.93), (CHACHA, 0.34), (CTR, 0.61)):
                other: dict[str, Any] = {"corpus": "random", "cipher": cipher, "compression": False}
                yield _transfer(noise, rate * share * MB, 0.2, **other, **common)


def loopback() -> Measured:
    """A throw-away sshd on loopback: the processors limit, and compression costs."""
    noise = _Noise(1)
    return Measured(
        setting=SETTING,
        logins=tuple(noise.login(142e-6, compression=n % 2 == 1) for n in range(8)),
        transfers=tuple(_local_transfers(noise, 5)),
        echoes=(
            Echo(beside=None, samples=noise.latencies(120e-6, 241e-6, 1500)),
            Echo(beside=DOWN, samples=noise.latencies(210e-6, 690e-6, 900)),
            Echo(beside=UP, samples=noise.latencies(190e-6, 560e-6, 900)),
        ),
        first_bytes=(
            FirstBytes(how="command", samples=noise.latencies(3.1e-3, 4.2e-3, 12)),
            FirstBytes(how="forward", samples=noise.latencies(0.5e-3, 0.9e-3, 40)),
        ),
        connections=tuple(
            Connections(round=n, at_once=at_once, count=200, seconds=200 / noise.near(rate, 0.08))
            for n in range(3)
            for at_once, rate in ((1, 985.0), (64, 3900.0))
        ),
        notes=("the processor was 12 % busy with other things meanwhile",),
    )


def earlier() -> Measured:
    """The same as `loopback` with an older netkit: slower for text, faster at logins."""
    whole = loopback()
    return dataclasses.replace(
        whole,
        setting=dataclasses.replace(
            whole.setting, client="netkit 0.0.9", began="2026-10-02T17:40:11+00:00"
        ),
        transfers=tuple(
            dataclasses.replace(run, size=run.size * 6 // 10)
            if (run.direction, run.corpus, run.compression) == (DOWN, "text", False)
            else run
            for run in whole.transfers
            if run.cipher != CTR
        ),
        logins=tuple(
            dataclasses.replace(each, total=each.total * 0.6, key_exchange=each.key_exchange * 0.2)
            for each in whole.logins
        ),
    )


def slow_link() -> Measured:
    """1 Mbit/s and 50 ms in front of that sshd: the link limits, and text gains about its ratio.

    Random bytes stand for every corpus without compression, as in a short run.
    """
    noise = _Noise(2)
    link = 125_000.0
    transfers = [
        _transfer(
            noise,
            min(link * 0.96 / (RATIOS[corpus] if on else 1.03), 80 * link),
            1.2,
            direction=direction,
            round=number,
            cipher=GCM,
            compression=on,
            corpus=corpus,
            window=2 * MIB,
            starved=0.0 if direction is UP else None,
            ratio=RATIOS[corpus] if on else 1.03,
            load=0.02,
            gateway_load=0.01,
            noise=0.008,
        )
        for number in range(3)
        for direction in (DOWN, UP)
        for corpus in CORPORA
        for on in (False, True)
        if on or corpus == "random"
    ]
    return Measured(
        setting=dataclasses.replace(
            SETTING,
            shape=LinkShape(rate=link, round_trip=0.05),
            round_trip=0.0502,
            command=("netkit", "bench", "--link", "1mbit/50ms", "--json", "slow.json"),
        ),
        logins=tuple(noise.login(0.05) for _ in range(3)),
        transfers=tuple(transfers),
        echoes=(
            Echo(beside=None, samples=noise.latencies(50.1e-3, 50.6e-3, 40)),
            Echo(beside=DOWN, samples=noise.latencies(60e-3, 190e-3, 30)),
            Echo(beside=UP, samples=noise.latencies(60e-3, 310e-3, 30)),
        ),
        first_bytes=(FirstBytes(how="command", samples=noise.latencies(0.1, 0.106, 5)),),
        connections=(Connections(round=0, at_once=16, count=64, seconds=0.41),),
        skipped=(Skipped("other ciphers", "the time was up"),),
    )


def loop_only() -> Measured:
    """A real gateway that runs no commands: out and back by a remote forward, 80 ms away."""
    noise = _Noise(3)
    window = 2 * MIB
    transfers = [
        _transfer(
            noise,
            rate * MB,
            0.9,
            direction=LOOP,
            round=number,
            cipher=GCM,
            compression=on,
            corpus=corpus,
            window=window,
            starved=starved,
            ratio=RATIOS[corpus] if on else 1.001,
            load=0.08 if not on else 0.35,
            gateway_load=None,
            noise=0.05,
        )
        for number in range(4)
        for corpus, on, rate, starved in (
            ("text", False, 25.1, 0.97),
            ("text", True, 21.0, 0.4),
            ("random", False, 24.9, 0.96),
            ("random", True, 24.2, 0.9),
        )
    ]
    return Measured(
        setting=dataclasses.replace(
            SETTING,
            gateway="tunnel@bastion.example.org:2222",
            trial="",
            server="SSH-2.0-OpenSSH_8.4p1 Debian-5+deb11u3",
            way=Way.LOOP,
            hops=2,
            round_trip=0.0811,
            command=("netkit", "bench", "tunnel@bastion.example.org:2222"),
        ),
        logins=tuple(noise.login(0.081) for _ in range(3)),
        transfers=tuple(transfers),
        echoes=(
            Echo(beside=None, samples=noise.latencies(81e-3, 82.3e-3, 60)),
            Echo(beside=LOOP, samples=noise.latencies(82e-3, 97e-3, 60)),
        ),
        first_bytes=(FirstBytes(how="forward", samples=noise.latencies(0.162, 0.166, 8)),),
        skipped=(
            Skipped("down and up", "the gateway runs no commands: /bin/false ended at once"),
            Skipped("the gateway's processor", "it can be seen only where commands run"),
        ),
    )


def interrupted() -> Measured:
    """Ctrl-C after the first round of transfers."""
    whole = loopback()
    return dataclasses.replace(
        whole,
        transfers=tuple(
            run for run in whole.transfers if run.round == 0 and run.corpus in ("text", "program")
        ),
        echoes=(),
        connections=(),
        setting=dataclasses.replace(whole.setting, took=3.2),
        skipped=(Skipped("latency and connections", "interrupted before"),),
        interrupted=True,
        notes=(),
    )


def empty() -> Measured:
    """Interrupted before anything was known."""
    return Measured(
        setting=Setting(gateway="gw", began="2026-11-26T09:15:02+00:00"), interrupted=True
    )


def hostile() -> Measured:
    """A gateway and a user who try to break what shows them."""
    whole = loop_only()
    nasty = "<script>alert(1)</script>\"'&]]>\x1b[2J\u202e\ud800" + "長い名前" * 40
    return dataclasses.replace(
        whole,
        setting=dataclasses.replace(
            whole.setting,
            gateway=nasty,
            server=nasty,
            cipher=nasty,
            ciphers=(nasty,),
            compressor=nasty,
            processor=nasty,
            command=("netkit", "bench", nasty),
        ),
        transfers=tuple(dataclasses.replace(run, cipher=nasty) for run in whole.transfers),
        skipped=(Skipped(nasty, nasty),),
        notes=(nasty,),
    )


ALL = {
    "loopback": loopback,
    "earlier": earlier,
    "slow_link": slow_link,
    "loop_only": loop_only,
    "interrupted": interrupted,
    "empty": empty,
    "hostile": hostile,
}
"""Every sample by name."""
