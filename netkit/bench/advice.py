"""What to do: about compression, cipher, window, several links, and the gateway."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netkit.bench import wording
from netkit.bench.analysis import Advice, Limit, Pair, Term
from netkit.bench.cipher_advice import advise_cipher
from netkit.bench.compression_advice import advise_compression
from netkit.bench.groups import grouped
from netkit.bench.limits import GATEWAYS_SIDE, OUR_SIDE, WINDOWS
from netkit.bench.model import Measured, Setting
from netkit.model import Fix
from netkit.wire.window import MAXIMUM_WINDOW

ROOM = (0.02, 0.8)
"""Between these loads it is worth saying how much more a term would carry."""

_AGAIN = Fix(("netkit", "forward", "..."), note="once more beside the first, on another port")


def advise(
    measured: Measured, pairs: Sequence[Pair], limits: Sequence[Limit]
) -> tuple[Advice, ...]:
    """Return the advice in the order in which it is shown; none where no bytes were moved.

    Topics: ``compression``; ``cipher`` where several were measured; ``window``, ``links`` and
    ``gateway`` as far as they were a limit or are known not to be one.
    """
    if not limits:
        return ()
    plain = without_compression(measured, limits)
    found = (
        advise_compression(measured, pairs, limits),
        advise_cipher(measured),
        advise_window(measured, plain),
        advise_links(measured, plain),
        advise_gateway(measured, limits),
    )
    return tuple(advice for advice in found if advice is not None)


def without_compression(measured: Measured, limits: Iterable[Limit]) -> list[Limit]:
    """Return the limits of the transfers without compression, of all where there are none."""
    plain = {group.key for group in grouped(measured) if not group.compression}
    every = list(limits)
    return [limit for limit in every if limit.figure in plain] or every


def advise_window(measured: Measured, limits: Iterable[Limit]) -> Advice | None:
    """Return ``limits`` where a window does, ``enough`` where all were seen and none does."""
    full = [limit for limit in limits if limit.term in WINDOWS]
    if full:
        worst = max(full, key=lambda limit: limit.load)
        ours = worst.term is Term.OUR_WINDOW
        whose = "Our" if ours else "The gateway's"
        return Advice(
            topic="window",
            verdict="limits",
            title=f"{whose} window limits what one flow can carry.",
            text=f"{_sentence(worst.text)} {_OURS if ours else _GATEWAYS}",
        )
    shares = [load for limit in limits for term, load in limit.loads if term in WINDOWS]
    if not shares:
        return None
    trip = wording.seconds(measured.setting.round_trip)
    return Advice(
        topic="window",
        verdict="enough",
        title="The windows are wide enough.",
        text=f"At most {wording.percent(max(shares))} of one was needed per {trip} round trip.",
    )


_GATEWAYS = (
    "OpenSSH's sshd grants 2 MiB to each connection it carries, and nothing on this side changes "
    "that. Several flows at once have a window each, so carry the load over several connections "
    "through the same tunnel. Compression does not help: the window counts bytes before it. An "
    "sshd with HPN-SSH's patches grants more."
)
_OURS = (
    f"It grows to {wording.size(MAXIMUM_WINDOW)} for a flow that uses it up, so a longer transfer "
    "is faster than its beginning. Several flows at once have a window each."
)


def advise_links(measured: Measured, limits: Sequence[Limit]) -> Advice | None:
    """Return ``flows``, ``links`` or ``one``: whether more of either carries more.

    Where directions differ, what helps one of them is said.
    """
    terms = {limit.term for limit in limits}
    if terms & WINDOWS:
        return _more_flows(limits)
    if Term.MACHINE in terms:
        return _no_more_links(limits)
    if terms & (OUR_SIDE | GATEWAYS_SIDE):
        return _more_links(measured.setting, limits)
    if terms == {Term.LINK}:
        return _one_link(measured.setting)
    return None


def _more_flows(limits: Iterable[Limit]) -> Advice:
    load = max(limit.load for limit in limits if limit.term in WINDOWS)
    others = [
        other
        for limit in limits
        if limit.term in WINDOWS
        for term, other in limit.loads
        if term not in WINDOWS
    ]
    text = f"Each flow fills {wording.percent(load)} of its window, and a link carries many flows."
    busiest = max(others, default=0.0)
    if ROOM[0] < busiest < ROOM[1]:
        text += f" What fills up next leaves room for {wording.factor(1 / busiest)} this rate."
    return Advice(
        topic="links",
        verdict="flows",
        title="Several flows through one tunnel carry more than one.",
        text=text,
    )


def _no_more_links(limits: Iterable[Limit]) -> Advice:
    worst = max(
        (limit for limit in limits if limit.term is Term.MACHINE), key=lambda limit: limit.load
    )
    return Advice(
        topic="links",
        verdict="one",
        title="More links would share the same processors: all of this machine's are busy.",
        text=_sentence(worst.text),
    )


def _more_links(setting: Setting, limits: Iterable[Limit]) -> Advice:
    full = [limit for limit in limits if limit.term in OUR_SIDE | GATEWAYS_SIDE]
    ours = any(limit.term in OUR_SIDE for limit in full)
    worst = max(full, key=lambda limit: limit.load)
    if setting.trial and setting.cores < 4:
        return Advice(
            topic="links",
            verdict="one",
            title="More links on this machine share the same processors.",
            text=f"{_sentence(worst.text)} A gateway on another machine leaves more for this side.",
        )
    if ours and setting.cores < 2:
        return Advice(
            topic="links",
            verdict="one",
            title="One link uses all of this machine's processor.",
            text=_sentence(worst.text),
        )
    text = (
        "A link is served by one thread here and by one process of the gateway's sshd, so several "
        "links use several processors; flows on the same link do not."
    )
    return Advice(
        topic="links",
        verdict="links",
        title="Several links carry more than one: a processor limits.",
        text=f"{_sentence(worst.text)} {text}",
        fixes=(_AGAIN,),
    )


def _one_link(setting: Setting) -> Advice:
    if setting.shape is not None and setting.shape.loss > 0:
        return Advice(
            topic="links",
            verdict="links",
            title="Several links may carry more than one: packets are lost.",
            text=(
                "Each loss slows down one TCP connection, and all flows of a link share it. "
                "Links of their own do not wait for each other."
            ),
            fixes=(_AGAIN,),
        )
    return Advice(
        topic="links",
        verdict="one",
        title="One link is enough: it fills what lies between here and the gateway.",
        text="More flows or links would share the same bandwidth.",
    )


def advise_gateway(measured: Measured, limits: Iterable[Limit]) -> Advice | None:
    """Return ``busy`` where the gateway's processor limits; else None."""
    full = [limit for limit in limits if limit.term in GATEWAYS_SIDE]
    if not full:
        return None
    worst = max(full, key=lambda limit: limit.load)
    plain = any(limit.term is Term.GATEWAY_CPU for limit in full)
    text = [_sentence(worst.text)]
    if any(limit.term is Term.GATEWAY_COMPRESSION for limit in full):
        text.append(
            "Without compression it has less to do; zlib's level 6, at which an sshd compresses, "
            "cannot be changed from here."
        )
    fixes: tuple[Fix, ...] = ()
    if plain:
        fixes = _cheaper(measured.setting)
    if fixes:
        text.append("AES-GCM costs less than the cipher that is agreed on.")
    what = "what passes" if plain else "compressed transfers"
    where = " (it shares this machine)" if measured.setting.trial else ""
    return Advice(
        topic="gateway",
        verdict="busy",
        title=f"The gateway's processor{where} limits {what}.",
        text=" ".join(text),
        fixes=fixes,
    )


def _cheaper(setting: Setting) -> tuple[Fix, ...]:
    """AES-GCM does without a MAC of its own, and nearly every processor has instructions for it."""
    cheap = "aes128-gcm@openssh.com"
    if "gcm" in setting.cipher or cheap not in setting.ciphers:
        return ()
    return (Fix(("netkit", "forward", "...", "-c", cheap), note="costs a processor least"),)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
