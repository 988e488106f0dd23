"""What a benchmark measures: frozen values, in seconds and bytes.

A *run* is one timed piece of work, such as a transfer; runs of the same kind are taken in *rounds*,
one after the other with those they are compared with, so that what disturbs one disturbs its
neighbours as well.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from netkit.text.link_shapes import LinkShape


class Way(enum.Enum):
    """How bytes are made to pass through the gateway."""

    POSIX = "exec"
    """Commands of a POSIX shell make and take them."""
    POWERSHELL = "powershell"
    """Windows PowerShell makes and takes them."""
    LOOP = "loop"
    """A flow to a remote forward of our own: out and back, so every byte crosses the link twice."""
    NONE = "none"
    """Neither commands nor forwards are allowed: only logins and round trips can be measured."""


class Direction(enum.Enum):
    """Which way the bytes of a run went."""

    DOWN = "down"
    UP = "up"
    LOOP = "loop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What was measured, with what, and when.

    Attributes:
        gateway: as the user named it; a throw-away one is described in words.
        trial: ``sshd`` or ``netkit`` for a throw-away gateway here, empty for a real one.
        server: the gateway's version line (untrusted, made printable).
        way: how bytes were made to pass.
        shape: the link that was imitated in front of a throw-away gateway.
        hops: gateways of the chain.
        round_trip: the shortest round trip that was seen on an idle link, seconds; 0: unknown.
        cipher: what is agreed on where nothing is asked for.
        ciphers: every cipher that both sides offer, `cipher` first.
        compression: whether both sides can compress.
        compressor: what compresses on our side, such as ``zlib 1.3.1``.
        client, python, platform, processor: ours.
        cores: processors that this process may use.
        began: ISO 8601 with offset.
        wanted, took: seconds.
        command: what was typed, without secrets.
    """

    gateway: str
    trial: str = ""
    server: str = ""
    way: Way = Way.NONE
    shape: LinkShape | None = None
    hops: int = 1
    round_trip: float = 0.0
    cipher: str = ""
    ciphers: tuple[str, ...] = ()
    compression: bool = False
    compressor: str = ""
    client: str = ""
    python: str = ""
    platform: str = ""
    processor: str = ""
    cores: int = 1
    began: str = ""
    wanted: float = 0.0
    took: float = 0.0
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """One login to the whole chain and its parts (of the last hop), seconds.

    ``total`` runs from nothing to logged in; ``tcp`` holds name resolution, ``key_exchange`` the
    identification too, ``authentication`` everything behind it.
    """

    cipher: str
    compression: bool
    tcp: float
    key_exchange: float
    authentication: float
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One timed transfer, without its warm-up.

    Attributes:
        direction: which way; LOOP is out and back at once.
        round: those of one round were taken one after the other; from 0.
        cipher, compression: of the link it ran on.
        corpus: ``text``, ``program``, ``random``, ``zeros``, or ``sample``.
        size: bytes of the flow that passed in `seconds`.
        seconds: how long that took.
        wire: bytes of SSH packets that carried them (in the direction of the transfer).
        cpu: seconds of CPU that the link's thread spent meanwhile.
        gateway_cpu: seconds of CPU that the gateway's process for this connection spent meanwhile;
            None where that cannot be seen.
        window: bytes of window that the receiving side grants at most; the gateway's for UP and
            LOOP, ours for DOWN.
        busy: the share of all of this machine's processors that had work meanwhile, whoever gave it
            to them; None: not known.
        starved: the share of moments (0 … 1) in which our side had data and no window to send it;
            None where it does not apply (DOWN).
    """

    direction: Direction
    round: int
    cipher: str
    compression: bool
    corpus: str
    size: int
    seconds: float
    wire: int
    cpu: float
    gateway_cpu: float | None = None
    window: int = 0
    starved: float | None = None
    busy: float | None = None

    @property
    def rate(self) -> float:
        """Bytes of the flow per second."""
        return self.size / self.seconds if self.seconds > 0 else 0.0

    @property
    def ratio(self) -> float:
        """Bytes on the wire per byte of the flow; 0 where nothing passed."""
        return self.wire / self.size if self.size else 0.0

    @property
    def load(self) -> float:
        """The share of one processor that the link's thread used."""
        return self.cpu / self.seconds if self.seconds > 0 else 0.0

    @property
    def gateway_load(self) -> float | None:
        """The share of one processor that the gateway used for this connection."""
        if self.gateway_cpu is None or self.seconds <= 0:
            return None
        return self.gateway_cpu / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    """Round trips of one byte through a flow, seconds each.

    ``beside`` is the bulk transfer that went on meanwhile on the same link; None: it was idle.
    """

    beside: Direction | None
    samples: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstBytes:
    """From asking for a flow to the first byte that comes out of it, seconds each.

    ``how`` says what answered: ``command`` (a program that the gateway starts) or ``forward``.
    """

    how: str
    samples: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """``count`` flows were opened and closed in ``seconds``, ``at_once`` at a time."""

    round: int
    at_once: int
    count: int
    seconds: float

    @property
    def rate(self) -> float:
        """Flows per second."""
        return self.count / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Skipped:
    """What was not measured, and why, each in a few words without a full stop."""

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Everything that is known at the end of a benchmark, or when it was interrupted."""

    setting: Setting
    logins: tuple[Login, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    echoes: tuple[Echo, ...] = ()
    first_bytes: tuple[FirstBytes, ...] = ()
    connections: tuple[Connections, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    interrupted: bool = False
    notes: tuple[str, ...] = field(default=())
