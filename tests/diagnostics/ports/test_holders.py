"""Who holds a socket, and what stands behind the process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from diagnostics.parsers.containers import FORMAT, Published
from diagnostics.parsers.systemd import LIST_SOCKETS
from diagnostics.ports.holders import Holder, identify, program, published, publishes
from diagnostics.system import Account, FileStat, ProcessInfo, SocketRow, Talk
from support.any_values import any_of
from support.machine import ACCOUNT, FakeSystem, listening

LINUX = Path(__file__).parents[2] / "recorded/linux"
DOCKER = "/var/run/docker.sock"
PS = ("docker", "ps", "--format", FORMAT)


def process(pid: int = 7, name: str = "xrdp", *command: str, **more) -> dict[int, ProcessInfo]:
    return {pid: ProcessInfo(pid, name, command or (name,), **more)}


def found(
    row: SocketRow = listening("127.0.0.1", 3389, 7), os_name: str = "linux", **more: Any
) -> Holder:
    return identify(FakeSystem(os_name, **more), row, more.get("account", ACCOUNT))


def test_process():
    holder = found(processes=process(7, "XRDP.exe", "C:\\xrdp.exe", "-n", user="me"))
    assert (holder.pid, holder.name, holder.shown) == (7, "xrdp", "XRDP.exe")
    assert holder.command == ("C:\\xrdp.exe", "-n")
    assert holder.ours
    assert not holder.is_tunnel
    assert not holder.is_neighbour


def test_without_process():
    holder = found(listening("::ffff:127.0.0.1", 3389, None, 65534), users={65534: "nobody"})
    assert (holder.host, holder.user, holder.pid, holder.ours) == (
        "127.0.0.1",
        "nobody",
        None,
        False,
    )
    gone = found(listening("127.0.0.1", 1, 99))
    assert (gone.pid, gone.name) == (99, "")


def test_parent():
    processes = {
        **process(7, "ssh", "ssh", "-N", "gw", parent=6),
        **process(6, "autossh"),
    }
    holder = found(processes=processes)
    assert (holder.parent_name, holder.parent_pid) == ("autossh", 6)


@pytest.mark.parametrize(
    ("name", "command", "expected"),
    [
        ("ssh", ("ssh", "-N", "gw"), True),
        ("plink.exe", ("plink.exe",), True),
        ("python3", ("python3", "-m", "netkit", "forward"), True),
        ("python3", ("/usr/bin/python3", "/usr/bin/netkit", "forward"), True),
        ("netkit.exe", ("netkit.exe", "up"), True),
        ("python3", ("python3", "-m", "pytest", "tests/netkit"), False),
        ("python3", ("python3", "-m"), False),
        ("sshd", ("sshd: me@notty",), False),
    ],
)
def test_tunnels(name, command, expected):
    assert found(processes=process(7, name, *command)).is_tunnel is expected


def test_a_tunnel_of_somebody_else_is_none():
    row = listening("127.0.0.1", 3389, 7, 1001)
    assert not found(row, processes=process(7, "ssh")).is_tunnel


def test_whose_on_windows():
    account = Account("Me", None, "C:\\", is_admin=False, hostname="pc")
    row = SocketRow("127.0.0.1", 1, "LISTEN", pid=7)
    mine = found(row, "windows", account=account, processes=process(7, "ssh", user="PC\\me"))
    other = found(row, "windows", account=account, processes=process(7, "ssh", user="PC\\you"))
    assert mine.is_tunnel
    assert not other.is_tunnel
    nobody = Account("", None, "", is_admin=False, hostname="")
    assert not found(row, "windows", account=nobody, processes=process(7, "ssh")).ours


def test_a_master_that_controlpersist_keeps():
    holder = found(processes=process(7, "ssh", "ssh:", "/home/me/.ssh/c m", "[mux]"))
    assert holder.mux == "/home/me/.ssh/c m"


def test_docker_proxy_and_what_root_hides():
    stats = {DOCKER: FileStat(DOCKER, "socket")}
    tools: dict[tuple[str, ...], str] = {PS: (LINUX / "docker_ps.txt").read_text()}
    row = listening("0.0.0.0", 8080, 7)
    by_name = found(row, stats=stats, tools=tools, processes=process(7, "docker-proxy"))
    assert (by_name.container, by_name.tool) == ("hopeful_banzai", "docker")
    hidden = found(listening("0.0.0.0", 8080, None, 0), stats=stats, tools=tools)
    assert hidden.container == "hopeful_banzai"
    assert found(listening("0.0.0.0", 7, None, 0), stats=stats, tools=tools).container == ""
    assert found(listening("0.0.0.0", 8080, None, 0), tools=tools).container == ""


def test_container_without_a_name_and_podman():
    ps = ("podman", "ps", "--format", FORMAT)
    holder = found(
        listening("127.0.0.1", 8080, 7),
        tools={ps: "abc123\t\t127.0.0.1:8080->80/tcp"},
        processes=process(7, "rootlessport"),
    )
    assert (holder.container, holder.tool) == ("abc123", "podman")


def test_docker_desktop():
    holder = found(
        listening("::", 80, 7),
        "darwin",
        tools={PS: (LINUX / "docker_ps.txt").read_text()},
        processes=process(7, "com.docker.backend"),
    )
    assert holder.container == "hopeful_banzai"


@pytest.mark.parametrize(
    ("container", "host", "expected"),
    [
        (Published("a", "n", "0.0.0.0", 80, 90), "127.0.0.1", True),
        (Published("a", "n", "127.0.0.1", 80, 90), "127.0.0.1", True),
        (Published("a", "n", "127.0.0.2", 80, 90), "127.0.0.1", False),
        (Published("a", "n", "127.0.0.2", 80, 90), "0.0.0.0", True),
        (Published("a", "n", "", 80, 90), "::1", True),
    ],
)
def test_publishes(container, host, expected):
    assert publishes(container, host, 85) is expected
    assert not publishes(container, host, 91)


def test_published_needs_a_daemon_on_linux():
    tools: dict[tuple[str, ...], str] = {PS: (LINUX / "docker_ps.txt").read_text()}
    assert published(FakeSystem(tools=tools), "docker") == ()
    assert len(published(FakeSystem("darwin", tools=tools), "docker")) == 7


def test_systemd_socket():
    stats = {"/run/systemd/system": FileStat("/run/systemd/system", "directory")}
    tools = {LIST_SOCKETS: (LINUX / "systemctl_list_sockets.txt").read_text()}
    more: dict[str, Any] = {"stats": stats, "tools": tools}
    init = process(1, "systemd", user="root")
    assert found(listening("127.0.0.1", 631, 1, 0), processes=init, **more).unit == "cups.socket"
    assert found(listening("0.0.0.0", 22, None, 0), **more).unit == "sshd.socket"
    assert found(listening("127.0.0.2", 631, None, 0), **more).unit == ""
    assert found(listening("127.0.0.2", 5, None, 0), **more).unit == ""
    assert found(listening("0.0.0.0", 22, None, 0), tools=tools).unit == ""
    assert found(listening("0.0.0.0", 22, 1, 0), processes=init, tools=tools).unit == ""


def test_service_of_a_process():
    def of(text: str) -> Holder:
        files = {"/proc/7/cgroup": f"0::{text}\n".encode()}
        return found(files=files, processes=process())

    assert of("/system.slice/xrdp.service").unit == "xrdp.service"
    own = of("/user.slice/user-1000.slice/user@1000.service/app.slice/x.service")
    assert (own.unit, own.user_unit) == ("x.service", True)
    inside = of(f"/system.slice/docker-{'ab' * 32}.scope")
    assert (inside.container, inside.tool) == ("abababababab", "docker")


def test_airplay_by_name_or_by_its_answer():
    row = listening("0.0.0.0", 5000, 7)
    assert found(row, "darwin", processes=process(7, "ControlCenter")).is_airplay
    assert found(row, "darwin", processes=process(7, "ControlCe")).is_neighbour
    assert not found(row, "darwin", processes=process(7, "flask")).is_airplay

    def talk(address, send):
        assert address.host == "127.0.0.1"
        assert send.startswith(b"GET / ")
        return Talk(address, "ok", b"HTTP/1.1 403 Forbidden\r\nServer: AirTunes/750\r\n")

    hidden = listening("0.0.0.0", 5000, None, None)
    assert found(hidden, "darwin", talk=talk).is_airplay
    assert not found(hidden, "darwin").is_airplay


def test_other_neighbours():
    row = SocketRow("127.0.0.1", 80, "LISTEN", pid=7)
    relay = found(row, "windows", processes=process(7, "wslrelay.exe"))
    proxy = found(row, "windows", processes=process(7, "svchost.exe", services=("iphlpsvc",)))
    assert relay.is_wsl_relay
    assert relay.is_neighbour
    assert proxy.is_portproxy
    assert proxy.names == ("svchost", "iphlpsvc")


def test_program():
    assert program("C:\\Program Files\\PuTTY\\PLINK.EXE") == "plink"
    assert program("/usr/bin/ssh") == "ssh"


def test_this_process():
    from diagnostics.real_system import RealSystem
    from support.machine import FakeSsh

    system = RealSystem(FakeSsh())
    row = SocketRow("127.0.0.1", 1, "LISTEN", pid=os.getpid(), uid=os.getuid())
    holder = identify(system, row, system.account())
    assert holder.ours
    assert holder.command
    assert not holder.is_tunnel


@given(any_of(SocketRow), any_of(ProcessInfo), any_of(Account))
def test_total(row, info, account):
    for name in ("linux", "darwin", "windows"):
        system = FakeSystem(name, processes={row.pid or 0: info}, account=account)
        holder = identify(system, row, account)
        assert isinstance(holder.is_tunnel, bool)
        assert isinstance(holder.is_neighbour, bool)
