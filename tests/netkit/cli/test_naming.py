from __future__ import annotations

from netkit.cli.naming import Naming


def test_one_that_nobody_named_cannot_be_asked():
    assert Naming() == Naming("", is_profile=False, first=1, launch="", claim=None)
