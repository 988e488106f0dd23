"""From a technology and the two sides to the recipe: which writer, and what it must be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from netkit.advise import ipsec, light, openvpn, ppp_ssh, ssh_tun, wireguard
from netkit.advise.keys import Keys
from netkit.advise.model import HERE, File, Need, Recipe, Sites, Technology

_T = Technology

WRITERS: Final[Mapping[Technology, Callable[[Sites, Keys], Recipe]]] = {
    _T.TCP_FORWARD: light.forward,
    _T.SOCKS: light.socks,
    _T.SSHUTTLE: light.sshuttle,
    _T.WIREGUARD: wireguard.recipe,
    _T.OPENVPN: openvpn.recipe,
    _T.IPSEC_ONE: ipsec.recipe_one,
    _T.IPSEC_FOUR: ipsec.recipe_four,
    _T.SSH_TUN: ssh_tun.recipe,
    _T.PPP_SSH: ppp_ssh.recipe,
    _T.ZEBEDEE: light.zebedee,
}

_SSH: Final = frozenset({_T.TCP_FORWARD, _T.SOCKS, _T.SSHUTTLE, _T.SSH_TUN, _T.PPP_SSH})
_SERVICES: Final = frozenset({_T.TCP_FORWARD, _T.ZEBEDEE})
ROUTED: Final = frozenset(set(Technology) - {_T.TCP_FORWARD, _T.SOCKS, _T.SSHUTTLE, _T.ZEBEDEE})
"""Those that carry IP packets between two ends with addresses of their own."""


def wanted(technology: Technology, need: Need) -> tuple[str, ...]:
    """Return the names of the values (`netkit.advise.questions`) that its recipe needs."""
    names = ["gateway" if technology in _SSH else "gateway-address"]
    if technology in _SERVICES:
        names.append("to")
    if technology in ROUTED or technology is _T.SSHUTTLE:
        names.append("remote-net")
    if technology in ROUTED and need is Need.LAN_TO_LAN:
        names.append("local-net")
    return tuple(names)


def recipe(technology: Technology, sites: Sites, keys: Keys) -> Recipe:
    """Return how to build it."""
    return WRITERS[technology](sites, keys)


def readme(made: Recipe) -> File:
    """Return what to do and how to undo it, as a file beside the others."""
    lines = [made.technology.title, ""]
    lines += [f"WARNING: {warning}" for warning in made.warnings]
    if made.files:
        lines += ["Files, and where each side wants them:", ""]
        lines += [
            f"  {file.path}  ->  {file.install}" + ("   (holds a key)" if file.private else "")
            for file in made.files
        ]
    for title, steps in (("To do, in this order", made.steps), ("To undo it", made.undo)):
        if steps:
            lines += [
                "",
                f"{title}:",
                "",
                *(f"  {number}. {step}" for number, step in enumerate(steps, 1)),
            ]
    if made.notes:
        lines += ["", "To know:", "", *(f"  * {note}" for note in made.notes)]
    lines += [
        "",
        "Commands run in this folder, those for the gateway in its copy of the folder 'gateway'.",
        "",
    ]
    return File(HERE, "README.txt", "\n".join(lines), "")
