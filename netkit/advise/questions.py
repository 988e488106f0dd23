"""What has to be known before there can be advice, and files: questions, and answers as text.

The command line asks them one after another, or takes the options of the same names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from netkit.advise import addresses
from netkit.advise.keys import Keys
from netkit.advise.model import Answers, Need, Peer, Sites, System, Technology
from netkit.advise.write import ROUTED, wanted
from netkit.errors import UsageError
from netkit.model import Gateway

Given = Mapping[str, Sequence[str]]
"""Values by the names of the questions; a name that is missing was not answered."""

ROOTS: Final = ("none", "here", "gateway", "both")
YES_NO: Final = ("yes", "no")

_NEEDS_ROOT: Final = frozenset({Need.NETWORK, Need.UDP, Need.HOST_TO_LAN, Need.LAN_TO_LAN})


@dataclass(frozen=True, slots=True)
class Question:
    """A question.

    Attributes:
        name: the option's, without dashes.
        text: what is asked.
        choices: (word, meaning); empty: free text.
        default: what an empty answer means; None: it has to be answered.
        many: whether several answers, separated by spaces, are possible.
    """

    name: str
    text: str
    choices: tuple[tuple[str, str], ...] = ()
    default: str | None = None
    many: bool = False

    @property
    def option(self) -> str:
        """The option that answers it."""
        return f"--{self.name}"


QUESTIONS: Final[Mapping[str, Question]] = {
    each.name: each
    for each in (
        Question(
            "need",
            "What do you need to reach?",
            tuple((need.value, need.text) for need in Need),
        ),
        Question(
            "root",
            "Where can you work as administrator (root)?",
            (
                ("none", "nowhere"),
                ("here", "on this machine only"),
                ("gateway", "on the gateway only"),
                ("both", "on this machine and on the gateway"),
            ),
        ),
        Question(
            "udp",
            "Does UDP get from here to the gateway?",
            (("yes", "yes, or unknown"), ("no", "no: a firewall lets TCP through only")),
            "yes",
        ),
        Question(
            "peer",
            "Does the gateway's side insist on something that it has already?",
            (
                ("none", "no"),
                ("wireguard", "WireGuard"),
                ("openvpn", "OpenVPN"),
                ("ipsec", "IPsec (IKEv2)"),
                ("zebedee", "Zebedee"),
            ),
            "none",
        ),
        Question(
            "files",
            "Make its commands and files now, for your addresses?",
            (("yes", "yes"), ("no", "no, that was it")),
            "yes",
        ),
        Question("gateway", "The gateway's SSH login, as in me@gateway.example?"),
        Question("gateway-address", "The gateway's address or name, as seen from here?"),
        Question(
            "local-address",
            "This side's fixed public address (empty: it changes, or is behind a NAT)?",
            default="",
        ),
        Question("remote-net", "The network(s) beyond the gateway, as in 10.1.0.0/16?", many=True),
        Question("local-net", "The network(s) on this side, as in 192.168.1.0/24?", many=True),
        Question("to", "The service(s) beyond the gateway, as in desktop:3389?", many=True),
    )
}


def undecided(given: Given, *, ask: bool) -> tuple[Question, ...]:
    """Return what has to be answered for a decision.

    With ``ask`` there is somebody to answer, so that what could be assumed is asked as well.
    """
    if "need" not in given:
        return (QUESTIONS["need"],)
    need = Need(given["need"][0])
    names = []
    if need in _NEEDS_ROOT or _first(given, "ssh") == "no":
        names.append("root")
        if ask:
            names += ["udp", "peer"]
    return tuple(QUESTIONS[name] for name in names if name not in given)


def answers(given: Given, here: System) -> Answers:
    """Return the answers; what was not said is assumed: UDP passes, there is a login, Linux.

    Raises:
        UsageError: a word is none of the choices.
    """
    root = _word(given, "root", ROOTS) or "none"
    return Answers(
        need=Need(_word(given, "need", [each.value for each in Need])),
        root_here=root in {"here", "both"},
        root_gateway=root in {"gateway", "both"},
        udp=_word(given, "udp", YES_NO) != "no",
        ssh=_word(given, "ssh", YES_NO) != "no",
        here=System(_word(given, "os", [each.value for each in System]) or here.value),
        gateway=System(
            _word(given, "gateway-os", [each.value for each in System]) or System.LINUX.value
        ),
        peer=Peer(_word(given, "peer", [each.value for each in Peer]) or Peer.NONE.value),
    )


def assumed(given: Given, found: Answers) -> tuple[str, ...]:
    """Return what was assumed because nobody said it, where it matters."""
    said = []
    if "udp" not in given and found.need in _NEEDS_ROOT:
        said.append("UDP gets through (--udp-blocked if not; netkit doctor tells)")
    if "gateway-os" not in given:
        said.append(f"the gateway runs {found.gateway.value} (--gateway-os)")
    if "ssh" not in given:
        said.append("there is an SSH login on it (--no-ssh)")
    return tuple(said)


def unaddressed(
    technology: Technology, need: Need, given: Given, *, ask: bool
) -> tuple[Question, ...]:
    """Return which values its files still need; with ``ask`` those that may stay empty too."""
    names = list(wanted(technology, need))
    if {"gateway", "gateway-address"} & set(given):  # either tells the other
        names = [name for name in names if name not in {"gateway", "gateway-address"}]
    if ask and technology in {Technology.IPSEC_ONE, Technology.IPSEC_FOUR}:
        names.append("local-address")
    return tuple(QUESTIONS[name] for name in names if name not in given)


def check_answer(question: Question, text: str) -> tuple[str, ...]:
    """Return an answer as values, each of them well formed.

    Raises:
        UsageError: it is none of the choices, or malformed.
    """
    words = tuple(text.split()) if question.many else (text.strip(),)
    if not "".join(words):
        if question.default is None:
            raise UsageError("an answer is needed", code="bad-answer")
        words = (question.default,)
    if question.choices:
        (word,) = words
        names = [name for name, _ in question.choices]
        if word.isascii() and word.isdigit() and 1 <= int(word[:3]) <= len(names):
            word = names[int(word[:3]) - 1]
        if word.lower() not in names:
            raise UsageError(f"it is one of {', '.join(names)}", code="bad-answer")
        return (word.lower(),)
    parse = _PARSERS[question.name]
    for word in words:
        if word:
            parse(word)
    return words


def _address(text: str) -> str:
    return addresses.parse_address(text, "an address")


_PARSERS: Final = {
    "gateway": addresses.parse_login,
    "gateway-address": _address,
    "local-address": _address,
    "remote-net": addresses.parse_network,
    "local-net": addresses.parse_network,
    "to": addresses.parse_target,
}


def sites(technology: Technology, found: Answers, given: Given, keys: Keys) -> Sites:
    """Return the two ends, checked against each other.

    Raises:
        UsageError: a value is malformed, or the two sides do not go together.
    """
    login = _login(given)
    address = _first(given, "gateway-address")
    if not address and login is not None and technology not in _LOGIN_ONLY:
        address = login.host
    nets = {
        side: tuple(addresses.parse_network(text, f"--{side}-net") for text in given.get(key, ()))
        for side, key in (("local", "local-net"), ("remote", "remote-net"))
    }
    local = _first(given, "local-address")
    made = Sites(
        login=login,
        gateway_address=addresses.parse_address(address, "--gateway-address") if address else "",
        local_address=addresses.parse_address(local, "--local-address") if local else "",
        local_nets=nets["local"],
        remote_nets=nets["remote"],
        targets=tuple(addresses.parse_target(text) for text in given.get("to", ())),
        tunnel=addresses.tunnel_addresses(
            _first(given, "tunnel-net") or None, (*nets["local"], *nets["remote"]), keys.ula
        ),
        name=addresses.parse_name(_first(given, "name") or "netkit0"),
        port=int(_first(given, "port") or 0),
        lan_to_lan=found.need is Need.LAN_TO_LAN,
        udp=found.udp,
        udp_service=found.need is Need.UDP,
        here=found.here,
        gateway=found.gateway,
    )
    addresses.check_sites(made, routed=technology in ROUTED)
    return made


_LOGIN_ONLY: Final = frozenset({Technology.TCP_FORWARD, Technology.SOCKS, Technology.SSHUTTLE})


def _login(given: Given) -> Gateway | None:
    """Return the SSH login; the gateway's bare address is one too, with the user's own name."""
    text = _first(given, "gateway")
    if text:
        return addresses.parse_login(text)
    address = _first(given, "gateway-address")
    if not address or _first(given, "ssh") == "no":
        return None
    return Gateway(addresses.parse_address(address, "--gateway-address"))


def _first(given: Given, name: str) -> str:
    values = given.get(name, ())
    return values[0] if values else ""


def _word(given: Given, name: str, words: Sequence[str]) -> str:
    value = _first(given, name)
    if value and value not in words:
        raise UsageError(f"--{name} {value}: it is one of {', '.join(words)}", code="bad-answer")
    return value
