"""Measurements of a tunnel that does not exist, from the model that the judge works with."""

from __future__ import annotations

from dataclasses import dataclass, replace

from netkit.bench.model import Direction, Measured, Setting, Transfer

GCM = "aes128-gcm@openssh.com"
CHACHA = "chacha20-poly1305@openssh.com"
REAL = Setting(gateway="gw", round_trip=0.02, cipher=GCM, ciphers=(GCM, CHACHA), compression=True)
TRIAL = replace(REAL, trial="sshd", round_trip=5e-5, cores=2)
ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnel:
    """What each part of a tunnel can do; goodput = min(processors, link / ratio, window / RTT).

    Attributes:
        link: bytes per second on the wire; infinity: no limit.
        ours, gateways: bytes of the flow per second that a processor of each side can do.
        ours_packed, gateways_packed: the same with compression.
        window, round_trip: bytes and seconds.
        noise: the share by which the rounds differ.
        sees_gateway: whether the gateway's CPU can be seen.
    """

    link: float = 1e12
    ours: float = 1e12
    gateways: float = 1e12
    ours_packed: float = 1e12
    gateways_packed: float = 1e12
    window: int = 1 << 30
    round_trip: float = 0.02
    noise: float = 0.02
    sees_gateway: bool = True

    def transfer(
        self,
        direction: Direction = Direction.DOWN,
        *,
        number: int = 0,
        cipher: str = GCM,
        ratio: float | None = None,
        corpus: str = "text",
        seconds: float = 1.0,
    ) -> Transfer:
        """One transfer; ``ratio`` is the one of compression, None: it is off."""
        on = ratio is not None
        ours = self.ours_packed if on else self.ours
        gateways = self.gateways_packed if on else self.gateways
        windowed = self.window / self.round_trip
        rate = min(ours, gateways, windowed, self.link / (ratio or 1.0))
        rate *= 1 + self.noise * ((number % 3) - 1)
        return Transfer(
            direction=direction,
            round=number,
            cipher=cipher,
            compression=on,
            corpus=corpus,
            size=int(rate * seconds),
            seconds=seconds,
            wire=int(rate * seconds * (ratio or 1.0)),
            cpu=rate / ours * seconds,
            gateway_cpu=rate / gateways * seconds if self.sees_gateway else None,
            window=self.window,
            starved=None if direction is Direction.DOWN else min(rate / windowed, 1.0),
        )

    def transfers(
        self, *args: Direction, rounds: int = ROUNDS, **kinds: object
    ) -> tuple[Transfer, ...]:
        """A transfer for each direction and round."""
        return tuple(
            self.transfer(direction, number=number, **kinds)  # type: ignore[arg-type]
            for number in range(rounds)
            for direction in args or (Direction.DOWN,)
        )


ZLIB = Tunnel(ours=1e9, gateways=8e8, ours_packed=4e7, gateways_packed=3e7)
"""Processors of today with AES-GCM, and with zlib before it."""


def measured(*runs: Transfer, setting: Setting = REAL, round_trip: float | None = None) -> Measured:
    """What a benchmark of these transfers knows."""
    if round_trip is not None:
        setting = replace(setting, round_trip=round_trip)
    return Measured(setting=setting, transfers=runs)
