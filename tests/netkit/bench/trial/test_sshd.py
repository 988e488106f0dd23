"""The system's sshd as a throw-away gateway."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from netkit.bench.trial import sshd
from netkit.bench.trial.gateway import TrialError, make_keys
from netkit.doctor.session import Access, Session, open_session
from netkit.errors import GatewayUnreachableError
from netkit.model import Plan
from support import cli
from support.peers import require
from support.processes import is_gone
from support.waiting import wait_until

NEVER = threading.Event()

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")


def log_in(trial) -> Session:
    return open_session(Access(plan=Plan(hops=(trial.hop(),))))


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put a shell script in the place of sshd."""

    def put(source: str) -> Path:
        directory = tmp_path / "bin"
        directory.mkdir()
        script = directory / "sshd"
        script.write_text("#!/bin/sh\n" + textwrap.dedent(source))
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")
        return script

    return put


@pytest.fixture
def keys(tmp_path: Path):
    directory = tmp_path / "trial"
    directory.mkdir()
    return make_keys(directory)


def test_it_lets_its_user_in_and_ends_with_all_its_sessions(keys):
    require("sshd")
    trial = sshd.start(keys, NEVER)
    try:
        assert (trial.kind, trial.why) == ("sshd", "")
        session = log_in(trial)
        try:
            done = session.run("echo hi", 10)
            assert done.stdout in {b"hi\n", b""}  # a user may have no shell
            serving = psutil.Process(trial.server.pid).children(recursive=True)
            assert serving
            assert trial.cpu_seconds() is not None
            trial.stop()
        finally:
            session.close()
    finally:
        trial.stop()
    assert trial.server.has_ended
    wait_until(lambda: all(is_gone(process.pid) for process in serving))
    assert not keys.directory.exists()


