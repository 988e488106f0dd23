"""The gateways that lead to the same place: which one is taken, and which are out of question."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from netkit.errors import LinkLostError, NetkitError
from netkit.plan.retries import may_help

if TYPE_CHECKING:
    from netkit.model import Hop, Plan


class Ways:
    """All ways of a plan, the one that worked last first.

    A way whose gateway refused the login, or showed another host key, is not tried again: the
    others are.
    """

    def __init__(self, plan: Plan) -> None:
        self._plans = [replace(plan, hops=hops) for hops in (plan.hops, *plan.ways)]
        self._spread = plan.endurance.spread
        self._last = 0
        self._refused: dict[int, NetkitError] = {}
        self._errors: dict[int, NetkitError] = {}

    def of(self, number: int) -> tuple[Hop, ...]:
        """Return the way of the link of a number, from 1."""
        return self.plan_of(number).hops

    def plan_of(self, number: int) -> Plan:
        """Return the plan for the link of a number: that of the first, or spread over all."""
        open_ones = [at for at in range(len(self._plans)) if at not in self._refused]
        if not open_ones:
            return self._plans[0]
        if self._spread:
            return self._plans[open_ones[(number - 1) % len(open_ones)]]
        return self._plans[self._last if self._last in open_ones else open_ones[0]]

    def in_turn(self) -> Iterator[Plan]:
        """Yield the plans to try, each once."""
        count = len(self._plans)
        for step in range(count):
            at = (self._last + step) % count
            if at not in self._refused:
                yield self._plans[at]

    def worked(self, way: Plan) -> None:
        """This one is taken from now on."""
        self._last = self._index(way)

    def failed(self, way: Plan, error: NetkitError) -> bool:
        """Note it; return whether there is another one to try before the error counts.

        With one way alone nothing is noted: what to do is for the supervisor to decide.
        """
        if len(self._plans) == 1:
            return False
        at = self._index(way)
        self._errors[at] = error
        if not may_help(error):
            self._refused[at] = error
        left = [each for each in range(len(self._plans)) if each not in self._refused]
        round_trip = [(self._last + step) % len(self._plans) for step in range(len(self._plans))]
        behind = round_trip[round_trip.index(at) + 1 :]
        return any(each in left for each in behind)

    def left(self) -> NetkitError | None:
        """Return why the ways that were not refused failed; None where no such way is left."""
        return next((error for at, error in self._errors.items() if at not in self._refused), None)

    def refused(self) -> NetkitError:
        """Return the error where no way is left."""
        return next(iter(self._refused.values()), LinkLostError("there is no gateway to try"))

    def _index(self, way: Plan) -> int:
        return next(at for at, each in enumerate(self._plans) if each is way)
