"""Programs that are known to hold ports."""

from __future__ import annotations

from diagnostics.knowledge.port_holders import CONTAINERS, KNOWN, TUNNELS, known


def test_known_by_system_name_and_port():
    smb = known("windows", ("system",), 445)
    kernel = known("windows", ("system",), 80)
    assert smb is not None
    assert "SMB" in smb.what
    assert kernel is not None
    assert "http.sys" in kernel.what
    assert kernel.fixes[0].argv[:2] == ("netsh", "http")
    rdp = known("windows", ("svchost", "termservice"), 3389)
    assert rdp is not None
    assert "Remote Desktop" in rdp.what


def test_unknown():
    assert known("linux", ("system",), 445) is None
    assert known("darwin", ("launchd",), 8080) is None
    assert known("windows", (), 1) is None


def test_names_are_as_they_are_compared():
    names = [*(each.name for each in KNOWN), *CONTAINERS, *TUNNELS]
    assert names == [name.lower() for name in names]
    assert not [name for name in names if name.endswith(".exe")]
