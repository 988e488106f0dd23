"""Networks that lead nowhere, or elsewhere: made of namespaces, and found.

pytest tests/integration/faults/test_network.py
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.doctor import Diagnosis, expect, run_doctor, sshd_arguments
from support.netns import Namespace, namespace, namespaces, veth
from support.peers import require, unavailable
from support.sshd import Sshd

GATEWAY, NAME = "10.77.1.1", "gw.example"
UNUSED = ("me@10.99.0.1:2222", "--connect-timeout", "3")
"""A gateway that is nowhere."""


@pytest.fixture
def alone() -> Iterator[Namespace]:
    """Make a machine with nothing but loopback."""
    with namespace("alone") as made:
        yield made


@pytest.fixture
def pair() -> Iterator[tuple[Namespace, Namespace]]:
    """Make 10.77.1.2, which has no default route, and 10.77.1.1 beside it."""
    with namespaces("client", "gateway") as (client, gateway):
        names = ("eth0", "eth0")
        veth(client, gateway, "10.77.1.2/24", f"{GATEWAY}/24", names=names)
        yield client, gateway


def doctor(home: Path, where: Namespace, *arguments: str, **more) -> Diagnosis:
    return run_doctor(*arguments, home=home, prefix=where.prefix, **more)


def mend(where: Namespace, diagnosis: Diagnosis, code: str, which: int = 0) -> None:
    """Run a fix of a finding."""
    argv = diagnosis.finding(code)["fixes"][which]["argv"]
    where.run(*(argv[1:] if argv[0] == "sudo" else argv))


# --- no way out ---


def test_a_machine_without_network_is_healthy(alone, tmp_path):
    diagnosis = doctor(tmp_path, alone)
    assert diagnosis.codes() == set()
    assert diagnosis.finding("no-network")["severity"] == "info"
    assert diagnosis.code == 0


def test_no_network(alone, tmp_path, record_property):
    diagnosis = doctor(tmp_path, alone, *UNUSED)
    fault = "no network, and a gateway is named"
    expect(record_property, diagnosis, fault, {"no-network"}, hidden={"gateway-unreachable"})
    assert diagnosis.code == 1


def test_a_machine_without_default_route_is_healthy(pair, tmp_path):
    diagnosis = doctor(tmp_path, pair[0], "--for", "forward", "-L", "8080:web:80")
    assert diagnosis.codes() == set()
    assert diagnosis.finding("no-default-route")["severity"] == "info"
    assert diagnosis.finding("loopback-alias-usable")["severity"] == "ok"
    assert diagnosis.code == 0


def test_no_default_route(pair, tmp_path, record_property):
    diagnosis = doctor(tmp_path, pair[0], *UNUSED)
    fault = "no default route, and the gateway is in another network"
    hidden = {"gateway-unreachable"}
    expect(record_property, diagnosis, fault, {"no-default-route"}, hidden=hidden)
    assert "10.99.0.1" in diagnosis.finding("no-default-route")["title"]


def test_self_assigned(tmp_path, record_property):
    with namespaces("client", "peer") as (client, peer):
        veth(client, peer, "169.254.3.4/16", names=("eth0", "eth0"))
        assert doctor(tmp_path, client).codes() == set()
        diagnosis = doctor(tmp_path, client, *UNUSED)
    fault = "no DHCP server answered"
    hidden = {"no-default-route", "gateway-unreachable"}
    expect(record_property, diagnosis, fault, {"address-self-assigned"}, hidden=hidden)


def test_unroutable(pair, tmp_path, record_property):
    client, _ = pair
    client.route("default", GATEWAY)
    client.ip("route", "add", "unreachable", "10.99.0.0/16")
    assert doctor(tmp_path, client).codes() == set()
    diagnosis = doctor(tmp_path, client, *UNUSED)
    fault = "a route that makes the gateway unreachable"
    hidden = {"gateway-unreachable"}
    expect(record_property, diagnosis, fault, {"gateway-unroutable"}, hidden=hidden)


def test_several_default_routes_are_a_note(pair, tmp_path):
    client, gateway = pair
    veth(client, gateway, "10.78.1.2/24", "10.78.1.1/24", names=("wlan0", "wlan0"))
    client.route("default", GATEWAY)
    client.ip("route", "add", "default", "via", "10.78.1.1", "metric", "600")
    diagnosis = doctor(tmp_path, client)
    assert diagnosis.codes() == set()
    assert "eth0" in diagnosis.finding("several-default-routes")["title"]


# --- VPNs ---

_TUN = """
import fcntl, os, struct, sys
device = os.open("/dev/net/tun", os.O_RDWR)
IFF_TUN, IFF_NO_PI, TUNSETIFF = 0x0001, 0x1000, 0x400454CA
fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN | IFF_NO_PI))
print("made", flush=True)
while os.read(device, 65536):
    pass
