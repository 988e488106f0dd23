"""What makes the gateway speak after a while."""

from __future__ import annotations

from netkit.doctor.idle_triggers import idle_command


def test_the_command_sleeps_and_then_says_the_token():
    posix = idle_command("token", 2.0, cmd=False)
    assert "sleep" in posix
    assert "token" in posix


def test_the_command_of_a_windows_shell_has_no_sleep():
    assert "sleep " not in idle_command("token", 2.0, cmd=True).lower().replace("start-sleep", "")
