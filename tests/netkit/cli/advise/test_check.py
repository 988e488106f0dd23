"""Files of every recipe are read by the real programs, and broken ones are caught by them."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from netkit import programs
from netkit.advise.model import File, Need, Recipe, Technology
from netkit.cli.advise import check as advise_check
from netkit.cli.advise.check import ABSENT, BROKEN, READ, UNKNOWN, check
from netkit.programs import Ran
from support import advice
from support.peers import find, require

NEEDS = [Need.LAN_TO_LAN, Need.HOST_TO_LAN]
V6 = {name.replace("-", "_"): value for name, value in advice.BOTH_VERSIONS.items()}
PROGRAM = {
    Technology.WIREGUARD: "wg-quick",
    Technology.OPENVPN: "openvpn",
    Technology.IPSEC_ONE: "swanctl",
    Technology.IPSEC_FOUR: "swanctl",
    Technology.SSH_TUN: "sshd",
}


@pytest.mark.parametrize("more", [{}, V6, {"gateway_address": ("gw.invalid",), "gateway": ()}])
@pytest.mark.parametrize("need", NEEDS)
@pytest.mark.parametrize("technology", PROGRAM)
def test_real_programs_read_the_files(technology, need, more):
    require(PROGRAM[technology])
    found = advice.made(technology, need, **more)
    results = check(found)
    assert [each.path for each in results] == [each.path for each in found.files]
    # nft looks at the kernel even to check, which needs rights
    bad = [each for each in results if each.result != READ and each.program != "nft"]
    assert bad == []
    if os.geteuid() == 0 and find("nft"):
        assert [each.result for each in results if each.program == "nft"] in ([], [READ])


def test_swanctl_sees_the_tunnels_that_were_meant():
    require("swanctl")
    details = [each.detail for each in check(advice.made(Technology.IPSEC_FOUR))]
    assert details == ["1 connection with 4 children; charon has not judged them"] * 2


def spoiled(technology: Technology, path: str, old: str, new: str) -> Recipe:
    """Return the recipe with a fault in one of its files, and only that file."""
    found = advice.made(technology, Need.LAN_TO_LAN)
    (one,) = [each for each in found.files if each.path == path]
    assert old in one.text
    return dataclasses.replace(
        found, files=(dataclasses.replace(one, text=one.text.replace(old, new, 1)),)
    )


@pytest.mark.parametrize(
    ("technology", "path", "old", "new"),
    [
        (Technology.WIREGUARD, "here/netkit0.conf", "10.1.0.0/16", "10.1.0.0/99"),
        (Technology.WIREGUARD, "here/netkit0.conf", "PublicKey = ", "PublicKey = x"),
        (Technology.WIREGUARD, "here/netkit0.conf", "[Peer]", "[Pear]"),
        (Technology.OPENVPN, "here/netkit0.conf", "nobind", "nobinding"),
        (Technology.OPENVPN, "here/netkit0.conf", "ifconfig 10.", "ifconfig 999."),
        (Technology.OPENVPN, "here/netkit0.conf", "255.255.0.0", "259.255.0.0"),
        (Technology.OPENVPN, "here/netkit0.conf", "BEGIN PRIVATE", "BEGIN PUBLIC"),
        (Technology.OPENVPN, "here/netkit0.conf", "BEGIN CERTIFICATE", "BEGIN CERT"),
        (Technology.OPENVPN, "here/netkit0.conf", "BEGIN OpenVPN", "BEGIN"),
        (Technology.OPENVPN, "here/netkit0.conf", "dev netkit0", "dev"),
        (Technology.IPSEC_FOUR, "here/netkit0.conf", "children {", "children"),
        (Technology.IPSEC_FOUR, "here/netkit0.conf", "connections", "connexions"),
        (Technology.IPSEC_FOUR, "here/netkit0.conf", '"0s', "0s"),
        (Technology.SSH_TUN, "gateway/netkit0-sshd.conf", "PermitTunnel", "PermitTunnels"),
        (Technology.SSH_TUN, "gateway/netkit0-sshd.conf", "point-to-point", "sideways"),
        (Technology.SSH_TUN, "here/netkit0-up.sh", "set -eu", "if true"),
    ],
)
def test_broken_files_are_caught(technology, path, old, new):
    require(PROGRAM[technology])
    (result,) = check(spoiled(technology, path, old, new))
    assert (result.result, result.path) == (BROKEN, path), result
    assert result.detail


def test_keys_are_not_in_what_is_said():
    require("wg-quick", "openvpn", "swanctl")
    for technology in PROGRAM:
        said = repr(check(advice.made(technology)))
        assert not [secret for secret in advice.secrets() if secret in said]


def test_what_is_not_installed_is_said(monkeypatch):
    monkeypatch.setattr(programs, "find", lambda *_names: None)
    results = check(advice.made(Technology.WIREGUARD))
    assert [(each.program, each.result) for each in results] == [("wg-quick", ABSENT)] * 2


@pytest.mark.parametrize("technology", [*PROGRAM, Technology.PPP_SSH])
def test_a_program_that_does_not_end_is_no_verdict(monkeypatch, technology):
    monkeypatch.setattr(programs, "find", lambda *names: names[0])
    monkeypatch.setattr(programs, "run", lambda *_a, **_k: Ran(None, error="no end within 10 s"))
    for result in check(advice.made(technology)):
        assert result.result == UNKNOWN
        assert "no end" in result.detail


@pytest.mark.parametrize(
    ("status", "errors", "expected"),
    [
        (0, b"", READ),
        (2, b"pppd: unrecognized option 'x'", BROKEN),
        (3, b"pppd: must be root to run pppd", UNKNOWN),
        (4, b"You need to create the /dev/ppp device node", READ),
    ],
)
def test_pppd(monkeypatch, status, errors, expected):
    """Its answers as pppd 2.4.9 gives them."""
    monkeypatch.setattr(programs, "find", lambda *names: names[0])
    ran = []

    def run(argv, **_options):
        ran.append(argv)
        return Ran(0) if argv[0] == "sh" else Ran(status, errors=errors)

    monkeypatch.setattr(programs, "run", run)
    results = check(advice.made(Technology.PPP_SSH))
    assert {each.result for each in results if each.program == "pppd"} == {expected}
    assert [argv[-1] for argv in ran if argv[0] == "pppd"] == ["dryrun"] * 2


def test_zebedee_cannot_be_checked(monkeypatch):
    monkeypatch.setattr(programs, "find", lambda *names: names[0])
    (result,) = check(advice.made(Technology.ZEBEDEE, Need.TCP))
    assert (result.program, result.result) == ("zebedee", UNKNOWN)


def test_rules_that_may_not_be_looked_at(monkeypatch):
    monkeypatch.setattr(programs, "find", lambda *names: names[0])
    denied = Ran(1, errors=b"Operation not permitted (you must be root)")
    monkeypatch.setattr(programs, "run", lambda *_a, **_k: denied)
    rules = File("gateway", "netkit0.nft", "table inet x {}\n", "")
    (result,) = check(Recipe(Technology.SSH_TUN, (), (rules,)))
    assert result.result == UNKNOWN


def test_files_are_private_meanwhile(monkeypatch, tmp_path):
    seen: list[str] = []

    def run(argv, **_options):
        files = [Path(word) for word in argv if word.endswith(".conf")]
        seen.extend(oct(path.stat().st_mode & 0o777) for path in files)
        return Ran(1)

    monkeypatch.setattr(programs, "find", lambda *names: names[0])
    monkeypatch.setattr(programs, "run", run)
    check(advice.made(Technology.WIREGUARD))
    assert seen == ["0o600"] * 2


def test_a_peer_that_talks_nonsense_ends_the_daemon_cleanly():
    import socket

    with advise_check._daemon() as (uri, server):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(uri.removeprefix("unix://"))
            sock.sendall(b"\xff" * 64)
            assert sock.recv(1) == b""
    assert server.requests == []
