"""What is said about holders, and the commands that end them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.ports.holders import Holder
from diagnostics.ports.words import ending, evidence, looking, who
from support.any_values import any_of


def holder(**more) -> Holder:
    return Holder("127.0.0.1", more.pop("port", 8080), **more)


SSH: dict[str, Any] = {"pid": 7, "name": "ssh", "shown": "ssh", "ours": True}


@pytest.mark.parametrize(
    ("given_holder", "os", "expected"),
    [
        (holder(pid=7, shown="xrdp", ours=True), "linux", "xrdp (process 7)"),
        (holder(pid=7, shown="xrdp", user="bob"), "linux", "xrdp (process 7, user bob)"),
        (holder(pid=7), "linux", "a program (process 7)"),
        (holder(user="bob"), "linux", "a program of user bob"),
        (holder(), "linux", "a program whose owner is not known"),
        (holder(unit="cups.socket", user="root"), "linux", "systemd, for cups.socket"),
        (holder(container="db", tool="docker"), "linux", "the container db"),
        (
            holder(pid=9, shown="svchost.exe", services=("A", "B"), user="SYSTEM"),
            "windows",
            "svchost.exe (process 9, service A, B, user SYSTEM)",
        ),
        (
            holder(pid=7, shown="nginx", unit="nginx.service", ours=True),
            "linux",
            "nginx (process 7, systemd unit nginx.service)",
        ),
        (
            holder(pid=4, name="system", shown="System", port=445),
            "windows",
            "System (process 4), which is Windows' file sharing (SMB)",
        ),
    ],
)
def test_who(given_holder, os, expected):
    assert who(given_holder, os) == expected


def test_evidence():
    found = evidence(holder(pid=7, command=("xrdp", "-n")))
    assert (found.what, found.value) == ("listens on 127.0.0.1:8080", "process 7: xrdp -n")
    assert evidence(holder()).value == "command line not visible to you"
    assert evidence(holder(shown="x")).value == "x"


def commands(os: str = "linux", **more) -> list[str]:
    return [fix.command for fix in ending(holder(**more), os)]


def test_tunnels_are_ended():
    assert commands(**SSH) == ["kill 7"]
    assert commands("windows", **SSH) == ["taskkill /F /PID 7"]


def test_autossh_is_ended_itself():
    more: dict[str, Any] = {"parent_name": "autossh", "parent_pid": 6}
    assert commands(**SSH, **more) == ["kill 6"]
    assert commands(**SSH, parent_name="bash", parent_pid=6) == ["kill 7"]


def test_a_master_is_told_to_exit():
    assert commands(**SSH, mux="/c") == ["ssh -S /c -O exit gateway"]
    command = ("ssh", "-M", "-S", "/c", "-fN", "-p", "22", "-o", "A=b", "-", "me@gw", "true")
    assert commands(**SSH, command=command) == ["ssh -S /c -O exit me@gw"]
    assert commands(**SSH, command=("ssh", "-MN", "-S", "/c", "-p")) == [
        "ssh -S /c -O exit gateway"
    ]
    assert commands(**SSH, command=("ssh", "-M", "gw", "-S")) == ["kill 7"]
    assert commands(**SSH, command=("ssh", "-S", "/c", "gw")) == ["kill 7"]


def test_services_and_containers_are_stopped_by_what_runs_them():
    (fix,) = ending(holder(container="db", tool="podman"), "linux")
    assert (fix.argv, fix.undo) == (("podman", "stop", "db"), ("podman", "start", "db"))
    (fix,) = ending(holder(pid=7, unit="x.service"), "linux")
    assert fix.argv == ("sudo", "systemctl", "stop", "x.service")
    assert fix.undo == ("sudo", "systemctl", "start", "x.service")
    (fix,) = ending(holder(pid=7, unit="x.service", user_unit=True), "linux")
    assert fix.argv == ("systemctl", "--user", "stop", "x.service")
    assert not fix.needs_admin
    (fix,) = ending(holder(pid=9, services=("Spooler",)), "windows")
    assert fix.argv == ("sc.exe", "stop", "Spooler")


def test_known_holders():
    assert commands("windows", pid=4, name="system") == ["netsh http show servicestate"]
    assert commands("windows", pid=9, name="svchost", services=("TermService",)) == []


def test_other_programs_are_left_alone():
    assert commands(pid=7, name="xrdp", ours=True) == []
    assert commands(pid=7, name="ssh", ours=False) == []


@pytest.mark.parametrize("os", ["linux", "darwin", "windows", "freebsd"])
def test_looking(os):
    fix = looking(8080, os)
    assert fix.needs_admin
    assert os == "windows" or "8080" in fix.command


@given(any_of(Holder), st.sampled_from(["linux", "darwin", "windows", "freebsd", ""]))
def test_total(any_holder, os):
    assert who(any_holder, os)
    assert evidence(any_holder).what
    for fix in ending(any_holder, os):
        assert fix.argv or fix.note
