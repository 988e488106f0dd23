"""What makes a tunnel a service: a systemd user unit, a launchd agent, a scheduled task; pure.

systemd.unit(5), systemd.service(5) and systemd.exec(5); launchd.plist(5); the Task Scheduler schema
(MS-TSCH section 2.5).
"""

from __future__ import annotations

import plistlib
import re
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET
from xml.parsers.expat import ExpatError

from netkit.errors import HOPELESS, UsageError
from netkit.text.profiles.names import why_not

_MARK: Final = "netkit service of the profile "
RESTART: Final = 5
"""Seconds between the end of a service and its next start."""

WATCHDOG: Final = 60
"""Seconds without a sign of life after which systemd starts it anew."""

STAY_DOWN: Final = "--stay-down"
"""For managers that start again whatever ended with another exit code than 0."""

_TASKS: Final = "http://schemas.microsoft.com/windows/2004/02/mit/task"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What to run.

    Attributes:
        profile: the profile that `netkit up` starts.
        program: the words that start netkit, the first one absolute.
        options: further words for `netkit up`.
        environment: variables that have to be as they are here.
        log: the file for what it says, where the system keeps no log of its own.
    """

    profile: str
    program: tuple[str, ...]
    options: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    log: str = ""

    @property
    def argv(self) -> tuple[str, ...]:
        """The whole command."""
        return (*self.program, "up", self.profile, "--no-launch", *self.options)


def unit_name(profile: str) -> str:
    """Return the name of a profile's systemd unit."""
    return f"netkit-{profile}.service"


def agent_label(profile: str) -> str:
    """Return the label of a profile's launchd agent."""
    return f"netkit.{profile}"


def task_name(profile: str) -> str:
    """Return the name of a profile's scheduled task."""
    return f"netkit {profile}"


# ---------------------------------------------------------------- systemd


def unit(service: Service) -> bytes:
    """Return a unit for the user's own systemd.

    Hardening is what a manager without privileges can do; what needs namespaces of its own would
    keep the unit from starting where the kernel gives users none.

    Raises:
        UsageError: something cannot be said in a unit.
    """
    _check_words(service)
    if set("$%\\\"'") & set(service.program[0]):
        raise _unsayable(service.program[0], "systemd would change a part of it")
    environment = "".join(
        f"Environment={_word(f'{name}={value}', dollars=False)}\n"
        for name, value in service.environment
    )
    return f"""# {_MARK}{service.profile}
[Unit]
Description=netkit tunnel {service.profile}
Documentation=man:ssh(1)
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
{environment}ExecStart={" ".join(map(_word, service.argv))}
Restart=on-failure
RestartSec={RESTART}
RestartPreventExitStatus={" ".join(map(str, HOPELESS))}
TimeoutStartSec=infinity
TimeoutStopSec=15
WatchdogSec={WATCHDOG}
KillMode=mixed
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native

[Install]
WantedBy=default.target
""".encode()


def _word(text: str, *, dollars: bool = True) -> str:
    """Return a word as ExecStart= and Environment= read it (systemd.syntax(7), "Quoting")."""
    text = text.replace("%", "%%")
    if dollars:
        text = text.replace("$", "$$")
    if text and not set(text) & set(" \t\"'\\;"):
        return text
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'


# ---------------------------------------------------------------- launchd


def agent(service: Service, path: str) -> bytes:
    """Return a property list for launchd; ``path`` is PATH, which an agent does not inherit."""
    _check_words(service)
    return plistlib.dumps(
        {
            "Label": agent_label(service.profile),
            "ProgramArguments": [*service.argv, STAY_DOWN],
            "EnvironmentVariables": {"PATH": path, **dict(service.environment)},
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": RESTART,
            "ProcessType": "Background",
            "Umask": 0o077,
            "StandardOutPath": service.log,
            "StandardErrorPath": service.log,
        }
    )


# ---------------------------------------------------------------- Windows


def task(service: Service, user: str) -> bytes:
    """Return a task for the Task Scheduler, in UTF-16, that starts when ``user`` logs on.

    A task ends after 72 hours and on battery unless told otherwise.
    """
    _check_words(service)
    root = ET.Element("Task", {"version": "1.2", "xmlns": _TASKS})
    _add(root, "RegistrationInfo", Description=f"{_MARK}{service.profile}", URI=_uri(service))
    _add(_add(root, "Triggers"), "LogonTrigger", Enabled="true", UserId=user)
    principal = _add(
        _add(root, "Principals"),
        "Principal",
        UserId=user,
        LogonType="InteractiveToken",
        RunLevel="LeastPrivilege",
    )
    principal.set("id", "Author")
    settings = _add(
        root,
        "Settings",
        MultipleInstancesPolicy="IgnoreNew",
        DisallowStartIfOnBatteries="false",
        StopIfGoingOnBatteries="false",
        AllowHardTerminate="true",
        StartWhenAvailable="true",
        RunOnlyIfNetworkAvailable="false",
        ExecutionTimeLimit="PT0S",
        Enabled="true",
        Hidden="true",
    )
    _add(settings, "RestartOnFailure", Interval="PT1M", Count="255")
    actions = _add(root, "Actions")
    actions.set("Context", "Author")
    command, *words = (*service.argv, STAY_DOWN)
    _add(actions, "Exec", Command=command, Arguments=" ".join(map(_windows_word, words)))
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-16"?>\r\n{text}\r\n'.encode("utf-16")


def _add(parent: ET.Element, name: str, **texts: str) -> ET.Element:
    element = ET.SubElement(parent, name)
    for key, text in texts.items():
        ET.SubElement(element, key).text = text
    return element


def _uri(service: Service) -> str:
    return f"\\{task_name(service.profile)}"


def _windows_word(word: str) -> str:
    """Return a word as the C runtime of Windows splits command lines."""
    escaped = re.sub(r'(\\*)"', r'\1\1\\"', word)
    if word and not set(word) & set(" \t"):
        return escaped
    return '"' + re.sub(r"(\\+)$", r"\1\1", escaped) + '"'


# ---------------------------------------------------------------- both ways


def profile_of(data: bytes) -> str:
    """Return the profile whose service a file of any of the three kinds is; empty: none of ours."""
    found = ""
    if data.startswith(f"# {_MARK}".encode()):
        found = data.split(b"\n", 1)[0].decode("utf-8", "replace").removeprefix(f"# {_MARK}")
    elif data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        text = data.decode("utf-16", "replace")
        match = re.search(rf"<Description>{_MARK}([^<]*)</Description>", text)
        found = match[1] if match else ""
    elif data.startswith(b"<?xml"):
        try:
            label = plistlib.loads(data, fmt=plistlib.FMT_XML).get("Label", "")
        except (ValueError, ExpatError, AttributeError, TypeError, IndexError, LookupError):
            label = ""
        if isinstance(label, str) and label.startswith("netkit."):
            found = label.removeprefix("netkit.")
    return "" if why_not(found) else found


def _check_words(service: Service) -> None:
    words = [*service.argv, *(f"{name}={value}" for name, value in service.environment)]
    for word in words:
        # surrogates: a path that is no UTF-8
        if not word.isprintable() and word:
            raise _unsayable(word, "it holds control characters, or is no UTF-8")


def _unsayable(word: str, why: str) -> UsageError:
    return UsageError(
        f"a service cannot be started with {word[:80]!r}", code="bad-service", cause=why
    )
