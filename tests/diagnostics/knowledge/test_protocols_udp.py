import pytest

from diagnostics.knowledge import protocols_udp as table
from diagnostics.knowledge.protocol_types import Passes

ENTRIES = [each for group in vars(table).values() if isinstance(group, tuple) for each in group]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.names[0])
def test_every_entry_is_complete(entry):
    assert entry.title
    assert entry.source
    assert entry.why.endswith((".", ")"))
    assert entry.ways
    assert all(way.words or way.note for way in entry.ways)
    if entry.passes is Passes.YES:
        assert entry.works
