"""Two sides of a tunnel for tests of the advice, and what every recipe has to fulfil."""

from __future__ import annotations

import functools
import re

from netkit.advise import questions
from netkit.advise.keys import Keys, make_keys
from netkit.advise.model import Answers, File, Need, Recipe, Sites, System, Technology
from netkit.advise.write import recipe

GIVEN = {
    "gateway": ("me@gw.example:2222",),
    "gateway-address": ("198.51.100.7",),
    "remote-net": ("10.1.0.0/16", "10.3.0.0/24"),
    "local-net": ("192.168.1.0/24",),
    "to": ("desktop:3389", "db.internal:5432"),
}
BOTH_VERSIONS = {
    "remote-net": ("10.1.0.0/16", "2001:db8:1::/48"),
    "local-net": ("192.168.1.0/24", "2001:db8:2::/48"),
}


@functools.cache
def keys() -> Keys:
    """One set for all tests: they are only looked at."""
    return make_keys()


def two_sites(
    technology: Technology,
    need: Need = Need.LAN_TO_LAN,
    *,
    here_os: System = System.LINUX,
    gateway_os: System = System.LINUX,
    udp: bool = True,
    **more: tuple[str, ...],
) -> Sites:
    """Return the sites of `GIVEN`; ``more`` overrides values (``remote_net=(...)``)."""
    given = {**GIVEN, **{name.replace("_", "-"): value for name, value in more.items()}}
    answers = Answers(
        need=need, root_here=True, root_gateway=True, udp=udp, here=here_os, gateway=gateway_os
    )
    return questions.sites(technology, answers, given, keys())


def made(technology: Technology, need: Need = Need.LAN_TO_LAN, **more) -> Recipe:
    """Return the recipe for those sites."""
    return recipe(technology, two_sites(technology, need, **more), keys())


def file(found: Recipe, path: str) -> str:
    """Return the text of a file of a recipe."""
    return next(each.text for each in found.files if each.path == path)


def secrets() -> list[str]:
    """Return every secret, as it would appear in a text."""
    all_of = keys()
    pem = [identity.key for identity in (all_of.tls_here, all_of.tls_gateway)]
    lines = [line for text in (*pem, all_of.static) for line in text.splitlines()]
    return [
        all_of.wireguard_here.private,
        all_of.wireguard_gateway.private,
        all_of.shared,
        *(line for line in lines if re.fullmatch(r"[A-Za-z0-9+/=]{32,}", line)),
    ]


def holds_secret(each: File) -> bool:
    """Tell whether a file has a secret in it."""
    return any(secret in each.text for secret in secrets())
