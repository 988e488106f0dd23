"""What a shell on the gateway says, in one answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers.gateway_survey import (
    Survey,
    parse_account,
    parse_files,
    parse_processes,
    parse_servers,
    parse_survey,
    parse_windows,
    parts,
)
from netkit.model import Endpoint

HEAD = "Welcome\nnetkit-42\nnetkit-part id\n0\nroot\nLinux\n/root\n192.0.2.9 50000 192.0.2.1 22\n"
ADDRESSES = """netkit-part addresses
1: lo    inet 127.0.0.1/8 scope host lo
2: eth0    inet 192.0.2.1/24 brd 192.0.2.255 scope global eth0
2: eth0    inet6 fe80::1/64 scope link
inet addr:192.0.2.1
inet 999.1
"""
PROCESSES = """netkit-part processes
    1     0     0 10-00:00:00 sshd: /usr/sbin/sshd -D -o Port=2222 -f /x [listener] 0 of 10-100
   10     1     0 01:00 sshd: root@pts/0
   20     1     0 02:00 sshd-session: me [priv]
   21     1     0 02:00 sshd: unknown [priv]
   23     1     0 02:00 grep sshd
   24     1     x 02:00 sshd: me
   25     1     0 short
netkit-part servers
10
1
no number
"""
FILES = """netkit-part files
netkit-file /x
AllowTcpForwarding no
X 2

netkit-file /secret
netkit-denied
netkit-part end
"""


def test_a_whole_answer():
    survey = parse_survey((HEAD + ADDRESSES + PROCESSES + FILES).encode())
    assert survey.has_shell
    assert survey.account.uid == 0
    assert survey.account.server == Endpoint("192.0.2.1", 22)
    assert survey.addresses == ("127.0.0.1", "192.0.2.1", "fe80::1")
    assert survey.servers == (10, 1)
    assert survey.listener is not None
    assert survey.listener.pid == 1
    assert [(each.pid, each.user, each.tty) for each in survey.processes] == [
        (1, "", ""),
        (10, "root", "pts/0"),
        (20, "me", ""),
        (21, "", ""),
    ]
    assert [each.pid for each in survey.sessions] == [20]
    assert survey.config_file == "/x"
    assert not survey.assumed
    assert survey.config.word("AllowTcpForwarding") == "no"
    assert survey.config.word("Port") == "2222"


def test_what_is_in_force_counts():
    text = HEAD + "netkit-part effective\nallowtcpforwarding no\n" + FILES
    survey = parse_survey(text.encode())
    assert survey.config.effective
    found = survey.config.get("AllowTcpForwarding")
    assert found is not None
    assert found.place == "/x:1"
    assert survey.assumed


def test_a_session_is_no_listener():
    text = HEAD + PROCESSES.replace("10\n1\n", "10\n")
    assert parse_survey(text.encode()).listener is None


def test_no_shell():
    assert parse_survey(b"This account is currently not available.\n") == Survey()
    assert parts(b"netkit-$((40+2))\n") is None


def test_an_account_that_says_little():
    account = parse_account(["nobody's", "me", "", "relative"])
    assert (account.uid, account.user, account.home) == (None, "me", "")
    assert account.client is None
    assert account.server is None
    assert parse_account([]).user == ""


@pytest.mark.parametrize("text", ["", "'type' is not recognized\n", "Port 22\n"])
def test_no_configuration_of_windows(text):
    assert parse_windows(text.encode()) == Survey()


def test_the_configuration_of_windows():
    survey = parse_windows(b"AllowTcpForwarding no\r\nSubsystem sftp sftp-server.exe\r\n")
    assert survey.config.word("AllowTcpForwarding") == "no"
    assert survey.config_file.endswith("sshd_config")
    assert not survey.has_shell


def test_files():
    rows = ["stray", "netkit-denied", "netkit-file /a", "x", "netkit-file /a", "y"]
    rows += ["netkit-file /b", "netkit-denied", "z", "netkit-file "]
    a, b = parse_files(rows)
    assert (a.data, b.data) == (b"x\ny", None)
    many = [f"netkit-file /{number}" for number in range(200)]
    assert len(parse_files(many)) == 100


def test_hostile_rows_are_few():
    assert parse_servers(["1"] * 100) == (1,) * 20
    assert len(parse_processes(["1 0 0 1 sshd: a"] * 1000)) == 300


@given(st.binary())
def test_total(data):
    parse_survey(data)
    parse_windows(data + b"\nSubsystem x\n")
    for part in (b"id", b"addresses", b"processes", b"servers", b"effective", b"files"):
        parse_survey(b"netkit-42\nnetkit-part " + part + b"\n" + data)
