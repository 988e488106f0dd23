"""PuTTY's registry, played by a fake."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from netkit.putty.windows import WindowsRegistry, read_registry
from netkit.text.putty.host_keys import parse_cache_file

RECORDED = Path(__file__).parents[2] / "recorded" / "putty"
ROOT = r"Software\SimonTatham\PuTTY"


class FakeRegistry:
    """Keys with values, all below PuTTY's own."""

    def __init__(self, content: dict[str, list[tuple[str, object]]]) -> None:
        self._content = content
        self.limits: list[int] = []

    def subkeys(self, key: str, limit: int) -> list[str]:
        self.limits.append(limit)
        start = f"{key}\\"
        return [name[len(start) :] for name in self._content if name.startswith(start)][:limit]

    def values(self, key: str, limit: int) -> list[tuple[str, object]]:
        self.limits.append(limit)
        return self._content.get(key, [])[:limit]


def test_sessions_and_host_keys():
    lines = (RECORDED / "sshhostkeys").read_text().splitlines()
    keys: list[tuple[str, object]] = [tuple(line.split(" ", 1)) for line in lines]  # type: ignore[misc]
    registry = FakeRegistry(
        {
            rf"{ROOT}\Sessions\B%FCro%20(100%25)": [
                ("HostName", "gw\0rest"),
                ("PortNumber", 2222),
                ("LogFileClash", 2**32 - 1),
                ("Binary", b"\1"),
                ("Nothing", None),
                ("HostName", "second"),
                ("UserName", "half \ud800"),
                ("", "default value"),
            ],
            rf"{ROOT}\Sessions\bad%00": [],
            rf"{ROOT}\SshHostKeys": [*keys, ("rsa2@22:x", 5), ("nonsense", "x")],
        }
    )
    found = read_registry(registry)
    (session,) = found.sessions
    assert session.name == "Büro (100%)"
    assert session.values == (
        ("HostName", "gw"),
        ("PortNumber", 2222),
        ("LogFileClash", -1),
        ("UserName", "half \ufffd"),
    )
    assert len(found.left_out) == 1
    assert (
        found.host_keys.keys == parse_cache_file((RECORDED / "sshhostkeys").read_bytes(), "f").keys
    )
    assert len(found.host_keys.left_out) == 1
    assert all(limit < 100_000 for limit in registry.limits)


def test_code_pages():
    registry = FakeRegistry({rf"{ROOT}\Sessions\%93%FA": [("HostName", "gw")]})
    assert read_registry(registry, encoding="cp932").sessions[0].name == "日"


@pytest.mark.skipif(sys.platform == "win32", reason="it has a registry")
def test_without_a_registry_there_is_nothing():
    registry = WindowsRegistry()
    assert registry.subkeys(ROOT, 10) == []
    assert registry.values(ROOT, 10) == []
    assert read_registry(registry).sessions == ()
