"""Commands that are advised: they can be run as they are, whatever a name holds."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics import remedies
from diagnostics.ssh import HopFacts

HOP = HopFacts(alias="gw", host="gw.example", port=2222, user="me")


def test_ssh():
    assert remedies.ssh(HOP, "-v").argv == ("ssh", "-v", "-p", "2222", "me@gw.example")
    assert remedies.ssh(HopFacts(alias="gw", host="gw")).argv == ("ssh", "gw")


def test_sshd_settings_are_whole_lines(tmp_path):
    fix = remedies.sshd_setting("x", "AllowTcpForwarding yes", "Banner it's", note="n")
    assert (fix.where, fix.needs_admin, fix.persistent, fix.note) == ("gateway", True, True, "n")
    script = fix.argv[-1].partition(" && ")[0].replace("/etc/ssh/sshd_config.d", str(tmp_path))
    subprocess.run(["sh", "-c", script], check=True)
    text = (tmp_path / "10-netkit-x.conf").read_text()
    assert text == "AllowTcpForwarding yes\nBanner it's\n"
    assert fix.undo[-1].startswith("rm /etc/ssh/sshd_config.d/10-netkit-x.conf && ")


@pytest.mark.parametrize("os", ["linux", "darwin", "windows"])
def test_tools_of_each_system(os: str):
    tools = [fix("gw", os).argv[0] for fix in (remedies.look_up, remedies.ping, remedies.trace)]
    expected = {
        "linux": ["getent", "ping", "traceroute"],
        "darwin": ["dscacheutil", "ping", "traceroute"],
        "windows": ["nslookup", "ping", "tracert"],
    }
    assert tools == expected[os]


def test_a_key_goes_to_the_gateway():
    assert remedies.install_key(HOP, "/k", "linux").argv == (
        *("ssh-copy-id", "-i", "/k", "-p", "2222", "me@gw.example"),
    )
    assert remedies.install_key(HOP, "", "darwin").argv[1] == "-p"
    line = remedies.install_key(HOP, "C:\\it's", "windows").argv[-1]
    assert line.startswith("Get-Content 'C:\\it''s.pub' | ssh -p 2222 me@gw.example ")
    line = remedies.install_key(HOP, "", "windows").argv[-1]
    assert line.startswith('Get-Content "$env:USERPROFILE\\.ssh\\id_ed25519.pub" | ')
    assert remedies.new_key().argv[0] == "ssh-keygen"


@given(st.text(max_size=20))
def test_hostile_names_stay_one_word(name: str):
    hop = HopFacts(alias=name, host=name, user=name)
    for fix in (remedies.ssh(hop), remedies.install_key(hop, name, "linux")):
        assert tuple(shlex.split(fix.command)) == fix.argv
    setting = remedies.sshd_setting("x", name)
    words = setting.argv[-1].partition(" > /etc")[0]
    assert shlex.split(words) == ["printf", "%s\\n", name]
