"""What to say about a holder, and the commands that end it or show more.  Pure."""

from __future__ import annotations

from diagnostics.knowledge.port_holders import known
from diagnostics.model import Evidence
from diagnostics.parsers.text import clean
from diagnostics.ports.holders import Holder
from diagnostics.ports.points import where
from netkit.model import Fix


def who(holder: Holder, os: str) -> str:
    """Return the holder as a part of a sentence."""
    if holder.container:
        return f"the container {holder.container}"
    if holder.pid is None:
        return _unseen(holder)
    name = holder.shown or "a program"
    details = [f"process {holder.pid}"]
    if holder.services:
        details.append(f"service {', '.join(holder.services[:3])}")
    elif holder.unit:
        details.append(f"systemd unit {holder.unit}")
    if holder.user and not holder.ours:
        details.append(f"user {holder.user}")
    text = f"{name} ({', '.join(details)})"
    found = known(os, holder.names, holder.port)
    return text if found is None else f"{text}, which is {found.what}"


def _unseen(holder: Holder) -> str:
    if holder.unit:
        return f"systemd, for {holder.unit}"
    if holder.user:
        return f"a program of user {holder.user}"
    return "a program whose owner is not known"


def evidence(holder: Holder) -> Evidence:
    """Return the socket and the command line behind it."""
    held = where(holder.host, holder.port)
    said = " ".join(holder.command) or holder.shown or "command line not visible to you"
    process = "" if holder.pid is None else f"process {holder.pid}: "
    return Evidence(f"listens on {held}", clean(f"{process}{said}", 500))


def ending(holder: Holder, os: str) -> tuple[Fix, ...]:
    """Return the commands that make the holder let go, where it is clear which do so safely.

    A program is ended only if it is a tunnel of the user who asks; services and containers are
    stopped by what runs them.
    """
    if holder.container:
        stop, start = ((holder.tool, verb, holder.container) for verb in ("stop", "start"))
        return (Fix(stop, note="stops that container", undo=start),)
    if holder.is_tunnel:
        return _tunnel(holder, os)
    found = known(os, holder.names, holder.port)
    if found is not None and found.fixes:
        return found.fixes
    if holder.unit:
        return (_unit(holder),)
    if holder.services and found is None:
        name = holder.services[0]
        start = ("sc.exe", "start", name)
        return (Fix(("sc.exe", "stop", name), needs_admin=True, undo=start),)
    return ()


def _unit(holder: Holder) -> Fix:
    prefix: tuple[str, ...] = ("sudo", "systemctl")
    if holder.user_unit:
        prefix = ("systemctl", "--user")
    note = "until it is started again, at the latest by a restart of the machine"
    return Fix(
        (*prefix, "stop", holder.unit),
        note=note,
        needs_admin=not holder.user_unit,
        undo=(*prefix, "start", holder.unit),
    )


def _tunnel(holder: Holder, os: str) -> tuple[Fix, ...]:
    control = holder.mux or _control_path(holder)
    if control:
        name = _destination(holder) or "gateway"
        note = "ends the connection with every session that shares it"
        return (Fix(("ssh", "-S", control, "-O", "exit", name), note=note),)
    pid, program = holder.pid, holder.shown or holder.name
    if holder.parent_name == "autossh" and holder.parent_pid is not None:
        # autossh would start its ssh again
        pid, program = holder.parent_pid, "autossh"
    kill = ("taskkill", "/F", "/PID", str(pid)) if os == "windows" else ("kill", str(pid))
    return (Fix(kill, note=f"ends {program}"),)


def _control_path(holder: Holder) -> str:
    """Return the control socket that a master was told on its command line."""
    words = holder.command
    if not any(word.startswith("-M") for word in words):
        return ""
    for index, word in enumerate(words):
        if word == "-S" and index + 1 < len(words):
            return words[index + 1]
    return ""


# ssh(1): options that take a value
_VALUED = frozenset("BbcDEeFIiJLlmOoPpQRSWw")


def _destination(holder: Holder) -> str:
    """Return the host that an ssh was told, the first word that is no option nor its value."""
    words = [] if holder.mux else list(holder.command[1:])
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            return word
        letters = word[1:]
        at = next((i for i, letter in enumerate(letters) if letter in _VALUED), -1)
        if at == len(letters) - 1 and letters and words:
            words.pop(0)
    return ""


def looking(port: int, os: str) -> Fix:
    """Return the command that names the holder, for whoever may see everybody's sockets."""
    argv = {
        "linux": ("sudo", "ss", "-ltnp", f"sport = :{port}"),
        "windows": ("netstat", "-anob", "-p", "TCP"),
        "darwin": ("sudo", "lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN"),
    }.get(os, ("sockstat", "-l", "-P", "tcp", "-p", str(port)))
    return Fix(argv, note="shows which program it is", needs_admin=True)
