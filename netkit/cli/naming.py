"""What a tunnel is called while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netkit.desktop.instance import Claim


@dataclass(frozen=True, slots=True)
class Naming:
    """What a tunnel is called.

    Attributes:
        name: the word for ``netkit status`` and ``netkit down``; empty: it cannot be asked.
        is_profile: the name is that of a profile, which runs once; else a number may follow it.
        first: the number that the name begins with, 1 being none.
        launch: the client that is started with it, whose address is what others look for.
        claim: the claim to the name, where somebody has it already.
    """

    name: str = ""
    is_profile: bool = False
    first: int = 1
    launch: str = ""
    claim: Claim | None = None
