"""A profile that changed while its tunnel runs: its forwards are brought up to date."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from netkit.errors import NetkitError
from netkit.events import Event, Notice

if TYPE_CHECKING:
    from netkit.model import ForwardSpec, Plan
    from netkit.supervision import Supervised


def changes(before: Plan, after: Plan) -> tuple[list[ForwardSpec], list[ForwardSpec], bool]:
    """Return the forwards that are gone, those that are new, and whether anything else differs."""
    had = {_key(each): each for each in before.forwards}
    has = {_key(each): each for each in after.forwards}
    gone = [each for key, each in had.items() if key not in has]
    new = [each for key, each in has.items() if key not in had]
    bare = (replace(each, forwards=(), warnings=()) for each in (before, after))
    return gone, new, next(bare) != next(bare)


def _key(forward: ForwardSpec) -> tuple[object, ...]:
    return forward.kind, forward.bind, forward.to


def apply(tunnel: Supervised, before: Plan, after: Plan, post: Callable[[Event], None]) -> Plan:
    """Bring the forwards of ``tunnel`` up to date, one after another, and say what became of it.

    A forward that cannot begin is said, and the rest goes on.

    Returns:
        ``before`` with the forwards that are carried out now: what to compare with the next time.
    """
    gone, new, differs = changes(before, after)
    done = 0
    failed: list[ForwardSpec] = []
    for forward in gone:
        done += tunnel.remove(forward)
    for forward in new:
        try:
            tunnel.add(forward)
            done += 1
        except NetkitError as error:
            failed.append(forward)
            text = f"{forward} could not begin: {error.summary}"
            post(Notice(code="reread-failed", text=text))
    begun = len(new) - len(failed)
    text = f"the profile was read again: {begun} new, {len(gone)} gone" if done or failed else ""
    if differs:
        text = f"{text or 'the profile was read again'}; the rest takes effect at the next start"
    post(Notice(code="reread", text=text or "the profile was read again: nothing has changed"))
    return replace(before, forwards=tuple(each for each in after.forwards if each not in failed))
