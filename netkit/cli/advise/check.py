"""The files of a recipe, read by the programs that are to use them, where those are installed.

Nothing is opened, loaded or sent: each program reads and is then stopped by something missing that
comes after the reading (an interface, a daemon, a script that succeeds).  What is claimed is what
was done: reading a file finds its errors, a tunnel that works shows the rest.
"""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from netkit import programs
from netkit.advise import openvpn, vici, wireguard
from netkit.advise.model import File, Recipe, Technology
from netkit.files import write_private
from netkit.programs import Ran

READ, BROKEN, ABSENT, UNKNOWN = "read", "broken", "not installed", "unknown"

_SBIN: Final = ("/usr/local/sbin", "/usr/sbin", "/sbin")

# Longer than any name of an interface (15 characters): there is none to be changed by mistake.
_NO_INTERFACE: Final = "netkit-no-such-interface"


_Reader = Callable[[str, Path], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of a file: its path in the folder, by which program, the result, and how."""

    path: str
    program: str
    result: str
    detail: str = ""


def check(recipe: Recipe) -> tuple[Checked, ...]:
    """Have every file read by its program; the files are in a private folder meanwhile."""
    with tempfile.TemporaryDirectory(prefix="nk-") as folder:
        return tuple(_check(recipe.technology, file, Path(folder)) for file in recipe.files)


def _check(technology: Technology, file: File, folder: Path) -> Checked:
    program, reader = _reader(technology, file.name)
    found = find(program)
    if found is None:
        return Checked(file.path, program, ABSENT)
    side = folder / file.side
    side.mkdir(mode=0o700, exist_ok=True)
    path = side / file.name
    text = _FOR_READING.get(reader, str)(file.text)
    write_private(path, text.encode())
    result, detail = reader(found, path)
    return Checked(file.path, program, result, detail)


def _reader(technology: Technology, name: str) -> tuple[str, _Reader]:
    if name.endswith("-sshd.conf"):
        return "sshd", _sshd
    return _BY_SUFFIX.get(name.rpartition(".")[2]) or _BY_TECHNOLOGY[technology]


def find(program: str) -> str | None:
    """Return where a program is; servers live where a user's PATH often does not look."""
    return programs.find(program, *(f"{folder}/{program}" for folder in _SBIN))


def _words(ran: Ran) -> str:
    """Return what a program said last, in one line."""
    text = (ran.errors + b"\n" + ran.output).decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return ran.error or "; ".join(lines[:2]) or f"exit status {ran.status}"


def _wireguard(program: str, path: Path) -> tuple[str, str]:
    """Strip wg-quick's own words, then have wg parse the rest, for no interface that exists."""
    ran = programs.run([program, "strip", str(path)])
    if ran.status is None:
        return UNKNOWN, ran.error
    if ran.status != 0:
        return BROKEN, _words(ran)
    wg = find("wg")
    if wg is None:
        return READ, "by wg-quick strip; wg is not installed"
    bare = path.with_name("bare.conf")
    write_private(bare, ran.output)
    parsed = programs.run([wg, "setconf", _NO_INTERFACE, str(bare)])
    if b"Unable to modify interface" in parsed.errors:
        return READ, "by wg-quick strip and wg setconf; no interface was touched"
    return (BROKEN if parsed.status is not None else UNKNOWN), _words(parsed)


def _openvpn(program: str, path: Path) -> tuple[str, str]:
    """Let it read the file and the keys in it, with a null device, up to a script that fails."""
    false = programs.find("false")
    if false is None:
        return UNKNOWN, "there is no program false, at which it would stop"
    ran = programs.run(
        [
            *(program, "--cd", str(path.parent), "--config", str(path), "--dev", "null"),
            *("--ifconfig-noexec", "--route-noexec", "--route-gateway", "127.0.0.1"),
            *("--ifconfig-nowarn", "--script-security", "2", "--up", false),
        ]
    )
    said = ran.errors + ran.output
    if ran.status is None:
        return UNKNOWN, ran.error
    if b"external program exited with error status" in said and b"failed to parse" not in said:
        return READ, "options, certificate and keys, with a null device; nothing was sent"
    worst = [line for line in said.decode("utf-8", "replace").splitlines() if _is_error(line)]
    return BROKEN, "; ".join(worst[:2]) or _words(ran)


def _is_error(line: str) -> bool:
    return any(word in line for word in ("rror", "annot", "failed", "must "))


def _swanctl(program: str, path: Path) -> tuple[str, str]:
    """Have it load the file into a daemon that is none: ours, which says yes to everything."""
    with _daemon() as (uri, server):
        ran = programs.run([program, "--load-pools", "--file", str(path), "--uri", uri])
        if ran.status == 0:
            ran = programs.run([program, "--load-conns", "--file", str(path), "--uri", uri])
    if ran.status is None:
        return UNKNOWN, ran.error
    loaded = [each.message for each in server.requests if each.name == "load-conn"]
    if ran.status != 0 or not loaded:
        lines = ran.errors.decode("utf-8", "replace").splitlines()
        errors = [line for line in lines if not line.startswith("plugin ")]
        return BROKEN, "; ".join(errors[:2]) or "it holds no connection"
    children = sum(_children(message) for message in loaded)
    return READ, f"{len(loaded)} connection with {children} children; charon has not judged them"


def _children(message: vici.Message) -> int:
    sections = [value for value in message.values() if isinstance(value, dict)]
    found = [value for each in sections if isinstance(value := each.get("children"), dict)]
    return sum(map(len, found))


@contextlib.contextmanager
def _daemon() -> Iterator[tuple[str, vici.Server]]:
    """Answer on a socket of our own, one connection after another, until the end."""
    server = vici.Server()
    with tempfile.TemporaryDirectory(prefix="nk-") as folder:
        path = str(Path(folder) / "vici")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(path)
            listener.listen(4)
            thread = threading.Thread(target=_serve, args=(listener, server), name="vici")
            thread.start()
            try:
                yield f"unix://{path}", server
            finally:
                with contextlib.suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)  # ends the accept that waits
                thread.join()


