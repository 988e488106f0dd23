"""What is asked, what is advised, and what is to be done: frozen values."""

from __future__ import annotations

import enum
import ipaddress
from dataclasses import dataclass

from netkit.model import Endpoint, Fix, Gateway

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface

HERE = "here"
GATEWAY = "gateway"


class Need(enum.Enum):
    """What is to be reached, and by whom."""

    TCP = "tcp"
    WEB = "web"
    NETWORK = "network"
    UDP = "udp"
    HOST_TO_LAN = "host-to-lan"
    LAN_TO_LAN = "lan-to-lan"

    @property
    def text(self) -> str:
        """The need in words, as the answer to "what do you need?"."""
        return {
            Need.TCP: "single services over TCP: a desktop, a database, mail",
            Need.WEB: "many hosts, from programs that can use a SOCKS or HTTP proxy",
            Need.NETWORK: "a whole network over TCP, from any program of this machine",
            Need.UDP: "services over UDP: telephony, games, TFTP",
            Need.HOST_TO_LAN: "a whole network from this machine, with every protocol",
            Need.LAN_TO_LAN: "a whole network from every machine of the network here, and back",
        }[self]


class System(enum.Enum):
    """An operating system, as far as it matters here."""

    LINUX = "linux"
    MACOS = "macos"
    WINDOWS = "windows"
    OTHER = "other"


class Peer(enum.Enum):
    """What the other side has and insists on."""

    NONE = "none"
    WIREGUARD = "wireguard"
    OPENVPN = "openvpn"
    IPSEC = "ipsec"
    ZEBEDEE = "zebedee"


class Technology(enum.Enum):
    """The kinds of tunnel."""

    TCP_FORWARD = "tcp-forward"
    SOCKS = "socks"
    SSHUTTLE = "sshuttle"
    WIREGUARD = "wireguard"
    OPENVPN = "openvpn"
    IPSEC_ONE = "ipsec-one"
    IPSEC_FOUR = "ipsec-four"
    SSH_TUN = "ssh-tun"
    PPP_SSH = "ppp-ssh"
    ZEBEDEE = "zebedee"

    @property
    def title(self) -> str:
        """How people call it."""
        return {
            Technology.TCP_FORWARD: "a TCP forward",
            Technology.SOCKS: "a SOCKS proxy (-D)",
            Technology.SSHUTTLE: "sshuttle",
            Technology.WIREGUARD: "WireGuard",
            Technology.OPENVPN: "OpenVPN",
            Technology.IPSEC_ONE: "IPsec, one tunnel with routes",
            Technology.IPSEC_FOUR: "IPsec, a tunnel for each pair",
            Technology.SSH_TUN: "tun over SSH (ssh -w)",
            Technology.PPP_SSH: "PPP over SSH",
            Technology.ZEBEDEE: "Zebedee",
        }[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What decides which kind of tunnel fits.

    Attributes:
        need: what is to be reached.
        root_here, root_gateway: whether one may administer this machine, the gateway.
        udp: whether UDP gets from here to the gateway.
        ssh: whether there is an SSH login on the gateway.
        here, gateway: the two systems.
        peer: what the gateway's side has already, if anything.
    """

    need: Need
    root_here: bool = False
    root_gateway: bool = False
    udp: bool = True
    ssh: bool = True
    here: System = System.LINUX
    gateway: System = System.LINUX
    peer: Peer = Peer.NONE


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of one technology: ``lacks`` is empty where it fits."""

    technology: Technology
    why: str
    lacks: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether it would do."""
        return not self.lacks


@dataclass(frozen=True, slots=True)
class Advice:
    """Every technology with its verdict, in the order in which they suit the need."""

    answers: Answers
    verdicts: tuple[Verdict, ...]

    @property
    def best(self) -> Verdict | None:
        """The first that fits; None where none does."""
        return next((each for each in self.verdicts if each.fits), None)

    def of(self, technology: Technology) -> Verdict:
        """Return the verdict on ``technology``."""
        return next(each for each in self.verdicts if each.technology is technology)


@dataclass(frozen=True, slots=True)
class TunnelAddresses:
    """The addresses inside the tunnel, with their network: (here, gateway) for each family."""

    pairs: tuple[tuple[Interface, Interface], ...]

    @property
    def networks(self) -> tuple[Network, ...]:
        """The tunnel's own networks."""
        return tuple(here.network for here, _ in self.pairs)

    @property
    def here(self) -> tuple[Interface, ...]:
        """Our ends."""
        return tuple(here for here, _ in self.pairs)

    @property
    def gateway(self) -> tuple[Interface, ...]:
        """The gateway's ends."""
        return tuple(gateway for _, gateway in self.pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sites:
    """The two ends of a tunnel, checked (`netkit.advise.addresses`).

    Attributes:
        login: how to log in to the gateway; None where no SSH is involved.
        gateway_address: the gateway's address or name, as this side reaches it.
        local_address: this side's address as the gateway sees it; empty: it changes or is unknown.
        local_nets, remote_nets: the networks on the two sides.
        targets: single services beyond the gateway.
        tunnel: addresses inside the tunnel.
        name: of the interface and of the files.
        port: where the gateway listens; 0: the technology's usual one.
        lan_to_lan: whether the machines of the local networks use the tunnel too.
        udp: whether the tunnel may use UDP.
        udp_service: whether the targets are services over UDP.
        here, gateway: the two systems.
    """

    login: Gateway | None = None
    gateway_address: str = ""
    local_address: str = ""
    local_nets: tuple[Network, ...] = ()
    remote_nets: tuple[Network, ...] = ()
    targets: tuple[Endpoint, ...] = ()
    tunnel: TunnelAddresses = TunnelAddresses(())
    name: str = "netkit0"
    port: int = 0
    lan_to_lan: bool = False
    udp: bool = True
    udp_service: bool = False
    here: System = System.LINUX
    gateway: System = System.LINUX


@dataclass(frozen=True, slots=True)
class File:
    """A file to write: on which ``side``, its name there, and where the side wants it.

    ``private`` says that it holds a key.
    """

    side: str
    name: str
    text: str
    install: str
    private: bool = False

    @property
    def path(self) -> str:
        """Where it is in the folder that is written."""
        return f"{self.side}/{self.name}"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to build a tunnel: files, what to do in order, and what to know.

    The undo of each step is in the step (`netkit.model.Fix`).
    """

    technology: Technology
    steps: tuple[Fix, ...]
    files: tuple[File, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def undo(self) -> tuple[Fix, ...]:
        """The way back, in order."""
        return tuple(
            Fix(step.undo, where=step.where, needs_admin=step.needs_admin)
            for step in reversed(self.steps)
            if step.undo
        )
