"""The form of what goes to OpenSSH on Windows; there is no such server here."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess

import pytest

from netkit.keys import authorize_windows as w
from netkit.keys.authorize import MARK, Wanted

WANTED = Wanted(blob=b"\0\0\0\x0bssh-ed25519xyz", comment="me", options="restrict", replace=True)


def script() -> str:
    return base64.b64decode(w.COMMAND.split()[-1]).decode("utf-16-le")


def test_the_command_line_fits_into_cmd_and_needs_no_quotes():
    assert len(w.COMMAND) < 8191
    assert re.fullmatch(r"[A-Za-z0-9 +/=-]+", w.COMMAND)
    assert w.COMMAND.startswith("powershell -NoLogo -NoProfile -NonInteractive -EncodedCommand ")


def test_the_script_answers_as_the_other_one_does():
    text = script()
    assert MARK in text
    for word in ("file ", "options ", "differs ", "full ", "cannot-write ", "say end"):
        assert word in text
    assert set(re.findall(r"\$done='(\w+)'", text)) == {"present", "added", "updated"}
    assert text.count("{") == text.count("}")
    assert text.count("(") == text.count(")")


@pytest.mark.parametrize(
    ("row", "options"),
    [
        ("KEY", ""),
        ("  KEY  me", ""),
        ('restrict,command="a b"\tKEY me', 'restrict,command="a b"'),
        ("#KEY", None),
        ("  # KEY", None),
        ("xKEY", None),
        ("KEYx", None),
    ],
)
def test_what_counts_as_the_key(row, options):
    """The expression is one that Python reads as .NET does."""
    (pattern,) = re.findall(r'Match\(\$row,"(.*)"\)', script())
    key = r"ssh\-ed25519\s+AAAA\+/=="
    match = re.match(pattern.replace("$key", key), row.replace("KEY", "ssh-ed25519 AAAA+/=="))
    assert (match[1] if match else None) == options


def test_administrators_have_a_file_of_their_own():
    text = script()
    assert "administrators_authorized_keys" in text
    # by their numbers: their names are translated
    assert "S-1-5-18" in text
    assert "S-1-5-32-544" in text
    assert "/inheritance:r" in text


def test_data_is_on_standard_input():
    assert w.stdin(WANTED).decode().splitlines() == [
        "ssh-ed25519",
        WANTED.base64,
        "restrict",
        WANTED.line,
        "yes",
        "",
    ]
    assert WANTED.base64 not in script()


@pytest.mark.parametrize(
    ("server", "is_windows"),
    [
        ("SSH-2.0-OpenSSH_for_Windows_9.5", True),
        ("SSH-2.0-OpenSSH_9.2p1", False),
        ("SSH-2.0-dropbear", False),
        ("", False),
    ],
)
def test_what_is_windows(server, is_windows):
    assert w.is_windows(server) is is_windows


def test_powershell_parses_it():
    shell = shutil.which("pwsh") or shutil.which("powershell")
    if shell is None:
        assert "\n" in script()
        return
    check = (
        "$e=$null;[Management.Automation.Language.Parser]::ParseInput($input,[ref]$null,[ref]$e)"
    )
    done = subprocess.run(
        [shell, "-NoProfile", "-Command", f"{check}|Out-Null;exit $e.Count"],
        input=script(),
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0
