from __future__ import annotations

import os
import socket

from diagnostics.system import SocketRow, SocketTable
from netkit.cli.top.peers import PAUSE, Peers


class Machine:
    def __init__(self) -> None:
        self.now = 0.0
        self.looks = 0
        self.rows = [SocketRow("127.0.0.1", 50000, "ESTABLISHED", "127.0.0.1", 5432, pid=7)]

    def table(self) -> SocketTable:
        self.looks += 1
        return SocketTable(tuple(self.rows))

    def peers(self) -> Peers:
        return Peers(self.table, lambda pid: f"p{pid}", lambda: self.now)


def test_programs_are_remembered():
    machine = Machine()
    peers = machine.peers()
    assert peers.of(["127.0.0.1:50000"]) == {"127.0.0.1:50000": "p7 (7)"}
    machine.now = 100
    peers.of(["127.0.0.1:50000"])
    assert machine.looks == 1


def test_a_new_one_is_looked_for_but_not_all_the_time():
    machine = Machine()
    peers = machine.peers()
    peers.of(["127.0.0.1:50000"])
    machine.rows.append(SocketRow("::1", 6, "ESTABLISHED", "::1", 5432, pid=8))
    assert "::1:6" not in peers.of(["::1:6"])
    machine.now = PAUSE
    assert peers.of(["::1:6"]) == {"::1:6": "p8 (8)"}


def test_what_is_nobodys_stays_unknown():
    machine = Machine()
    machine.rows = [SocketRow("127.0.0.1", 50000, "ESTABLISHED", "127.0.0.1", 5432)]
    assert machine.peers().of(["127.0.0.1:50000", "192.0.2.1:9"]) == {}


def test_this_machine():
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()[:2]) as sock:
            source = "{}:{}".format(*sock.getsockname())
            found = Peers().of([source])
    assert found[source].endswith(f"({os.getpid()})")
