"""Sizes, targets and networks of limits."""

from __future__ import annotations

import contextlib
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import UsageError
from netkit.model import Endpoint
from netkit.text.limits import (
    MOST_BYTES,
    contains,
    format_size,
    parse_address,
    parse_size,
    parse_source,
    parse_target,
)


class TestSizes:
    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("1", 1),
            ("4096", 4096),
            ("512k", 512 << 10),
            ("512K", 512 << 10),
            ("10M", 10 << 20),
            ("10MB", 10 << 20),
            ("10MiB", 10 << 20),
            ("10m/s", 10 << 20),
            (" 1.5M ", 3 << 19),
            ("0.5k", 512),
            ("2G", 2 << 30),
            ("1T", 1 << 40),
        ],
    )
    def test_sizes(self, text, number):
        assert parse_size(text) == number

    @pytest.mark.parametrize(
        "text",
        ["", "0", "-1", "k", "10X", "1e3", "1..5M", "1.M", "10 M", "٣k", "9" * 16, "9999T", "nan"],
    )
    def test_no_sizes(self, text):
        with pytest.raises(UsageError) as caught:
            parse_size(text, "a rate")
        assert caught.value.code == "bad-limit"
        assert "is not a rate" in caught.value.summary
        assert caught.value.cause

    def test_too_small(self):
        with pytest.raises(UsageError) as caught:
            parse_size("1023", lowest=1024)
        assert "1k" in caught.value.cause

    @given(st.integers(1, MOST_BYTES))
    def test_round_trip(self, number):
        assert parse_size(format_size(number)) == number

    @given(st.text(max_size=40))
    def test_any_text(self, text):
        with contextlib.suppress(UsageError):
            assert 1 <= parse_size(text) <= MOST_BYTES


class TestTargets:
    @pytest.mark.parametrize(
        ("pattern", "yes", "no"),
        [
            (
                "db.example:5432",
                [("db.example", 5432), ("DB.Example", 5432), ("db.example.", 5432)],
                [("db.example", 5433), ("xdb.example", 5432), ("db.example.org", 5432)],
            ),
            (
                "*.internal:443",
                [("a.internal", 443), ("a.b.INTERNAL.", 443)],
                [("internal", 443), ("a.internal.org", 443), ("10.0.0.1", 443)],
            ),
            ("web*:80-89", [("web1", 80), ("web", 89)], [("web1", 79), ("web1", 90)]),
            ("db.*:*", [("db.x", 1), ("db.x.y", 65535)], [("db", 1)]),
            (
                "10.0.0.0/8:*",
                [("10.1.2.3", 1), ("::ffff:10.9.9.9", 2), ("10.1.2.3.", 3)],
                [("11.0.0.1", 1), ("10.example", 1), ("fd00::1", 1), ("10.1", 1)],
            ),
            ("10.0.0.5:22", [("10.0.0.5", 22), ("::ffff:a00:5", 22)], [("10.0.0.6", 22)]),
            (
                "[2001:db8::/32]:443",
                [("2001:db8::1", 443), ("2001:DB8:0::1%eth0", 443)],
                [("2001:db9::1", 443), ("10.0.0.1", 443)],
            ),
            ("[2001:db8::]/32:443", [("2001:db8::1", 443)], [("2001:db9::1", 443)]),
            ("[::1]:80", [("::1", 80), ("0:0:0:0:0:0:0:1", 80)], [("::2", 80)]),
            ("[::ffff:10.0.0.0/104]:80", [("10.0.0.1", 80)], [("11.0.0.1", 80)]),
            ("*:443", [("x", 443), ("10.0.0.1", 443), ("127.1", 443)], [("x", 80)]),
            # What a resolver takes for 127.0.0.1 is no name that a pattern may match.
            ("*f:80", [("shelf", 80)], [("0x7f", 80), ("127.0x7f", 80), ("0xF", 80)]),
        ],
    )
    def test_matches(self, pattern, yes, no):
        parsed = parse_target(pattern)
        assert [each for each in yes if not parsed.matches(Endpoint(*each))] == []
        assert [each for each in no if parsed.matches(Endpoint(*each))] == []

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("", "empty"),
            ("db.example", "db.example:*"),
            ("::1", "[::1]:*"),
            ("2001:db8::/32:443", "brackets"),
            ("[::1:80", "brackets"),
            ("[::1]x:80", "brackets"),
            ("[db]:80", "IPv6"),
            (":80", "missing"),
            ("db:0", "1 to 65535"),
            ("db:65536", "1 to 65535"),
            ("db:90-80", "ends before"),
            ("db:80-", "1 to 65535"),
            ("10.0.0.5/8:80", "10.0.0.0/8 is the whole"),
            ("10.0.0.0/33:80", "10.0.0.0/8"),
            ("db/8:80", "10.0.0.0/8"),
            ("10.*:80", "10.0.0.0/8"),
            ("10.0.0.*:80", "10.0.0.0/8"),
            ("*.5:80", "10.0.0.0/8"),
            ("127.1:80", "10.0.0.0/8"),
            ("d?:80", "only wildcard"),
            ("!db:80", "only wildcard"),
            ("a b:80", "cannot hold"),
            ("-x:80", "option"),
            ("x" * 256 + ":1", "at most"),
            ("x" * 400 + ":1", "too long"),
        ],
    )
    def test_no_targets(self, text, why):
        with pytest.raises(UsageError) as caught:
            parse_target(text)
        assert caught.value.code == "bad-limit"
        assert why in caught.value.cause

    @given(st.text(max_size=60), st.text(max_size=60), st.integers(0, 65535))
    def test_any_text(self, text, host, port):
        try:
            pattern = parse_target(text)
        except UsageError:
            return
        assert pattern.matches(Endpoint(host, port)) in (True, False)

    @given(st.text("*.:[]/-0123456789abfx", max_size=30))
    def test_text_of_such_characters(self, text):
        try:
            pattern = parse_target(text)
        except UsageError:
            return
        assert 0 <= pattern.first <= pattern.last <= 65535
        assert (pattern.network is None) is bool(pattern.name)


class TestSources:
    @pytest.mark.parametrize(
        ("text", "network"),
        [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("[2001:db8::1]", "2001:db8::1/128"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ],
    )
    def test_networks(self, text, network):
        assert str(parse_source(text)) == network

    @pytest.mark.parametrize(
        "text", ["", "lan", "10.0.0.1/8", "10.0.0", "*", "10.0.0.0/8:80", "/8"]
    )
    def test_no_networks(self, text):
        with pytest.raises(UsageError) as caught:
            parse_source(text)
        assert caught.value.code == "bad-limit"
        assert "network" in caught.value.summary

    @given(st.ip_addresses())
    def test_an_address_is_in_its_own_network(self, address):
        read = parse_address(str(address))
        assert read is not None
        assert contains(parse_source(str(address)), read)

    def test_families_do_not_mix(self):
        assert not contains(ipaddress.ip_network("::/0"), ipaddress.ip_address("10.0.0.1"))