def test_many_may_log_in_at_once(keys):
    """More than the ten connections that an sshd lets wait for their login by default."""
    require("sshd")
    trial = sshd.start(keys, NEVER)
    sessions: list[Session] = []
    try:
        threads = [
            threading.Thread(target=lambda: sessions.append(log_in(trial))) for _ in range(15)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(sessions) == 15
    finally:
        for session in sessions:
            session.close()
        trial.stop()


def test_killed_sshd_leaves_nothing_behind(keys):
    require("sshd")
    trial = sshd.start(keys, NEVER)
    session = log_in(trial)
    try:
        serving = psutil.Process(trial.server.pid).children(recursive=True)
        assert serving
        os.kill(trial.server.pid, signal.SIGKILL)
        wait_until(lambda: trial.server.has_ended)
        trial.stop()
        wait_until(lambda: all(is_gone(process.pid) for process in serving))
        assert not keys.directory.exists()
    finally:
        session.close()
        trial.stop()


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="has to become another")
def test_user_without_rights_and_shell_can_have_one():
    require("sshd")
    # Everything is loaded before: another user may not even see this Python's files.
    source = """
        import os, pwd, tempfile
        from netkit.bench.trial import start_trial
        from netkit.doctor.session import Access, open_session
        from netkit.model import Plan

        def use(trial):
            try:
                session = open_session(Access(plan=Plan(hops=(trial.hop(),))))
                assert session.keepalive(10) is not None
                session.close()
                return trial.kind, trial.user, trial.why
            finally:
                trial.stop()
                assert not trial.keys.directory.exists()

        use(start_trial())
        other = pwd.getpwnam("daemon")  # nobody is a locked account to systemd
        os.setgroups([])
        os.setgid(other.pw_gid)
        os.setuid(other.pw_uid)
        os.environ.update(HOME="/nonexistent", USER="root", LOGNAME="root", TMPDIR="/tmp")
        tempfile.tempdir = None
        print(*use(start_trial("sshd")))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)],
        env=cli.environment(Path("/nonexistent")),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.stdout == "sshd daemon \n", done.stderr


def test_sshd_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch, keys):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sshd, "PLACES", ())
    with pytest.raises(TrialError) as caught:
        sshd.start(keys, NEVER)
    assert caught.value.cause == "there is no sshd on this machine"


def test_sshd_is_found_outside_of_path_and_named_absolutely(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    program = tmp_path / "sbin" / "sshd"
    program.parent.mkdir()
    program.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sshd, "PLACES", (str(program.parent),))
    assert sshd.find() == program
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "sbin")
    assert sshd.find() == program


def test_windows_has_none_that_could_be_used(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sshd.sys, "platform", "win32")
    with pytest.raises(TrialError) as caught:
        sshd.find()
    assert "Windows" in caught.value.cause


def test_process_without_an_account_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sshd.os, "geteuid", lambda: 4_000_000_001)
    with pytest.raises(TrialError) as caught:
        sshd.login_name()
    assert "no account" in caught.value.cause


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("exit 1", "sshd -t fails"),
        ("echo 'broken at heart' >&2; exit 1", "broken at heart"),
        (
            "echo 'x: Bad configuration option: Port' >&2; exit 255",
            "Bad configuration option: Port",
        ),
        ("[ $1 = -t ] && exit 0; echo 'no luck' >&2; exit 1", "no luck"),
        ("[ $1 = -t ] && exit 0; echo 'Address already in use' >&2; exit 1", "no port was free"),
    ],
)
def test_sshd_that_fails_is_quoted(fake, keys, source: str, cause: str):
    fake(source)
    with pytest.raises(TrialError) as caught:
        sshd.start(keys, NEVER)
    assert cause in caught.value.cause


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("exec sleep 60", "sshd -t does not come to an end"),
        ("[ $1 = -t ] && exit 0; exec sleep 60", "did not listen"),
    ],
)
def test_sshd_that_hangs_is_left(fake, keys, monkeypatch, source: str, cause: str):
    monkeypatch.setattr(sshd, "TEST_LIMIT", 0.3)
    monkeypatch.setattr(sshd, "READY_LIMIT", 0.3)
    fake(source)
    with pytest.raises(TrialError) as caught:
        sshd.start(keys, NEVER)
    assert cause in caught.value.cause


def test_sshd_that_cannot_be_executed_is_said(fake, keys):
    fake("").write_bytes(b"\x7fELF and nothing more")
    with pytest.raises(TrialError) as caught:
        sshd.start(keys, NEVER)
    assert "xec format error" in caught.value.cause


def test_words_that_an_sshd_is_too_old_for_are_left_out(fake, keys):
    """This one knows neither of two optional words, and must not be asked for them."""
    real = require("sshd")
    fake(f"""
        config=$3
        [ "$1" = -D ] && config=$4
        for word in PerSourcePenalties PermitUserRC; do
            if grep -q $word "$config"; then
                echo "$config: line 3: Bad configuration option: $word" >&2
                exit 255
            fi
        done
        grep -v PrintLastLog "$config" > "$config.real"
        [ "$1" = -D ] && exec {real} -D -e -f "$config.real"
        exit 0
    """)
    trial = sshd.start(keys, NEVER)
    try:
        written = (keys.directory / "sshd_config").read_text()
        assert "PermitUserRC" not in written
        assert "MaxStartups 100" in written
    finally:
        trial.stop()


def test_directory_for_privilege_separation_is_made_where_that_goes(fake, keys, tmp_path: Path):
    wanted = tmp_path / "run"
    real = require("sshd")
    fake(f"""
        if [ ! -d {wanted} ]; then
            echo "Missing privilege separation directory: {wanted}" >&2
            exit 255
        fi
        exec {real} "$@"
    """)
    sshd.start(keys, NEVER).stop()
    assert wanted.is_dir()


def test_directory_that_cannot_be_made_is_the_cause(fake, keys, tmp_path: Path):
    fake(f"""
        echo "Missing privilege separation directory: {tmp_path}/no/run" >&2
        exit 255
    """)
    with pytest.raises(TrialError) as caught:
        sshd.start(keys, NEVER)
    assert "Missing privilege separation directory" in caught.value.cause


def test_login_that_is_refused_is_the_cause(keys, monkeypatch: pytest.MonkeyPatch):
    require("sshd")
    monkeypatch.setattr(sshd, "WORDS", {**sshd.WORDS, "DenyUsers": sshd.login_name()})
    with pytest.raises(TrialError) as caught:
        sshd.start(keys, NEVER)
    assert "accepted no credential" in caught.value.cause
    assert "DenyUsers" in caught.value.cause


def test_odd_directories_are_quoted_or_refused(tmp_path: Path):
    require("sshd")
    odd = tmp_path / "50% of #1 ä"
    odd.mkdir()
    sshd.start(make_keys(odd), NEVER).stop()
    worse = tmp_path / 'say "no"'
    worse.mkdir()
    with pytest.raises(TrialError) as caught:
        sshd.start(make_keys(worse), NEVER)
    assert "cannot be written" in caught.value.cause


def test_cancelled_start_ends_what_it_began(fake, keys):
    cancelled = threading.Event()
    fake("""
        [ $1 = -t ] && exit 0
        exec sleep 60
    """)
    timer = threading.Timer(0.2, cancelled.set)
    timer.start()
    with pytest.raises(GatewayUnreachableError) as caught:
        sshd.start(keys, cancelled)
    timer.join()
    assert caught.value.code == "cancelled"
