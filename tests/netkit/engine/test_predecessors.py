"""What the gateway's shell says; what is done with it is seen in tests/conformance."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.engine.predecessors import _END, _NOTE, Session, parse_session


@pytest.mark.parametrize(
    ("output", "session"),
    [
        (b"netkit-session 812 4711\n", Session(812, "4711")),
        (
            b"Welcome!\nnetkit-session 812 Thu_Nov_26_12:00:00_2026\n",
            Session(812, "Thu_Nov_26_12:00:00_2026"),
        ),
        (b"netkit-session 812 \n", None),
        (b"netkit-session 1 4711\n", None),
        (b"netkit-session 812 47;rm\n", None),
        (b"", None),
    ],
)
def test_sessions(output, session):
    assert parse_session(output) == session


@given(st.binary(max_size=300))
def test_any_output(output):
    found = parse_session(output)
    assert found is None or found.pid > 1


def shell(command: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["sh", "-c", command], capture_output=True, check=False)


def test_a_process_that_is_another_now_is_left_alone():
    with subprocess.Popen(["sleep", "60"]) as other:
        began = shell(_NOTE.replace("$PPID", str(other.pid))).stdout
        found = parse_session(began)
        assert found is not None
        assert found.pid == other.pid
        assert shell(_END.format(pid=other.pid, began="1")).returncode == 3
        # the very same process, but no sshd
        assert shell(_END.format(pid=other.pid, began=found.began)).returncode == 4
        # the same again, of another user
        end = _END.format(pid=other.pid, began=found.began)
        assert shell(f"id() {{ echo 4242; }}; {end}").returncode == 7
        assert other.poll() is None
        other.kill()
