from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.cli import hosts

CONFIG = """\
# Host comment
Host gw  *.example !not  "quoted"
  HostName gw.example
host=eq
Host a$b `c` -oProxyCommand=x
Match host other
"""
KNOWN = """\
# comment
known,192.0.2.1 ssh-ed25519 AAAA
[ported]:2222 ssh-ed25519 AAAA
[::1]:2222 ssh-ed25519 AAAA
|1|c2FsdA==|aGFzaA== ssh-ed25519 AAAA
@cert-authority *.example ssh-ed25519 AAAA
*.wild,?x ssh-ed25519 AAAA
2001:db8::1 ssh-ed25519 AAAA
"""


def test_config_names():
    assert hosts.config_names(CONFIG) == {"gw", "quoted", "eq"}


def test_known_names():
    assert hosts.known_names(KNOWN) == {"known", "192.0.2.1", "ported:2222", "2001:db8::1"}


@pytest.fixture
def ssh_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    directory = tmp_path / ".ssh"
    directory.mkdir()
    (directory / "config").write_text(CONFIG)
    (directory / "known_hosts").write_text(KNOWN)
    return directory


def values(incomplete: str) -> list[str]:
    return [item.value for item in hosts.complete_gateway(incomplete)]


def test_both_files_are_offered(ssh_directory):
    assert values("") == sorted(["gw", "quoted", "eq", *hosts.known_names(KNOWN)])
    assert values("po") == ["ported:2222"]


def test_a_user_in_front_is_kept(ssh_directory):
    assert values("me@g") == ["me@gw"]


def test_no_files_no_names(tmp_path):
    assert hosts.host_names(tmp_path / "none") == set()


def test_a_pipe_does_not_make_the_shell_wait(ssh_directory):
    (ssh_directory / "config").unlink()
    os.mkfifo(ssh_directory / "config")
    assert "known" in values("")


def test_a_huge_file_is_read_in_part(ssh_directory):
    (ssh_directory / "known_hosts").write_text("h ssh-ed25519 AAAA\n" + "#" * (2 << 20) + "\nz x\n")
    assert values("h") == ["h"]
    assert values("z") == []


@given(st.text())
def test_any_text_is_read_and_names_are_safe_to_paste(text):
    for name in hosts.config_names(text) | hosts.known_names(text):
        assert not set(name) & set(" $`;|&<>()'\"\\\n*?![]{}~#")
