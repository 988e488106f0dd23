"""A tunnel made of values that the commands of this process find and ask."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.controlled import Controlled, controlled


@contextlib.contextmanager
def talking(
    tmp_path: Path, monkeypatch: Any, name: str = "office", **more: Any
) -> Iterator[Controlled]:
    """Have a tunnel of that name run, in a state folder of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with controlled(name=name, **more) as made:
        yield made
