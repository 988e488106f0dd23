"""PuTTY's cache of host keys: what the real plink wrote, and anything else."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import ConfigError
from netkit.text.fingerprints import key_type
from netkit.text.putty.host_keys import (
    MAX_FILE,
    CachedKey,
    entry_name,
    entry_value,
    format_cache_line,
    parse_cache_file,
    parse_entry,
    registry_name,
)
from netkit.wire.messages import string

RECORDED = Path(__file__).parents[3] / "recorded" / "putty"
CACHE = (RECORDED / "sshhostkeys").read_bytes()
BLOBS = [
    base64.b64decode(line.split()[1])
    for line in (RECORDED / "host_keys.pub").read_text().splitlines()
]


def mpint(number: int) -> bytes:
    return string(number.to_bytes(number.bit_length() // 8 + 1, "big"))


def ed25519(seed: bytes) -> bytes:
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return string("ssh-ed25519") + string(public)


def test_what_plink_cached_are_the_keys_of_the_servers():
    cache = parse_cache_file(CACHE, "sshhostkeys")
    assert cache.left_out == ()
    assert {key.blob for key in cache.keys} == set(BLOBS)
    assert {(key.host, key.port) for key in cache.keys} == {("gw.example", 2222)}
    assert len({key_type(key.blob) for key in cache.keys}) == 5


def test_what_plink_cached_comes_out_byte_for_byte():
    cache = parse_cache_file(CACHE, "sshhostkeys")
    assert "".join(f"{format_cache_line(key)}\n" for key in cache.keys).encode() == CACHE


@given(st.binary(min_size=32, max_size=32), st.integers(1, 65535))
def test_ed25519_round_trips(seed: bytes, port: int):
    key = CachedKey("gw.example", port, ed25519(seed))
    name, value = format_cache_line(key).split(" ")
    assert parse_entry(name, value) == key


@given(st.integers(3, 2**32), st.integers(2**1023, 2**1024))
def test_rsa_round_trips(exponent: int, modulus: int):
    blob = string("ssh-rsa") + mpint(exponent) + mpint(modulus)
    assert parse_entry("rsa2@22:gw", entry_value(blob)).blob == blob


@given(st.sampled_from([256, 384, 521]), st.data())
def test_ecdsa_round_trips(bits: int, data: st.DataObject):
    size = (bits + 7) // 8
    x, y = (data.draw(st.integers(1, 2**bits - 1)).to_bytes(size, "big") for _ in "xy")
    kind = f"ecdsa-sha2-nistp{bits}"
    blob = string(kind) + string(f"nistp{bits}") + string(b"\4" + x + y)
    assert parse_entry(f"{kind}@22:gw", entry_value(blob)).blob == blob


def test_names():
    blob = ed25519(bytes(32))
    assert entry_name("::1", 22, blob) == "ssh-ed25519@22:::1"
    assert parse_entry("ssh-ed25519@22:::1", entry_value(blob)).host == "::1"
    assert registry_name("a b", 22, blob) == "ssh-ed25519@22:a%20b"
    assert registry_name("gw.example", 22, BLOBS[-1]) == "rsa2@22:gw.example"
    assert parse_entry("ssh-ed25519@22:%2Egw", entry_value(blob)).host == ".gw"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("dss@22:gw 0x1,0x2,0x3,0x4", "DSA"),
        ("rsa@22:gw 0x1,0x2", "protocol 1"),
        ("ssh-ed448@22:gw 0x1,0x2", "Ed448"),
        ("ssh-ed25519@22:gw 0x1,0x2", "no point"),
        ("ssh-ed25519@22:gw 0x1", "no such key"),
        ("rsa2@22:gw 0x3", "no such key"),
        ("rsa2@22:gw 0x3,0xZZ", "number"),
        ("rsa2@22:gw 0x3,0x0", "is 0"),
        ("rsa2@99999:gw 0x3,0x5", "port"),
        ("rsa2@22: 0x3,0x5", "TYPE@PORT:HOST"),
        ("rsa2@22:$(reboot) 0x3,0x5", "not an address"),
        ("nonsense", "TYPE@PORT:HOST"),
        ("ecdsa-sha2-nistp256@22:gw nistp384,0x1,0x2", "no such key"),
        (f"ecdsa-sha2-nistp256@22:gw nistp256,0x1,0x{'f' * 65}", "too large"),
    ],
)
def test_what_is_no_key_is_told_and_spares_the_others(line: str, why: str):
    cache = parse_cache_file(f"{line}\n".encode() + CACHE, "sshhostkeys")
    assert len(cache.keys) == 5
    assert len(cache.left_out) == 1
    assert cache.left_out[0].startswith("sshhostkeys:1: ")
    assert why in cache.left_out[0]


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"\0\0\0\xff",
        string("ssh-dss") + string(b"1"),
        string("ssh-ed25519") + string(b"1"),
        string("sk-ssh-ed25519@openssh.com") + string(bytes(32)) + string("ssh:"),
        string("ecdsa-sha2-nistp256") + string("nistp256") + string(b"\2" + bytes(64)),
        string("\xff") + string("a") + string("b"),
    ],
)
def test_keys_that_putty_cannot_keep(blob: bytes):
    with pytest.raises(ValueError, match=r"."):
        entry_value(blob)


def test_a_huge_file_is_refused():
    with pytest.raises(ConfigError):
        parse_cache_file(b"x" * (MAX_FILE + 1), "sshhostkeys")


@given(st.binary(max_size=300))
def test_any_bytes_are_keys_or_told(content: bytes):
    cache = parse_cache_file(content, "f")
    lines = [line for line in content.decode("utf-8", "replace").split("\n") if line.strip()]
    assert len(cache.keys) + len(cache.left_out) <= max(len(lines), 1)


@given(st.text(max_size=40), st.text(max_size=60))
def test_any_entry_is_a_key_or_an_error(host: str, value: str):
    cache = parse_cache_file(f"rsa2@22:{host} 0x3,{value}\n".encode("utf-8", "replace"), "f")
    for key in cache.keys:
        assert parse_entry(*format_cache_line(key).split(" ", 1)) == key


@given(st.binary(max_size=80))
def test_any_blob_is_a_value_or_an_error(blob: bytes):
    try:
        value = entry_value(blob)
    except ValueError:
        return
    assert value.isascii()
