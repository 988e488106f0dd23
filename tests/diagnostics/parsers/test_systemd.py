"""Socket units, and the unit that a process belongs to."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers.systemd import ListeningUnit, Membership, listening, membership

RECORDED = Path(__file__).parents[2] / "recorded/linux/systemctl_list_sockets.txt"
ID = "0123456789abcdef" * 4


def test_recorded():
    assert listening(RECORDED.read_bytes()) == (
        ListeningUnit("0.0.0.0", 111, "rpcbind.socket"),
        ListeningUnit("127.0.0.1", 631, "cups.socket"),
        ListeningUnit("::", 22, "sshd.socket"),
        ListeningUnit("::", 9090, "cockpit.socket"),
    )


@pytest.mark.parametrize(
    "line",
    [
        "",
        "0.0.0.0:22 sshd.service",
        "0.0.0.0:22 ss;hd.socket",
        "0.0.0.0:22 --no-block.socket",
        "0.0.0.0:x sshd.socket",
        "0.0.0.0:123456 sshd.socket",
        "0.0.0.0 sshd.socket",
        "name:22 sshd.socket",
    ],
)
def test_no_socket_unit(line):
    assert listening(line.encode()) == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0::/system.slice/ssh.service\n", Membership("ssh.service")),
        (
            "0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service\n",
            Membership("web.service", user=True),
        ),
        ("0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", Membership()),
        ("0::/user.slice/user-1000.slice/session-3.scope\n", Membership()),
        ("1:name=systemd:/system.slice/cron.service\n0::/\n", Membership("cron.service")),
        (f"0::/system.slice/docker-{ID}.scope\n", Membership(container=ID[:12])),
        (f"4:memory:/docker/{ID}\n", Membership(container=ID[:12])),
        ("0::/system.slice/a b.service\n", Membership()),
        ("0::/\n", Membership()),
        ("nonsense.service", Membership()),
        ("", Membership()),
    ],
)
def test_membership(text, expected):
    assert membership(text.encode()) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux'")
def test_own_process():
    membership(Path("/proc/self/cgroup").read_bytes())


@given(st.binary(max_size=300) | st.text("0:/@.-*[]service docker\n", max_size=200).map(str.encode))
def test_total(data):
    listening(data)
    membership(data)


def test_megabytes():
    listening(b"[" * 4_000_000)
    membership(b"0::/docker-" * 800_000)
