"""Frozen values that every part of netkit speaks in.

This module imports nothing of ours, so anything may import it.  The words are those of the
RFCs and of ssh(1): gateway, hop, forward, bind, flow.
"""

from __future__ import annotations

import enum
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A TCP address: a name or a literal, and a port (0 means "choose one").

    In a bind address an empty ``host`` means "both loopback addresses" and ``*`` means
    "every address of the machine", as in ssh(1).
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixPath:
    """A unix-domain socket."""

    path: str

    def __str__(self) -> str:
        return self.path


Address = Endpoint | UnixPath


class ForwardKind(enum.Enum):
    """Which side listens, and whether the target is fixed (ssh -L, -R, -D)."""

    LOCAL = "local"
    REMOTE = "remote"
    DYNAMIC = "dynamic"


@dataclass(frozen=True, slots=True)
class ForwardSpec:
    """One listening point and where it leads.

    ``to`` is ``None`` for a dynamic forward, and for a remote one that speaks SOCKS
    (``-R port``).  ``text`` is what the user wrote, for messages.
    """

    kind: ForwardKind
    bind: Address
    to: Address | None = None
    text: str = ""

    def __str__(self) -> str:
        return self.text or f"{self.kind.value} {self.bind} -> {self.to or 'any'}"


@dataclass(frozen=True, slots=True)
class Gateway:
    """``[user@]host[:port]`` as the user wrote it; ``host`` may be an ssh_config alias."""

    host: str
    user: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        text = f"{self.user}@" if self.user else ""
        text += f"[{self.host}]" if ":" in self.host and self.port else self.host
        return f"{text}:{self.port}" if self.port else text


class HostKeyPolicy(enum.Enum):
    """What to do with a host key that known_hosts does not hold; a changed one is refused."""

    ASK = "ask"
    ACCEPT_NEW = "accept-new"
    STRICT = "strict"


