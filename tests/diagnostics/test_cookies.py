from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.cookies import Cookies

COOKIE = bytes.fromhex("00112233445566778899aabbccddeeff")


def counted(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def entry(cookie: bytes, name: bytes = b"MIT-MAGIC-COOKIE-1", family: int = 256) -> bytes:
    return family.to_bytes(2, "big") + b"".join(map(counted, (b"host", b"0", name, cookie)))


def setup(cookie: bytes, order: Any = "little", name: bytes = b"MIT-MAGIC-COOKIE-1") -> bytes:
    def number(value: int) -> bytes:
        return value.to_bytes(2, order)

    head = (b"l" if order == "little" else b"B") + b"\0"
    head += number(11) + number(0) + number(len(name)) + number(len(cookie)) + b"\0\0"
    return head + name + bytes(-len(name) % 4) + cookie + bytes(-len(cookie) % 4)


@dataclass(frozen=True, slots=True)
class Facts:
    text: str = ""
    data: bytes = b""
    inner: tuple[object, ...] = ()


def clean(*values: Any) -> tuple[Any, ...]:
    cookies = Cookies()
    for value in values:
        cookies.learn(value)
    return cookies.replaced(values)


cookies = st.binary(min_size=16, max_size=16).filter(lambda data: len(set(data)) > 8)


@given(cookies, st.binary(max_size=40), st.binary(max_size=40))
def test_in_a_file(cookie: bytes, before: bytes, after: bytes):
    (found,) = clean(before + entry(cookie) + after)
    assert cookie not in found
    assert len(found) == len(before + entry(cookie) + after)


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("name", [b"MIT-MAGIC-COOKIE-1", b"XDM-AUTHORIZATION-1"])
@given(cookies)
def test_in_a_message(order: str, name: bytes, cookie: bytes):
    (found,) = clean(setup(cookie, order, name))
    assert cookie not in found
    assert found.startswith(setup(cookie, order, name)[:12] + name)


@given(cookies)
def test_the_same_everywhere(cookie: bytes):
    """In a file, a message, and in hexadecimal of either case; however deep."""
    facts = Facts(
        f"host:0 MIT-MAGIC-COOKIE-1 {cookie.hex()}",
        entry(cookie),
        (setup(cookie), (cookie.hex().upper(), cookie.hex().encode()), 7, None),
    )
    ((found,),) = clean((facts,))
    stand_in = found.data[-16:]
    assert stand_in != cookie
    assert found == Facts(
        f"host:0 MIT-MAGIC-COOKIE-1 {stand_in.hex()}",
        entry(stand_in),
        (setup(stand_in), (stand_in.hex(), stand_in.hex().encode()), 7, None),
    )


def test_each_cookie_has_its_own():
    (found,) = clean(entry(COOKIE) + entry(COOKIE[::-1]) + entry(COOKIE))
    size = len(entry(COOKIE))
    assert found[:size] == found[2 * size :]
    assert found[:size] != found[size : 2 * size]


def test_a_cookie_that_begins_with_another():
    (found,) = clean(entry(COOKIE[:8]) + entry(COOKIE))
    assert COOKIE[:8] not in found
    assert COOKIE[8:] not in found


def test_listed_in_text_alone():
    (found,) = clean(f"gw/unix:10  MIT-MAGIC-COOKIE-1  {COOKIE.hex()}0\n")
    assert COOKIE.hex() not in found


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"MIT-MAGIC-COOKIE-1",
        b"\0\x12MIT-MAGIC-COOKIE-1",
        b"\0\x12MIT-MAGIC-COOKIE-1\0",
        entry(b""),
        entry(b"abc"),
        entry(bytes(16)),
        b"the protocol MIT-MAGIC-COOKIE-1 is refused",
        setup(b""),
    ],
)
def test_no_cookie(data: bytes):
    assert clean(data, "text") == (data, "text")


@given(st.binary(max_size=200), st.text(max_size=100))
def test_anything(data: bytes, text: str):
    found, kept = clean(data, text)
    assert len(found) == len(data)
    assert len(kept) == len(text)


@given(
    st.lists(st.sampled_from([b"MIT-MAGIC-COOKIE-1", b"\0\x12", b"\0\x10", b"l\0", b"B", COOKIE]))
)
def test_anything_that_looks_like_it(pieces: list[bytes]):
    clean(b"".join(pieces))
