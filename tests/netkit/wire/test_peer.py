"""What version lines tell."""

from __future__ import annotations

import pytest

from netkit.wire.peer import credits_early, sends_eof


@pytest.mark.parametrize(
    ("version", "early", "eof"),
    [
        ("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u6", True, True),
        ("SSH-2.0-OpenSSH_for_Windows_9.5", True, True),
        ("SSH-2.0-dropbear_2022.83", False, True),
        ("SSH-2.0-netkit_0.1.0", False, True),
        ("SSH-2.0-paramiko_5.1.0", False, True),
        ("SSH-2.0-PuTTY_Release_0.81", False, True),
        ("SSH-2.0-AsyncSSH_2.24.1", False, False),
        ("SSH-2.0-Go", False, False),
        ("SSH-2.0-x not-OpenSSH", False, False),
        ("", False, False),
    ],
)
def test_facts(version: str, early: bool, eof: bool) -> None:
    assert credits_early(version) is early
    assert sends_eof(version) is eof
