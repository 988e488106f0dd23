"""Network namespaces of a test: made for it, and deleted with everything that runs in them.

    with namespaces("client", "server") as (client, server):
        veth(client, server, "10.77.1.2/24", "10.77.1.1/24")
        client.run("ping", "-c1", "10.77.1.1")
        run_doctor(home=tmp_path, prefix=client.prefix)

    with nat_rig(tmp_path, NatVariant.RANDOM, timeout=5) as rig:
        rig.client.run("ssh", ..., rig.sshd.host)

Each needs root and ``ip`` (``nft`` for NAT): without them the test is skipped, or fails under CI.
Addresses need not be unique: every namespace has a network of its own.
"""

from __future__ import annotations

import contextlib
import enum
import itertools
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from support.peers import require, unavailable
from support.sshd import Sshd

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Namespace:
    """A network namespace.  Its ``name`` is unique on this machine."""

    name: str
    _started: list[subprocess.Popen[bytes]] = field(default_factory=list, repr=False)

    @property
    def prefix(self) -> tuple[str, ...]:
        """The words that, before a command, make it run in here."""
        return (str(require("ip")), "netns", "exec", self.name)

    def run(
        self,
        *argv: str,
        check: bool = True,
        stdin: str = "",
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; with ``check`` a failing one fails the test."""
        done = subprocess.run(
            [*self.prefix, *argv],
            check=False,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=env,
        )
        if check and done.returncode:
            said = f"{done.stdout}{done.stderr}"
            raise AssertionError(f"{argv} in {self.name} gave {done.returncode}: {said}")
        return done

    def popen(
        self,
        *argv: str,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
        stderr: int | IO[bytes] = subprocess.DEVNULL,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a command; it is killed when the namespace is deleted.

        SIGINT ends it, also where these tests run in the background and have that ignored.
        """
        process = subprocess.Popen(
            ["env", "--default-signal=INT", *self.prefix, *argv],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=env,
            cwd=cwd,
        )
        self._started.append(process)
        return process

    def ip(self, *argv: str) -> str:
        """Run ``ip`` in here, as in ``ip("link", "set", "lo", "up")``; returns what it prints."""
        return self.run("ip", *argv).stdout

    def sysctl(self, key: str, value: object) -> None:
        """Set a kernel parameter; ``key`` is dotted."""
        self.run("sh", "-c", f'echo "$1" > /proc/sys/{key.replace(".", "/")}', "sh", str(value))

    def nft(self, script: str) -> None:
        """Load an nftables script."""
        require("nft")
        self.run("nft", "-f", "-", stdin=script)

    def address(self, device: str, *addresses: str) -> None:
        """Give ``device`` addresses with their prefix length, usable at once."""
        for each in addresses:
            # duplicate address detection would keep an IPv6 address unusable for a second
            self.ip("address", "add", each, "dev", device, *(["nodad"] if ":" in each else []))

    def route(self, where: str, via: str) -> None:
        """Add a route, ``default`` for one."""
        self.ip("route", "add", where, "via", via)

    def pids(self) -> list[int]:
        """Return the processes that are in here now."""
        return [int(word) for word in _ip("netns", "pids", self.name).split()]

    def kill(self) -> None:
        """Kill what runs in here, by pid, and reap what ``popen`` started."""
        processes = []
        for pid in self.pids():
            with contextlib.suppress(psutil.NoSuchProcess):
                processes.append(psutil.Process(pid))
        for each in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        for started in self._started:
            if started.poll() is None:
                started.kill()
            started.wait(10)
            for stream in (started.stdin, started.stdout, started.stderr):
                if stream is not None:
                    stream.close()
        psutil.wait_procs(processes, timeout=10)
        self._started.clear()


@contextmanager
def namespace(label: str = "netkit", *, lo: bool = True) -> Iterator[Namespace]:
    """Make a namespace; ``lo`` says whether its loopback interface is up."""
    _require_root()
    made = Namespace(f"{label}-{os.getpid()}-{next(_numbers)}")
    _ip("netns", "add", made.name)
    try:
        if lo:
            made.ip("link", "set", "lo", "up")
        yield made
    finally:
        try:
            made.kill()
        finally:
            _ip("netns", "delete", made.name)


@contextmanager
def namespaces(*labels: str, lo: bool = True) -> Iterator[tuple[Namespace, ...]]:
    """Make one namespace for each label."""
    with contextlib.ExitStack() as stack:
        yield tuple(stack.enter_context(namespace(label, lo=lo)) for label in labels)


def veth(
    left: Namespace,
    right: Namespace,
    left_address: str | tuple[str, ...] = (),
    right_address: str | tuple[str, ...] = (),
    *,
    mtu: int = 1500,
    names: tuple[str, str] = ("", ""),
) -> tuple[str, str]:
    """Join two namespaces with a cable; returns the names of its ends, each in its own namespace.

    Addresses have a prefix length (``10.77.1.2/24``); both ends are up.  The cable goes with
    either namespace.
    """
    number = next(_numbers)
    ends = (names[0] or f"veth{number}a", names[1] or f"veth{number}b")
    sides = ((left, ends[0], left_address), (right, ends[1], right_address))
    first = ("link", "add", ends[0], "netns", left.name, "type", "veth")
    _ip(*first, "peer", "name", ends[1], "netns", right.name)
    for side, device, addresses in sides:
        side.ip("link", "set", device, "mtu", str(mtu), "up")
        side.address(device, *((addresses,) if isinstance(addresses, str) else addresses))
    return ends


class NatVariant(enum.Enum):
    """How a NAT treats a flow that it has forgotten."""

    PRESERVING = "port-preserving, picks a flow up in the middle (Linux's default)"
    STRICT = "port-preserving, drops what it does not know (tcp_loose=0)"
    RANDOM = "random ports, picks a flow up in the middle under another port"


@dataclass(frozen=True)
class NatRig:
    """client (10.77.1.2) - nat (10.77.1.1, 10.77.2.1) - server (10.77.2.2) with an sshd."""

    client: Namespace
    nat: Namespace
    server: Namespace
    sshd: Sshd
    variant: NatVariant

    def set_timeout(self, seconds: int) -> None:
        """Set after how many idle seconds the NAT forgets an established flow."""
        self.nat.sysctl("net.netfilter.nf_conntrack_tcp_timeout_established", seconds)


@contextmanager
def nat_rig(
    tmp_path: Path,
    variant: NatVariant = NatVariant.PRESERVING,
    timeout: int = 5,
    **options: str,
) -> Iterator[NatRig]:
    """Build the rig; ``options`` are sshd_config words."""
    require("nft")
    with namespaces("client", "nat", "server") as (client, nat, server):
        _, outer = _cables(client, nat, server)
        random = " fully-random" if variant is NatVariant.RANDOM else ""
        nat.nft(
            "table ip nat {\n chain post {\n  type nat hook postrouting priority 100\n"
            f'  oifname "{outer}" masquerade{random}\n }}\n}}\n'
        )
        # only now is connection tracking active in there, and its parameters count
        nat.sysctl("net.netfilter.nf_conntrack_tcp_loose", int(variant is not NatVariant.STRICT))
        with Sshd(tmp_path, tcp=True, host=_SERVER, prefix=server.prefix, **options) as sshd:
            rig = NatRig(client, nat, server, sshd, variant)
            rig.set_timeout(timeout)
            yield rig


_SERVER = "10.77.2.2"


def _cables(client: Namespace, nat: Namespace, server: Namespace) -> tuple[str, str]:
    inner = veth(client, nat, "10.77.1.2/24", "10.77.1.1/24")[1]
    outer = veth(nat, server, "10.77.2.1/24", f"{_SERVER}/24")[0]
    client.route("default", "10.77.1.1")
    nat.sysctl("net.ipv4.ip_forward", 1)
    return inner, outer


def _require_root() -> None:
    require("ip")
    if os.geteuid() != 0:
        unavailable("root", "run the tests as root: they make network namespaces")


def _ip(*argv: str) -> str:
    done = subprocess.run(
        [str(require("ip")), *argv], check=False, capture_output=True, text=True, timeout=30
    )
    if done.returncode and argv[:2] == ("netns", "add"):
        unavailable("network namespaces", f"CAP_SYS_ADMIN; ip said: {done.stderr.strip()}")
    assert done.returncode == 0, f"ip {' '.join(argv)}: {done.stderr}"
    return done.stdout
