"""Who listens on a port of the gateway: the kernel's table joined with ss."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers.port_holder import Listener, ask, parse_holder
from netkit.model import Endpoint

PORT = 8080
START = "netkit-42\nnetkit-part id\n1000\nme\nLinux\n/home/me\n192.0.2.9 50000 192.0.2.1 22\n"
TABLE = """netkit-part readable
netkit-part table
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1 0
   1: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1 0
"""
SS = """netkit-part ss
LISTEN 0 128 127.0.0.1:8080 0.0.0.0:* users:(("sshd",pid=77,fd=9))
LISTEN 0 128 *:8080 *:*
LISTEN 0 128 127.0.0.2:8081 0.0.0.0:*
LISTEN 0
LISTEN 0 128 rubbish *:*
"""
PROCESSES = """netkit-part processes
   77     1  1000 02:03 sshd: me
   88     1  1000 00:01 sshd: me@notty
    1     0     0 09:00 sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups
netkit-part servers
88
netkit-part clients
0 0 192.0.2.1:22 192.0.2.9:40000 users:(("sshd",pid=77,fd=4),("sshd",pid=78,fd=4))
0 0 [::ffff:192.0.2.1]:22 [::ffff:192.0.2.8]:40001 users:(("sshd",pid=99,fd=4))
0 0 short
0 0 a b users:(("sshd",pid=1,fd=4))
netkit-part end
"""


def test_a_whole_answer():
    holder = parse_holder((START + TABLE + SS + PROCESSES).encode(), PORT)
    assert holder is not None
    assert holder.readable
    assert holder.account.user == "me"
    assert holder.listeners == (
        Listener(host="127.0.0.1", uid=1000, pid=77, name="sshd"),
        Listener(host="::"),
    )
    assert [each.pid for each in holder.sessions] == [77]
    assert holder.client_of(78) == Endpoint("192.0.2.9", 40000)
    assert holder.client_of(99) == Endpoint("192.0.2.8", 40001)
    assert holder.client_of(5) is None


def test_the_table_alone():
    holder = parse_holder((START + TABLE).encode(), PORT)
    assert holder is not None
    assert holder.listeners == (Listener(host="127.0.0.1", uid=1000),)


@pytest.mark.parametrize(("text", "readable"), [(START, False), (START + SS, True)])
def test_what_a_gateway_without_proc_shows(text, readable):
    holder = parse_holder(text.encode(), PORT)
    assert holder is not None
    assert holder.readable is readable


def test_no_shell():
    assert parse_holder(b"This account is currently not available.\n", PORT) is None


def test_the_command_names_the_port_in_both_forms():
    assert ":1F90 [0-9A-F]" in ask(PORT)
    assert "sport = :8080" in ask(PORT)
    assert "sport = :0" in ask(1 << 16)


@given(st.binary(), st.integers(0, 65535))
def test_total(data, port):
    parse_holder(data, port)
    for part in (b"table", b"ss", b"processes", b"servers", b"clients", b"id"):
        parse_holder(b"netkit-42\nnetkit-part " + part + b"\n" + data, port)


@given(st.lists(st.sampled_from([*SS.split(), *PROCESSES.split(), "\n", " "]), max_size=40))
def test_total_for_what_looks_right(words):
    text = "netkit-42\nnetkit-part ss\n" + " ".join(words) + "\nnetkit-part clients\n"
    parse_holder((text + " ".join(words)).encode(), PORT)
