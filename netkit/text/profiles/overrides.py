"""What a command line, or a call, says beyond a profile: it goes before what is saved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, replace
from typing import Any

from netkit.model import Endurance, Keepalive, Limits, Profile, TunnelSpec


def override(profile: Profile, said: TunnelSpec) -> TunnelSpec:
    """Return the profile's tunnel with everything that ``said`` says.

    What ``said`` leaves at its default is not said; its gateway does not count, and its forwards
    take the place of all that the profile has.  Of ``said.keepalive`` all counts; see `keepalive`.
    """
    saved = profile.tunnel
    made = replace(saved, **{name: value for name, value in _said(said) if name != "gateway"})
    return replace(
        made,
        endurance=replace(saved.endurance, **dict(_said(said.endurance))),
        limits=replace(saved.limits, **dict(_said(said.limits))),
    )


def _said(values: TunnelSpec | Endurance | Limits) -> Iterator[tuple[str, Any]]:
    for each in fields(values):
        value = getattr(values, each.name)
        if value != _default(each):
            yield each.name, value


def _default(of: Field[Any]) -> object:
    return of.default if of.default_factory is MISSING else of.default_factory()


def keepalive(profile: Profile, interval: float | None, count: int | None) -> Keepalive | None:
    """Return the keepalive where only one of its two numbers, or none, is said anew."""
    saved = profile.tunnel.keepalive
    if interval is None and count is None:
        return saved
    base = saved or Keepalive()
    return Keepalive(
        base.interval if interval is None else interval, base.count if count is None else count
    )
