"""The identification exchange: bounds, and an error of its own for each kind of stranger."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import GatewayUnreachableError, NetkitError, RemoteProtocolError
from netkit.wire import banner
from netkit.wire.banner import Identification


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
