"""Which kind of tunnel fits: a total decision over the answers.

Each technology is judged by the same questions: does it carry what is needed, are the rights, the
login and the systems there, does UDP get through, does the other side speak it.  The order in which
those that fit are preferred depends on the need alone.

Sources: ssh(1) (-L, -D, -w), sshuttle's documentation (Requirements), openvpn(8), wireguard.com
(Known Limitations), RFC 7296 (IKEv2, UDP 500 and 4500), "Why TCP Over TCP Is A Bad Idea" (O. Titz),
the manual of Zebedee 2.5.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from netkit.advise.model import Advice, Answers, Need, Peer, System, Technology, Verdict

_T = Technology
_VPN: Final = (_T.WIREGUARD, _T.OPENVPN, _T.IPSEC_ONE, _T.IPSEC_FOUR, _T.SSH_TUN, _T.PPP_SSH)
_LIGHT: Final = (_T.TCP_FORWARD, _T.SOCKS, _T.SSHUTTLE)

ORDER: Final[Mapping[Need, tuple[Technology, ...]]] = {
    Need.TCP: (*_LIGHT, *_VPN, _T.ZEBEDEE),
    Need.WEB: (_T.SOCKS, _T.SSHUTTLE, _T.TCP_FORWARD, *_VPN, _T.ZEBEDEE),
    Need.NETWORK: (_T.SSHUTTLE, *_VPN, _T.SOCKS, _T.TCP_FORWARD, _T.ZEBEDEE),
    Need.UDP: (*_VPN, _T.ZEBEDEE, *_LIGHT),
    Need.HOST_TO_LAN: (*_VPN, *_LIGHT, _T.ZEBEDEE),
    Need.LAN_TO_LAN: (
        *(_T.WIREGUARD, _T.IPSEC_ONE, _T.IPSEC_FOUR, _T.OPENVPN, _T.SSH_TUN, _T.PPP_SSH),
        *(*_LIGHT, _T.ZEBEDEE),
    ),
}
"""What suits a need, best first; each row holds every technology once."""

_EVERYTHING: Final = frozenset(Need)
_CARRIES: Final[Mapping[Technology, frozenset[Need]]] = {
    _T.TCP_FORWARD: frozenset({Need.TCP}),
    _T.SOCKS: frozenset({Need.TCP, Need.WEB}),
    _T.SSHUTTLE: frozenset({Need.TCP, Need.WEB, Need.NETWORK}),
    _T.ZEBEDEE: frozenset({Need.TCP, Need.UDP}),
}
_NOT_CARRIED: Final[Mapping[Technology, str]] = {
    _T.TCP_FORWARD: "carries TCP connections to the services named, nothing else",
    _T.SOCKS: "carries TCP from programs that are told of the proxy, nothing else",
    _T.SSHUTTLE: "carries TCP and DNS of this machine, nothing else",
    _T.ZEBEDEE: "carries connections to the services named, nothing else",
}

_OVER_SSH: Final = frozenset({*_LIGHT, _T.SSH_TUN, _T.PPP_SSH})
_ROOT_HERE: Final = frozenset({_T.SSHUTTLE, *_VPN})
_ROOT_GATEWAY: Final = frozenset(_VPN)
_NEEDS_UDP: Final = frozenset({_T.WIREGUARD, _T.IPSEC_ONE, _T.IPSEC_FOUR})

_HERE: Final[Mapping[Technology, frozenset[System]]] = {
    _T.SSHUTTLE: frozenset({System.LINUX, System.MACOS, System.OTHER}),
    _T.IPSEC_ONE: frozenset({System.LINUX}),
    _T.IPSEC_FOUR: frozenset({System.LINUX}),
    _T.SSH_TUN: frozenset({System.LINUX}),
    _T.PPP_SSH: frozenset({System.LINUX}),
}
_GATEWAY: Final[Mapping[Technology, frozenset[System]]] = {
    _T.SSHUTTLE: frozenset({System.LINUX, System.MACOS, System.OTHER}),
    _T.IPSEC_ONE: frozenset({System.LINUX}),
    _T.IPSEC_FOUR: frozenset({System.LINUX, System.OTHER}),
    _T.SSH_TUN: frozenset({System.LINUX}),
    _T.PPP_SSH: frozenset({System.LINUX}),
}
_NOT_ON: Final[Mapping[Technology, str]] = {
    _T.SSHUTTLE: "needs a firewall it can use here and Python on the gateway: no Windows",
    _T.IPSEC_ONE: "needs Linux on both sides: xfrm interfaces are Linux's",
    _T.IPSEC_FOUR: "is written for strongSwan's swanctl; other systems bring other IKEv2 clients",
    _T.SSH_TUN: "needs Linux on both sides as written here: tun devices differ elsewhere",
    _T.PPP_SSH: "needs pppd, and Linux on both sides as written here",
}

_SPEAKS: Final[Mapping[Peer, frozenset[Technology]]] = {
    Peer.WIREGUARD: frozenset({_T.WIREGUARD}),
    Peer.OPENVPN: frozenset({_T.OPENVPN}),
    Peer.IPSEC: frozenset({_T.IPSEC_ONE, _T.IPSEC_FOUR}),
    Peer.ZEBEDEE: frozenset({_T.ZEBEDEE}),
}

_WHY: Final[Mapping[Technology, str]] = {
    _T.TCP_FORWARD: "one command, an ordinary login and no rights on either side",
    _T.SOCKS: "one command and one port for every host over TCP, names resolved at the gateway",
    _T.SSHUTTLE: "every program's TCP goes through without being told, and the gateway needs no "
    "change",
    _T.WIREGUARD: "every IP protocol, little to configure, fast, and it survives a change of "
    "address",
    _T.OPENVPN: "every IP protocol, on every system, over TCP too where UDP is blocked",
    _T.IPSEC_ONE: "every IP protocol, in the kernel and a standard; routes decide what goes in, "
    "so one tunnel carries all pairs of networks",
    _T.IPSEC_FOUR: "every IP protocol and a standard that routers of all makes speak; a tunnel "
    "for each pair: LAN-LAN, gateway-gateway, gateway-LAN, LAN-gateway",
    _T.SSH_TUN: "every IP protocol over the SSH connection that is there anyway",
    _T.PPP_SSH: "every IP protocol over SSH, without any change to sshd",
    _T.ZEBEDEE: "the other side speaks nothing else",
}
_DRAWBACK: Final[Mapping[Technology, str]] = {
    _T.TCP_FORWARD: "one forward for each service",
    _T.SOCKS: "every program has to be told of the proxy",
    _T.SSHUTTLE: "it needs administrator rights here",
    _T.WIREGUARD: "it needs rights and an open UDP port on the gateway",
    _T.OPENVPN: "certificates, and slower than WireGuard",
    _T.IPSEC_ONE: "many settings that both sides must agree on",
    _T.IPSEC_FOUR: "a policy for each pair of networks, and nothing to see in the routing table",
    _T.SSH_TUN: "TCP inside TCP: one lost packet stalls everything in the tunnel",
    _T.PPP_SSH: "TCP inside TCP, and a process more on each side than ssh -w",
    _T.ZEBEDEE: "weak cryptography",
}

WEAK: Final = (
    "has weak cryptography (Blowfish, 1024-bit Diffie-Hellman, a checksum for integrity, no "
    "authentication unless configured): only for a peer that has nothing else"
)


def choose(answers: Answers) -> Advice:
    """Judge every technology; total over the answers."""
    verdicts = (_verdict(technology, answers) for technology in ORDER[answers.need])
    return Advice(answers, tuple(verdicts))


def drawback(technology: Technology) -> str:
    """Return what speaks against a technology that fits."""
    return _DRAWBACK[technology]


def _verdict(technology: Technology, answers: Answers) -> Verdict:
    return Verdict(technology, _WHY[technology], tuple(_lacks(technology, answers)))


def _lacks(technology: Technology, answers: Answers) -> Iterator[str]:
    """Yield what is missing for it, the weightiest first."""
    if answers.need not in _CARRIES.get(technology, _EVERYTHING):
        yield _NOT_CARRIED[technology]
    if technology is _T.ZEBEDEE and answers.peer is not Peer.ZEBEDEE:
        yield WEAK
    # What a login is enough for works beside whatever the other side has.
    if answers.peer is not Peer.NONE and technology not in {*_SPEAKS[answers.peer], *_LIGHT}:
        yield f"is not what the other side has ({answers.peer.value})"
    if technology in _OVER_SSH and not answers.ssh:
        yield "needs an SSH login on the gateway"
    where = [
        *(["here"] if technology in _ROOT_HERE and not answers.root_here else []),
        *(["on the gateway"] if technology in _ROOT_GATEWAY and not answers.root_gateway else []),
    ]
    if where:
        yield f"needs administrator rights {' and '.join(where)}"
    if technology in _NEEDS_UDP and not answers.udp:
        yield "needs UDP between the two sides"
    everywhere = frozenset(System)
    if answers.here not in _HERE.get(technology, everywhere) or answers.gateway not in _GATEWAY.get(
        technology, everywhere
    ):
        yield _NOT_ON[technology]
