from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.desktop.clients import (
    Client,
    Desktop,
    Kind,
    Leaves,
    View,
    check_user,
    clients_for,
    line_to_type,
    name_of,
)
from netkit.errors import UsageError
from netkit.model import Endpoint

AT = Endpoint("127.0.0.2", 13389)
RDP, VNC = View(kind=Kind.RDP, at=AT), View(kind=Kind.VNC, at=AT)
FULL = View(kind=Kind.RDP, at=AT, user="CORP\\alice", fullscreen=True, size=(1280, 800))
PAGE = View(kind=Kind.HTTP, at=AT, url="http://127.0.0.1:8080/x?a=1&b=2")
LINUX = Desktop("linux", x11=True, terminal=True)


def by_name(kind: Kind, desktop: Desktop) -> dict[str, Client]:
    return {client.name: client for client in clients_for(kind, desktop)}


@pytest.mark.parametrize(
    ("kind", "desktop", "names"),
    [
        (Kind.RDP, LINUX, ["xfreerdp3", "sdl-freerdp3", "remmina", "rdesktop"]),
        # one that asks in a window comes first where there is no terminal
        (
            Kind.RDP,
            Desktop("linux", x11=True),
            ["sdl-freerdp3", "remmina", "xfreerdp3", "rdesktop"],
        ),
        (
            Kind.RDP,
            Desktop("linux", wayland=True, terminal=True),
            ["wlfreerdp3", "sdl-freerdp3", "remmina"],
        ),
        (Kind.RDP, Desktop("linux", terminal=True), []),
        (Kind.RDP, Desktop("windows"), ["mstsc", "sdl-freerdp3"]),
        (Kind.RDP, Desktop("darwin"), ["Windows App", "Microsoft Remote Desktop", "sdl-freerdp3"]),
        (Kind.VNC, Desktop("darwin"), ["open"]),
        (Kind.VNC, Desktop("windows"), ["vncviewer", "vncviewer", "tvnviewer"]),
        (Kind.VNC, Desktop("linux"), []),
        (Kind.HTTP, Desktop("linux"), []),
        (Kind.HTTP, Desktop("linux", browser="lynx:"), ["lynx"]),
        (Kind.HTTP, Desktop("darwin"), ["open"]),
        (Kind.HTTP, Desktop("windows"), ["rundll32"]),
    ],
)
def test_candidates(kind: Kind, desktop: Desktop, names: list[str]):
    assert [client.name for client in clients_for(kind, desktop)] == names


@pytest.mark.parametrize(
    ("os", "name", "view", "words"),
    [
        ("linux", "xfreerdp3", RDP, ("/v:127.0.0.2:13389",)),
        (
            "linux",
            "xfreerdp3",
            FULL,
            ("/v:127.0.0.2:13389", "/u:CORP\\alice", "/f", "/size:1280x800"),
        ),
        (
            "linux",
            "xfreerdp3",
            View(kind=Kind.RDP, at=AT, server="desk.internal"),
            ("/v:127.0.0.2:13389", "/cert:name:desk.internal"),
        ),
        (
            "linux",
            "xfreerdp3",
            View(kind=Kind.RDP, at=AT, server="desk,ignore"),
            ("/v:127.0.0.2:13389",),
        ),
        ("linux", "remmina", FULL, ("-c", "rdp://CORP%5Calice@127.0.0.2:13389")),
        (
            "linux",
            "rdesktop",
            FULL,
            ("-u", "CORP\\alice", "-f", "-g", "1280x800", "127.0.0.2:13389"),
        ),
        ("windows", "mstsc", RDP, ("/v:127.0.0.2:13389",)),
        ("windows", "mstsc", FULL, ("x.rdp",)),
        ("darwin", "Windows App", RDP, ("-a", "/Applications/Windows App.app", "x.rdp")),
        ("linux", "vncviewer", VNC, ("127.0.0.2::13389",)),
        ("darwin", "open", VNC, ("vnc://127.0.0.2:13389",)),
        ("darwin", "open", PAGE, (PAGE.url,)),
        ("windows", "rundll32", PAGE, ("url.dll,FileProtocolHandler", PAGE.url)),
    ],
)
def test_words(os: str, name: str, view: View, words: tuple[str, ...]):
    desktop = Desktop(os, x11=os == "linux", terminal=True)
    client = by_name(view.kind, desktop)[name]
    file = "x.rdp" if client.wants_file(view) else ""
    assert client.words(view, file) == words


