from __future__ import annotations

import ctypes
import ctypes.util
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers import xauthority
from diagnostics.parsers.xauthority import (
    INTERNET,
    INTERNET6,
    LOCAL,
    MAGIC_COOKIE,
    WILD,
    Authority,
    Entry,
    Key,
    find,
    key_for,
    matches,
    parse,
)
from support.peers import unavailable


def written(*entries: Entry) -> bytes:
    """Return the file that holds ``entries``."""
    return b"".join(map(one, entries))


def one(entry: Entry) -> bytes:
    values = (entry.key.address, entry.key.number, entry.protocol, entry.data)
    counted = (struct.pack(">H", len(value)) + value for value in values)
    return struct.pack(">H", entry.key.family) + b"".join(counted)


def entry(family: int, address: bytes, number: bytes, data: bytes = b"c" * 16) -> Entry:
    return Entry(Key(family, address, number), MAGIC_COOKIE, data)


# The first entry of a file that xauth 1.1.2 wrote for `xauth add vm/unix:97 . …`.
SAMPLE = bytes.fromhex("0100 0002 766d 0002 3937 0012") + MAGIC_COOKIE + b"\0\x10" + b"k" * 16


def test_sample():
    found = parse(SAMPLE)
    assert found == Authority((entry(LOCAL, b"vm", b"97", b"k" * 16),))
    assert str(found.entries[0].key) == "vm/unix:97"
    assert "kkkk" not in repr(found)


@pytest.mark.parametrize(
    "tail", [b"\0", b"\0\0\0", b"junk that is no entry", SAMPLE[:-1], b"\xff" * 10]
)
def test_damage_ends_it(tail: bytes):
    found = parse(SAMPLE + tail)
    assert len(found.entries) == 1
    assert found.damaged == len(SAMPLE)


def test_empty_and_huge():
    assert parse(b"") == Authority()
    many = parse(SAMPLE * 20_000)
    assert len(many.entries) == xauthority.MAX_ENTRIES
    assert parse(b"\0" * (1 << 20)).damaged == -1
    assert parse(b"\xff" * (1 << 20)).damaged >= 0


@given(st.binary(max_size=300))
def test_total(data: bytes):
    for each in parse(data).entries:
        assert str(each.key)
        assert str(each.key).isprintable()


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("", "box/unix:1"),
        ("127.0.0.1", "box/unix:1"),
        ("::1", "box/unix:1"),
        ("::ffff:127.0.0.1", "box/unix:1"),
        ("127.0.0.2", "127.0.0.2:1"),
        ("127.0.1.1", "127.0.1.1:1"),
        ("::ffff:127.0.0.2", "127.0.0.2:1"),
        ("192.0.2.7", "192.0.2.7:1"),
        ("fe80::1%eth0", "[fe80::1]:1"),
        ("no address", "box/unix:1"),
    ],
)
def test_key(address: str, expected: str):
    assert str(key_for(address, "box", 1)) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (Key(WILD, b"", b"0"), "*:0"),
        (Key(253, b"\1\2", b"0"), "#00fd#0102#:0"),
        (Key(INTERNET, b"\1\2", b"0"), "#0000#0102#:0"),
        (Key(INTERNET6, bytes(15) + b"\1", b""), "[::1]:"),
        (Key(LOCAL, b"a\nb", b"0"), "a?b/unix:0"),
    ],
)
def test_shown(key: Key, expected: str):
    assert str(key) == expected


def test_matches():
    key = key_for("", "box", 0)
    assert matches(entry(LOCAL, b"box", b"0"), key)
    assert matches(entry(LOCAL, b"box", b""), key)
    assert matches(entry(WILD, b"whatever", b"0"), key)
    assert not matches(entry(WILD, b"", b"1"), key)
    assert not matches(entry(LOCAL, b"other", b"0"), key)
    assert not matches(entry(INTERNET, b"box", b"0"), key)


def test_find_prefers_a_magic_cookie():
    key = key_for("127.0.0.2", "box", 1)
    other = Entry(key, b"XDM-AUTHORIZATION-1", b"d" * 16)
    cookie = entry(INTERNET, b"\x7f\0\0\2", b"1")
    assert find([other, cookie], key) is cookie
    assert find([other], key) is other
    assert find([cookie], key_for("127.0.0.1", "box", 1)) is None
    assert find([], key) is None


class Xauth(ctypes.Structure):
    """<X11/Xauth.h>"""

    _fields_ = [
        ("family", ctypes.c_ushort),
        *(
            pair
            for name in ("address", "number", "name", "data")
            for pair in ((f"{name}_length", ctypes.c_ushort), (name, ctypes.POINTER(ctypes.c_char)))
        ),
    ]


KEYS = st.builds(
    Key,
    st.sampled_from([LOCAL, INTERNET, WILD]),
    st.sampled_from([b"box", b"other", b"\x7f\0\0\2"]),
    st.sampled_from([b"", b"0", b"1"]),
)
ENTRIES = st.builds(Entry, KEYS, st.just(MAGIC_COOKIE), st.binary(min_size=1, max_size=4))


@given(st.lists(ENTRIES, max_size=5), st.binary(max_size=6), st.sampled_from([0, 1, 2]))
def test_as_libxau_itself(tmp_path_factory, entries: list[Entry], tail: bytes, number: int):
    """Which entry is taken, of files whole and damaged."""
    name = ctypes.util.find_library("Xau")
    if name is None:
        unavailable("libXau", "apt-get install libxau6")
    library = ctypes.CDLL(name)
    library.XauGetBestAuthByAddr.restype = ctypes.POINTER(Xauth)
    key = key_for("", "box", number)
    file = tmp_path_factory.getbasetemp() / "authority"
    file.write_bytes(written(*entries) + tail)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XAUTHORITY", str(file))
        names = (ctypes.c_char_p * 1)(MAGIC_COOKIE)
        lengths = (ctypes.c_int * 1)(len(MAGIC_COOKIE))
        taken = library.XauGetBestAuthByAddr(
            key.family,
            len(key.address),
            key.address,
            len(key.number),
            key.number,
            1,
            names,
            lengths,
        )
    ours = find(parse(file.read_bytes()).entries, key)
    if not taken:
        assert ours is None
        return
    assert ours is not None
    assert ours.data == taken.contents.data[: taken.contents.data_length]
    library.XauDisposeAuth(taken)
