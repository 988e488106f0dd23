"""Whether to switch compression on, for what payload, and below which bandwidth it pays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from netkit.bench import wording
from netkit.bench.analysis import Advice, Effect, Limit, Pair
from netkit.bench.groups import place, way
from netkit.bench.limits import WINDOWS
from netkit.bench.model import Direction, Measured, Setting
from netkit.bench.statistics import ENOUGH
from netkit.model import Fix

TOPIC = "compression"

PAYLOAD = (
    "What is compressed or encrypted before it enters the tunnel (RDP, HTTPS, VNC's tight "
    "encoding, video) does not shrink, whatever the link."
)

SECRETS = (
    "ssh_config(5) warns that compression may leak information where one link carries trusted and "
    "untrusted forwards: give each a link of its own."
)

WINDOW = (
    "The window counts bytes before compression: what it limits, compression does not speed up."
)

_SIDES = {
    Direction.DOWN: "the gateway compresses",
    Direction.UP: "this side compresses",
    Direction.LOOP: "both sides compress",
}
_SAYS = {
    Effect.HELPS: "",
    Effect.COSTS: "",
    Effect.NEUTRAL: " (no difference)",
    Effect.UNCLEAR: " (unclear)",
}


def advise_compression(
    measured: Measured, pairs: Sequence[Pair], limits: Iterable[Limit]
) -> Advice:
    """Return the verdict ``on``, ``off``, ``depends`` or ``unclear``.

    The user's own sample decides alone.  Else every corpus counts but zeros, which nobody sends:
    ``on`` if some gain and none loses, ``depends`` if some gain and others lose, ``off`` if some
    lose or all stay as they are, and ``unclear`` if the spread allows no verdict.
    """
    setting = measured.setting
    if not pairs:
        return _not_measured(setting)
    counted = _counted(pairs)
    effects = {pair.effect for pair in counted}
    if Effect.HELPS in effects:
        verdict = "depends" if Effect.COSTS in effects else "on"
    elif Effect.COSTS in effects or effects == {Effect.NEUTRAL}:
        verdict = "off"
    else:
        verdict = "unclear"
    return Advice(
        topic=TOPIC,
        verdict=verdict,
        title=_title(verdict, counted, over(setting)),
        text=" ".join(_sentences(verdict, pairs, limits)),
        fixes=_fixes(verdict, setting),
    )


def over(setting: Setting) -> str:
    """Return where it was measured, such as ``over a link of 1 Mbit/s and 50 ms``."""
    if setting.shape is not None:
        trip = wording.seconds(setting.shape.round_trip)
        return f"over a link of {wording.bits(setting.shape.rate)} and {trip}"
    return "over loopback" if setting.trial else "over this link"


def _not_measured(setting: Setting) -> Advice:
    if not setting.compression:
        return Advice(
            topic=TOPIC,
            verdict="off",
            title="The gateway does not compress.",
            text="Its sshd_config may say 'Compression no', or it was built without zlib.",
        )
    return Advice(
        topic=TOPIC,
        verdict="unclear",
        title="Compression was not compared.",
        text=f"No round has a transfer with compression and one without. {PAYLOAD}",
    )


def _counted(pairs: Sequence[Pair]) -> list[Pair]:
    samples = [pair for pair in pairs if pair.corpus == "sample"]
    return samples or [pair for pair in pairs if pair.corpus != "zeros"] or list(pairs)


def _title(verdict: str, counted: list[Pair], where: str) -> str:
    helped = [pair for pair in counted if pair.effect is Effect.HELPS]
    # Text before programs, however they did: it is what people compress for.
    best = min(helped or counted, key=lambda pair: (place(pair.corpus), -pair.gain.median))
    worst = min(counted, key=lambda pair: pair.gain.median)
    if verdict == "on":
        return f"Compression pays {where}: {_named(best)}."
    if verdict == "depends":
        return f"It depends on the payload {where}: {_named(best)}, but {_named(worst)}."
    if verdict == "unclear":
        few = all(pair.gain.count < ENOUGH for pair in counted)
        why = "there are too few rounds" if few else "the rounds do not agree"
        return f"Whether compression pays {where} is not clear: {why}."
    if worst.effect is Effect.COSTS:
        return f"Leave compression off {where}: {_named(worst)}."
    return f"Leave compression off: it makes no difference {where}."


def _sentences(verdict: str, pairs: Sequence[Pair], limits: Iterable[Limit]) -> list[str]:
    ordered = sorted(pairs, key=lambda pair: place(pair.corpus))
    gains = "; ".join(f"{_named(pair)}{_SAYS[pair.effect]}" for pair in ordered)
    said = [f"Speed with compression against without: {gains}."]
    if any(pair.gain.count < ENOUGH for pair in pairs):
        said.append("A verdict takes three rounds; a longer --time gives more.")
    bounds = [text for pair in ordered if (text := _bound(pair))]
    if bounds:
        said.append(f"It pays for {'; '.join(bounds)}.")
    rigid = dict.fromkeys(pair.corpus or "data" for pair in ordered if pair.break_even == 0)
    if rigid:
        said.append(f"It never pays for {', '.join(rigid)}: it does not shrink.")
    compressed = {f"{pair.direction.value}.{pair.corpus}.on" for pair in pairs}
    if any(
        limit.term in WINDOWS and limit.figure.startswith(tuple(compressed)) for limit in limits
    ):
        said.append(WINDOW)
    said.append(PAYLOAD)
    if verdict in {"on", "depends"}:
        said.append(SECRETS)
    return said


def _named(pair: Pair) -> str:
    return f"{pair.corpus or 'data'} {way(pair.direction)} {wording.factor(pair.gain.median)}"


def _bound(pair: Pair) -> str:
    """Say on which links a corpus gains; nothing where that is not known, or nobody sends it."""
    if not pair.break_even or pair.corpus == "zeros":
        return ""
    what = f"{pair.corpus or 'data'} {way(pair.direction)}"
    if math.isinf(pair.break_even):
        return f"{what} on any link"
    beyond = ", perhaps more" if pair.at_least else ""
    below = f"up to {wording.bits(pair.break_even)}{beyond}"
    return f"{what} on links of {below} ({_SIDES[pair.direction]})"


def _fixes(verdict: str, setting: Setting) -> tuple[Fix, ...]:
    if verdict in {"on", "depends"}:
        return (Fix(("netkit", "forward", "...", "-C"), note="compresses both directions"),)
    if setting.trial and setting.shape is None:
        slow = ("netkit", "bench", "--link", "10mbit/50ms")
        return (Fix(slow, note="shows what it does on a slow link"),)
    return ()
