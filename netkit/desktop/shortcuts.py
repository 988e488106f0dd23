"""Shortcuts that start a saved tunnel: where they are, written and removed.

Linux and its kin get a ``.desktop`` file, Windows a ``.lnk``, macOS a ``.command`` script.  A file
that is not one of ours is never touched.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from netkit import programs
from netkit.desktop.shortcut_text import Shortcut, Start, content, profile_of
from netkit.desktop.windows_link import MAX_FILE
from netkit.errors import UsageError
from netkit.files import read_bounded, write_private
from netkit.model import Fix


@dataclass(frozen=True, slots=True)
class Place:
    """A file, and what system it is for: ``linux``, ``windows`` or ``darwin``.

    ``on_desktop``: it lies where icons are clicked, and has to be trusted.
    """

    path: Path
    os: str
    on_desktop: bool = False


def this_start(environment: Mapping[str, str] = os.environ) -> Start:
    """Return how the netkit that runs now is started again."""
    here = Path(sys.executable)
    windows = sys.platform == "win32"
    script = here.with_name("netkit.exe" if windows else "netkit")
    windowless = here.with_name("pythonw.exe") if windows else here
    return Start(
        program=(str(script),) if script.is_file() else (str(here), "-m", "netkit"),
        hidden=(str(windowless), "-m", "netkit.cli.clients.hidden"),
        environment=tuple(
            (name, environment[name]) for name in ("NETKIT_PROFILES",) if environment.get(name)
        ),
        shell=str(
            PureWindowsPath(environment.get("SystemRoot", "C:\\Windows"), "System32\\cmd.exe")
        ),
    )


# ---------------------------------------------------------------- where


def place_for(where: str, name: str, profile: str, os_name: str) -> Place:
    """Return the file for ``where``: ``desktop``, ``menu``, or a folder or file.

    Raises:
        UsageError: there is no such folder, or the file has another ending.
    """
    ending = {"windows": ".lnk", "darwin": ".command"}.get(os_name, ".desktop")
    if where == "desktop":
        return Place(_folder(_desktop_folder(), where) / f"{name}{ending}", os_name, True)
    if where == "menu":
        folder = _menu_folder(os_name)
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
        # a menu knows its entries by the names of the files
        file = f"netkit-{profile}{ending}" if ending == ".desktop" else f"{name}{ending}"
        return Place(_folder(folder, where) / file, os_name)
    path = Path(where).expanduser()
    if path.is_dir():
        return Place(path / f"{name}{ending}", os_name, path == _desktop_folder())
    if path.suffix.lower() != ending:
        raise UsageError(
            f"{where} is no folder, and no file that ends with {ending}",
            code="bad-shortcut-place",
            cause=f"shortcuts of this system are files that end with {ending}",
        )
    _folder(path.parent, where)
    return Place(path, os_name, path.parent == _desktop_folder())


def _folder(folder: Path, where: str) -> Path:
    if not folder.is_dir():
        raise UsageError(
            f"there is no folder {folder}",
            code="bad-shortcut-place",
            cause=f"--where {where} would be there",
            fixes=(Fix(("netkit", "shortcut", "...", "--where", "menu")),)
            if where == "desktop"
            else (),
        )
    return folder


def _desktop_folder() -> Path:
    from platformdirs import user_desktop_path

    return Path(user_desktop_path())


def default_where() -> str:
    """Return ``desktop`` where there is one, else ``menu``."""
    return "desktop" if _desktop_folder().is_dir() else "menu"


def _menu_folder(os_name: str) -> Path:
    home = Path.home()
    if os_name == "windows":
        data = os.environ.get("APPDATA") or home / "AppData" / "Roaming"
        return Path(data, "Microsoft", "Windows", "Start Menu", "Programs")
    if os_name == "darwin":
        return home / "Applications"
    data = os.environ.get("XDG_DATA_HOME", "")
    return (Path(data) if data.startswith("/") else home / ".local" / "share") / "applications"


# ---------------------------------------------------------------- writing and removing


def write(shortcut: Shortcut, place: Place, start: Start) -> str:
    """Write the file; return what a person still has to do, empty if nothing.

    Raises:
        UsageError: another file is there, or it cannot be written.
    """
    data = content(shortcut, start, place.os)
    if place.path.is_symlink() or place.path.exists():
        _check_ours(place)
    write_private(place.path, data)
    if place.os == "windows":
        return ""
    with contextlib.suppress(OSError):
        # An entry of a menu need not be executable; one on the desktop, and a script, must.
        place.path.chmod(0o755 if place.on_desktop or place.os == "darwin" else 0o644)
    if place.os == "darwin" or not place.on_desktop or _trust(place.path, data):
        return ""
    return "if the icon asks for it, right-click it and choose Allow Launching"


def remove(place: Place, profile: str) -> None:
    """Remove the shortcut of ``profile``.

    Raises:
        UsageError: there is none, the file is another's, or it cannot be removed.
    """
    if not place.path.exists():
        raise UsageError(
            f"there is no shortcut {place.path}",
            code="no-shortcut",
            cause="it was written elsewhere (--where) or under another name (--name)",
        )
    found = _check_ours(place)
    if found != profile:
        raise UsageError(
            f"{place.path} is the shortcut of {found}", code="file-exists", cause="it stays"
        )
    try:
        place.path.unlink()
    except OSError as error:
        raise UsageError(
            f"{place.path} cannot be removed: {error.strerror}", code="cannot-write"
        ) from None


def _check_ours(place: Place) -> str:
    """Return the profile of the file that is there.  Raises UsageError if it is none of ours."""
    profile = ""
    if not place.path.is_symlink():
        profile = profile_of(read_bounded(place.path, MAX_FILE), place.os)
    if not profile:
        raise UsageError(
            f"{place.path} is there and no shortcut of netkit",
            code="file-exists",
            cause="netkit does not touch it",
            fixes=(Fix(("netkit", "shortcut", "...", "--name", "ANOTHER NAME")),),
        )
    return profile


def _trust(path: Path, data: bytes) -> bool:
    """Tell GNOME and Xfce that the user wants the icon to start its program."""
    gio = programs.find("gio")
    if gio is None:
        return False
    ran = programs.run((gio, "set", str(path), "metadata::trusted", "true"), timeout=3)
    checksum = hashlib.sha256(data).hexdigest()
    programs.run(
        (gio, "set", "-t", "string", str(path), "metadata::xfce-exe-checksum", checksum), timeout=3
    )
    return ran.status == 0
