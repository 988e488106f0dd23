"""What keeps an X server from being lent, in the doctor's codes (``netkit doctor --explain``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from diagnostics.parsers.text import clean
from diagnostics.parsers.x_display import SOCKET_DIR, Display
from diagnostics.parsers.x_setup import Reply
from diagnostics.parsers.xauthority import MAGIC_COOKIE, Entry
from netkit.desktop.x_talk import CLOSED, SILENT, Answer
from netkit.errors import DisplayError, UsageError
from netkit.model import Fix
from netkit.programs import Ran
from netkit.wire.untrusted import printable
from netkit.wire.x11 import COOKIE, MAX_COOKIE

_DOCTOR = Fix(("netkit", "doctor", "--for", "x11"), note="looks at DISPLAY, server and cookies")
TRUST = Fix(("netkit", "forward", "...", "-Y"), note="trusts programs there with this display")


def no_display(system: str) -> UsageError:
    """DISPLAY is not set."""
    fixes: tuple[Fix, ...]
    if system == "darwin":
        fixes = (
            Fix(("open", "-a", "XQuartz"), note="then log out and in once, which sets DISPLAY"),
            Fix(("brew", "install", "--cask", "xquartz"), note="where it is not installed"),
        )
    else:
        fixes = (Fix(("ls", SOCKET_DIR), note="shows the displays here: X0 is DISPLAY=:0"),)
    return UsageError(
        "there is no display here to show X programs on: DISPLAY is not set",
        code="x-display-missing",
        cause="the shell was not started from a desktop, or there is no X server",
        fixes=fixes,
    )


def malformed(text: str, display: Display) -> UsageError:
    """DISPLAY is no display."""
    return UsageError(
        f"DISPLAY={printable(text, 80)} names no X server: {display.error}",
        code="x-display-malformed",
        cause=display.hint or "DISPLAY has the form host:number, as in :0",
        fixes=(_DOCTOR,),
    )


def unknown_host(name: str, host: str, why: str) -> DisplayError:
    """The host of DISPLAY has no address."""
    return DisplayError(
        f"DISPLAY={printable(name, 80)}: {printable(host, 80)} has no address",
        code="x-display-host",
        cause=printable(why),
        fixes=(_DOCTOR,),
    )


def dead(name: str, display: Display, tried: Sequence[Answer]) -> DisplayError:
    """Nothing listens there."""
    seen = "; ".join(f"{answer.place}: {answer.error}" for answer in tried[:4])
    here = display.host in ("localhost", "127.0.0.1", "::1")
    stale = here and display.number >= 10
    cause = "the session that DISPLAY is of has ended" if stale else "the X server does not run"
    return DisplayError(
        f"no X server answers at DISPLAY={printable(name, 80)}",
        code="x-display-stale" if stale else "x-server-dead",
        cause=f"{cause} ({printable(seen, 300) or 'this system has no unix sockets'})",
        fixes=(_DOCTOR,),
    )


def no_x(name: str, answer: Answer) -> DisplayError:
    """Something listens there that is no X server, or a hung one."""
    shown = printable(name, 80)
    if answer.outcome == SILENT:
        code, what = "x-server-silent", f"the X server at DISPLAY={shown} does not answer"
        cause = "it hangs, or a firewall swallows what it is asked"
    elif answer.outcome == CLOSED:
        code, what = "x-not-a-server", f"what is at DISPLAY={shown} hangs up without a word"
        cause = "it is no X server, or an ssh -X whose other end refuses"
    else:
        code, what = "x-not-a-server", f"what is at DISPLAY={shown} is no X server"
        cause = f"it says {printable(answer.reply.reason, 80)!r}"
    return DisplayError(what, code=code, cause=cause, fixes=(_DOCTOR,))


def no_cookie(name: str, key: str, file: Path, trouble: str, reply: Reply) -> DisplayError:
    """The server wants a cookie, and there is none."""
    if _is_full(reply):
        return _full(name)
    cause = trouble or f"{file} has none for {key}"
    return DisplayError(
        f"X server {printable(name, 80)} wants a cookie, and there is none for it here",
        code="x-no-cookie",
        cause=printable(cause, 300),
        fixes=(
            Fix(("xauth", "list"), note="shows whose cookies there are"),
            _DOCTOR,
        ),
    )


def unusable(name: str, entry: Entry) -> DisplayError | None:
    """Return why a cookie cannot be sent at all; None where it can."""
    shown = printable(name, 80)
    if entry.protocol != MAGIC_COOKIE:
        protocol = clean(entry.protocol, 40) or "no protocol"
        return DisplayError(
            f"the authorization for X server {shown} is {protocol}",
            code="x-wrong-cookie",
            cause="netkit sends MIT-MAGIC-COOKIE-1, the one protocol that SSH forwards",
            fixes=(_DOCTOR,),
        )
    if not 0 < len(entry.data) <= MAX_COOKIE:
        return DisplayError(
            f"the cookie for X server {shown} has {len(entry.data)} bytes",
            code="x-wrong-cookie",
            cause=f"an MIT-MAGIC-COOKIE-1 has {COOKIE}",
            fixes=(Fix(("xauth", "remove", shown), note="then log in to the desktop again"),),
        )
    return None


def cookie_refused(name: str, key: str, entry: Entry, answer: Answer) -> DisplayError:
    """The server does not know the cookie."""
    shown = printable(name, 80)
    if _is_full(answer.reply):
        return _full(name)
    said = printable(answer.reply.reason, 120) or answer.outcome
    length = "" if len(entry.data) == COOKIE else f"; it has {len(entry.data)} bytes, not {COOKIE}"
    return DisplayError(
        f"X server {shown} refuses the cookie for {printable(key, 80)}: {said}",
        code="x-wrong-cookie",
        cause=f"the cookie is of an earlier server{length}",
        fixes=(
            Fix(("xauth", "remove", shown), note="then log in to the desktop again"),
            _DOCTOR,
        ),
    )


def _is_full(reply: Reply) -> bool:
    return "maximum number of clients" in reply.reason.lower()


def _full(name: str) -> DisplayError:
    return DisplayError(
        f"X server {printable(name, 80)} takes no more programs",
        code="x-server-full",
        cause="it has the most clients it may have; close some windows",
        fixes=(_DOCTOR,),
    )


def no_security(name: str, vendor: str) -> DisplayError:
    """The server cannot limit programs."""
    return DisplayError(
        f"X server {printable(name, 80)} cannot show programs that are not trusted",
        code="x-ssh-untrusted",
        cause=f"it ({printable(vendor, 60) or 'unnamed'}) has no SECURITY extension, so a program "
        "there would see every window and key here",
        fixes=(TRUST,),
    )


def no_xauth(name: str) -> DisplayError:
    """xauth is missing."""
    return DisplayError(
        f"X server {printable(name, 80)} cannot be asked for an untrusted cookie: no xauth here",
        code="x-ssh-no-xauth",
        cause="xauth makes the cookie that limits what programs may do",
        fixes=(Fix(("apt-get", "install", "xauth"), needs_admin=True), TRUST),
    )


def not_generated(name: str, ran: Ran) -> DisplayError:
    """xauth made none."""
    said = printable(ran.errors or ran.output, 200) or ran.error or f"it ends with {ran.status}"
    return DisplayError(
        f"xauth makes no untrusted cookie for X server {printable(name, 80)}",
        code="x-ssh-untrusted",
        cause=said,
        fixes=(TRUST,),
    )


def generated_refused(name: str, answer: Answer) -> DisplayError:
    """The server forgot the cookie at once."""
    said = printable(answer.reply.reason, 120) or answer.outcome
    return DisplayError(
        f"X server {printable(name, 80)} forgets the untrusted cookie it has just made: {said}",
        code="x-ssh-untrusted",
        cause="it starts afresh whenever its last program leaves (it lacks -noreset), or it is a "
        "display that SSH forwards, which knows a single cookie",
        fixes=(TRUST,),
    )
