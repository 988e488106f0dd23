"""`netkit protocols`: the table, the story of one, and words that mean nothing."""

from __future__ import annotations

import json
import shlex

import pytest

from diagnostics.knowledge.protocols import NAMES, TABLE
from netkit.cli import protocols
from support.cli import run_cli


def test_the_table_has_a_line_for_each():
    done = run_cli("protocols")
    assert (done.code, done.err) == (0, "")
    rows = done.out.splitlines()
    assert rows[0].split() == ["NAME", "PORTS", "PASSES", "HOW"]
    names = [row.split()[0] for row in rows[1 : len(TABLE) + 1]]
    assert sorted(names) == sorted(each.names[0] for each in TABLE)
    assert rows[-1] == "The whole story of one: netkit protocols NAME"
    passes = rows[0].index("PASSES")
    kinds = [row[passes:].split("  ")[0] for row in rows[1 : len(TABLE) + 1]]
    assert list(dict.fromkeys(kinds)) == ["yes", "with -D", "with care", "no"]


@pytest.mark.parametrize("width", [72, 80, 132])
def test_the_table_keeps_to_the_terminal(width):
    lines = protocols.table(TABLE, width)
    assert max(map(len, lines)) <= width
    whole = " ".join(" ".join(lines).split())
    assert "netkit forward --bind 127.0.0.1:10110 --to SERVER:110 GATEWAY" in whole


@pytest.mark.parametrize("name", NAMES)
def test_every_story_can_be_told(name):
    done = run_cli("protocols", name)
    assert (done.code, done.err) == (0, "")
    assert "{gateway}" not in done.out
    assert "source:" in done.out


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (
            "pop3",
            ["netkit forward --bind 127.0.0.1:10110 --to SERVER:110 GATEWAY", "995/tcp (TLS)"],
        ),
        ("pop3", ["netkit forward --bind 127.0.0.1:10995 --to SERVER:995 GATEWAY"]),
        ("ftp", ["netkit forward -D 1080 GATEWAY", "curl --proxy socks5h", "Active mode"]),
        ("sip", ["does not go", "netkit advise --need udp"]),
        ("icmp", ["does not go", "netkit advise --need host-to-lan"]),
        ("netbios", ["does not go", "broadcasts"]),
        ("rpc", ["does not go", "49152-65535/tcp (dynamic)", "netkit advise --need host-to-lan"]),
        ("smb", ["/TCPPORT:1445", "on others than windows"]),
        ("995", ["POP3 (pop3)"]),
    ],
)
def test_the_story_of_one(name, wanted):
    done = run_cli("protocols", name)
    assert [text for text in wanted if text not in done.out] == []


def test_who_passes_is_not_sent_to_a_vpn():
    assert "advise" not in run_cli("protocols", "ftp").out
    assert "WireGuard" not in run_cli("protocols", "dhcp").out  # nor does one carry broadcasts


def test_a_number_that_several_use():
    out = run_cli("protocols", "514").out
    assert out.index("syslog (syslog)") < out.index("rsh (rsh, rcp, rlogin)")


def test_json():
    done = run_cli("protocols", "--json")
    document = json.loads(done.out)
    assert document["schema_version"] == 1
    assert len(document["protocols"]) == len(TABLE)
    (pop3,) = json.loads(run_cli("protocols", "POP3", "--json").out)["protocols"]
    assert pop3["passes"] == "yes"
    assert pop3["ports"][0] == {"first": 110, "last": 110, "transport": "tcp", "form": ""}
    assert pop3["ways"][0]["command"].endswith("SERVER:110 GATEWAY")


@pytest.mark.parametrize("name", ["pop", "fpt", "77", "", "x" * 5000, "\x1b[31m", "ftp\n"])
def test_unknown_names(name):
    done = run_cli("protocols", name)
    assert (done.code, done.out) == (2, "")
    assert "[unknown-protocol]" in done.err
    assert "\x1b" not in done.err
    assert "Traceback" not in done.err


def test_near_names():
    assert "netkit protocols pop3" in run_cli("protocols", "pop").err
    failure = json.loads(run_cli("protocols", "pop", "--json").out)
    assert failure["code"] == "unknown-protocol"


@pytest.mark.parametrize("each", TABLE, ids=lambda each: each.names[0])
def test_commands_of_netkit_are_taken_by_its_own_parser(each):
    """A command that is shown is one that runs: the words are tried with --dry-run."""
    words = run_cli("protocols", each.names[0]).out
    for line in words.splitlines():
        command = line.partition(":")[2].partition("   (")[0].strip()
        if command.startswith("netkit forward"):
            done = run_cli(*shlex.split(command)[1:], "--dry-run")
            assert done.code == 0, done.err
