"""What `netkit advise` writes, put to use: two networks in namespaces, and packets between them.

    a (192.168.1.2) - here (192.168.1.1, 198.51.100.1) - gateway (198.51.100.7, 10.1.0.1) - b

The steps are those of the advice, carried out in its order and undone by its own commands.  The
kernel of the build machines has TUN and NAT, but no WireGuard and no ESP.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.cli import environment
from support.netns import Namespace, namespaces, veth
from support.peers import require
from support.sshd import Sshd
from support.waiting import wait_until

pytestmark = pytest.mark.slow

GATEWAY = "198.51.100.7"
LANS = ("--local-net", "192.168.1.0/24", "--remote-net", "10.1.0.0/16")
LANS6 = ("--local-net", "2001:db8:2::/64", "--remote-net", "2001:db8:1::/64")


@dataclass(frozen=True)
class Sites:
    """The four machines; ``b`` knows no way to the other side except by the gateway."""

    a: Namespace
    here: Namespace
    gateway: Namespace
    b: Namespace

    def side(self, name: str) -> Namespace:
        return self.here if name == "here" else self.gateway


@pytest.fixture
def sites() -> Iterator[Sites]:
    require("ping")
    with namespaces("a", "here", "gateway", "b") as (a, here, gateway, b):
        veth(
            a, here, ("192.168.1.2/24", "2001:db8:2::2/64"), ("192.168.1.1/24", "2001:db8:2::1/64")
        )
        veth(here, gateway, "198.51.100.1/24", f"{GATEWAY}/24")
        veth(gateway, b, ("10.1.0.1/16", "2001:db8:1::1/64"), ("10.1.0.2/16", "2001:db8:1::2/64"))
        for lan, router in ((a, here), (b, gateway)):
            number = "2" if router is here else "1"
            lan.route("default", "192.168.1.1" if router is here else "10.1.0.1")
            lan.ip("-6", "route", "add", "default", "via", f"2001:db8:{number}::1")
        yield Sites(a, here, gateway, b)


def advise(home: Path, *words: str) -> dict[str, Any]:
    """Run the command; its files are in ``home/tunnel``."""
    done = subprocess.run(
        [sys.executable, "-m", "netkit", "advise", *words, "--write", "tunnel", "--json"],
        cwd=home,
        env=environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def carry_out(sites: Sites, home: Path, steps: list[dict[str, Any]]) -> None:
    """Run the steps that change the kernel; files stay in their folder and out of /etc."""
    for step in steps:
        if step["argv"][0] not in {"sysctl", "nft", "sh", "ip"}:
            continue
        folder = home / "tunnel" / ("gateway" if step["where"] == "gateway" else "")
        words = ["sh", "-c", 'cd "$0" && exec "$@"', str(folder), *step["argv"]]
        sites.side(step["where"]).run(*words)


def pings(source: Namespace, target: str) -> bool:
    words = ["ping", "-c", "1", "-W", "1", target]
    return source.run(*words, check=False).returncode == 0


def wait_for_ping(source: Namespace, target: str, log: Path | None = None) -> None:
    with contextlib.suppress(AssertionError):
        wait_until(lambda: pings(source, target), timeout=20)
        return
    said = "".join(path.read_text() for path in log.glob("*.log")) if log else ""
    pytest.fail(f"no answer from {target}\n{said}")


@contextlib.contextmanager
def openvpn(sites: Sites, home: Path) -> Iterator[None]:
    """Run both sides with the files that were written, as their system would."""
    program = str(require("openvpn"))
    with contextlib.ExitStack() as stack:
        for side in ("gateway", "here"):
            log = stack.enter_context((home / f"{side}.log").open("wb"))
            config = home / "tunnel" / side / "netkit0.conf"
            sites.side(side).popen(program, "--config", str(config), stdout=log, stderr=log)
        yield


@pytest.mark.parametrize("way", [(), ("--udp-blocked",)], ids=["udp", "tcp"])
def test_openvpn_between_two_networks(sites: Sites, tmp_path: Path, way: tuple[str, ...]):
    words = ("--need", "lan-to-lan", "--root", "both", "--gateway-address", GATEWAY, "--no-ssh")
    found = advise(tmp_path, *words, "--use", "openvpn", *LANS, *LANS6, *way)
    assert [each["result"] for each in found["checked"]] == ["read", "read"]
    assert not pings(sites.a, "10.1.0.2")
    carry_out(sites, tmp_path, found["recipe"]["steps"])
    with openvpn(sites, tmp_path):
        wait_for_ping(sites.a, "10.1.0.2", tmp_path)  # LAN to LAN
        wait_for_ping(sites.b, "192.168.1.2", tmp_path)  # and back
        wait_for_ping(sites.here, "10.1.0.2", tmp_path)  # gateway to LAN
        wait_for_ping(sites.gateway, "192.168.1.2", tmp_path)  # and the other gateway
        wait_for_ping(sites.a, "2001:db8:1::2", tmp_path)


def test_openvpn_from_one_machine(sites: Sites, tmp_path: Path):
    """Nothing has to change in the network there: the gateway stands for the machine."""
    require("nft")
    words = ("--need", "host-to-lan", "--root", "both", "--gateway-address", GATEWAY)
    found = advise(tmp_path, *words, "--use", "openvpn", "--remote-net", "10.1.0.0/16")
    sites.b.ip("route", "delete", "default")
    carry_out(sites, tmp_path, found["recipe"]["steps"])
    with openvpn(sites, tmp_path):
        wait_for_ping(sites.here, "10.1.0.2", tmp_path)
    carry_out(sites, tmp_path, found["recipe"]["undo"])
    assert sites.gateway.run("nft", "list", "tables").stdout == ""
    assert sites.gateway.run("cat", "/proc/sys/net/ipv4/ip_forward").stdout == "0\n"


def test_tun_over_ssh(sites: Sites, tmp_path: Path):
    """``ssh -w`` by devices that were made for it."""
    require("nft", "ssh")
    with Sshd(
        tmp_path, host=GATEWAY, prefix=sites.gateway.prefix, PermitTunnel="point-to-point"
    ) as sshd:
        login = f"{getpass.getuser()}@{GATEWAY}:{sshd.port}"
        words = ("--need", "host-to-lan", "--root", "both", "--use", "ssh-tun")
        found = advise(tmp_path, *words, "--gateway", login, "--remote-net", "10.1.0.0/16")
        setting = (tmp_path / "tunnel/gateway/netkit0-sshd.conf").read_text()
        assert "\nPermitTunnel point-to-point\n" in setting
        steps = found["recipe"]["steps"]
        carry_out(sites, tmp_path, steps)
        own = (
            "-F",
            "none",
            "-i",
            str(sshd.client_key),
            "-o",
            f"UserKnownHostsFile={sshd.known_hosts()}",
        )
        with (tmp_path / "ssh.log").open("wb") as log:
            tunnel = sites.here.popen(
                *steps[-1]["argv"][:1], *own, *steps[-1]["argv"][1:], stderr=log
            )
            wait_for_ping(sites.here, "10.1.0.2", tmp_path)
            tunnel.terminate()
            tunnel.wait(10)
        assert not pings(sites.here, "10.1.0.2")
        carry_out(sites, tmp_path, found["recipe"]["undo"])
    for side in (sites.here, sites.gateway):
        assert "tun70" not in side.ip("link", "show")
    assert "10.1.0.0" not in sites.here.ip("route", "show")
