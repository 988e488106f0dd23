"""What a shell on the gateway says about it: one command, and the reading of its answer.

The command only reads.  It begins with a sum, because a forced command may well print what it was
given, and only a shell computes.  It holds nothing that a login shell (csh, fish) would change
between single quotes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from diagnostics.parsers.addresses import literal
from diagnostics.parsers.ssh_connection import ssh_connection
from diagnostics.parsers.sshd_config import (
    MAX_FILES,
    ConfigFile,
    SshdConfig,
    parse,
    parse_effective,
)
from diagnostics.parsers.text import clean, lines
from netkit.model import Endpoint

MARKER = "netkit-42"
DEFAULT_CONFIG = "/etc/ssh/sshd_config"

START = (
    "echo netkit-$((40+2)); echo netkit-part id;"
    " id -u; id -un; uname -s; echo $HOME; echo $SSH_CONNECTION"
)
_ADDRESSES = "ip -o addr show 2>/dev/null || ifconfig -a 2>/dev/null"
LIST_PROCESSES = (
    "ps -ax -o pid= -o ppid= -o uid= -o etime= -o args= 2>/dev/null"
    ' | grep -E "sshd|dropbear" | cut -c1-600 | head -n 300'
)
LIST_SERVERS = (
    "p=$PPID; f=; n=0; while [ ${p:-0} -gt 1 ] && [ $n -lt 20 ]; do n=$((n+1));"
    " a=$(ps -o args= -p $p 2>/dev/null);"
    " case ${a%% *} in sshd*|dropbear|*/sshd*|*/dropbear) echo $p;"
    ' case $a in *" -f "*) f=${a#* -f }; f=${f%% *};; esac;; esac;'
    " p=$(ps -o ppid= -p $p 2>/dev/null); done"
)
"""Prints the SSH servers above the shell, ours first; ``f`` becomes the last one's ``-f FILE``."""

_EFFECTIVE = (
    "set -- $SSH_CONNECTION; c=user=$(id -un),host=$1,addr=$1,laddr=$3,lport=$4;"
    ' if [ $(id -u) = 0 ]; then sshd -T -f "$f" -C "$c" 2>/dev/null;'
    ' else sshd -G -f "$f" -C "$c" 2>/dev/null; fi | head -n 1000'
)
_FILES = (
    'show() { echo "netkit-file $1"; if [ -r "$1" ]; then head -n 2000 "$1"; echo;'
    " else echo netkit-denied; fi; };"
    ' show "$f"; n=0; for i in'
    ' $(sed -n "s/^[[:space:]]*[Ii]nclude[[:space:]=]*//p" "$f" 2>/dev/null | tr -d \\");'
    " do case $i in /*) ;; *) i=/etc/ssh/$i;; esac;"
    ' for g in $i; do n=$((n+1)); if [ -e "$g" ] && [ $n -lt 60 ]; then show "$g"; fi; done; done'
)
ASK = (
    f"sh -c '{START}; PATH=$PATH:/usr/sbin:/usr/local/sbin:/sbin;"
    f" echo netkit-part addresses; {_ADDRESSES};"
    f" echo netkit-part processes; {LIST_PROCESSES};"
    f" echo netkit-part servers; {LIST_SERVERS}; f=${{f:-{DEFAULT_CONFIG}}};"
    f" echo netkit-part effective; {_EFFECTIVE};"
    f" echo netkit-part files; {_FILES}; echo netkit-part end'"
)
ASK_SHELL = f"sh -c '{START}; echo netkit-part end'"
"""Only whether there is a shell, and who we are to it."""

ASK_WINDOWS = r"type C:\ProgramData\ssh\sshd_config"
"""Understood by cmd and PowerShell alike; the file of Win32-OpenSSH."""

