from __future__ import annotations

import json

import pytest

from netkit.advise.choose import choose
from netkit.advise.keys import placeholders
from netkit.advise.model import Answers, Need, Technology
from netkit.advise.write import recipe
from netkit.cli.advise.check import ABSENT, BROKEN, READ, UNKNOWN, Checked
from netkit.cli.advise.text import Shown, check_line, document, lines, step_line
from netkit.model import Fix
from support import advice


def shown(technology=Technology.WIREGUARD, need=Need.LAN_TO_LAN, **more) -> Shown:
    answers = Answers(need=need, root_here=True, root_gateway=True)
    made = recipe(technology, advice.two_sites(technology, need), placeholders())
    values = {"advice": choose(answers), "technology": technology, "recipe": made, **more}
    return Shown(**values)


def text(each: Shown) -> str:
    return "\n".join(lines(each))


def test_everything_is_there():
    said = text(shown(checked=(Checked("here/netkit0.conf", "wg-quick", READ, "by wg"),)))
    for word in (
        *("WireGuard: every IP protocol", "Would do as well, but:", "Do not fit:"),
        *("---- here/netkit0.conf -> /etc/wireguard/netkit0.conf   (a key is in it)", "[Peer]"),
        *("checked: wg-quick reads it (by wg)", "Do, on the gateway:", "Undo, on this machine:"),
        *("sudo wg-quick up netkit0", "note: ", "--write FOLDER"),
    ):
        assert word in said


def test_what_was_told_is_not_told_again():
    said = text(shown(told=True))
    assert "Do not fit" not in said
    assert "[Peer]" in said


def test_commands_are_never_wrapped():
    said = text(shown(Technology.TCP_FORWARD, Need.TCP)).splitlines()
    (line,) = [each for each in said if "netkit forward" in each and "--bind" in each]
    assert "db.internal:5432" in line


def test_written_files_are_not_shown_again():
    said = text(shown(folder="tunnel"))
    assert "Written to tunnel" in said
    assert "[Peer]" not in said


def test_nothing_fits():
    found = choose(Answers(need=Need.UDP))
    said = text(Shown(advice=found, technology=None))
    assert said.startswith("Nothing fits: services over UDP")
    assert "WireGuard: needs administrator rights here and on the gateway" in said


def test_what_is_missing_is_named():
    found = shown(recipe=None, missing=("--gateway", "--remote-net"))
    assert "say also: --gateway, --remote-net" in text(found)


def test_warnings_are_loud():
    assert "!! ZEBEDEE has weak cryptography" in text(shown(Technology.ZEBEDEE, Need.TCP))


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (READ, "checked: x reads it (how)"),
        (ABSENT, "not checked: x is not installed here"),
        (BROKEN, "BROKEN: x: how"),
        (UNKNOWN, "not checked: how"),
    ],
)
def test_check_line(result, line):
    assert check_line(Checked("here/f", "x", result, "how")) == line


@pytest.mark.parametrize(
    ("fix", "windows", "line"),
    [
        (Fix(("ip", "a b"), needs_admin=True, note="n"), False, "sudo ip 'a b'   (n)"),
        (Fix(("C:\\A B\\x", "/y"), needs_admin=True), True, '"C:\\A B\\x" /y   (as administrator)'),
        (Fix((), note="then look"), False, "then look"),
        (Fix(("ls",)), False, "ls"),
    ],
)
def test_step_line(fix, windows, line):
    assert step_line(fix, windows=windows) == line


@pytest.mark.parametrize("technology", Technology)
def test_document(technology):
    found = document(shown(technology, Need.HOST_TO_LAN))
    assert json.loads(json.dumps(found)) == found
    assert found["technology"] == technology.value
    assert len(found["verdicts"]) == len(Technology)
    assert found["recipe"]["steps"]
    assert not [secret for secret in advice.secrets() if secret in json.dumps(found)]


def test_document_of_nothing():
    found = document(Shown(advice=choose(Answers(need=Need.UDP)), technology=None))
    assert (found["technology"], found["recipe"], found["written"]) == (None, None, None)
