"""Shortcuts of Windows: ``.lnk`` files (MS-SHLLINK), written and read on any system."""

from __future__ import annotations

import io
from dataclasses import dataclass

from netkit.errors import UsageError

MAX_FILE = 64 * 1024

MAX_ARGUMENTS = 260
"""Characters that Explorer keeps of each string (MAX_PATH)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    r"""A program to start; ``target`` is an absolute path such as ``C:\\netkit\\netkit.exe``.

    ``minimised``: its window opens in the task bar.
    """

    target: str
    arguments: str = ""
    description: str = ""
    icon: str = ""
    folder: str = ""
    minimised: bool = False


def format_link(link: Link) -> bytes:
    """Return the file.

    Raises:
        UsageError: the target is no local path, or a text is too long or no text.
    """
    import pylnk3  # type: ignore[import-untyped]

    _check(link)
    made = pylnk3.for_file(
        link.target,
        arguments=link.arguments or None,
        description=link.description or None,
        icon_file=link.icon or None,
        work_dir=link.folder or None,
        window_mode=pylnk3.WINDOW_MINIMIZED if link.minimised else pylnk3.WINDOW_NORMAL,
    )
    for item in made.shell_item_id_list.items:
        if isinstance(item, pylnk3.PathSegmentEntry):
            item.short_name = _short_name(item.full_name)
    file = io.BytesIO()
    try:
        made.write(file)
    except (UnicodeError, ValueError) as error:
        raise _cannot(link.target, str(error)) from None
    return file.getvalue()


def parse_link(data: bytes) -> Link:
    """Return what a file starts.

    Raises:
        UsageError: it is none, or one that pylnk3 cannot read.
    """
    import pylnk3

    if len(data) > MAX_FILE or not data.startswith(b"L\0\0\0"):
        raise UsageError("this is no .lnk file", code="bad-shortcut")
    try:
        made = pylnk3.Lnk(io.BytesIO(data))
        return Link(
            target=made.path or "",
            arguments=made.arguments or "",
            description=made.description or "",
            icon=made.icon or "",
            folder=made.work_dir or "",
            minimised=made.window_mode == pylnk3.WINDOW_MINIMIZED,
        )
    except Exception as error:  # noqa: BLE001 - it is no parser of hostile input, and raises anything
        raise UsageError(
            "this .lnk file cannot be read", code="bad-shortcut", cause=str(error)[:200]
        ) from None


def _short_name(name: str) -> str:
    """Return the name beside the real one, for systems without Unicode.

    pylnk3 0.4.3 marks a short name that is not ASCII as if it were, and takes its length for that
    of the real one in UTF-16 units.
    """
    units = len(name.encode("utf-16-le", "surrogatepass")) // 2
    return "".join(letter if letter.isascii() else "_" for letter in name).ljust(units, "_")


def _check(link: Link) -> None:
    target = link.target
    is_local = target[1:3] == ":\\" and target[:1].isascii() and target[:1].isalpha()
    if not is_local or not target.isprintable():
        raise _cannot(target, r"its path does not begin with a drive, as in C:\netkit.exe")
    if len(target) > MAX_ARGUMENTS:
        raise _cannot(target, f"its path has more than {MAX_ARGUMENTS} characters")
    for text in (link.arguments, link.description, link.icon, link.folder):
        if len(text) > MAX_ARGUMENTS or any(ord(letter) < 32 for letter in text):
            raise _cannot(text, f"a text has at most {MAX_ARGUMENTS} characters in one line")
        # pylnk3 0.4.3 takes characters for UTF-16 units
        if any("\ud800" <= letter <= "\udfff" or letter > "\uffff" for letter in text):
            raise _cannot(text, "it has a character of more than 16 bits")


def _cannot(text: str, why: str) -> UsageError:
    return UsageError(
        f"{text[:60]!r} cannot be started by a .lnk file", code="bad-shortcut", cause=why
    )
