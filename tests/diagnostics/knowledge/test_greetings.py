"""Which servers speak first."""

from __future__ import annotations

from diagnostics.knowledge.greetings import GREETINGS, greeting_on


def test_who_speaks_first():
    found = greeting_on(22)
    assert found is not None
    assert found.protocol == "SSH"
    assert greeting_on(80) is None


def test_every_entry_has_a_source_and_a_port_of_its_own():
    assert all(each.source for each in GREETINGS)
    assert len({each.port for each in GREETINGS}) == len(GREETINGS)
