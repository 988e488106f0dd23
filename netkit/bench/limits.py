"""What limits each throughput: the term that is used up, or what is left when none is."""

from __future__ import annotations

from collections.abc import Iterable

from netkit.bench import wording
from netkit.bench.analysis import Limit, Term
from netkit.bench.groups import Group, grouped
from netkit.bench.model import Direction, Measured, Setting
from netkit.bench.terms import Use, link_rates, uses
from netkit.bench.terms import limits as is_used_up

CROWDED = 0.85
"""The share of this machine's processors from which one waits for another."""

LOW = 0.6
"""The share up to which a term is ruled out, so that what remains can be named."""

OUR_SIDE = frozenset({Term.OUR_CPU, Term.OUR_COMPRESSION})
GATEWAYS_SIDE = frozenset({Term.GATEWAY_CPU, Term.GATEWAY_COMPRESSION})
PROCESSORS = OUR_SIDE | GATEWAYS_SIDE
WINDOWS = frozenset({Term.OUR_WINDOW, Term.GATEWAY_WINDOW})

_NAMES = {
    Term.LINK: "the link",
    Term.OUR_WINDOW: "our window",
    Term.GATEWAY_WINDOW: "the gateway's window",
    Term.OUR_CPU: "our processor",
    Term.OUR_COMPRESSION: "our processor",
    Term.GATEWAY_CPU: "the gateway's processor",
    Term.GATEWAY_COMPRESSION: "the gateway's processor",
    Term.MACHINE: "this machine's processors",
}


def limits(measured: Measured) -> tuple[Limit, ...]:
    """Return what limits each group of transfers, in the order of the figures."""
    groups = grouped(measured)
    links = link_rates(measured.setting, groups)
    return tuple(
        _limit(
            measured.setting,
            group,
            uses(
                measured.setting,
                group,
                without_compression(group, groups),
                links.get(group.direction),
            ),
        )
        for group in groups
    )


def without_compression(group: Group, groups: Iterable[Group]) -> Group | None:
    """Return the same without compression: of the same cipher if there is one, and corpus."""
    plain = [
        other for other in groups if not other.compression and other.direction is group.direction
    ]
    return min(
        plain,
        key=lambda other: (other.cipher != group.cipher, other.corpus != group.corpus),
        default=None,
    )


def _limit(setting: Setting, group: Group, known: tuple[Use, ...]) -> Limit:
    """Name the fullest of the terms that are used up; else what the others leave."""
    full = next(filter(is_used_up, known), None)
    if full is not None:
        return _named(group, known, full.term, full.load, full.text)
    if group.rate <= 0:
        return _named(group, known, Term.UNKNOWN, 0.0, "nothing passed")
    if group.busy is not None and group.busy >= CROWDED:
        return _named(group, known, Term.MACHINE, group.busy, _crowd(setting, group, known))
    shared = None if group.busy is not None else _shared(setting, known)
    if shared is not None:
        text = f"{shared.text}; {_takers(setting)}"
        return _named(group, known, shared.term, shared.load, text)
    return _remaining(setting, group, known)


def _named(group: Group, known: tuple[Use, ...], term: Term, load: float, text: str) -> Limit:
    return Limit(
        figure=group.key,
        term=term,
        load=load,
        text=text,
        loads=tuple((use.term, use.load) for use in known),
    )


def _shared(setting: Setting, known: tuple[Use, ...]) -> Use | None:
    """Return the busier side where this machine's processors have no more to give.

    With a throw-away gateway hardly anybody gets a processor alone; the two sides that can be
    seen use half of what there is, and those that make and take the bytes the rest.
    """
    busy = [use for use in known if use.term in PROCESSORS]
    if not (setting.trial and busy and setting.cores > 0):
        return None
    return busy[0] if sum(use.load for use in busy) >= setting.cores / 2 else None


def _takers(setting: Setting) -> str:
    return f"gateway, client and both ends of the transfer share {_processors(setting)} here"


def _processors(setting: Setting) -> str:
    if setting.cores < 1:
        return "the processors"
    return "one processor" if setting.cores == 1 else f"{setting.cores} processors"


def _crowd(setting: Setting, group: Group, known: tuple[Use, ...]) -> str:
    """Say that this machine has no more to give, and who takes it as far as that is known."""
    shares = [
        f"{_NAMES[use.term]} {wording.percent(use.load)}" for use in known if use.term in PROCESSORS
    ]
    seen = f", in shares of one: {', '.join(shares)}" if shares else ""
    rest = "the rest takes what makes and takes the bytes, and other programs"
    busy = wording.percent(group.busy or 0.0)
    verb = "is" if setting.cores == 1 else "are"
    return f"{_processors(setting)} of this machine {verb} {busy} busy{seen}; {rest}"


def _remaining(setting: Setting, group: Group, known: tuple[Use, ...]) -> Limit:
    """Say what is left when no known term is used up."""
    nearest = known[0].load if known else 0.0
    seen = {use.term for use in known}
    low = nearest <= LOW
    shape = setting.shape
    if shape is not None and shape.loss > 0 and low and Term.LINK in seen:
        link = next(use for use in known if use.term is Term.LINK)
        lost = wording.percent(shape.loss)
        text = f"{link.text}; with {lost} of the packets lost TCP does not fill it"
        return _named(group, known, Term.LINK, link.load, text)
    if setting.trial:
        text = f"{_ruled_out(known)}: what makes and takes the bytes, or takes turns with them"
        return _named(group, known, Term.UNKNOWN, nearest, text)
    both = seen & OUR_SIDE and seen & GATEWAYS_SIDE
    if low and both and seen & WINDOWS and Term.LINK not in seen:
        carried = wording.bits(group.wire_rate)
        text = f"{_ruled_out(known)}: by exclusion the link, with {carried} on the wire"
        return _named(group, known, Term.LINK, 1.0, text)
    rest = "the link, or what the gateway does with the data"
    if group.direction is Direction.DOWN:
        rest = "the link, or what the gateway makes the data from"
    return _named(group, known, Term.UNKNOWN, nearest, f"{_ruled_out(known)}: {rest}")


def _ruled_out(known: tuple[Use, ...]) -> str:
    if not known:
        return "nothing that limits could be seen"
    names = [f"{_NAMES[use.term]} ({wording.percent(use.load)})" for use in known]
    if len(names) == 1:
        return f"not {names[0]}"
    return f"neither {' nor '.join(names)}"
