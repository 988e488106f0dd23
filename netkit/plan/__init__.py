"""What a tunnel will do, decided from frozen values before anything is touched."""

from __future__ import annotations

from netkit.plan.chain import Environment
from netkit.plan.make import make_plan

__all__ = ["Environment", "make_plan"]
