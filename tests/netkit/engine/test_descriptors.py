from __future__ import annotations

import sys

import pytest

from netkit.engine import descriptors


def test_windows_says_no_number(monkeypatch):
    monkeypatch.setattr(descriptors.sys, "platform", "win32")
    assert descriptors.most_descriptors() > 1 << 20


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits")
def test_the_soft_limit_counts(monkeypatch):
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda _which: (256, 4096))
    assert descriptors.most_descriptors() == 256
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (resource.RLIM_INFINITY, 0))
    assert descriptors.most_descriptors() > 1 << 20
