from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers.x_gateway import ASK, ASK_LISTENERS, GatewayX, parse, parse_listeners

# Debian 12 in a virtual machine, OpenSSH 9.2, in part.
LINUX = b"""motd before the answer
netkit-42
netkit-part id
1000
me
Linux
/home/me
192.0.2.10 50000 198.51.100.1 22
netkit-part host
gw
127.0.1.1       STREAM gw
127.0.1.1       DGRAM
127.0.1.1       RAW
netkit-part own
1: lo    inet 127.0.0.1/8 scope host lo
1: lo    inet6 ::1/128 scope host
2: eth0    inet 198.51.100.1/24 brd 198.51.100.255 scope global eth0
2: eth0    inet6 2001:db8::1/64 scope global
2: eth0    inet6 fe80::1/64 scope link
netkit-part xauth
/usr/bin/xauth
netkit-part sockets
X0
X1024
junk
netkit-part locks
/tmp/.X0-lock
/tmp/.X7-lock
netkit-part ipv6
kernel
00000000000000000000000000000001
20010db8000000000000000000000001
netkit-part listeners
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 615914 1
   1: 00000000:1771 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0
   2: 00000000000000000000000001000000:177A 00000000000000000000000000000000:0000 0A 00000000:0
netkit-part end
"""

# Constructed after `netstat -an -p tcp` and `ifconfig -a` of macOS 14 (netstat(1), ifconfig(8)).
MACOS = b"""netkit-42
netkit-part id
netkit-part host
mac.local
netkit-part own
lo0: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> mtu 16384
	inet 127.0.0.1 netmask 0xff000000
en0: flags=8863<UP> mtu 1500
	inet6 fe80::1c2b:ffff:fe00:1%en0 prefixlen 64 secured scopeid 0xb
	inet 192.0.2.33 netmask 0xffffff00 broadcast 192.0.2.255
netkit-part xauth
/opt/X11/bin/xauth
netkit-part sockets
netkit-part locks
netkit-part ipv6
netkit-part listeners
tcp4       0      0  127.0.0.1.6010         *.*                    LISTEN
tcp4       0      0  *.22                   *.*                    LISTEN
tcp6       0      0  ::1.6010               *.*                    LISTEN
tcp4  short
netkit-part end
"""


def test_linux():
    assert parse(LINUX) == GatewayX(
        answered=True,
        host="gw",
        addresses=("127.0.1.1",),
        own=("127.0.0.1", "::1", "198.51.100.1", "2001:db8::1"),
        xauth="/usr/bin/xauth",
        sockets=(0, 1024),
        locks=(0, 7),
        listeners=(("127.0.0.1", 8080), ("0.0.0.0", 6001), ("::1", 6010)),
        loopback6=True,
    )


def test_macos():
    found = parse(MACOS)
    assert found.host == "mac.local"
    assert found.own == ("127.0.0.1", "192.0.2.33")
    assert found.xauth == "/opt/X11/bin/xauth"
    assert found.loopback6 is None
    assert found.listeners == (("127.0.0.1", 6010), ("0.0.0.0", 22), ("::1", 6010))


def test_without_loopback6():
    assert parse(LINUX.replace(b"0" * 31 + b"1\n", b"")).loopback6 is False


@pytest.mark.parametrize("data", [b"", b"This account is currently not available.\n", LINUX[:-20]])
def test_no_answer(data: bytes):
    assert parse(data) == GatewayX()
    assert parse_listeners(data) is None


def test_nothing_there():
    data = b"netkit-42\nnetkit-part end\n"
    assert parse(data) == GatewayX(answered=True)
    assert parse_listeners(data) == ()


def test_hostile():
    data = LINUX.replace(b"/usr/bin/xauth", b"/usr/bin/x\x1b[2J\n'; rm -rf /").replace(
        b"X1024", b"X" + b"9" * 50
    )
    found = parse(data)
    assert found.xauth == ""
    assert found.sockets == (0,)


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_total(first: bytes, second: bytes):
    for part in (b"host", b"own", b"xauth", b"listeners", b"ipv6"):
        data = b"netkit-42\nnetkit-part " + part + b"\n" + first + b"\n" + second
        found = parse(data + b"\nnetkit-part end\n")
        assert found.host.isprintable()
        parse_listeners(data + b"\nnetkit-part end\n")


def test_the_commands_are_understood():
    """By the shell of this machine."""
    for command in (ASK, ASK_LISTENERS):
        done = subprocess.run(["sh", "-c", command], capture_output=True, check=False, timeout=30)
        assert parse(done.stdout).answered
        assert parse_listeners(done.stdout) is not None
    found = parse(subprocess.run(["sh", "-c", ASK], capture_output=True, check=False).stdout)
    assert found.host
    assert "127.0.0.1" in found.own
