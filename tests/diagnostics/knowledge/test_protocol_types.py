from diagnostics.knowledge import protocol_types as t
from diagnostics.knowledge.protocol_types import Passes, Way


def test_entries_of_each_kind():
    way = Way("do it")
    made = [
        (t.udp("a b", "A", "why", "RFC", way), Passes.UDP, False),
        (t.udp("a", "A", "why", "RFC", works=True, port=5), Passes.UDP, True),
        (t.no_tcp("a", "A", "why", "RFC", way), Passes.NO_TCP, False),
        (t.more("a", "A", "why", "RFC", way, ports=(5,)), Passes.MORE, False),
        (t.more("a", "A", "why", "RFC", way, works=True), Passes.MORE, True),
        (t.redirects("a", "A", "why", "RFC", way), Passes.REDIRECTS, True),
        (t.yes("a", "A", 5, "RFC"), Passes.YES, True),
    ]
    for entry, passes, works in made:
        assert (entry.passes, entry.works) == (passes, works)
        assert (t.VPN in entry.ways) == (not works)
    assert made[0][0].names == ("a", "b")
    assert made[0][0].ways[0] == way
    assert made[1][0].ports == (5,)
    assert made[5][0].ways[-1] == t.SOCKS
    assert "127.0.0.1:10005 --to SERVER:5" in made[6][0].ways[0].words