def test_mstsc_is_given_a_file_only_for_what_its_command_line_lacks():
    client = by_name(Kind.RDP, Desktop("windows"))["mstsc"]
    assert not client.wants_file(RDP)
    assert client.wants_file(FULL)
    assert client.words(View(kind=Kind.RDP, at=AT, fullscreen=True, size=(800, 600)), "") == (
        *("/v:127.0.0.2:13389", "/f"),
        *("/w:800", "/h:600"),
    )


@pytest.mark.parametrize(
    ("browser", "argvs"),
    [
        ("firefox", [("firefox", PAGE.url)]),
        ("chrome --app=%s:lynx", [("chrome", f"--app={PAGE.url}"), ("lynx", PAGE.url)]),
        ("'my browser' -n", [("my browser", "-n", PAGE.url)]),
        ("'not closed", []),
        ("::", []),
    ],
)
def test_the_users_browser(browser: str, argvs: list[tuple[str, ...]]):
    found = clients_for(Kind.HTTP, Desktop("linux", browser=browser))
    assert [(client.programs[0], *client.words(PAGE, "")) for client in found] == argvs


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (0, ""),
        (11, ""),  # the user closed the window
        (-15, ""),
        (132, "the server did not accept the login"),
        (255, "it ended with status 255"),
    ],
)
def test_what_freerdp_ends_with(status: int, why: str):
    assert by_name(Kind.RDP, LINUX)["xfreerdp3"].failure(status) == why


def test_others_fail_with_any_status_but_0():
    viewer = by_name(Kind.VNC, LINUX)["vncviewer"]
    assert viewer.failure(0) == ""
    assert viewer.failure(1) == "it ended with status 1"
    assert viewer.leaves is Leaves.NEVER


@pytest.mark.parametrize(
    ("view", "os", "line"),
    [
        (RDP, "linux", "xfreerdp /v:127.0.0.2:13389"),
        (FULL, "linux", "xfreerdp /v:127.0.0.2:13389 '/u:CORP\\alice' /f /size:1280x800"),
        (RDP, "windows", "mstsc /v:127.0.0.2:13389"),
        (RDP, "darwin", "add a PC in Windows App: 127.0.0.2:13389"),
        (VNC, "linux", "vncviewer 127.0.0.2::13389"),
        (VNC, "darwin", "open vnc://127.0.0.2:13389"),
        (PAGE, "linux", f"open {PAGE.url}"),
    ],
)
def test_lines_to_type(view: View, os: str, line: str):
    assert line_to_type(view, Desktop(os)) == line


@pytest.mark.parametrize("user", ["", "a\nb", "a\0", "x" * 257, "\x1b[1m"])
def test_no_user_names(user: str):
    with pytest.raises(UsageError) as caught:
        check_user(user)
    assert caught.value.code == "bad-user"


@given(st.text(max_size=60), st.booleans())
def test_no_password_and_no_second_argument_comes_of_a_user_name(user: str, full: bool):
    try:
        view = View(kind=Kind.RDP, at=AT, user=check_user(user), fullscreen=full)
    except UsageError:
        return
    for client in clients_for(Kind.RDP, LINUX):
        words = client.words(view, "")
        assert sum(user in word or "@" in word for word in words) >= 1
        assert not any(word.startswith(("/p:", "-p")) for word in words if word != user)


@pytest.mark.parametrize(
    ("program", "name"),
    [("/usr/bin/xfreerdp", "xfreerdp"), (r"C:\Windows\System32\mstsc.EXE", "mstsc"), ("a", "a")],
)
def test_names(program: str, name: str):
    assert name_of(program) == name
