from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnostics import real_system
from diagnostics.real_system import RealSystem
from diagnostics.system import System
from netkit.model import Endpoint, UnixPath
from support.machine import FakeSsh


@pytest.fixture(scope="module")
def system() -> RealSystem:
    return RealSystem(FakeSsh())


def test_it_is_a_system():
    """Every question of the port, with the same parameters; mypy checks the types."""
    ssh = FakeSsh()
    system: System = RealSystem(ssh)
    for name, method in inspect.getmembers(System, inspect.isfunction):
        if not name.startswith("_"):
            theirs = inspect.signature(getattr(RealSystem, name))
            assert str(theirs) == str(inspect.signature(method)), name
    assert system.ssh is ssh


@pytest.mark.parametrize(
    ("platform", "os"),
    [
        ("linux", "linux"),
        ("darwin", "darwin"),
        ("win32", "windows"),
        ("freebsd14", "freebsd"),
        ("sunos5", "sunos5"),
    ],
)
def test_os(monkeypatch, platform: str, os: str):
    system = RealSystem(FakeSsh())
    monkeypatch.setattr(real_system.sys, "platform", platform)
    assert system.os == os


def test_progress():
    said: list[str] = []
    RealSystem(FakeSsh(), said.append).progress("waiting")
    RealSystem(FakeSsh()).progress("nobody listens")
    assert said == ["waiting"]


def test_variables(system: RealSystem, monkeypatch):
    monkeypatch.setenv("SOME_PROXY", "http://me:secret@proxy:3128")
    assert system.variable("SOME_PROXY") == "http://me:***@proxy:3128"
    for name in ("NOT_SET", "", "a\0b", "\ud800"):
        assert system.variable(name) is None


def test_every_question(system: RealSystem, tmp_path: Path):
    (tmp_path / "file").write_text("x")
    assert system.account().uid == os.geteuid()
    assert system.clocks().wall > 0
    assert system.read(str(tmp_path / "file")).data == b"x"
    assert system.stat(str(tmp_path / "file")).size == 1
    assert system.list_dir(str(tmp_path)) == ("file",)
    assert system.run(("true",)).ok
    assert system.sockets().error == ""
    assert system.process(os.getpid()) is not None
    assert system.user_name(0) == "root"
    assert system.interfaces()
    assert isinstance(system.default_routes(), tuple)
    assert system.source_address("127.0.0.1") == "127.0.0.1"
    assert system.resolve("localhost").addresses
    assert system.bind(Endpoint("127.0.0.1", 0)).error == ""
    assert system.connect_back(Endpoint("127.0.0.1", 0)).outcome == "ok"
    assert system.connect(Endpoint("127.0.0.1", 0)).outcome != "ok"
    assert system.talk(UnixPath(str(tmp_path / "none"))).outcome == "failed"


def test_tables_are_asked_of_tools_where_they_must(system: RealSystem, monkeypatch):
    monkeypatch.setattr(real_system.network, "default_routes", lambda run: (run(("true",)).ok,))
    found: Any = system.default_routes()
    assert found == (True,)


def test_one_port_is_bound_by_one_check_at_a_time(system: RealSystem):
    """Checks run side by side; one must not see another's probe as a taken port."""
    bound = system.bind(Endpoint("127.0.0.1", 0)).bound
    assert bound is not None
    port = bound.port
    found: list[str] = []

    def work() -> None:
        for _ in range(30):
            found.append(system.bind(Endpoint("127.0.0.1", port)).error)
            found.append(system.connect_back(Endpoint("127.0.0.1", port), 5000).outcome)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert set(found) == {"", "ok"}


TEXTS = st.text(max_size=20) | st.sampled_from(["/", "..", "\0", "/dev/null", "::", "0.0.0.0"])


@settings(max_examples=30)
@given(TEXTS, st.integers(-5, 70000))
def test_nothing_is_raised_for_odd_questions(text: str, number: int):
    system = RealSystem(FakeSsh())
    system.read(text, number)
    system.stat(text)
    system.list_dir(text, number)
    system.variable(text)
    system.user_name(number)
    system.process(number)
    system.source_address(text)
    system.run((text or "x", "--version"), 1.0) if "/" not in text else None
    if not text.strip("0123456789."):  # other texts may be names, which would be looked up
        system.bind(Endpoint(text, number))
    system.talk(UnixPath(text), timeout=0.1)


UNPRIVILEGED = """
import encodings.idna, json, os, pwd, sys  # before this Python becomes unreadable
import psutil
from diagnostics.real_system import RealSystem
from netkit.model import Endpoint
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
system = RealSystem(None)
directory, pid = sys.argv[1], int(sys.argv[2])
account, process = system.account(), system.process(pid)
print(json.dumps({
    "account": [account.uid, account.is_admin],
    "read": system.read(directory + "/file").error,
    "stat": system.stat(directory + "/file").error,
    "list": system.list_dir(directory),
    "shadow": system.read("/etc/shadow").error,
    "process": [process.name != "", process.executable],
    "run": system.run((directory + "/file",)).outcome,
    "bind": system.bind(Endpoint("127.0.0.1", 0)).error,
    "back": system.connect_back(Endpoint("127.0.0.1", 0)).outcome,
    "sockets": system.sockets().error,
    "interfaces": len(system.interfaces()) > 0,
    "unix": system.talk(__import__("netkit.model").model.UnixPath(directory + "/socket")).error,
}))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="drops the rights of root")
def test_without_rights(tmp_path: Path):
    """What is denied is an answer; everything else is answered as for root."""
    (tmp_path / "file").write_text("secret")
    tmp_path.chmod(0o700)
    done = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED, str(tmp_path), str(os.getpid())],
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert json.loads(done.stdout) == {
        "account": [65534, False],
        "read": "EACCES",
        "stat": "EACCES",
        "list": [],
        "shadow": "EACCES",
        "process": [True, ""],
        "run": "denied",
        "bind": "",
        "back": "ok",
        "sockets": "",
        "interfaces": True,
        "unix": "EACCES",
    }


def test_importing_it_loads_nothing_heavy():
    """psutil and netifaces are for whoever asks what needs them."""
    code = (
        "import sys; import diagnostics.real_system; "
        "print([m for m in ('psutil','netifaces','ctypes','msgspec','paramiko','asyncio') "
        "if m in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert done.stdout.strip() == b"[]"


@pytest.mark.slow
def test_the_table_is_cheap(system: RealSystem):
    """The whole doctor has 0.7 s of CPU; a dozen looks at the table must not be felt."""
    system.sockets()
    began = time.process_time()
    for _ in range(10):
        system.sockets()
    assert time.process_time() - began < 0.5
