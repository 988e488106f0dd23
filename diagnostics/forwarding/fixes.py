"""Commands that change what the gateway's SSH server allows, and the same forward said otherwise.

Pure.  A setting is put where it wins: sshd uses the first value that it reads, and one in a Match
block before any global one.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import replace

from diagnostics.forwarding.shell import Asked
from diagnostics.parsers.gateway_survey import DEFAULT_CONFIG
from diagnostics.parsers.key_options import KeyLine
from diagnostics.parsers.sshd_config import Setting
from diagnostics.parsers.text import clean
from netkit.model import Address, Endpoint, Fix, ForwardKind, ForwardSpec

DROP_INS = "/etc/ssh/sshd_config.d"

_RELOAD = "(systemctl reload ssh || systemctl reload sshd)"
_OWN_WAY = "change the configuration of its SSH server"
_DROPBEAR = {
    "AllowTcpForwarding": "start dropbear without -j (local forwards) and -k (remote forwards)",
    "ClientAliveInterval": "start dropbear with -K 15",
    "GatewayPorts": "start dropbear with -a",
}
"""What dropbear(8) has for settings of sshd."""

_BACK = 'f={file}; mv "$f.before-netkit" "$f"'
_PLAIN = re.compile(r"[A-Za-z0-9 :.,*_@/\[\]=-]*\Z", re.ASCII)
_OPTIONS = {ForwardKind.LOCAL: "-L", ForwardKind.REMOTE: "-R", ForwardKind.DYNAMIC: "-D"}


def set_option(asked: Asked, line: str, note: str = "") -> Fix:
    """Return the command that puts ``line`` into sshd's configuration, in force for new logins.

    Of another server it is told what allows the same, without a command where none is known.
    """
    if asked.server and not asked.is_openssh:
        known = _DROPBEAR if "dropbear" in asked.server.lower() else {}
        return Fix((), where="gateway", note=known.get(line.partition(" ")[0], _OWN_WAY))
    if "windows" in asked.server.lower():
        told = f"make it the first line: {line}; then: Restart-Service sshd"
        argv = ("notepad", r"C:\ProgramData\ssh\sshd_config")
        return Fix(argv, where="gateway", needs_admin=True, persistent=True, note=told)
    change, back, test = _change(asked, line)
    reload = _reload(asked)
    return _as_root(asked, f"{change} && {test} && {reload}", f"{back} && {reload}", note)


def _change(asked: Asked, line: str) -> tuple[str, str, str]:
    """Return commands that put ``line`` in force, take it back, and test the result."""
    keyword = line.partition(" ")[0]
    old = _counting(asked, keyword)
    directory = _directory(asked)
    user = asked.survey.account.user
    if directory and not (old is not None and old.match and not user):
        lines = (f"Match User {user}", line) if old is not None and old.match else (line,)
        path = shlex.quote(f"{directory}/00-netkit-{keyword.lower()}.conf")
        return f"{_print(lines)} > {path}", f"rm {path}", "sshd -t"
    survey = asked.survey
    main = survey.config_file if survey.config_file and not survey.assumed else DEFAULT_CONFIG
    test = "sshd -t" if main == DEFAULT_CONFIG else f"sshd -t -f {shlex.quote(main)}"
    if old is not None and old.place and _PLAIN.match(line):
        file = shlex.quote(old.file)
        edit = f'sed -i.before-netkit "{old.line}s|.*|{line}|" {file}'
        return edit, _BACK.format(file=file), test
    # Nothing sets it yet, so the first line of the file does.
    file = shlex.quote(main)
    change = (
        f'f={file}; cp -p "$f" "$f.before-netkit" && '
        f'{{ {_print((line,))}; cat "$f.before-netkit"; }} > "$f"'
    )
    return change, _BACK.format(file=file), test


def _counting(asked: Asked, keyword: str) -> Setting | None:
    """Return the setting that counts now: one of a Match block, if there is one."""
    config = asked.survey.config
    return next(iter(config.matched(keyword)), config.get(keyword))


def _directory(asked: Asked) -> str:
    """Return the directory of which sshd includes every ``.conf``; empty where it has none."""
    config = asked.survey.config
    if not config.settings:
        return DROP_INS
    return next((each[:-7] for each in config.included if re.match(r"/\S+/\*\.conf\Z", each)), "")


def _print(lines: tuple[str, ...]) -> str:
    quoted = [f'"{each}"' if _PLAIN.match(each) else shlex.quote(each) for each in lines]
    if len(quoted) == 1:
        return f"echo {quoted[0]}"
    return f"{{ {'; '.join(f'echo {each}' for each in quoted)}; }}"


def _reload(asked: Asked) -> str:
    listener = asked.survey.listener
    return f"kill -HUP {listener.pid}" if listener is not None else _RELOAD


def _as_root(asked: Asked, change: str, back: str, note: str) -> Fix:
    is_root = asked.survey.account.uid == 0
    words: tuple[str, ...] = ("sh", "-c") if is_root else ("sudo", "sh", "-c")
    return Fix(
        (*words, change),
        where="gateway",
        needs_admin=True,
        persistent=True,
        undo=(*words, back),
        note=note,
    )


def change_key(key: KeyLine, *edits: str, note: str) -> Fix:
    """Return the command that changes the line of ``key`` with edits of sed(1)."""
    scripts = [word for edit in edits for word in ("-e", f"{key.line}{edit}")]
    return Fix(
        ("sed", "-i.before-netkit", *scripts, key.file),
        where="gateway",
        persistent=True,
        undo=("mv", f"{key.file}.before-netkit", key.file),
        note=note,
    )


def allow_forwarding(key: KeyLine) -> Fix:
    """Return the command that takes back the option which forbids every forward."""
    note = "lets this key forward ports"
    if key.forbids_forwarding == "restrict":
        return change_key(key, "s/restrict/restrict,port-forwarding/", note=note)
    return change_key(key, "s/,no-port-forwarding//", "s/no-port-forwarding,*//", note=note)


def add_permission(key: KeyLine, option: str, value: str) -> Fix:
    """Return the command that adds ``option="value"`` before a key."""
    plain = re.sub(r"[^A-Za-z0-9:.,*_@\[\]-]", "", value)
    return change_key(key, f's/^/{option}="{plain}",/', note=f"allows this key {plain} as well")


def told(setting: Setting) -> str:
    """Return a setting as it is written, for a sentence."""
    keyword = _SPELLING.get(setting.keyword, setting.keyword)
    return f"{keyword} {setting.text}"


_SPELLING = {
    each.lower(): each
    for each in (
        "AllowStreamLocalForwarding",
        "AllowTcpForwarding",
        "ChannelTimeout",
        "ClientAliveCountMax",
        "ClientAliveInterval",
        "DisableForwarding",
        "GatewayPorts",
        "LoginGraceTime",
        "MaxSessions",
        "MaxStartups",
        "PermitListen",
        "PermitOpen",
        "UnusedConnectionTimeout",
    )
}


def again(gateway: str, forward: ForwardSpec, *, note: str = "") -> Fix:
    """Return the command that makes ``forward``, whose target may differ from the one typed."""
    return Fix(("netkit", "forward", gateway, *words(forward)), note=note)


def moved(forward: ForwardSpec, bind: Address, *, note: str = "") -> Fix:
    """Return the same command with another address to listen on; ``...`` is what was typed."""
    return Fix(("netkit", "forward", "...", *words(replace(forward, bind=bind))), note=note)


def words(forward: ForwardSpec) -> tuple[str, str]:
    """Return the forward in ssh's grammar, such as ``("-L", "8080:host:80")``."""
    bind = forward.bind
    text = str(bind.port) if isinstance(bind, Endpoint) and not bind.host else _address(bind)
    return _OPTIONS[forward.kind], text if forward.to is None else f"{text}:{_address(forward.to)}"


def _address(address: Address) -> str:
    if isinstance(address, Endpoint):
        return clean(str(address))
    path = address.path if "/" in address.path else f"./{address.path}"
    path = path.replace("\\", "\\\\").replace(":", "\\:")
    return clean(f"\\{path}" if path[:1] in ("[", " ", "\t") else path)
