from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers.ping import ANSWERED, SILENT, TOO_BIG, UNUSABLE, Echo, ping

RECORDED = Path(__file__).parents[2] / "recorded"


@pytest.mark.parametrize(
    ("name", "echo"),
    [
        ("linux/ping_answered.txt", Echo(ANSWERED)),
        ("linux/ping_too_big.txt", Echo(TOO_BIG, 1300)),
        ("linux/ping_silent.txt", Echo(SILENT)),
        ("darwin/ping_answered.txt", Echo(ANSWERED)),
        ("darwin/ping_too_big.txt", Echo(TOO_BIG, 1460)),
        ("windows/ping_answered.txt", Echo(ANSWERED)),
        ("windows/ping_too_big.txt", Echo(TOO_BIG)),
        ("windows/ping_too_big_german.txt", Echo(TOO_BIG)),
        ("windows/ping_silent_german.txt", Echo(SILENT)),
    ],
)
def test_as_recorded(name, echo):
    assert ping((RECORDED / name).read_bytes()) == echo


def test_what_linux_and_macos_say_of_their_own_interface():
    begun = b"PING 10.77.2.2 (10.77.2.2) 1600(1628) bytes of data.\n"
    local = b"ping: local error: message too long, mtu=1300\n"
    assert ping(begun, local) == Echo(TOO_BIG, 1300)
    assert ping(begun, b"ping: sendto: Message too long\n") == Echo(TOO_BIG)


def test_ipv6_and_several_requests():
    text = b"PING 2001:db8::1(2001:db8::1) 1452 data bytes\n"
    assert ping(text) == Echo(SILENT)
    assert ping(text + b"1460 bytes from 2001:db8::1: icmp_seq=2 hlim=64\n") == Echo(ANSWERED)


def test_another_ping():
    assert ping(b"", b"ping: unrecognized option: M\nBusyBox v1.36\n") == Echo(UNUSABLE)
    assert ping(b"") == Echo(UNUSABLE)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_is_total(stdout, stderr):
    assert ping(stdout, stderr).outcome in (ANSWERED, TOO_BIG, SILENT, UNUSABLE)
