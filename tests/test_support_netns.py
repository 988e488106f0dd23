"""The namespaces in tests/support/netns.py, seen with ip and OpenSSH's client."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.netns import NatVariant, namespace, namespaces, nat_rig, veth
from support.peers import require


def names() -> str:
    """Return the namespaces that there are."""
    return subprocess.run(
        [str(require("ip")), "netns", "list"], check=True, capture_output=True, text=True
    ).stdout


class TestNamespace:
    def test_loopback_is_up_or_down_as_asked(self):
        with namespace("up") as up, namespace("down", lo=False) as down:
            assert "inet 127.0.0.1/8" in up.ip("address", "show", "lo")
            assert "state DOWN" in down.ip("link", "show", "lo")

    def test_it_goes_with_all_that_runs_in_it(self):
        with namespace() as made:
            # the shell's child is not ours to wait for, and goes nevertheless
            process = made.popen("sh", "-c", "sleep 100 & sleep 100")
            assert made.run("true").returncode == 0
            assert made.name in names()
        assert process.returncode == -9
        assert made.name not in names()

    def test_a_failing_command_fails_the_test(self):
        with namespace() as made:
            with pytest.raises(AssertionError, match="gave 3"):
                made.run("sh", "-c", "exit 3")
            assert made.run("sh", "-c", "exit 3", check=False).returncode == 3

    def test_kernel_parameters_and_addresses_are_its_own(self):
        with namespace() as made:
            made.sysctl("net.ipv4.ip_unprivileged_port_start", 80)
            made.address("lo", "127.0.0.2/8", "fd00::1/64")
            port = made.run("cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start").stdout
            assert port == "80\n"
            assert "fd00::1/64" in made.ip("address", "show", "lo")


class TestVeth:
    def test_it_joins_two_with_its_mtu(self):
        with namespaces("left", "right") as (left, right):
            ends = veth(left, right, "10.1.1.1/24", ("10.1.1.2/24", "fd01::2/64"), mtu=1300)
            assert "mtu 1300" in left.ip("link", "show", ends[0])
            assert "mtu 1300" in right.ip("link", "show", ends[1])
            right.route("10.9.0.0/16", "10.1.1.1")
            assert "10.9.0.0/16 via 10.1.1.1" in right.ip("route")
            # what arrives is refused there, not unreachable here
            argv = ("sh", "-c", "exec 3<>/dev/tcp/10.1.1.2/9")
            done = left.run("bash", *argv[1:], check=False)
            assert "refused" in done.stderr


class TestNatRig:
    @pytest.mark.parametrize("variant", list(NatVariant), ids=lambda each: each.name.lower())
    def test_the_server_sees_the_nat(self, tmp_path: Path, variant: NatVariant):
        with nat_rig(tmp_path, variant, 5) as rig:
            argv = [
                *(str(require("ssh")), "-F", "none", "-o", "BatchMode=yes", "-n"),
                *("-o", f"UserKnownHostsFile={rig.sshd.known_hosts()}"),
                *("-i", str(rig.sshd.client_key), "-p", str(rig.sshd.port)),
                f"{rig.sshd.user}@{rig.sshd.host}",
            ]
            done = rig.client.run(*argv, "echo $SSH_CONNECTION")
            where = "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established"
            assert rig.nat.run("cat", where).stdout == "5\n"
        assert done.stdout.startswith("10.77.2.1 ")
