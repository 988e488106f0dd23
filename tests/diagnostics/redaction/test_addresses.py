from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.redaction.addresses import normal_mac, replaced, stays


def shown(text: str) -> str:
    return replaced(text, lambda ip: f"<{ip}>", lambda mac: f"<{mac}>")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from 192.168.1.20:3389 to 10.0.0.1/8", "from <192.168.1.20>:3389 to <10.0.0.1>/8"),
        ("tcp4 192.168.1.5.52345", "tcp4 <192.168.1.5>.52345"),
        ("192.168.1.1-192.168.1.9", "<192.168.1.1>-<192.168.1.9>"),
        ("ip-10-0-0-5.ec2", "ip-<10-0-0-5>.ec2"),
        ("010.001.002.003", "<10.1.2.3>"),
        ("x10.1.2.3x", "x<10.1.2.3>x"),
        ("[2001:db8::1]:22", "[<2001:db8::1>]:22"),
        ("fe80::1%en0", "<fe80::1>%en0"),
        ("2001:db8::5.22", "<2001:db8::5>.22"),
        ("2001:db8::1: timed out", "<2001:db8::1>: timed out"),
        ("inet6:2001:db8::1,", "inet6:<2001:db8::1>,"),
        ("at :2001:db8::1:", "at :<2001:db8::1>:"),
        ("::ffff:192.168.1.1", "<::ffff:c0a8:101>"),
        ("2001:db8:0:0:0:0:0:1", "<2001:db8::1>"),
        ("1:2:10.1.2.3", "1:2:<10.1.2.3>"),
        ("ether a4:83:e7:00:11:22", "ether <a483e7001122>"),
        ("A4-83-E7-00-11-22", "<a483e7001122>"),
        ("at 0:1c:b3:1:2:3 on", "at <001cb3010203> on"),
    ],
)
def test_replaced(text: str, expected: str):
    assert shown(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no address",
        "127.0.0.1:22 127.0.0.2 0.0.0.0:* [::]:22 [::1]:22 ::",
        "255.255.255.0 255.255.255.255 255.0.0.0 ffff:ffff:ffff:ffff::",
        "224.0.0.251 ff02::1 239.255.255.250",
        "::ffff:127.0.0.1",
        "256.1.1.1 1.2.3 12:34:56 09:15:00.123",
        "OpenSSH_9.2p1 Debian-2+deb12u3, Windows 10.0.19045",
        "00:00:00:00:00:00 ff:ff:ff:ff:ff:ff",
        "MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999.1.2.3",
        "a::b::c :::: 1:2:3:4:5:6:7:8:9:a",
        "std::string foo::bar() xx::yy",
    ],
)
def test_what_stays(text: str):
    assert shown(text) == text


def test_one_may_be_kept():
    text = "10.1.1.1 10-1-1-1 2001:db8::1"
    assert replaced(text, lambda _ip: None, str.upper) == text


def test_masks():
    assert stays(ipaddress.ip_address("255.255.240.0"))
    assert not stays(ipaddress.ip_address("255.255.240.1"))
    assert not stays(ipaddress.ip_address("254.0.0.0"))


def test_normal_mac():
    assert normal_mac("0:1C:b3:1:2:3") == normal_mac("00-1c-b3-01-02-03") == "001cb3010203"


@given(st.ip_addresses(), st.sampled_from([" {} ", "[{}]:22", "({})", "a={},", "<{}>", "{}\n"]))
def test_every_address_in_every_place(address, form: str):
    text = form.format(address)
    if stays(address):
        assert shown(text) == text
    else:
        assert shown(text) == form.format(f"<{address}>")


@given(st.text(alphabet="0123456789abcdef:.-% x\n", max_size=80))
def test_anything(text: str):
    shown(text)


def test_cost_is_bounded():
    for text in ("1:" * 50_000, "::" * 50_000, "1." * 50_000, "1-" * 50_000, "a:" * 50_000):
        shown(text)
