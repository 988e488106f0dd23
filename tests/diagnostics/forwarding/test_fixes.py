"""Commands that change the gateway: run here on files, as the gateway would run them."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.forwarding.fixes import (
    add_permission,
    again,
    allow_forwarding,
    change_key,
    moved,
    set_option,
    told,
    words,
)
from diagnostics.forwarding.shell import Asked
from diagnostics.parsers.gateway_survey import GatewayAccount, GatewayProcess, Survey
from diagnostics.parsers.key_options import KeyLine, parse_keys
from diagnostics.parsers.sshd_config import ConfigFile, Setting, parse
from netkit.model import Endpoint, ForwardKind, ForwardSpec, UnixPath
from support.any_values import any_of

OPENSSH = "SSH-2.0-OpenSSH_9.2p1"
L, R, D = ForwardKind.LOCAL, ForwardKind.REMOTE, ForwardKind.DYNAMIC
LISTENER = GatewayProcess(pid=7, parent=1, uid=0, age="1", title="sshd: [listener]")


def asked(*files: ConfigFile, uid: int = 0, user: str = "me", listener: bool = True) -> Asked:
    return Asked(
        server=OPENSSH,
        survey=Survey(
            has_shell=True,
            account=GatewayAccount(uid=uid, user=user),
            processes=(LISTENER,) if listener else (),
            servers=(7,) if listener else (),
            config=parse(files),
            config_file=files[0].path if files else "",
            assumed=not listener,
        ),
    )


def run(command: str) -> None:
    """Run the part of a command that edits files."""
    edit = command.split(" && sshd -t", maxsplit=1)[0].split(" && kill", maxsplit=1)[0]
    subprocess.run(["sh", "-c", edit], check=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Port 1\nAllowTcpForwarding no\n", "Port 1\nAllowTcpForwarding yes\n"),
        ("Port 1\n", "AllowTcpForwarding yes\nPort 1\n"),
        (
            "AllowTcpForwarding yes\nMatch User me\nAllowTcpForwarding no\n",
            "AllowTcpForwarding yes\nMatch User me\nAllowTcpForwarding yes\n",
        ),
    ],
)
def test_the_file_is_changed_and_given_back(tmp_path, text, expected):
    path = tmp_path / "sshd config"
    path.write_text(text)
    fix = set_option(
        asked(ConfigFile(path=str(path), data=text.encode())), "AllowTcpForwarding yes"
    )
    assert fix.argv[:2] == ("sh", "-c")
    assert f"sshd -t -f '{path}' && kill -HUP 7" in fix.argv[2]
    run(fix.argv[2])
    assert path.read_text() == expected
    run(fix.undo[2])
    assert path.read_text() == text


def test_the_default_file():
    fix = set_option(asked(ConfigFile(path="/x", data=b"A 1\n"), listener=False, uid=5), "B 1")
    assert fix.argv[:3] == ("sudo", "sh", "-c")
    assert "f=/etc/ssh/sshd_config;" in fix.argv[3]
    assert "&& sshd -t && (systemctl reload ssh || systemctl reload sshd)" in fix.argv[3]


def test_a_line_that_sed_would_not_take():
    file = ConfigFile(path="/x", data=b"PermitOpen a:1\n")
    fix = set_option(asked(file), "PermitOpen $(x)|y:1")
    assert "echo 'PermitOpen $(x)|y:1'" in fix.argv[2]


def test_a_directory_of_settings():
    fix = set_option(Asked(server=OPENSSH), "GatewayPorts yes")
    drop_in = "/etc/ssh/sshd_config.d/00-netkit-gatewayports.conf"
    assert f'echo "GatewayPorts yes" > {drop_in} && sshd -t' in fix.argv[3]
    assert fix.undo[3].startswith(f"rm {drop_in} &&")
    text = b"Include /d/*.conf\nMatch Group x\nGatewayPorts no\n"
    fix = set_option(asked(ConfigFile(path="/x", data=text)), "GatewayPorts yes")
    assert '{ echo "Match User me"; echo "GatewayPorts yes"; } > /d/00-' in fix.argv[2]
    fix = set_option(asked(ConfigFile(path="/x", data=text), user=""), "GatewayPorts yes")
    assert "sed -i.before-netkit" in fix.argv[2]


@pytest.mark.parametrize(
    ("server", "line", "note"),
    [
        ("SSH-2.0-dropbear_2022", "GatewayPorts yes", "start dropbear with -a"),
        ("SSH-2.0-dropbear_2022", "X y", "change the configuration of its SSH server"),
        ("SSH-2.0-AsyncSSH", "GatewayPorts yes", "change the configuration of its SSH server"),
    ],
)
def test_another_server(server, line, note):
    fix = set_option(Asked(server=server), line)
    assert (fix.argv, fix.note) == ((), note)


def test_windows():
    fix = set_option(Asked(server="SSH-2.0-OpenSSH_for_Windows_9.5"), "GatewayPorts yes")
    assert fix.argv[0] == "notepad"
    assert "GatewayPorts yes" in fix.note


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


@pytest.mark.parametrize(
    "options", ["restrict", "no-port-forwarding", "no-pty,no-port-forwarding", "restrict,pty"]
)
def test_a_key_may_forward_again(tmp_path, options):
    path = tmp_path / "keys"
    path.write_text(f"# first\n{options} {KEY}\n")
    (key,) = parse_keys(str(path), path.read_bytes())
    assert key.forbids_forwarding
    fix = allow_forwarding(key)
    subprocess.run(fix.argv, check=True)
    (after,) = parse_keys(str(path), path.read_bytes())
    assert not after.forbids_forwarding
    assert after.fingerprint == key.fingerprint
    subprocess.run(fix.undo, check=True)
    assert path.read_text() == f"# first\n{options} {KEY}\n"


def test_a_key_may_do_more(tmp_path):
    path = tmp_path / "keys"
    path.write_text(f'permitopen="a:1" {KEY}\n')
    (key,) = parse_keys(str(path), path.read_bytes())
    subprocess.run(add_permission(key, "permitopen", 'b:2";$x').argv, check=True)
    (after,) = parse_keys(str(path), path.read_bytes())
    assert after.values("permitopen") == ("b:2x", "a:1")


def test_the_spelling_of_a_setting():
    assert told(Setting(keyword="permitopen", words=("a:1", "b:2"))) == "PermitOpen a:1 b:2"
    assert told(Setting(keyword="other", words=())) == "other "


@pytest.mark.parametrize(
    ("forward", "expected"),
    [
        (ForwardSpec(L, Endpoint("", 80), Endpoint("web", 81)), ("-L", "80:web:81")),
        (ForwardSpec(R, Endpoint("*", 80), Endpoint("::1", 81)), ("-R", "*:80:[::1]:81")),
        (ForwardSpec(D, Endpoint("::1", 80)), ("-D", "[::1]:80")),
        (ForwardSpec(L, UnixPath("/a:b"), UnixPath("c")), ("-L", "/a\\:b:./c")),
        (ForwardSpec(L, UnixPath("[/a"), UnixPath(" /c")), ("-L", "\\[/a:\\ /c")),
    ],
)
def test_forwards_in_the_grammar_of_ssh(forward, expected):
    assert words(forward) == expected
    assert again("gw", forward).argv == ("netkit", "forward", "gw", *expected)
    assert moved(forward, forward.bind).argv == ("netkit", "forward", "...", *expected)


@given(any_of(Asked), st.text(max_size=30))
def test_options_are_total(asked_of, line):
    set_option(asked_of, line)


@given(any_of(KeyLine), any_of(ForwardSpec))
def test_the_rest_is_total(key, forward):
    allow_forwarding(key)
    change_key(key, "s/a/b/", note="")
    words(forward)
