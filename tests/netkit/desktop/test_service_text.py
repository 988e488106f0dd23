from __future__ import annotations

import plistlib
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.desktop.service_text import Service, agent, profile_of, task, unit
from netkit.errors import UsageError
from support.peers import require

OFFICE = Service(
    profile="office",
    program=("/opt/net kit/netkit",),
    options=("--metrics", "127.0.0.1:9273", "--access-log", "/home/me/a %b $c.log"),
    environment=(("NETKIT_PROFILES", "/home/me/my profiles.toml"),),
    log="/Users/me/Library/Logs/netkit/office.log",
)
TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
WORDS = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp", "Cn", "Co", "Cf", "Zs"))
    | st.just(" "),
    max_size=30,
)


def lines(service: Service = OFFICE) -> list[str]:
    return unit(service).decode().splitlines()


def test_a_unit():
    text = lines()
    assert text[0] == "# netkit service of the profile office"
    for line in (
        "Type=notify",
        "Restart=on-failure",
        "RestartSec=5",
        "StartLimitIntervalSec=0",
        "RestartPreventExitStatus=2 5 6",
        "WatchdogSec=60",
        'Environment="NETKIT_PROFILES=/home/me/my profiles.toml"',
        (
            'ExecStart="/opt/net kit/netkit" up office --no-launch --metrics 127.0.0.1:9273'
            ' --access-log "/home/me/a %%b $$c.log"'
        ),
    ):
        assert line in text


def _verified(folder: Path, service: Service) -> str:
    program = folder / "net kit"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    made = Service(
        profile=service.profile,
        program=(str(program), *service.program[1:]),
        options=service.options,
        environment=service.environment,
    )
    file = folder / "netkit-office.service"
    file.write_bytes(unit(made))
    done = subprocess.run(
        [require("systemd-analyze"), "verify", "--user", "--man=no", "--recursive-errors=no", file],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)},
        timeout=60,
    )
    return f"{done.returncode} {done.stdout}{done.stderr}".strip()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="systemd")
def test_systemd_is_content(tmp_path: Path):
    assert _verified(tmp_path, OFFICE) == "0"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="systemd")
def test_systemd_finds_what_is_wrong(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("netkit.desktop.service_text.WATCHDOG", "often")
    assert "Failed to parse sec value" in _verified(tmp_path, OFFICE)


def split(text: str) -> list[str]:
    """Split a command line as systemd.syntax(7) has it, with specifiers and variables undone."""
    words, word, quoted, at = [], None, False, 0
    while at < len(text):
        letter = text[at]
        if letter == '"':
            quoted, word = not quoted, word or ""
        elif letter == " " and not quoted:
            words += [] if word is None else [word]
            word = None
        else:
            if letter in "\\%$":
                at += 1
                assert text[at] in ('\\"' if letter == "\\" else letter), text
                letter = text[at]
            word = (word or "") + letter
        at += 1
    assert not quoted
    return words + ([] if word is None else [word])


@given(st.lists(WORDS, max_size=4))
def test_any_words_come_through(words: list[str]):
    service = Service(profile="office", program=("/n",), options=tuple(words))
    (command,) = [line for line in lines(service) if line.startswith("ExecStart=")]
    assert split(command.removeprefix("ExecStart=")) == list(service.argv)


@pytest.mark.parametrize("bad", ["a\nExecStart=/bin/sh", "\x00", "a\udcff", "\u2028"])
@pytest.mark.parametrize(
    "make", [unit, lambda service: agent(service, "/bin"), lambda service: task(service, "me")]
)
def test_what_would_be_more_than_a_word_is_refused(make, bad: str):
    for service in (
        Service(profile="office", program=("/n",), options=(bad,)),
        Service(profile="office", program=("/n",), environment=(("A", bad),)),
    ):
        with pytest.raises(UsageError) as caught:
            make(service)
        assert caught.value.code == "bad-service"


@pytest.mark.parametrize("path", ["/a$b/netkit", "/100%/netkit", '/"/netkit'])
def test_a_program_whose_path_systemd_would_change(path: str):
    with pytest.raises(UsageError):
        unit(Service(profile="office", program=(path,)))


def test_an_agent():
    values = plistlib.loads(agent(OFFICE, "/opt/bin:/usr/bin"))
    assert values["Label"] == "netkit.office"
    assert values["ProgramArguments"] == [*OFFICE.argv, "--stay-down"]
    assert values["KeepAlive"] == {"SuccessfulExit": False}
    assert values["RunAtLoad"] is True
    assert values["EnvironmentVariables"]["PATH"] == "/opt/bin:/usr/bin"
    assert values["StandardErrorPath"] == OFFICE.log


def test_a_task():
    data = task(OFFICE, "DESK\\me & co")
    assert data[:2] in {b"\xff\xfe", b"\xfe\xff"}
    root = ET.fromstring(data.decode("utf-16").split("?>", 1)[1].strip())
    assert root.tag == f"{TASK}Task"

    def text(path: str) -> str | None:
        return root.findtext("/".join(f"{TASK}{name}" for name in path.split("/")))

    assert text("Triggers/LogonTrigger/UserId") == "DESK\\me & co"
    assert text("Settings/ExecutionTimeLimit") == "PT0S"
    assert text("Settings/StopIfGoingOnBatteries") == "false"
    assert text("Settings/RestartOnFailure/Interval") == "PT1M"
    assert text("Actions/Exec/Command") == "/opt/net kit/netkit"
    assert text("Actions/Exec/Arguments") == subprocess.list2cmdline(
        [*OFFICE.argv[1:], "--stay-down"]
    )


@given(st.lists(WORDS, max_size=4))
def test_words_of_a_task_are_those_of_the_c_runtime(words: list[str]):
    service = Service(profile="office", program=("n.exe",), options=tuple(words))
    root = ET.fromstring(task(service, "me").decode("utf-16").split("?>", 1)[1].strip())
    found = root.findtext(f"{TASK}Actions/{TASK}Exec/{TASK}Arguments")
    assert found == subprocess.list2cmdline([*service.argv[1:], "--stay-down"])


def test_ours_are_known():
    for data in (unit(OFFICE), agent(OFFICE, "/bin"), task(OFFICE, "me")):
        assert profile_of(data) == "office"


@given(
    st.binary(max_size=200)
    | st.binary(max_size=100).map(lambda data: b"<?xml" + data)
    | st.binary(max_size=100).map(lambda data: b"\xff\xfe" + data)
)
def test_any_other_file_is_not(data: bytes):
    assert profile_of(data) == ""