class X11Trust(enum.Enum):
    """What remote X programs may do at the local display (ssh -X, ssh -Y)."""

    UNTRUSTED = "untrusted"
    TRUSTED = "trusted"


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy on the way to the first gateway.

    ``scheme`` is ``http`` (CONNECT), ``socks4``, ``socks4a``, ``socks5`` or ``socks5h``.  Names go
    to the proxy unresolved, except with ``socks4``.  Its password is never part of it.
    """

    scheme: str
    host: str
    port: int
    user: str = ""

    def __str__(self) -> str:
        """Return the URL, which `netkit.text.proxies.parse_proxy` reads back."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{quote(self.user, safe='')}@" if self.user else ""
        return f"{self.scheme}://{user}{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Keepalive:
    """``interval`` seconds without a byte from the gateway before it is asked; ``count``
    unanswered intervals end the link.  An interval of 0 turns it off."""

    interval: float = 30.0
    count: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Endurance:
    """What becomes of a tunnel whose link is gone.

    Attributes:
        reconnect: whether the link is remade at all; else the tunnel ends with it.
        retries: attempts in a row that may fail; None: no end.
        hold: seconds that new connections wait for a link before they are reset; 0: at once.
        takeover: end our own dead session that still holds a remote port.
        probe: prove each forward by opening its target, every so many seconds; 0: never.
        links: how many SSH connections share the flows; 0: as many as it takes.
        spread: several gateways share the links, instead of one standing in for another.
    """

    reconnect: bool = True
    retries: int | None = None
    hold: float = 10.0
    takeover: bool = False
    probe: float = 0.0
    links: int = 1
    spread: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a tunnel allows; 0 and empty mean no limit.

    Attributes:
        flows: at once, per forward.
        rate: bytes per second, per forward and direction.
        idle: seconds without a byte in either direction after which a flow is ended.
        window: bytes of receive window, all flows together.
        targets: patterns ``HOST:PORT`` that dynamic forwards may lead to.
        sources: networks that may connect to exposed binds.
    """

    flows: int = 0
    rate: int = 0
    idle: float = 0.0
    window: int = 0
    targets: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelSpec:
    """What the user asked for, before ssh_config and the environment are consulted.

    ``None`` means "not said": ssh_config, then the default decides.  ``proxy`` is the URL of a
    proxy on the way to the first gateway (``socks5://host:port``, ``socks4://``, ``http://``).
    ``via`` are further gateways that lead to the same place, for when the first fails.
    """

    gateway: Gateway
    forwards: tuple[ForwardSpec, ...] = ()
    jumps: tuple[Gateway, ...] | None = None
    user: str | None = None
    port: int | None = None
    identities: tuple[Path, ...] = ()
    config_file: Path | None = None
    compression: bool | None = None
    ciphers: tuple[str, ...] = ()
    macs: tuple[str, ...] = ()
    keepalive: Keepalive | None = None
    host_key: HostKeyPolicy | None = None
    connect_timeout: float | None = None
    expose: bool = False
    proxy: str | None = None
    x11: X11Trust | None = None
    via: tuple[Gateway, ...] = ()
    endurance: Endurance = field(default_factory=Endurance)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A saved tunnel, by name.

    Attributes:
        name: how it is called; a word for the command line.
        tunnel: what to do, as a command line would say it.
        keepalive_auto: what is known of this network decides the keepalive (``--keepalive auto``).
        launch: the program to start once the tunnel is up: ``rdp``, ``vnc``, ``http`` or none.
        note: a line for people.
    """

    name: str
    tunnel: TunnelSpec
    keepalive_auto: bool = False
    launch: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """A profile made of another program's settings; ``left_out`` tells what has no counterpart."""

    profile: Profile
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """Everything needed to reach and log in to one gateway of the chain, fully resolved.

    ``name`` is what known_hosts entries are looked up under (HostKeyAlias or the host name),
    ``alias`` what the user typed.  Empty algorithm tuples mean netkit's defaults.
    ``identity_agent`` is a socket path, ``""`` for "none".
    """

    alias: str
    host: str
    port: int = 22
    user: str = ""
    name: str = ""
    known_hosts: tuple[Path, ...] = ()
    global_known_hosts: tuple[Path, ...] = ()
    hash_known_hosts: bool = False
    host_key: HostKeyPolicy = HostKeyPolicy.ASK
    identities: tuple[Path, ...] = ()
    identities_explicit: bool = False
    identities_only: bool = False
    certificates: tuple[Path, ...] = ()
    identity_agent: str = ""
    auth_methods: tuple[str, ...] = ("publickey", "keyboard-interactive", "password")
    proxy_command: str | None = None
    proxy: Proxy | None = None
    ciphers: tuple[str, ...] = ()
    macs: tuple[str, ...] = ()
    kex: tuple[str, ...] = ()
    host_key_algorithms: tuple[str, ...] = ()
    compression: bool = False
    connect_timeout: float = 30.0
    address_family: str = "any"
    bind_address: str | None = None
    password_prompts: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a tunnel will do, decided before anything is touched (``--dry-run`` prints it).

    ``ways`` are the hops of further gateways that lead to the same place.  ``adapts`` lets the
    keepalive become shorter after a drop that fits an idle timeout.
    """

    hops: tuple[Hop, ...]
    forwards: tuple[ForwardSpec, ...] = ()
    x11: X11Trust | None = None
    keepalive: Keepalive = field(default_factory=Keepalive)
    adapts: bool = False
    endurance: Endurance = field(default_factory=Endurance)
    limits: Limits = field(default_factory=Limits)
    ways: tuple[tuple[Hop, ...], ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fix:
    """A command that mends a fault.  ``where`` is ``here``, ``gateway`` or ``network``.

    ``...`` in ``argv`` stands for the words of the command that failed.  ``persistent`` says
    whether it outlives a restart of the machine it changes; ``undo`` takes it back (empty: it
    changes nothing, or nothing takes it back).
    """

    argv: tuple[str, ...]
    where: str = "here"
    note: str = ""
    needs_admin: bool = False
    persistent: bool = False
    undo: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """The command as it can be typed into a POSIX shell."""
        return shlex.join(self.argv)

    def __str__(self) -> str:
        """Return the command, with what else to know about it in brackets."""
        notes = []
        if self.where != "here":
            notes.append(f"on the {self.where}")
        if self.needs_admin and self.argv[:1] != ("sudo",):
            notes.append("as administrator")
        if self.note:
            notes.append(self.note)
        if not self.argv:
            return "; ".join(notes)
        return f"{self.command}   ({'; '.join(notes)})" if notes else self.command
