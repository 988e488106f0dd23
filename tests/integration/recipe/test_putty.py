"""PuTTY both ways: its sessions become profiles that carry traffic, and the other way round.

The sessions are files that the real PuTTY saved, the host keys were cached by the real plink, and
neither plink nor netkit has anybody to ask.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from netkit import profiles
from netkit.model import (
    Address,
    Endpoint,
    ForwardKind,
    ForwardSpec,
    Gateway,
    Keepalive,
    Profile,
    TunnelSpec,
)
from netkit.text.putty.session_file import parse_session
from support import cli
from support.forwarding import run_netkit
from support.peers import require
from support.ports import free_port
from support.putty import Putty
from support.sshd import Sshd, public_line
from support.targets import echo
from support.tunnels import exchange

HERE = "127.0.0.2"


class User:
    """A user of netkit: a home directory with an ssh_config, and the profiles in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.known_hosts = home / "known_hosts"
        self.config = home / "ssh_config"
        self.profiles = home / ".config" / "netkit" / "profiles.toml"
        self.write_config()

    def write_config(self, *more: str) -> None:
        lines = [
            *more,
            "Host *",
            f"UserKnownHostsFile {self.known_hosts}",
            "GlobalKnownHostsFile none",
            "IdentityAgent none",
            "IdentitiesOnly yes",
        ]
        self.config.write_text("\n".join(lines) + "\n")

    def netkit(self, *arguments: str, code: int = 0, **variables: str) -> str:
        """Run netkit without anybody to ask; return what it printed and said."""
        done = subprocess.run(
            [sys.executable, "-m", "netkit", *arguments],
            env=cli.environment(self.home, **variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def export(self, folder: Putty, *arguments: str) -> str:
        return self.netkit("profile", "export", "putty", *arguments, "--to", str(folder.folder))

    @contextmanager
    def up(self, name: str, forwards: int = 1) -> Iterator[list[str]]:
        with run_netkit(["-m", "netkit", "up", name], home=self.home) as running:
            running.wait_for_lines(forwards)
            yield running.addresses

    def save(self, name: str, sshd: Sshd, *forwards: ForwardSpec, **more: Any) -> None:
        tunnel = TunnelSpec(
            gateway=Gateway("127.0.0.1", sshd.user, sshd.port),
            forwards=forwards,
            config_file=self.config,
            **{"identities": (sshd.client_key,), **more},
        )
        self.profiles.parent.mkdir(parents=True, exist_ok=True)
        profiles.save(Profile(name=name, tunnel=tunnel), path=self.profiles)


@pytest.fixture
def user(tmp_path: Path) -> User:
    home = tmp_path / "home"
    home.mkdir()
    return User(home)


@pytest.fixture
def putty(tmp_path: Path) -> Putty:
    return Putty(tmp_path / "putty")


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with Sshd(tmp_path_factory.mktemp("sshd-putty"), host_keys=("ed25519", "ecdsa", "rsa")) as run:
        ppk_of(run.client_key)
        yield run


def ppk_of(key: Path) -> Path:
    """Let puttygen convert a key; return the file, which is elsewhere than netkit would look."""
    made = key.with_name("puttygen.ppk")
    subprocess.run(
        [str(require("puttygen")), str(key), "-o", str(made)], check=True, capture_output=True
    )
    return made


def answers(place: tuple[str, int], data: bytes = b"through the gateway") -> bool:
    with socket.create_connection(place, timeout=20) as sock:
        sock.settimeout(20)
        return exchange(sock, data) == data


def by_socks(place: tuple[str, int], target: Endpoint) -> bool:
    """Ask a SOCKS 4 server for the target, and whether it answers."""
    with socket.create_connection(place, timeout=20) as sock:
        sock.settimeout(20)
        address = socket.inet_aton(target.host)
        sock.sendall(b"\x04\x01" + target.port.to_bytes(2, "big") + address + b"\0")
        assert sock.recv(8)[1] == 0x5A
        return exchange(sock, b"by socks") == b"by socks"


def same_traffic(ports: tuple[int, int, int], target: Address) -> None:
    """What both programs have to do with the same three forwards."""
    assert isinstance(target, Endpoint)
    assert answers((HERE, ports[0]))
    assert by_socks((HERE, ports[1]), target)
    assert answers(("127.0.0.1", ports[2]))


def test_a_session_of_putty_becomes_a_profile_and_goes_back(
    user: User, putty: Putty, sshd: Sshd
) -> None:
    with echo() as target:
        to, ports = target.address, (free_port(HERE), free_port(HERE), free_port())
        putty.save(
            "My Office",
            HostName=f"{sshd.user}@127.0.0.1",
            PortNumber=sshd.port,
            PublicKeyFile=str(sshd.client_key.with_name("puttygen.ppk")),
            PortForwardings=f"4L{HERE}:{ports[0]}={to},D{HERE}:{ports[1]}=,R{ports[2]}={to}",
            Compression=1,
            PingInterval=8,
            WinTitle="at work",
        )
        putty.learn("My Office")
        places = [(HERE, ports[0]), (HERE, ports[1]), ("127.0.0.1", ports[2])]
        with putty.plink("My Office", *places):
            same_traffic(ports, to)

        said = user.netkit(
            *("profile", "import", "putty", str(putty.folder), "-F", str(user.config))
        )
        assert "My-Office: added" in said
        assert "WinTitle" in said
        assert re.search(rf"host key of \[127.0.0.1\]:{sshd.port}: .* added to", said)
        with user.up("My-Office", 3) as addresses:
            assert f"{HERE}:{ports[0]}" in addresses
            same_traffic(ports, to)

        back = Putty(putty.folder.with_name("back"))
        said = user.export(back, "My-Office")
        assert "My-Office: added" in said
        with back.plink("My-Office", *places):
            same_traffic(ports, to)
        content = (back.sessions / "My-Office").read_bytes()
        again = parse_session(content, "My-Office", "back")
        assert [again.number(key) for key in ("Compression", "PingInterval")] == [1, 8]


def test_importing_twice_changes_nothing(user: User, putty: Putty, sshd: Sshd) -> None:
    putty.save("one", HostName="127.0.0.1", PortNumber=sshd.port, UserName=sshd.user)
    putty.save("telnet", HostName="bbs.example", Protocol="telnet", PortNumber=23)
    putty.save("Default Settings", PortForwardings="D1080=")
    putty.learn("one", "-noagent", "-i", str(sshd.client_key.with_name("puttygen.ppk")))
    command = ("profile", "import", "putty", "-F", str(user.config))
    first = user.netkit(*command, PUTTYDIR=str(putty.folder))
    assert "one: added" in first
    assert "telnet: not imported" in first
    saved = user.profiles.read_text(), user.known_hosts.read_text()
    second = user.netkit(*command, PUTTYDIR=str(putty.folder))
    assert "one: unchanged" in second
    assert "known already" in second
    assert (user.profiles.read_text(), user.known_hosts.read_text()) == saved
    putty.save("one", HostName="127.0.0.1", PortNumber=sshd.port, UserName="other")
    third = user.netkit(*command, code=2, PUTTYDIR=str(putty.folder))
    assert "one: exists, says something else" in third
    assert user.profiles.read_text() == saved[0]


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_host_keys_of_each_kind_go_both_ways(
    user: User, putty: Putty, sshd: Sshd, kind: str
) -> None:
    """What netkit gives to PuTTY keeps plink from asking; what plink cached is known to netkit."""
    index = ("ed25519", "ecdsa", "rsa").index(kind)
    line = public_line(sshd.host_key_files[index])
    user.known_hosts.write_text(f"[127.0.0.1]:{sshd.port} {line}\n")
    port = free_port(HERE)
    user.save("gw", sshd, ForwardSpec(ForwardKind.DYNAMIC, Endpoint(HERE, port)))
    said = user.export(putty, "gw", "--convert-keys")
    assert "gw: added" in said
    with putty.plink("gw", (HERE, port)):
        pass
    # and back, into a known_hosts that knows nothing
    user.known_hosts.unlink()
    again = ("--prefix", "again-", "-F", str(user.config))
    user.netkit("profile", "import", "putty", str(putty.folder), *again)
    assert user.known_hosts.read_text() == f"[127.0.0.1]:{sshd.port} {line}\n"


def test_a_key_in_another_format_is_named_with_the_command_that_converts_it(
    user: User, putty: Putty, sshd: Sshd, tmp_path: Path
) -> None:
    sshd.known_hosts(user.known_hosts)
    key = tmp_path / "openssh"
    key.write_bytes(sshd.client_key.read_bytes())
    key.chmod(0o600)
    user.save("gw", sshd, identities=(key,), keepalive=Keepalive(90))
    said = user.export(putty, "gw", "--comforts")
    command = re.search(r"netkit (key convert .* --to ppk -o .*)", said)
    assert command is not None, said
    user.netkit(*command[1].split())
    assert putty.run("-batch", "-load", "gw", "echo", "shell").stdout == "shell\n"
    session = parse_session((putty.sessions / "gw").read_bytes(), "gw", "gw")
    wanted = {"BlinkCur": 1, "CurType": 0, "SshProt": 3, "Compression": 1, "SshNoShell": 0}
    assert {key: session.number(key) for key in wanted} == wanted
    assert (session.number("PingInterval"), session.number("PingIntervalSecs")) == (1, 30)


def test_a_jump_becomes_a_session_that_putty_goes_through(
    user: User, putty: Putty, sshd: Sshd, tmp_path: Path
) -> None:
    with echo() as target, Sshd(tmp_path) as front:
        user.known_hosts.write_text(
            sshd.known_hosts(tmp_path / "one").read_text()
            + front.known_hosts(tmp_path / "two").read_text()
        )
        key = ppk_of(front.client_key)
        user.write_config("Host front", "HostName 127.0.0.1", f"Port {front.port}")
        user.config.write_text(f"{user.config.read_text()}IdentityFile {key}\n")
        port = free_port(HERE)
        bind = ForwardSpec(ForwardKind.LOCAL, Endpoint(HERE, port), target.address)
        mine = (sshd.client_key.with_name("puttygen.ppk"),)
        jump = Gateway("front", front.user)
        user.save("inner", sshd, bind, jumps=(jump,), identities=mine)
        user.export(putty, "inner")
        with putty.plink("inner", (HERE, port)):
            assert answers((HERE, port))
        front.wait_log(r"Accepted publickey")
        with user.up("inner"):
            assert answers((HERE, port))
        # and back: the proxy's session is the jump
        said = user.netkit(
            *("profile", "import", "putty", str(putty.folder), "--session", "inner"),
            *("--prefix", "new-", "-F", str(user.config)),
        )
        assert "new-inner: added" in said
        saved = profiles.get("new-inner", user.profiles).tunnel
        assert saved.jumps == (Gateway("127.0.0.1", front.user, front.port),)


def test_a_proxy_goes_both_ways(user: User, putty: Putty, sshd: Sshd) -> None:
    """plink's own SOCKS server is the proxy, for another plink and for netkit."""
    with echo() as target:
        socks, port = free_port(HERE), free_port(HERE)
        ppk = str(sshd.client_key.with_name("puttygen.ppk"))
        common: dict[str, str | int] = {
            "HostName": "127.0.0.1",
            "PortNumber": sshd.port,
            "UserName": sshd.user,
        }
        putty.save("proxy", PublicKeyFile=ppk, PortForwardings=f"D{HERE}:{socks}=", **common)
        putty.save(
            "behind",
            PublicKeyFile=ppk,
            PortForwardings=f"L{HERE}:{port}={target.address}",
            ProxyMethod=2,
            ProxyHost=HERE,
            ProxyPort=socks,
            ProxyLocalhost=1,
            **common,
        )
        putty.learn("proxy")
        command = ("profile", "import", "putty", str(putty.folder), "-F", str(user.config))
        user.netkit(*command)
        assert profiles.get("behind", user.profiles).tunnel.proxy == f"socks5://{HERE}:{socks}"
        back = Putty(putty.folder.with_name("back"))
        with putty.plink("proxy", (HERE, socks)):
            with user.up("behind"):
                assert answers((HERE, port))
            user.export(back, "behind")
            with back.plink("behind", (HERE, port)):
                assert answers((HERE, port))
        # without the proxy netkit gets nowhere, so it did go through it
        said = user.netkit("up", "behind", code=4)
        assert "proxy-unreachable" in said


def test_another_host_key_is_told_and_replaces_nothing(
    user: User, putty: Putty, sshd: Sshd
) -> None:
    putty.save("gw", HostName="127.0.0.1", PortNumber=sshd.port, UserName=sshd.user)
    putty.learn("gw", "-noagent", "-i", str(sshd.client_key.with_name("puttygen.ppk")))
    other = public_line(sshd.client_key)
    kept = f"[127.0.0.1]:{sshd.port} {other}\n"
    cached = putty.host_keys.read_text()
    user.known_hosts.write_text(kept)
    said = user.netkit(*("profile", "import", "putty", str(putty.folder), "-F", str(user.config)))
    assert "holds another key of that type" in said
    assert user.known_hosts.read_text() == kept
    said = user.export(putty, "gw", "--replace")
    assert "holds another one" in said
    assert putty.host_keys.read_text() == cached


def test_huge_and_hostile_files_hide_no_session(user: User, putty: Putty) -> None:
    putty.save("good", HostName="gw.example", UserName="me")
    (putty.sessions / "huge").write_bytes(b"HostName=x\n" * 1_000_000)
    (putty.sessions / "nul%00name").write_bytes(b"HostName=x\n")
    (putty.sessions / "bad%zz").write_bytes(b"HostName=x\n")
    (putty.sessions / "..%2F..%2Fetc").write_bytes(b"HostName=gw.example\nUserName=me\n")
    putty.host_keys.write_bytes(b"rsa2@22:gw 0x" + b"f" * 10_000_000)
    started = time.monotonic()
    said = user.netkit(*("profile", "import", "putty", str(putty.folder), "-F", str(user.config)))
    assert time.monotonic() - started < 10
    assert "good: added" in said
    assert "etc: added" in said
    for name in ("huge", "nul%00name", "bad%zz", "sshhostkeys"):
        assert re.search(rf"not read: .*{re.escape(name)}", said), said
    assert {each.name for each in profiles.load(user.profiles).profiles} == {"good", "etc"}
    huge = user.netkit("profile", "import", "putty", str(putty.sessions / "huge"), code=2)
    assert "larger than" in huge
