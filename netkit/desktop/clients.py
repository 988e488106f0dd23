"""Which program shows a remote desktop or a page, and the words that start it: a table, pure.

Passwords are never among the words: every client asks for its own.
"""

from __future__ import annotations

import enum
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from netkit.errors import UsageError
from netkit.model import Endpoint

MAX_USER = 256
"""Characters of a user name; Windows takes 256 with the domain (UNLEN of lmcons.h)."""


_NAME = re.compile(r"[A-Za-z0-9._-]+")


class Kind(enum.Enum):
    """What the server at the far end speaks."""

    RDP = "rdp"
    VNC = "vnc"
    HTTP = "http"


class Leaves(enum.Enum):
    """Whether the process that was started goes away while its window stays."""

    NEVER = "never"
    PERHAPS = "perhaps"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What to show: the server that answers at ``at``, and how.

    ``size`` is width and height in pixels; ``url`` what a browser opens; ``server`` the name that
    the server's certificate is expected to have, where it is known.
    """

    kind: Kind
    at: Endpoint
    user: str = ""
    fullscreen: bool = False
    size: tuple[int, int] | None = None
    url: str = ""
    server: str = ""


@dataclass(frozen=True, slots=True)
class Desktop:
    """What is known of the desktop in front of the person.

    ``os`` is ``linux``, ``windows``, ``darwin`` or another Unix by name; ``browser`` is
    ``$BROWSER``; ``terminal`` tells whether a program that asks on a terminal has one.
    """

    os: str
    x11: bool = False
    wayland: bool = False
    terminal: bool = False
    browser: str = ""


Words = Callable[[View, str], tuple[str, ...]]
"""The words after the program, for a view and the path of an ``.rdp`` file about it."""


@dataclass(frozen=True, slots=True)
class Client:
    """A program that shows a view.

    Attributes:
        programs: its names, or absolute paths; the first that is there is started.
        words: what follows the program.
        leaves: whether it goes away while its window stays.
        asks: it asks for passwords on the terminal.
        needs: one of these paths must exist too; none: nothing must.
        wants_file: tells whether it is to be given a view as an ``.rdp`` file.
        codes: what its exit statuses mean; those from ``first_failure`` on are failures.
    """

    programs: tuple[str, ...]
    words: Words
    leaves: Leaves = Leaves.NEVER
    asks: bool = False
    needs: tuple[str, ...] = ()
    wants_file: Callable[[View], bool] = lambda _view: False
    codes: tuple[tuple[int, str], ...] = ()
    first_failure: int = 1

    @property
    def name(self) -> str:
        """What to call it in messages."""
        if self.needs:
            return self.needs[0].rpartition("/")[2].removesuffix(".app")
        return name_of(self.programs[0])

    def failure(self, status: int) -> str:
        """Return why an end with ``status`` is a failure, empty where it is none.

        A negative status is a signal: somebody ended it, on purpose.
        """
        if status < self.first_failure:
            return ""
        return dict(self.codes).get(status, f"it ended with status {status}")


def name_of(program: str) -> str:
    """Return the last part of a path, without the ending that Windows gives programs."""
    last = program.replace("\\", "/").rpartition("/")[2]
    return last[:-4] if last.lower().endswith(".exe") else last


def check_user(user: str) -> str:
    """Return a user name that may go into arguments and ``.rdp`` files.

    Raises:
        UsageError: it is empty, too long, or holds a control character.
    """
    if not user or len(user) > MAX_USER or not user.isprintable():
        raise UsageError(
            f"--user {user[:40]!r} is no user name",
            code="bad-user",
            cause=f"it has 1 to {MAX_USER} printable characters, such as alice or CORP\\alice",
        )
    return user


# ---------------------------------------------------------------- words


def _freerdp(view: View, _file: str) -> tuple[str, ...]:
    return (
        f"/v:{view.at}",
        *((f"/u:{view.user}",) if view.user else ()),
        *(("/f",) if view.fullscreen else ()),
        *((f"/size:{view.size[0]}x{view.size[1]}",) if view.size else ()),
        # else the certificate would be compared with the address here
        *((f"/cert:name:{view.server}",) if _NAME.fullmatch(view.server) else ()),
    )


def _rdesktop(view: View, _file: str) -> tuple[str, ...]:
    return (
        *(("-u", view.user) if view.user else ()),
        *(("-f",) if view.fullscreen else ()),
        *(("-g", f"{view.size[0]}x{view.size[1]}") if view.size else ()),
        str(view.at),
    )


def _mstsc(view: View, file: str) -> tuple[str, ...]:
    # A file that nobody signed makes mstsc warn; the command line does not, but takes no user.
    if file:
        return (file,)
    return (
        f"/v:{view.at}",
        *(("/f",) if view.fullscreen else ()),
        *((f"/w:{view.size[0]}", f"/h:{view.size[1]}") if view.size else ()),
    )


def _remmina(view: View, _file: str) -> tuple[str, ...]:
    user = f"{quote(view.user, safe='')}@" if view.user else ""
    return ("-c", f"{view.kind.value}://{user}{view.at}")


def _url(view: View, _file: str) -> tuple[str, ...]:
    return (view.url or f"{view.kind.value}://{view.at}",)


def _vncviewer(view: View, _file: str) -> tuple[str, ...]:
    return (*(("-fullscreen",) if view.fullscreen else ()), f"{view.at.host}::{view.at.port}")


def _file_alone(_view: View, file: str) -> tuple[str, ...]:
    return (file,)


def _with_app(app: str) -> Words:
    return lambda _view, file: ("-a", app, file)


# ---------------------------------------------------------------- the table

# xfreerdp(1), "exit codes"; up to 127 they tell how a session ended.
_FREERDP_CODES = (
    (128, "it did not understand its arguments"),
    (131, "it could not connect"),
    (132, "the server did not accept the login"),
    (133, "it and the server share no security protocol"),
    (134, "the server did not accept the login"),
    (135, "the account is locked out"),
    (143, "there is no TLS with the server"),
    (144, "the account may not do this"),
    (145, "it was told not to connect"),
    (147, "the server ended the connection, as some do after a wrong password"),
    (148, "the password has expired"),
    (149, "the password must be changed"),
    (150, "the domain's Kerberos server cannot be reached"),
    (151, "the account is disabled"),
    (154, "the password is wrong"),
    (155, "the server denies access"),
    (157, "the account has expired"),
    (158, "the account may not log in there"),
)


def _free(*programs: str) -> Client:
    return Client(programs, _freerdp, asks=True, codes=_FREERDP_CODES, first_failure=128)


_XFREERDP = _free("xfreerdp3", "xfreerdp")
_SDL = Client(
    ("sdl-freerdp3", "sdl-freerdp"), _freerdp, codes=_FREERDP_CODES, first_failure=128
)  # has windows of its own for questions
_WLFREERDP = _free("wlfreerdp3", "wlfreerdp")
_REMMINA = Client(("remmina",), _remmina, leaves=Leaves.PERHAPS)
_RDESKTOP = Client(("rdesktop",), _rdesktop, asks=True)
_MSTSC = Client(
    ("mstsc.exe", "mstsc"),
    _mstsc,
    leaves=Leaves.PERHAPS,
    wants_file=lambda view: bool(view.user),
)
_APPS = tuple(
    Client(
        ("open",),
        _with_app(app),
        leaves=Leaves.ALWAYS,
        needs=(app,),
        wants_file=lambda _view: True,
    )
    for app in ("/Applications/Windows App.app", "/Applications/Microsoft Remote Desktop.app")
)
_VIEWERS = tuple(
    Client((name,), _vncviewer, asks=asks)
    for name, asks in (
        ("vncviewer", True),
        ("xtigervncviewer", False),
        ("xvnc4viewer", False),
        ("xtightvncviewer", True),
    )
)
_WINDOWS_VIEWERS = tuple(
    Client(programs, _vncviewer)
    for programs in (
        ("vncviewer.exe", r"C:\Program Files\RealVNC\VNC Viewer\vncviewer.exe"),
        (r"C:\Program Files\TigerVNC\vncviewer.exe",),
        ("tvnviewer.exe", r"C:\Program Files\TightVNC\tvnviewer.exe"),
    )
)
_OPEN = Client(("open",), _url, leaves=Leaves.ALWAYS)
_BROWSERS = (
    *(Client((name,), _url, leaves=Leaves.ALWAYS) for name in ("xdg-open", "sensible-browser")),
    *(
        Client((name,), _url, leaves=Leaves.PERHAPS)
        for name in ("x-www-browser", "firefox", "chromium", "chromium-browser", "google-chrome")
    ),
)
# `start` would be a word of the command interpreter, which takes & in addresses for its own.
_RUNDLL = Client(
    ("rundll32.exe",),
    lambda view, _file: ("url.dll,FileProtocolHandler", view.url),
    leaves=Leaves.ALWAYS,
)


def clients_for(kind: Kind, desktop: Desktop) -> tuple[Client, ...]:
    """Return what could show a view of ``kind`` on ``desktop``, the best first.

    Empty where there is no screen to show it on.
    """
    if kind is Kind.HTTP:
        return (*_wanted_browsers(desktop), *_browsers(desktop))
    if desktop.os == "windows":
        return (_MSTSC, _SDL) if kind is Kind.RDP else _WINDOWS_VIEWERS
    if desktop.os == "darwin":
        if kind is Kind.VNC:
            return (_OPEN,)
        return (*_APPS, _SDL, *((_XFREERDP,) if desktop.x11 else ()))
    if kind is Kind.VNC:
        return (*_VIEWERS, _REMMINA) if desktop.x11 or desktop.wayland else ()
    found = [*([_XFREERDP] if desktop.x11 else []), *([_WLFREERDP] if desktop.wayland else [])]
    if desktop.x11 or desktop.wayland:
        found += [_SDL, _REMMINA]
    if desktop.x11:
        found.append(_RDESKTOP)
    # Without a terminal, one that asks in a window comes first.
    return tuple(found if desktop.terminal else sorted(found, key=lambda each: each.asks))


def _browsers(desktop: Desktop) -> tuple[Client, ...]:
    if desktop.os == "windows":
        return (_RUNDLL,)
    if desktop.os == "darwin":
        return (_OPEN,)
    return _BROWSERS if desktop.x11 or desktop.wayland else ()


def _wanted_browsers(desktop: Desktop) -> Iterator[Client]:
    r"""Yield the commands of ``$BROWSER``: divided by ``:`` (``;`` on Windows), ``%s`` is the
    address."""
    for command in desktop.browser.split(";" if desktop.os == "windows" else ":"):
        try:
            argv = shlex.split(command, posix=desktop.os != "windows")
        except ValueError:
            continue
        if argv:
            yield Client(
                (argv[0],),
                _given(tuple(argv[1:])),
                leaves=Leaves.PERHAPS,
                asks=desktop.terminal,
            )


def _given(words: tuple[str, ...]) -> Words:
    if any("%s" in word for word in words):
        return lambda view, _file: tuple(word.replace("%s", view.url) for word in words)
    return lambda view, _file: (*words, view.url)


# ---------------------------------------------------------------- lines to type


def line_to_type(view: View, desktop: Desktop) -> str:
    """Return what a person types, or does, to see the view."""
    if view.kind is Kind.HTTP:
        return f"open {view.url}"
    if view.kind is Kind.VNC:
        if desktop.os == "darwin":
            return f"open vnc://{view.at}"
        return shlex.join(("vncviewer", *_vncviewer(view, "")))
    if desktop.os == "windows":
        return " ".join(("mstsc", *_mstsc(view, "")))
    if desktop.os == "darwin":
        return f"add a PC in Windows App: {view.at}"
    return shlex.join(("xfreerdp", *_freerdp(view, "")))