_ADDRESS = re.compile(r"\binet6?\s+(?:addr:\s*)?([0-9A-Fa-f:.]{2,45})")
_SESSION = re.compile(r"sshd(?:-session)?: +([^\s@\[]{1,64})(?: \[[a-z]+\])?(?:@(\S{1,64}))?")
_MAX_ROWS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayProcess:
    """A process of an SSH server.  ``user`` and ``tty`` are of a session, from its title."""

    pid: int
    parent: int
    uid: int
    age: str
    title: str
    user: str = ""
    tty: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayAccount:
    """Who we are on the gateway: ``uid`` is None where ``id`` gave none."""

    uid: int | None = None
    user: str = ""
    system: str = ""
    home: str = ""
    client: Endpoint | None = None
    server: Endpoint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What the shell said.

    Attributes:
        has_shell: whether one answered; nothing else is known where not.
        addresses: IP literals of the gateway's interfaces, loopback included.
        processes: of its SSH servers.
        servers: pids of the SSH servers above our shell, the one of our session first.
        config: the settings of the sshd that serves us.
        config_file: where that sshd reads them; ``assumed`` where its command line is not known.
    """

    has_shell: bool = False
    account: GatewayAccount = GatewayAccount()
    addresses: tuple[str, ...] = ()
    processes: tuple[GatewayProcess, ...] = ()
    servers: tuple[int, ...] = ()
    config: SshdConfig = field(default_factory=SshdConfig)
    config_file: str = ""
    assumed: bool = False

    @property
    def listener(self) -> GatewayProcess | None:
        """The server that accepted our connection: the last one above us, if it is no session."""
        by_pid = {each.pid: each for each in self.processes}
        found = by_pid.get(self.servers[-1]) if self.servers else None
        return None if found is None or found.user else found

    @property
    def sessions(self) -> tuple[GatewayProcess, ...]:
        """The sessions of other connections."""
        return tuple(each for each in self.processes if each.user and each.pid not in self.servers)


def parts(data: bytes) -> dict[str, list[str]] | None:
    """Return the lines of each part of an answer; None where no shell gave it."""
    found: dict[str, list[str]] | None = None
    current: list[str] = []
    for line in lines(data):
        if found is None:
            found = {} if line.strip() == MARKER else None
        elif line.startswith("netkit-part "):
            current = found.setdefault(line[12:].strip(), [])
        else:
            current.append(line)
    return found


def parse_survey(data: bytes) -> Survey:
    """Read the answer to `ASK` or `ASK_SHELL`."""
    found = parts(data)
    if found is None:
        return Survey()
    processes = parse_processes(found.get("processes", []))
    servers = parse_servers(found.get("servers", []))
    files = parse_files(found.get("files", []))
    survey = Survey(
        has_shell=True,
        account=parse_account(found.get("id", [])),
        addresses=_addresses(found.get("addresses", [])),
        processes=processes,
        servers=servers,
        config_file=files[0].path if files else "",
    )
    listener = survey.listener
    written = parse(files, _options(listener.title if listener else ""))
    effective = parse_effective("\n".join(found.get("effective", [])).encode())
    config = effective.with_places(written) if effective.settings else written
    return replace(survey, config=config, assumed=listener is None)


def parse_windows(data: bytes) -> Survey:
    """Read the answer to `ASK_WINDOWS`; there is nothing but the configuration in it."""
    path = r"C:\ProgramData\ssh\sshd_config"
    config = parse((ConfigFile(path=path, data=data),))
    if not any(each.keyword in ("subsystem", "authorizedkeysfile") for each in config.settings):
        return Survey()
    return Survey(config=config, config_file=path, assumed=True)


def parse_account(rows: list[str]) -> GatewayAccount:
    """Read ``id -u; id -un; uname -s; echo $HOME; echo $SSH_CONNECTION``."""
    uid, user, system, home, connection = [*(row.strip() for row in rows[:5]), *[""] * 5][:5]
    ends = ssh_connection(connection.encode("utf-8", "replace"))
    return GatewayAccount(
        uid=int(uid) if _is_number(uid) else None,
        user=clean(user, 64),
        system=clean(system, 32),
        home=home[:200] if home.startswith("/") and home.isprintable() else "",
        client=ends[0] if ends else None,
        server=ends[1] if ends else None,
    )


def parse_processes(rows: list[str]) -> tuple[GatewayProcess, ...]:
    """Read ``pid ppid uid age args`` of what belongs to an SSH server."""
    found = []
    for row in rows[:_MAX_ROWS]:
        words = row.split(None, 4)
        if len(words) < 5 or not all(map(_is_number, words[:3])):
            continue
        pid, parent, uid = (int(word) for word in words[:3])
        name = words[4].partition(" ")[0]
        if not re.search(r"(?:^|/)(?:sshd|dropbear)[a-z-]*:?$", name):
            continue
        session = _SESSION.match(words[4])
        user, tty = (session[1], session[2] or "") if session else ("", "")
        if user.startswith("/") or user in ("unknown", "startup"):
            user, tty = "", ""
        found.append(
            GatewayProcess(
                pid=pid,
                parent=parent,
                uid=uid,
                age=clean(words[3], 20),
                title=clean(words[4], 600),
                user=clean(user, 64),
                tty=clean(tty, 64),
            )
        )
    return tuple(found)


def _is_number(word: str) -> bool:
    word = word.strip()
    return word.isascii() and word.isdecimal() and len(word) < 11


def _addresses(rows: list[str]) -> tuple[str, ...]:
    found = (match for row in rows[:_MAX_ROWS] for match in _ADDRESS.findall(row[:600]))
    return tuple(dict.fromkeys(each for each in found if literal(each) is not None))


def parse_servers(rows: list[str]) -> tuple[int, ...]:
    """Read the pids that `LIST_SERVERS` prints."""
    return tuple(int(row) for row in rows[:20] if _is_number(row))


def parse_files(rows: list[str]) -> tuple[ConfigFile, ...]:
    """Read files, each after a line ``netkit-file PATH``."""
    read: dict[str, list[str] | None] = {}
    path = ""
    for row in rows:
        if row.startswith("netkit-file ") and len(read) < MAX_FILES:
            path = row[12:].strip()
            read.setdefault(path, [])
        elif row == "netkit-denied":
            read[path] = None
        else:
            body = read.get(path)
            if body is not None:
                body.append(row)
    return tuple(
        ConfigFile(path=path, data=None if body is None else "\n".join(body).encode())
        for path, body in read.items()
        if path
    )


def _options(title: str) -> tuple[str, ...]:
    """Return what ``-o`` sets in the title of a listener."""
    return tuple(re.findall(r" -o ?([A-Za-z]{2,64}[= ][^\s\[]{1,200})", title))[:50]
