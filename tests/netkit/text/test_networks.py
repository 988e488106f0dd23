"""The file of what is remembered, from friends and from strangers."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.model import Hop
from netkit.text.networks import (
    MAX_ENTRIES,
    MAX_SIZE,
    Networks,
    Timeout,
    decode,
    encode,
    fingerprint,
    way_of,
)

SALT = "5a" * 16
HOME = "0" * 32
OFFICE = "1" * 32
GATEWAY = "a" * 32
OTHER = "b" * 32
KNOWN = Timeout(
    network=HOME, gateway=GATEWAY, alive=10, dead=15, how="silence", interval=5, measured=1000
)


def document(**values):
    base = {"version": 1, "salt": SALT, "timeouts": [asdict(KNOWN)]}
    return json.dumps({**base, **values}).encode()


def entry(**values):
    return document(timeouts=[{**asdict(KNOWN), **values}])


def test_the_whole_way_identifies_a_gateway():
    hops = (Hop(alias="a", host="jump"), Hop(alias="b", host="gw", port=2222))
    assert way_of(hops) == "jump:22 gw:2222"


def test_there_and_back():
    networks = Networks(SALT, (KNOWN, replace(KNOWN, gateway=OTHER, how="")))
    assert decode(encode(networks)) == networks
    assert decode(document()) == Networks(SALT, (KNOWN,))


class TestFind:
    def test_the_same_way_comes_first(self):
        careful = replace(KNOWN, gateway=OTHER, interval=1)
        assert Networks(SALT, (careful, KNOWN)).find(HOME, GATEWAY) == KNOWN

    def test_the_latest_of_the_same_way(self):
        later = replace(KNOWN, measured=2000)
        assert Networks(SALT, (later, KNOWN)).find(HOME, GATEWAY) == later

    def test_else_the_most_careful_of_the_network(self):
        careful = replace(KNOWN, gateway=OTHER, interval=1)
        assert Networks(SALT, (KNOWN, careful)).find(HOME, "c" * 32) == careful

    def test_of_another_network_nothing_is_known(self):
        assert Networks(SALT, (KNOWN,)).find(OFFICE, GATEWAY) is None


class TestPut:
    def test_it_takes_the_place_of_the_same_way(self):
        new = replace(KNOWN, alive=20, measured=2000)
        other = replace(KNOWN, gateway=OTHER)
        assert Networks(SALT, (KNOWN, other)).put(new).timeouts == (other, new)

    def test_the_oldest_go(self):
        networks = Networks(SALT)
        for number in range(MAX_ENTRIES + 5):
            networks = networks.put(replace(KNOWN, gateway=f"{number:032x}", measured=number))
        assert len(networks.timeouts) == MAX_ENTRIES
        assert networks.timeouts[0].measured == 5


def test_fingerprints_differ_by_salt_and_by_words():
    seen = {
        fingerprint(*words)
        for words in ((SALT, "a", "b"), (SALT, "ab"), (SALT, "a b"), (OTHER, "a", "b"))
    }
    assert len(seen) == 4
    assert all(len(each) == 32 for each in seen)


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\x00\xff", b"[]", b"null", b"{", b"[" * 100_000, b'{"a":' * 50_000),
        document(version=2),
        document(salt="short"),
        document(salt=5),
        b"9" * (MAX_SIZE + 1),
    ],
)
def test_what_is_none_of_ours_is_nothing(data):
    assert decode(data) == Networks()


@pytest.mark.parametrize(
    "data",
    [
        document(timeouts=None),
        document(timeouts={"a": 1}),
        document(timeouts=[None, 5, []]),
        *(entry(**{name: None}) for name in asdict(KNOWN)),
        entry(network="../../etc/passwd"),
        entry(gateway="A" * 32),
        entry(how="\x1b[31m"),
        entry(alive=-1),
        entry(alive=True),
        entry(dead="15"),
        entry(interval=0),
        entry(interval=10**400),
        entry(measured=1e12),
        document().replace(b"15", b"NaN"),
        document().replace(b"15", b"Infinity"),
    ],
)
def test_what_is_no_entry_is_passed_over(data):
    assert decode(data) == Networks(SALT)


@given(st.binary())
def test_total(data):
    assert isinstance(decode(data), Networks)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(list(asdict(KNOWN))), json_values))
def test_entries_are_total(values):
    for each in decode(entry(**values)).timeouts:
        assert 0 < each.interval < 1e7
