"""The user's saved tunnels: the file, where it is, and changes of it that lose nothing.

A change is made under a lock, so that two programs that save at once do not lose each other's
profile, and the file is replaced as a whole: whoever reads it sees the old one or the new.  A file
that is a symbolic link (as managers of dotfiles make it) stays one.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final

from netkit.errors import ConfigError, UsageError
from netkit.files import at_home, read_bounded, write_private
from netkit.locks import cannot_write, locked
from netkit.model import Fix, Profile, TunnelSpec

if TYPE_CHECKING:
    from netkit.text.profiles.reading import Profiles

__all__ = ["get", "load", "profiles_file", "remove", "rename", "save", "set_default"]

VARIABLE: Final = "NETKIT_PROFILES"
"""Names the file to use instead of the one in the configuration folder."""

FILE: Final = "profiles.toml"

_MAX_SIZE: Final = 1 << 20
_NONE: Final = "none"


def profiles_file() -> Path:
    """Return where the profiles are."""
    if named := os.environ.get(VARIABLE):
        return at_home(Path(named))
    import platformdirs  # noqa: PLC0415 (import cost)

    return Path(platformdirs.user_config_dir("netkit", appauthor=False)) / FILE


def is_there(path: Path | None = None) -> bool:
    """Tell, quickly, whether there is anything at all to load."""
    try:
        (path or profiles_file()).stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):  # whoever reads it says why
        return True
    return True


def load(path: Path | None = None) -> Profiles:
    """Return all profiles; ``~`` in their paths is the home directory.

    Args:
        path: `profiles_file` by default.  A file that is not there holds none.

    Raises:
        UsageError: it cannot be read.
        ConfigError: it is wrong; names file, line and key.
    """
    from netkit.text.profiles.reading import Profiles  # noqa: PLC0415 (import cost)

    path = path or profiles_file()
    found = _decoded(_read(path), path)
    return Profiles(tuple(_with_paths(each, at_home) for each in found.profiles), found.default)


def get(name: str, path: Path | None = None) -> Profile:
    """Return a profile.

    Raises:
        UsageError: there is none of that name (``unknown-profile``), or as `load`.
    """
    return _with_paths(stored(name, path), at_home)


def stored(name: str, path: Path | None = None) -> Profile:
    """Return a profile as the file says it, ``~`` in its paths and all.  Raises as `get`."""
    path = path or profiles_file()
    known = _decoded(_read(path), path)
    profile = known.find(name)
    if profile is None:
        raise _unknown(name, known.names, path)
    return profile


def save(profile: Profile, *, replace: bool = False, path: Path | None = None) -> str:
    """Keep a profile; return ``added``, ``changed`` or ``unchanged``.

    Args:
        profile: its paths below the home directory are written with ``~``, relative ones in full.
        replace: whether one of that name may be changed.
        path: `profiles_file` by default.

    Raises:
        UsageError: there is another one of that name (``profile-exists``), a value in it cannot be
            saved, or the file cannot be read or written; the file is as it was.
        ConfigError: the file is wrong.
        ResourceError: another program keeps it locked.
    """
    from netkit.text.profiles import editing  # noqa: PLC0415 (import cost)

    new = editing.canonical(_with_paths(profile, _portable))
    result = "unchanged"

    def change(text: str, known: Profiles) -> str:
        nonlocal result
        old = known.find(new.name)
        if old is not None and _with_paths(old, _portable) == new:
            return text
        if old is not None and not replace:
            raise UsageError(
                f"there is a profile {new.name} already",
                code="profile-exists",
                cause="it says something else",
                fixes=(
                    Fix(("netkit", "profile", "show", new.name), note="what it says"),
                    Fix(("netkit", "profile", "save", "...", "--replace")),
                ),
            )
        result = "added" if old is None else "changed"
        return editing.put(text, new, known)

    _change(path or profiles_file(), change)
    return result


def would_save(profile: Profile, *, path: Path | None = None) -> str:
    """Return what `save` with ``replace`` would; nothing is written.  Raises as `save`."""
    from netkit.text.profiles import editing  # noqa: PLC0415 (import cost)

    path = path or profiles_file()
    new = editing.canonical(_with_paths(profile, _portable))
    old = _decoded(_read(path), path).find(new.name)
    if old is None:
        return "added"
    return "unchanged" if _with_paths(old, _portable) == new else "changed"


def remove(name: str, *, path: Path | None = None) -> None:
    """Forget a profile; raises as `get` and `save`."""
    from netkit.text.profiles import editing  # noqa: PLC0415 (import cost)

    path = path or profiles_file()

    def change(text: str, known: Profiles) -> str:
        _check_known(name, known, path)
        return editing.drop(text, name)

    _change(path, change)


def rename(old: str, new: str, *, path: Path | None = None) -> None:
    """Call a profile ``new``; raises as `get` and `save`."""
    from netkit.text.profiles import editing  # noqa: PLC0415 (import cost)

    path = path or profiles_file()

    def change(text: str, known: Profiles) -> str:
        _check_known(old, known, path)
        if new != old and known.find(new) is not None:
            raise UsageError(
                f"there is a profile {new} already",
                code="profile-exists",
                cause="two cannot have one name",
                fixes=(Fix(("netkit", "profile", "remove", new)),),
            )
        return editing.rename(text, old, new)

    _change(path, change)


def set_default(name: str, *, path: Path | None = None) -> None:
    """Make a profile the default; an empty name: none is.  Raises as `get` and `save`."""
    from netkit.text.profiles import editing  # noqa: PLC0415 (import cost)

    path = path or profiles_file()

    def change(text: str, known: Profiles) -> str:
        if name:
            _check_known(name, known, path)
        return editing.set_default(text, name)

    _change(path, change)


def replace_text(text: str, before: bytes, *, path: Path | None = None) -> None:
    """Write the whole file as a person has edited it.

    Args:
        text: the new content, which is checked.
        before: what the edit began with.
        path: `profiles_file` by default.

    Raises:
        ConfigError: ``text`` is wrong; the file is as it was.
        UsageError: another program has changed the file meanwhile (``profiles-changed``), or it
            cannot be written.
    """
    from netkit.text.profiles.reading import decode  # noqa: PLC0415 (import cost)

    path = path or profiles_file()
    decode(text.encode("utf-8", "surrogatepass"), f"the new {path.name}")

    def swap(now: bytes) -> bytes:
        if now != before:
            raise UsageError(
                f"{path} has changed since the edit began",
                code="profiles-changed",
                cause="another program has saved a profile meanwhile",
            )
        return text.encode()

    _replace(path, swap)


def content(path: Path | None = None) -> bytes:
    """Return the file as it is; empty where there is none.  Raises UsageError as `load`."""
    return _read(path or profiles_file())


def _decoded(data: bytes, path: Path) -> Profiles:
    """Return what a file says; an error names the command that edits it."""
    from netkit.text.profiles.reading import decode  # noqa: PLC0415 (import cost)

    try:
        return decode(data, str(path))
    except ConfigError as error:
        error.fixes = error.fixes or (Fix(("netkit", "profile", "edit")),)
        raise


def _read(path: Path) -> bytes:
    return read_bounded(path, _MAX_SIZE) if is_there(path) else b""


def _change(path: Path, change: Callable[[str, Profiles], str]) -> None:
    """Replace the file by what ``change`` makes of its text and the profiles in it."""
    from netkit.text.profiles.source import to_text  # noqa: PLC0415 (import cost)

    def make(data: bytes) -> bytes:
        known = _decoded(data, path)
        text = to_text(data, str(path))
        new = change(text, known)
        return data if new == text else new.encode()

    _replace(path, make)


def _replace(path: Path, make: Callable[[bytes], bytes]) -> None:
    """Replace the file by what ``make`` makes of it, unless that is the same."""
    real = _real(path)
    with locked(real):
        data = _read(real)
        new = make(data)
        if new != data or not real.exists():
            write_private(real, new)


def _real(path: Path) -> Path:
    """Return the file that ``path`` leads to, its folder made."""
    try:
        real = path.resolve()
        real.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise cannot_write(path, error) from None
    return real


def _check_known(name: str, known: Profiles, path: Path) -> None:
    if known.find(name) is None:
        raise _unknown(name, known.names, path)


def _unknown(name: str, names: tuple[str, ...], path: Path) -> UsageError:
    close = get_close_matches(name, names, 3, 0.5)
    if close:
        cause = f"did you mean {' or '.join(close)}?"
    elif names:
        more = ", …" if len(names) > 10 else ""
        cause = f"there are {', '.join(names[:10])}{more}"
    else:
        cause = f"none is saved in {path}"
    return UsageError(
        f"there is no profile {name!r}",
        code="unknown-profile",
        cause=cause,
        fixes=(Fix(("netkit", "profile", "list")),),
    )


def _with_paths(profile: Profile, change: Callable[[Path], Path]) -> Profile:
    """Return ``profile`` with its paths changed."""
    tunnel: TunnelSpec = replace(
        profile.tunnel,
        identities=tuple(change(path) for path in profile.tunnel.identities),
        config_file=None
        if profile.tunnel.config_file is None
        else change(profile.tunnel.config_file),
    )
    return replace(profile, tunnel=tunnel)


def _portable(path: Path) -> Path:
    """Return ``path`` as it holds in any folder, and in another home directory."""
    if str(path).lower() == _NONE or str(path).startswith("~"):
        return path
    with contextlib.suppress(OSError):  # the current folder is gone
        path = Path(os.path.abspath(path))  # noqa: PTH100 - links stay as they are
    try:
        return Path("~") / path.relative_to(Path.home())
    except (ValueError, RuntimeError):
        return path
