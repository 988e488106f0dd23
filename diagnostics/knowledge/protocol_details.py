"""What the table of protocols leaves out: their port numbers, and what of them a tunnel lacks.

Port numbers are those of IANA's Service Name and Transport Protocol Port Number Registry, where
nothing else is said.  `netkit protocols` shows them.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from diagnostics.knowledge.protocol_types import SOCKS, Passes, Protocol, Way
from diagnostics.knowledge.protocols import TABLE, by_name


class Carried(enum.Enum):
    """In a word: whether a tunnel of TCP connections is enough."""

    YES = "yes"
    SOCKS = "with -D"
    CARE = "with care"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Port:
    """A port, or a range of them up to ``last``; ``note`` says which form of the protocol."""

    first: int
    last: int
    transport: str = "tcp"
    note: str = ""

    def __contains__(self, number: int) -> bool:
        return self.first <= number <= self.last

    def __str__(self) -> str:
        span = f"{self.first}" if self.first == self.last else f"{self.first}-{self.last}"
        return f"{span}/{self.transport}" + (f" ({self.note})" if self.note else "")


@dataclass(frozen=True, slots=True)
class Detail:
    """More about a protocol.

    Attributes:
        ports: where its servers listen by default.
        lacks: what does not go through even so; empty: nothing is known.
        ways: further commands, for its other forms.
        need: for ``netkit advise --need``; empty where a tunnel does, or no routed network helps.
    """

    ports: tuple[Port, ...] = ()
    lacks: str = ""
    ways: tuple[Way, ...] = ()
    need: str = ""


def _ports(text: str) -> tuple[Port, ...]:
    """Read ``110 995:TLS 53/udp 6000-6063``."""
    return tuple(_port(word) for word in text.split())


def _port(word: str) -> Port:
    span, _, note = word.partition(":")
    numbers, _, transport = span.partition("/")
    first, _, last = numbers.partition("-")
    return Port(int(first), int(last or first), transport or "tcp", note)


def _tls(port: int, note: str = "with TLS; the certificate names SERVER") -> Way:
    return Way(
        f"netkit forward --bind 127.0.0.1:{port + 10000} --to SERVER:{port} {{gateway}}", note
    )


def _plain(ports: str, lacks: str = "", *ways: Way) -> Detail:
    return Detail(_ports(ports), lacks, ways)


def _datagrams(ports: str, lacks: str = "") -> Detail:
    return Detail(_ports(ports), lacks, need="udp")


def _packets(ports: str = "", lacks: str = "") -> Detail:
    return Detail(_ports(ports), lacks, need="host-to-lan")


_LOCAL = "Broadcasts and multicasts end at the router: not even a routed VPN carries them."
_UDP_OPTION = "Its optional form over UDP does not; clients go on over TCP."

DETAILS: Final[Mapping[str, Detail]] = {
    # over UDP
    "udp": _datagrams(""),
    "dns": _plain("53 53/udp 853:TLS", "Questions over UDP do not."),
    "dhcp": _plain("67/udp 68/udp", _LOCAL),
    "tftp": _datagrams("69/udp"),
    "ntp": _datagrams("123/udp"),
    "snmp": _datagrams("161/udp 162/udp:traps"),
    "syslog": _plain("514/udp 514 6514:TLS", "Its form over UDP does not."),
    "radius": _datagrams("1812/udp 1813/udp 2083:RadSec"),
    "kerberos": _plain("88 88/udp 464:kpasswd", "Questions over UDP do not."),
    "sip": _datagrams("5060 5060/udp 5061:TLS"),
    "rtp": _datagrams("5004/udp"),
    "rtsp": _plain("554", "Pictures over RTP, that is UDP, do not."),
    "quic": _plain("443/udp", "HTTP/3 itself does not."),
    "wireguard": _datagrams("51820/udp"),
    "openvpn": _plain("1194/udp 1194", "Its usual form, over UDP, does not."),
    "ipsec": _datagrams("500/udp 4500/udp"),
    "l2tp": _datagrams("1701/udp"),
    "mosh": _datagrams("60000-61000/udp"),
    "coap": _datagrams("5683/udp"),
    "mdns": _plain("5353/udp", _LOCAL),
    "ssdp": _plain("1900/udp", _LOCAL),
    "netbios": _plain(
        "137/udp:names 138/udp:datagrams 139:sessions",
        "Names and browsing use broadcasts, which end at the router; use SMB by address instead.",
    ),
    "wol": _plain("9/udp", _LOCAL),
    "pcoip": _datagrams("4172/udp 4172"),
    # no TCP at all
    "icmp": _packets(),
    "gre": _packets(),
    "pptp": _packets("1723"),
    "sctp": _packets(),
    "multicast": _plain("", _LOCAL),
    # more than one connection
    "ftp": _plain(
        "21 20:data 990:TLS",
        "Active mode (PORT) does not: the server connects to an address that it cannot reach. "
        "Passive mode does not through a plain forward either: the server names a second port.",
    ),
    "dcom": _packets("135 49152-65535:dynamic"),
    "nfs": _plain("2049 111:port-mapper", "Version 3 does not, nor its UDP."),
    "rsh": _plain("514 513:rlogin", "The error output of rsh does not."),
    "h323": _datagrams("1720 1719/udp"),
    "dcc": _packets("", "Offers that the other side has to accept do not."),
    "bittorrent": _datagrams("6881-6889", "Peers that connect to you do not."),
    "jmx": _plain("1099", "A second port that the registry chooses itself does not."),
    # answers that name other addresses
    "mongodb": _plain("27017", "The other members of a replica set do not, except with -D."),
    "kafka": _plain("9092 9093:TLS", "The other brokers do not, except with -D."),
    "redis-cluster": _plain("6379 16379:bus", "The other nodes do not, except with -D."),
    "cassandra": _plain("9042", "The other nodes do not, except with -D."),
    "oracle": _plain("1521", "A redirect to another port does not, except with -D."),
    "iscsi": _plain("3260", "Portals that discovery names do not, except with -D."),
    "mssql": _plain("1433 1434/udp:browser", "Looking up a named instance, UDP 1434, does not."),
    # one port
    "smb": _plain(
        "445 139:NetBIOS", "Browsing the network does not: name the server by its address."
    ),
    "ssh": _plain("22"),
    "telnet": _plain("23 992:TLS"),
    "smtp": _plain(
        "25 465:TLS 587:submission", "", _tls(587, "to send mail: submission"), _tls(465)
    ),
    "http": _plain("80 8080"),
    "https": _plain("443 8443", "HTTP/3, over UDP, does not; clients go on over TCP."),
    "pop3": _plain("110 995:TLS", "", _tls(995)),
    "imap": _plain("143 993:TLS", "", _tls(993)),
    "ldap": _plain("389 636:TLS", "Its form over UDP does not.", _tls(636)),
    "ipp": _plain("631", "Finding printers by mDNS does not: name the queue."),
    "mysql": _plain("3306"),
    "postgresql": _plain("5432"),
    "vnc": _plain(
        "5900-5999",
        "",
        Way("netkit vnc {gateway} --to SERVER", "starts the viewer"),
    ),
    "winrm": _plain("5985 5986:TLS", "", _tls(5986)),
    "redis": _plain("6379"),
    "jetdirect": _plain("9100"),
    "mqtt": _plain("1883 8883:TLS", "", _tls(8883)),
    "amqp": _plain("5672 5671:TLS", "", _tls(5671)),
    "memcached": _plain("11211", "Its form over UDP does not."),
    "docker": _plain("2375 2376:TLS"),
    "kubernetes": _plain("6443"),
    "ica": _plain("1494 2598:session-reliability", _UDP_OPTION),
    "spice": _plain("5900-5999"),
    "rdp": _plain(
        "3389 3389/udp",
        _UDP_OPTION,
        Way("netkit rdp {gateway} --to SERVER", "picks address and port, starts the client"),
    ),
    "x11": _plain(
        "6000-6063",
        "Shared memory (MIT-SHM) and direct rendering do not.",
        Way("netkit x11 {gateway} --display 1", "with the display's cookie kept here"),
        Way("netkit x11 {gateway} COMMAND", "runs one program there"),
    ),
}


def detail(protocol: Protocol) -> Detail:
    """Return what else is known of a protocol of the table."""
    return DETAILS.get(protocol.names[0], Detail())


def carried(protocol: Protocol) -> Carried:
    """Return whether a tunnel is enough for a protocol, in a word."""
    if protocol.passes is Passes.YES:
        return Carried.YES
    if not protocol.works:
        return Carried.NO
    return Carried.SOCKS if SOCKS in protocol.ways else Carried.CARE


def look_up(word: str) -> tuple[Protocol, ...]:
    """Return the protocols of that name or port number; those over TCP come first."""
    named = by_name(word)
    if named is not None:
        return (named,)
    if not (word.isascii() and word.isdigit() and len(word) <= 5):
        return ()
    number = int(word)
    found = [
        (port.transport != "tcp", port.first != port.last, index)
        for index, each in enumerate(TABLE)
        for port in detail(each).ports
        if number in port
    ]
    exact = [row for row in found if not row[1]] or found  # a range says less than a number
    return tuple(dict.fromkeys(TABLE[index] for _, _, index in sorted(exact)))
