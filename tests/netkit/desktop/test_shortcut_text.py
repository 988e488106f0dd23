from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.desktop.desktop_entry import parse_entry, split_exec
from netkit.desktop.shortcut_text import (
    Shortcut,
    Start,
    check_icon,
    check_name,
    content,
    profile_of,
)
from netkit.desktop.windows_link import parse_link
from netkit.errors import UsageError
from support.peers import require

OFFICE = Shortcut(profile="office", name="Office")
HIDDEN = Shortcut(profile="office", name="Office", hidden=True)
UNIX = Start(("/opt/net kit/netkit",), ("/opt/net kit/python", "-m", "netkit.cli.clients.hidden"))
WINDOWS = Start(
    ("C:\\Program Files\\netkit\\netkit.exe",),
    ("C:\\Program Files\\netkit\\pythonw.exe", "-m", "netkit.cli.clients.hidden"),
    shell="C:\\Windows\\System32\\cmd.exe",
)


def entry(shortcut: Shortcut, start: Start = UNIX) -> dict[str, dict[str, str]]:
    return parse_entry(content(shortcut, start, "linux").decode())


def test_a_desktop_file():
    groups = entry(OFFICE)
    main = groups["Desktop Entry"]
    assert (main["Name"], main["Terminal"], main["X-Netkit-Profile"]) == (
        "Office",
        "true",
        "office",
    )
    words = split_exec(main["Exec"])
    assert words[:2] == ("sh", "-c")
    assert words[3:] == ("netkit", "/opt/net kit/netkit", "up", "office", "--once")
    tunnel_only = split_exec(groups["Desktop Action no-program"]["Exec"])
    assert tunnel_only[4:] == ("/opt/net kit/netkit", "up", "office", "--once", "--no-launch")
    look = split_exec(groups["Desktop Action doctor"]["Exec"])
    assert look[4:] == ("/opt/net kit/netkit", "doctor", "office")


def test_a_desktop_file_without_a_window():
    groups = entry(HIDDEN)
    assert groups["Desktop Entry"]["Terminal"] == "false"
    assert split_exec(groups["Desktop Entry"]["Exec"]) == (
        *("/opt/net kit/python", "-m", "netkit.cli.clients.hidden"),
        *("up", "office", "--once"),
    )
    assert list(groups) == ["Desktop Entry"]


def test_the_environment_that_matters_goes_along():
    start = Start(UNIX.program, UNIX.hidden, (("NETKIT_PROFILES", "/home/me/a b.toml"),))
    words = split_exec(entry(HIDDEN, start)["Desktop Entry"]["Exec"])
    assert words[:3] == ("env", "NETKIT_PROFILES=/home/me/a b.toml", "/opt/net kit/python")


