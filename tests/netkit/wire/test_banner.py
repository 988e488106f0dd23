"""The identification exchange: bounds, and an error of its own for each kind of stranger."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import GatewayUnreachableError, NetkitError, RemoteProtocolError
from netkit.wire import banner
from netkit.wire.banner import Identification, LineReader


def lines_of(*pieces: bytes) -> tuple[list[str], LineReader]:
    reader = LineReader()
    lines = []
    for piece in pieces:
        reader.feed(piece)
        while (line := reader.next()) is not None:
            lines.append(line)
    return lines, reader


def verdict(*lines: str) -> str:
    """The error code after these lines, or the version."""
    identification = Identification()
    try:
        for line in lines:
            if identification.accept(line):
                return identification.version
    except NetkitError as error:
        return error.code
    return ""


class TestLineReader:
    @pytest.mark.parametrize("end", [b"\n", b"\r\n"])
    def test_both_line_ends(self, end):
        lines, _ = lines_of(b"hello" + end + b"SSH-2.0-x" + end)
        assert lines == ["hello", "SSH-2.0-x"]

    def test_packets_behind_the_line_are_kept(self):
        reader = LineReader()
        reader.feed(b"SSH-2.0-x\r\n\0\0\0\x0c\n")
        assert reader.next() == "SSH-2.0-x"
        assert reader.rest() == b"\0\0\0\x0c\n"
        assert reader.rest() == b""

    def test_line_without_end_is_bounded(self):
        reader = LineReader()
        reader.feed(b"x" * (banner.MAX_BYTES + 1))
        with pytest.raises(GatewayUnreachableError) as caught:
            reader.next()
        assert caught.value.code == "banner-flood"

    def test_many_short_lines_are_bounded(self):
        reader = LineReader()
        reader.feed(b"\n" * (2 * banner.MAX_BYTES))
        with pytest.raises(GatewayUnreachableError):
            while reader.next() is not None:
                pass

    def test_partial_line_can_be_looked_at(self):
        _, reader = lines_of(b"abc\n\x15\x03")
        assert reader.partial == b"\x15\x03"

    @given(st.binary(max_size=600), st.lists(st.integers(0, 600), max_size=6))
    def test_chunks_make_no_difference(self, data, cuts):
        edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
        pieces = [data[a:b] for a, b in itertools.pairwise(edges)]
        assert lines_of(data)[0] == lines_of(*pieces)[0]

    @given(st.lists(st.binary(max_size=5000), max_size=8))
    def test_any_bytes_are_lines_or_a_flood(self, pieces):
        try:
            lines, _ = lines_of(*pieces)
        except GatewayUnreachableError as error:
            assert error.code == "banner-flood"
        else:
            assert len(lines) <= sum(map(len, pieces))


class TestIdentification:
    @pytest.mark.parametrize("line", ["SSH-2.0-OpenSSH_9.2p1 Debian-2", "SSH-1.99-x"])
    def test_version(self, line):
        assert verdict("Welcome to this host", line) == line

    @pytest.mark.parametrize(
        ("line", "code"),
        [
            ("SSH-1.5-OpenSSH_2", "ssh-protocol-1"),
            ("SSH-2.0", "bad-version-line"),
            ("SSH-2.0-", "bad-version-line"),
            ("SSH-2.0-evil\x1b[2J", "bad-version-line"),
            ("SSH-2.0-" + "x" * 300, "bad-version-line"),
            ("HTTP/1.1 400 Bad Request", "not-ssh"),
        ],
    )
    def test_bad_line(self, line, code):
        assert verdict(line) == code

    def test_lines_are_bounded(self):
        assert verdict(*["chatter"] * banner.MAX_LINES) == ""
        assert verdict(*["chatter"] * (banner.MAX_LINES + 1)) == "banner-flood"

    def test_bytes_are_bounded(self):
        assert verdict(*["x" * 1000] * 9) == "banner-flood"

    def test_closed_and_silent(self):
        fresh = Identification()
        assert fresh.ended().code == "closed-early"
        assert fresh.silent(7).code == "silent-port"
        assert "7 s" in fresh.silent(7).summary
        assert fresh.ended().retryable

    def test_other_service_is_named_by_its_words(self):
        smtp = Identification()
        smtp.accept("220 mail.example ESMTP")
        assert smtp.silent(3).code == "not-ssh"
        assert "220 mail.example ESMTP" in smtp.silent(3).cause

    def test_tls_is_recognised(self):
        error = Identification().ended(b"\x15\x03\x01\x00\x02\x02\x46")
        assert error.code == "not-ssh"
        assert "TLS" in error.cause

    @given(st.lists(st.text(max_size=300), max_size=100))
    def test_any_lines_give_a_version_or_a_declared_error(self, lines):
        identification = Identification()
        try:
            for line in lines:
                if identification.accept(line):
                    assert identification.version == line
                    break
        except (GatewayUnreachableError, RemoteProtocolError) as error:
            assert error.cause.isprintable()
