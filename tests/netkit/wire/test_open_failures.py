from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import LinkLostError, OpenError
from netkit.wire.open_failures import Failure, classify_open_failure, failure_code

# (reason code, text, cause); the texts are those of the servers named beside them.
SAID = [
    # OpenSSH: strerror and gai_strerror of the gateway's C library
    (1, "open failed", Failure.PROHIBITED),
    (2, "Connection refused", Failure.REFUSED),
    (2, "Connection timed out", Failure.TIMED_OUT),
    (2, "No route to host", Failure.UNREACHABLE),
    (2, "Network is unreachable", Failure.NETWORK_UNREACHABLE),
    (2, "Cannot assign requested address", Failure.UNREACHABLE),
    (2, "Name or service not known", Failure.NAME),
    (2, "Temporary failure in name resolution", Failure.NAME),
    (2, "Non-recoverable failure in name resolution", Failure.NAME),
    (2, "No address associated with hostname", Failure.NAME),
    (2, "Address family for hostname not supported", Failure.NAME),
    (2, "Name does not resolve", Failure.NAME),
    (2, "Try again", Failure.NAME),
    (2, "open failed", Failure.OTHER),
    (2, "Too many open files", Failure.SHORTAGE),
    # macOS and the BSDs
    (2, "Operation timed out", Failure.TIMED_OUT),
    (2, "Host is down", Failure.UNREACHABLE),
    (2, "nodename nor servname provided, or not known", Failure.NAME),
    (2, "Can't assign requested address", Failure.UNREACHABLE),
    # Windows: Win32-OpenSSH and .NET servers
    (2, "connection refused", Failure.REFUSED),
    (2, "timed out", Failure.TIMED_OUT),
    (2, "host unreachable", Failure.UNREACHABLE),
    (2, "network unreachable", Failure.NETWORK_UNREACHABLE),
    (2, "No such host is known. ", Failure.NAME),
    (
        2,
        "No connection could be made because the target machine actively refused it",
        Failure.REFUSED,
    ),
    (
        2,
        "A connection attempt failed because the connected party did not properly respond",
        Failure.TIMED_OUT,
    ),
    (2, "A socket operation was attempted to an unreachable host", Failure.UNREACHABLE),
    (2, "A socket operation was attempted to an unreachable network", Failure.NETWORK_UNREACHABLE),
    # dropbear puts the asked-for name into the text
    (2, "Error resolving 'gone.example' port '80'. Name or service not known", Failure.NAME),
    (1, "", Failure.PROHIBITED),
    # asyncssh: str(OSError), in the numbers of the gateway's system
    (2, "[Errno 111] Connect call failed ('127.0.0.1', 1)", Failure.REFUSED),
    (2, "[Errno 61] Connect call failed ('127.0.0.1', 1)", Failure.REFUSED),
    (2, "[WinError 1225] Der Remotecomputer hat die Verbindung abgelehnt", Failure.REFUSED),
    (2, "[Errno 10060] Connect call failed ('192.0.2.1', 1)", Failure.TIMED_OUT),
    (2, "[Errno 113] Connect call failed ('192.0.2.1', 1)", Failure.UNREACHABLE),
    (2, "[Errno 101] Connect call failed ('2001:db8::1', 1, 0, 0)", Failure.NETWORK_UNREACHABLE),
    (2, "[Errno -2] Name or service not known", Failure.NAME),
    (2, "[Errno 11001] getaddrinfo failed", Failure.NAME),
    (
        2,
        "Multiple exceptions: [Errno 101] Connect call failed, [Errno 111] Connect call failed",
        Failure.REFUSED,
    ),
    (2, "[Errno 99999] Connect call failed", Failure.OTHER),
    # Go servers
    (2, "dial tcp 127.0.0.1:1: connect: connection refused", Failure.REFUSED),
    (2, "dial tcp 192.0.2.1:1: i/o timeout", Failure.TIMED_OUT),
    (2, "dial tcp: lookup gone.example on 10.0.0.1:53: no such host", Failure.NAME),
    (2, "lookup x on [::1]:53: read udp: read: connection refused", Failure.NAME),
    (1, "port forwarding is disabled", Failure.PROHIBITED),
    # servers that say 1 for everything
    (1, "Connection refused", Failure.REFUSED),
    (1, "Name or service not known", Failure.NAME),
    # the codes that say all
    (3, "unknown channel type", Failure.UNSUPPORTED),
    (3, "Connection refused", Failure.UNSUPPORTED),
    (4, "", Failure.SHORTAGE),
    # a code that is none
    (0, "", Failure.OTHER),
    (0xFFFFFFFF, "Connection refused", Failure.REFUSED),
]


@pytest.mark.parametrize(("reason", "text", "failure"), SAID)
def test_cause_is_read_from_code_and_text(reason: int, text: str, failure: Failure) -> None:
    assert classify_open_failure(reason, text) is failure


def test_text_beyond_the_bound_is_not_read() -> None:
    assert classify_open_failure(2, " " * 1024 + "connection refused") is Failure.OTHER


@given(st.integers(0, 2**32 - 1), st.text())
def test_every_answer_has_a_cause(reason: int, text: str) -> None:
    assert isinstance(classify_open_failure(reason, text), Failure)


def test_codes_are_the_documented_ones() -> None:
    assert {failure: failure_code(failure) for failure in Failure} == {
        Failure.PROHIBITED: "forwarding-prohibited",
        Failure.RULED_OUT: "target-not-allowed",
        Failure.REFUSED: "target-refused",
        Failure.UNREACHABLE: "target-unreachable",
        Failure.NETWORK_UNREACHABLE: "target-unreachable",
        Failure.TIMED_OUT: "target-timed-out",
        Failure.NAME: "target-name-unknown",
        Failure.UNSUPPORTED: "channel-type-unknown",
        Failure.SHORTAGE: "gateway-out-of-resources",
        Failure.LINK_DOWN: LinkLostError.default_code,
        Failure.OTHER: OpenError.default_code,
    }