def _serve(listener: socket.socket, server: vici.Server) -> None:
    with contextlib.suppress(OSError):
        while True:
            sock, _ = listener.accept()
            with sock, contextlib.suppress(OSError, vici.ViciError):
                sock.settimeout(programs.TIMEOUT)
                while data := sock.recv(1 << 16):
                    sock.sendall(server.receive(data))


def _sshd(program: str, path: Path) -> tuple[str, str]:
    ran = programs.run([program, "-t", "-f", str(path)])
    if ran.status is None:
        return UNKNOWN, ran.error
    # without host keys it ends after it has read the file
    if ran.status == 0 or b"no hostkeys available" in ran.errors:
        return READ, "by sshd -t"
    return BROKEN, _words(ran)


def _shell(program: str, path: Path) -> tuple[str, str]:
    ran = programs.run([program, "-n", str(path)])
    if ran.status is None:
        return UNKNOWN, ran.error
    return (READ, "by sh -n; nothing was run") if ran.status == 0 else (BROKEN, _words(ran))


def _nft(program: str, path: Path) -> tuple[str, str]:
    ran = programs.run([program, "--check", "--file", str(path)])
    if ran.status == 0:
        return READ, "by nft --check; no rule was changed"
    if ran.status is None or b"ermitted" in ran.errors or b"ermission" in ran.errors:
        return UNKNOWN, _words(ran)  # even a check needs rights
    return BROKEN, _words(ran)


def _pppd(program: str, path: Path) -> tuple[str, str]:
    """Go by its exit status (pppd(8)): 2 is a fault in the options; 4, no PPP here, comes later."""
    ran = programs.run([program, "file", str(path), "dryrun"])
    if ran.status in (0, 4):
        return READ, "the options, by pppd dryrun; no link was begun"
    return (BROKEN if ran.status == 2 else UNKNOWN), _words(ran)


def _nothing(program: str, path: Path) -> tuple[str, str]:
    del path
    return UNKNOWN, f"{program} has no way to read a file without using it"


_FOR_READING: Final[dict[_Reader, Callable[[str], str]]] = {
    _openvpn: openvpn.for_reading,
    _wireguard: wireguard.for_reading,
}
_BY_SUFFIX: Final[dict[str, tuple[str, _Reader]]] = {
    "sh": ("sh", _shell),
    "ip-up": ("sh", _shell),
    "nft": ("nft", _nft),
    "peer": ("pppd", _pppd),
    "zbd": ("zebedee", _nothing),
    "ovpn": ("openvpn", _openvpn),
}
_BY_TECHNOLOGY: Final[dict[Technology, tuple[str, _Reader]]] = {
    Technology.WIREGUARD: ("wg-quick", _wireguard),
    Technology.OPENVPN: ("openvpn", _openvpn),
    Technology.IPSEC_ONE: ("swanctl", _swanctl),
    Technology.IPSEC_FOUR: ("swanctl", _swanctl),
}