"""


def start_vpn(where: Namespace, *routes: str) -> None:
    """Start a VPN that takes ``routes`` and swallows everything."""
    if not Path("/dev/net/tun").exists():
        unavailable("/dev/net/tun", "modprobe tun")
    process = where.popen(sys.executable, "-c", _TUN, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"made\n"
    where.address("tun0", "10.200.0.2/24")
    where.ip("link", "set", "tun0", "up")
    for route in routes:
        where.ip("route", "add", route, "dev", "tun0")


def test_a_vpn_beside_is_healthy(pair, tmp_path):
    start_vpn(pair[0], "172.20.0.0/24")
    assert doctor(tmp_path, pair[0]).codes("info") == {"no-default-route"}


def test_a_vpn_that_takes_a_private_range_is_a_note(pair, tmp_path):
    start_vpn(pair[0], "172.16.0.0/12")
    diagnosis = doctor(tmp_path, pair[0])
    assert diagnosis.codes() == set()
    assert diagnosis.finding("vpn-takes-private-range")["severity"] == "info"
    assert diagnosis.finding("vpn-takes-private-range")["subject"] == "172.16.0.0/12"


def test_a_vpn_that_takes_everything_is_a_note(pair, tmp_path):
    start_vpn(pair[0], "0.0.0.0/1", "128.0.0.0/1")
    diagnosis = doctor(tmp_path, pair[0])
    assert diagnosis.codes() == set()
    assert diagnosis.finding("vpn-takes-everything")["subject"] == "tun0"


def test_a_vpn_takes_the_local_network(pair, tmp_path, record_property):
    client, _ = pair
    start_vpn(client, "10.77.1.0/25", "10.77.1.128/25")
    diagnosis = doctor(tmp_path, client)
    fault = "a VPN with the addresses of the local network"
    expect(record_property, diagnosis, fault, {"vpn-captures-lan"})
    assert diagnosis.finding("vpn-captures-lan")["subject"] == "10.77.1.0/24"
    for which in range(2):
        mend(client, diagnosis, "vpn-captures-lan", which)
    assert doctor(tmp_path, client).codes() == set()


def test_a_vpn_takes_the_gateway(pair, tmp_path, record_property):
    client, gateway = pair
    with Sshd(tmp_path, host=GATEWAY, prefix=gateway.prefix) as sshd:
        arguments = (*sshd_arguments(sshd, tmp_path), "--connect-timeout", "3")
        start_vpn(client, f"{GATEWAY}/32")
        diagnosis = doctor(tmp_path, client, *arguments)
        code = "vpn-captures-gateway"
        fault = "a VPN takes the gateway of the local network"
        hidden = {"gateway-timed-out"}
        expect(record_property, diagnosis, fault, {code, "vpn-captures-lan"}, hidden=hidden)
        assert f"although {GATEWAY} is in the network of eth0" in diagnosis.finding(code)["title"]
        mend(client, diagnosis, code)
        again = doctor(tmp_path, client, *arguments)
        assert again.codes() == set()
        assert again.status("gateway-login") == "ran"


def test_a_vpn_takes_a_gateway_elsewhere(pair, tmp_path, record_property):
    client, gateway = pair
    gateway.address("lo", "10.99.0.1/32")
    client.route("default", GATEWAY)
    with Sshd(tmp_path, host="10.99.0.1", prefix=gateway.prefix) as sshd:
        arguments = (*sshd_arguments(sshd, tmp_path), "--connect-timeout", "3")
        start_vpn(client, "10.96.0.0/11")
        diagnosis = doctor(tmp_path, client, *arguments)
        code = "vpn-captures-gateway"
        fault = "a VPN takes a range with the gateway in it"
        expect(record_property, diagnosis, fault, {code}, hidden={"gateway-timed-out"})
        mend(client, diagnosis, code)
        again = doctor(tmp_path, client, *arguments)
        assert again.codes() == set()
        assert again.status("gateway-login") == "ran"


# --- names with an IPv6 address first ---


def with_name(home: Path, where: Namespace, *addresses: str) -> tuple[str, ...]:
    """Return the words that run a command in ``where``, where `NAME` has ``addresses``."""
    private = home / "hosts"
    lines = ["127.0.0.1 localhost", *(f"{each} {NAME}" for each in addresses)]
    private.write_text("\n".join(lines) + "\n")
    script = 'mount --bind "$0" /etc/hosts && exec "$@"'
    return (*where.prefix, str(require("unshare")), "-m", "sh", "-c", script, str(private))


def preferred_ipv6(home: Path, client: Namespace, gateway: Namespace, verdict: str) -> Diagnosis:
    """Run the doctor on a gateway whose IPv6 address comes first, with ``verdict`` upon it."""
    client.address("eth0", "2001:db8:1::2/64")
    gateway.address("eth0", "2001:db8:1::1/64")
    gateway.nft(
        "table inet f {\n chain in {\n  type filter hook input priority 0\n"
        f"  ip6 daddr 2001:db8:1::1 meta l4proto tcp {verdict}\n }}\n}}\n"
    )
    with Sshd(home, host=GATEWAY, prefix=gateway.prefix) as sshd:
        _, *config = sshd_arguments(sshd, home)
        sshd.known_hosts(name=NAME)
        return run_doctor(
            f"{sshd.user}@{NAME}:{sshd.port}",
            *config,
            home=home,
            prefix=with_name(home, client, "2001:db8:1::1", GATEWAY),
        )


def test_ipv6_is_preferred_and_dropped(pair, tmp_path, record_property):
    client, gateway = pair
    diagnosis = preferred_ipv6(tmp_path, client, gateway, "drop")
    fault = "IPv6 preferred, and dropped on the way"
    expect(record_property, diagnosis, fault, {"ipv6-broken"})
    assert "2001:db8:1::1" in diagnosis.finding("ipv6-broken")["title"]
    assert diagnosis.status("gateway-login") == "ran"


def test_ipv6_is_preferred_and_refused(pair, tmp_path):
    client, gateway = pair
    diagnosis = preferred_ipv6(tmp_path, client, gateway, "reject with tcp reset")
    assert diagnosis.codes() == set()
    assert diagnosis.finding("ipv6-refused")["severity"] == "info"


# --- large packets ---


@contextlib.contextmanager
def narrow_way(*, clamped: bool = False) -> Iterator[tuple[Namespace, Namespace]]:
    """Make a client and a gateway (10.77.3.2) with a narrow link between their routers.

    Neither router says what it drops; with ``clamped`` the first one adjusts TCP to the link.
    """
    labels = ("client", "near", "far", "gateway")
    with namespaces(*labels) as (client, near, far, gateway):
        veth(client, near, "10.77.1.2/24", f"{GATEWAY}/24", names=("eth0", "eth0"))
        veth(near, far, "10.77.2.1/24", "10.77.2.2/24", mtu=1250, names=("eth1", "eth1"))
        veth(far, gateway, "10.77.3.1/24", "10.77.3.2/24", names=("eth0", "eth0"))
        client.route("default", GATEWAY)
        near.route("default", "10.77.2.2")
        far.route("default", "10.77.2.1")
        gateway.route("default", "10.77.3.1")
        for router in (near, far):
            router.sysctl("net.ipv4.ip_forward", 1)
            clamp = "tcp flags syn tcp option maxseg size set rt mtu" if clamped else ""
            router.nft(
                "table ip silent {\n chain out {\n  type filter hook output priority 0\n"
                "  icmp type destination-unreachable drop\n }\n"
                f" chain through {{\n  type filter hook forward priority 0\n  {clamp}\n }}\n}}\n"
            )
        yield client, gateway


GENEROUS: dict[str, Any] = {
    "Ciphers": "+aes128-cbc,aes192-cbc,aes256-cbc,3des-cbc",
    "MACs": "+hmac-sha1-96,hmac-md5,hmac-md5-96,hmac-sha1-96-etm@openssh.com,"
    "hmac-md5-etm@openssh.com,hmac-md5-96-etm@openssh.com",
    "KexAlgorithms": "+diffie-hellman-group1-sha1,diffie-hellman-group14-sha1",
}
"""An offer that takes more than 1250 bytes."""


def test_large_packets_are_lost(tmp_path, record_property):
    require("ping")
    with (
        narrow_way() as (client, gateway),
        Sshd(tmp_path, host="10.77.3.2", prefix=gateway.prefix, **GENEROUS) as sshd,
    ):
        arguments = (*sshd_arguments(sshd, tmp_path), "--connect-timeout", "4")
        diagnosis = doctor(tmp_path, client, *arguments)
        fault = "MTU black hole on the way to the gateway"
        expect(record_property, diagnosis, fault, {"mtu-black-hole"})
        assert diagnosis.code == 1
        mend(client, diagnosis, "mtu-black-hole")
        again = doctor(tmp_path, client, *arguments)
        assert again.codes() == set()
        assert again.status("gateway-login") == "ran"


def test_large_pings_alone_are_a_note(tmp_path):
    require("ping")
    with (
        narrow_way(clamped=True) as (client, gateway),
        Sshd(tmp_path, host="10.77.3.2", prefix=gateway.prefix, **GENEROUS) as sshd,
    ):
        diagnosis = doctor(tmp_path, client, *sshd_arguments(sshd, tmp_path))
    assert diagnosis.codes() == set()
    assert diagnosis.finding("mtu-loses-large-pings")["severity"] == "info"


# --- the clock ---


def test_the_clock_is_behind_a_file(alone, tmp_path, record_property):
    known_hosts = tmp_path / ".ssh/known_hosts"
    known_hosts.parent.mkdir()
    known_hosts.touch()
    ahead = time.time() + 3 * 86_400
    os.utime(known_hosts, (ahead, ahead))
    diagnosis = doctor(tmp_path, alone)
    fault = "clock set back by three days"
    expect(record_property, diagnosis, fault, {"clock-behind-files"})
    assert "3 days" in diagnosis.finding("clock-behind-files")["title"]


def test_a_machine_that_slept_is_told(alone, tmp_path):
    awake = (str(require("unshare")), "--time", "--fork", "--boottime", "10800")
    if subprocess.run([*awake, "true"], check=False, capture_output=True, timeout=10).returncode:
        unavailable("time namespaces", "Linux 5.6 and util-linux 2.36")
    diagnosis = run_doctor(home=tmp_path, prefix=(*alone.prefix, *awake))
    assert diagnosis.codes() == set()
    assert "3 hours" in diagnosis.finding("machine-slept")["title"]