@pytest.mark.parametrize("shortcut", [OFFICE, HIDDEN])
def test_the_validator_is_content(shortcut: Shortcut, tmp_path: Path):
    file = tmp_path / "x.desktop"
    file.write_bytes(content(shortcut, UNIX, "linux"))
    done = subprocess.run(
        [require("desktop-file-validate"), file], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def _netkit(folder: Path, script: str) -> Start:
    program = folder / "net kit"
    program.write_text(f"#!/bin/sh\necho \"$@\" > '{folder}/said'\n{script}\n")
    program.chmod(0o755)
    return Start((str(program),), (str(program),))


@pytest.mark.skipif(os.name != "posix", reason="it is a shell's")
@pytest.mark.parametrize(
    ("status", "held"), [(0, False), (3, True), (130, False)], ids=["well", "failed", "Ctrl-C"]
)
@pytest.mark.parametrize("system", ["linux", "darwin"])
def test_the_window_stays_when_it_fails(tmp_path: Path, system: str, status: int, held: bool):
    start = _netkit(tmp_path, f"exit {status}")
    sleep = tmp_path / "sleep"
    sleep.write_text("#!/bin/sh\n")
    sleep.chmod(0o755)
    data = content(OFFICE, start, system)
    if system == "linux":
        argv = list(split_exec(parse_entry(data.decode())["Desktop Entry"]["Exec"]))
    else:
        file = tmp_path / "x.command"
        file.write_bytes(data)
        argv = ["sh", str(file)]
    done = subprocess.run(
        argv,
        input="\n",
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        timeout=20,
    )
    assert done.returncode == status
    assert ("Press Enter" in done.stdout) is held
    assert (tmp_path / "said").read_text() == "up office --once\n"


def test_a_script_for_a_mac():
    start = Start(UNIX.program, UNIX.hidden, (("NETKIT_PROFILES", "/a b"),))
    lines = content(OFFICE, start, "darwin").decode().splitlines()
    assert lines[0] == "#!/bin/sh"
    assert lines[2] == "NETKIT_PROFILES='/a b'; export NETKIT_PROFILES"
    assert "set -- '/opt/net kit/netkit' up office --once" in lines
    assert any("\\033]0;" in line and "Office" in line for line in lines)
    hidden = content(HIDDEN, UNIX, "darwin").decode()
    assert "nohup '/opt/net kit/python' -m netkit.cli.clients.hidden up office --once" in hidden


def test_a_link_for_windows():
    link = parse_link(content(OFFICE, WINDOWS, "windows"))
    assert link.target == "C:\\Windows\\System32\\cmd.exe"
    assert link.arguments == (
        '/d /s /c ""C:\\Program Files\\netkit\\netkit.exe" up office --once || pause"'
    )
    assert link.minimised
    hidden = parse_link(content(HIDDEN, WINDOWS, "windows"))
    assert hidden.target == "C:\\Program Files\\netkit\\pythonw.exe"
    assert hidden.arguments == "-m netkit.cli.clients.hidden up office --once"


@pytest.mark.parametrize("path", ["C:\\100%\\netkit.exe", 'C:\\a"b\\netkit.exe'])
def test_what_the_command_interpreter_would_change_is_refused(path: str):
    with pytest.raises(UsageError) as caught:
        content(OFFICE, Start((path,), (path,)), "windows")
    assert caught.value.code == "bad-shortcut"


NAMES = st.text(max_size=90)


@given(NAMES)
def test_any_name_is_refused_or_safe(name: str):
    try:
        check_name(name)
    except UsageError as error:
        assert error.code == "bad-shortcut-name"
        return
    assert not set('<>:"/\\|?*\n\r\0') & set(name)
    shortcut = Shortcut(profile="office", name=name)
    assert entry(shortcut)["Desktop Entry"]["Name"] == name
    script = content(shortcut, UNIX, "darwin").decode()
    title = next(line for line in script.splitlines() if line.startswith("printf"))
    assert shlex.split(title)[2] == name


@pytest.mark.parametrize(
    "name",
    ["", " ", "a/b", "..", ".hidden", "a\nb", "a\x1b[1m", "x" * 81, "-rf", "a.", "C:x", " a"],
)
def test_names_that_no_file_can_have(name: str):
    with pytest.raises(UsageError) as caught:
        check_name(name)
    assert caught.value.code == "bad-shortcut-name"


@pytest.mark.parametrize("name", ["Office", "Büro; 50% $HOME `x` 'y'", "王"])
def test_names_that_files_can_have(name: str):
    assert check_name(name) == name


def test_icons():
    assert check_icon("") == ""
    assert check_icon("/a b.png") == "/a b.png"
    with pytest.raises(UsageError):
        check_icon("a\nExec=x")


@pytest.mark.parametrize("system", ["linux", "darwin", "windows"])
def test_ours_are_known(system: str):
    start = WINDOWS if system == "windows" else UNIX
    for shortcut in (OFFICE, HIDDEN):
        assert profile_of(content(shortcut, start, system), system) == "office"


@given(st.binary(max_size=200), st.sampled_from(["linux", "darwin", "windows"]))
def test_any_other_file_is_not(data: bytes, system: str):
    assert profile_of(data, system) == ""
