"""Tunnels as services of the user: installed, removed, asked and read.

systemd's user manager on Linux, launchd on macOS, the Task Scheduler on Windows; none needs an
administrator.  A file that is not ours is never touched.  Installing twice changes nothing.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from netkit import programs
from netkit.desktop import service_text
from netkit.desktop.service_text import Service, profile_of
from netkit.errors import NetkitError, UsageError
from netkit.files import read_bounded, write_private
from netkit.model import Fix

MAX_FILE: Final = 64 * 1024
_MAX_LOG: Final = 1 << 20
_TIMEOUT: Final = 30.0
_BOOTED: Final = Path("/run/systemd/system")
"""There where systemd is pid 1 (sd_booted(3))."""


class ServiceError(NetkitError):
    """The service manager is not there, or refuses."""

    exit_code = 3
    default_code = "service-failed"


@dataclass(frozen=True, slots=True)
class Running:
    """How a service is: one word, and lines with more about it."""

    active: bool
    state: str
    details: tuple[str, ...] = ()


class Manager(Protocol):
    """What runs services on this system."""

    def file(self, profile: str) -> Path:
        """Return where the definition of a profile's service is."""

    def content(self, service: Service) -> bytes:
        """Return the definition; raises UsageError if something cannot be said in one."""

    def check(self) -> None:
        """Raise ServiceError if services cannot be run here."""

    def start(self, profile: str, *, changed: bool) -> None:
        """Have it run now and from now on; anew if its definition ``changed``."""

    def end(self, profile: str) -> None:
        """End it, for good."""

    def removed(self) -> None:
        """A definition is gone."""

    def status(self, profile: str) -> Running:
        """Return how it is."""

    def logs(self, profile: str, lines: int) -> list[str]:
        """Return the last ``lines`` of what it said."""


def manager(platform: str = sys.platform) -> Manager:
    """Return the manager of a system, named as `sys.platform` does."""
    if platform == "win32":
        return Scheduler()
    return Launchd() if platform == "darwin" else Systemd()


def install(service: Service, made_by: Manager) -> bool:
    """Write the definition and start the service; return whether the definition is new.

    Raises:
        UsageError: a file that is not ours is in the way, or it cannot be written.
        ServiceError: the manager is not there, or refuses.
    """
    content, path = made_by.content(service), made_by.file(service.profile)
    made_by.check()
    old = _ours(path)
    if old != content:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, content)
    made_by.start(service.profile, changed=old != content)
    return old != content


def remove(profile: str, made_by: Manager) -> bool:
    """End the service and remove its definition; return whether there was one.

    Raises:
        UsageError: the file is not ours, or cannot be removed.
        ServiceError: the manager refuses.
    """
    path = made_by.file(profile)
    if _ours(path) is None:
        return False
    with contextlib.suppress(ServiceError):  # without a manager nothing runs
        made_by.check()
        made_by.end(profile)
    try:
        path.unlink()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be removed: {error.strerror}", code="cannot-write"
        ) from None
    with contextlib.suppress(ServiceError):
        made_by.check()
        made_by.removed()
    return True


def installed(profile: str, made_by: Manager) -> Path:
    """Return the file of a service; raises UsageError where there is none."""
    path = made_by.file(profile)
    if _ours(path) is None:
        raise UsageError(
            f"there is no service of the profile {profile}",
            code="no-service",
            cause=f"{path} is not there",
            fixes=(Fix(("netkit", "service", "install", profile)),),
        )
    return path


def _ours(path: Path) -> bytes | None:
    """Return the file, None where there is none; raises UsageError if it is not ours."""
    if not path.is_symlink() and not path.exists():
        return None
    data = b"" if path.is_symlink() else read_bounded(path, MAX_FILE)
    if not profile_of(data):
        raise UsageError(
            f"{path} is there and no service of netkit",
            code="file-exists",
            cause="netkit does not touch it",
        )
    return data


def _told(*argv: str, what: str) -> str:
    """Run a program and return what it printed; raises ServiceError if it fails."""
    ran = programs.run(argv, timeout=_TIMEOUT)
    if ran.status == 0:
        return ran.output.decode("utf-8", "replace")
    said = (ran.errors or ran.output).decode("utf-8", "replace").strip().splitlines()
    raise ServiceError(
        f"{what}: {(said or [ran.error or f'exit {ran.status}'])[-1][:300]}",
        cause=f"{Path(argv[0]).name} refused, or its manager does not run for this user",
        fixes=(Fix(argv, note="to see all that it says"),),
    )


def _found(name: str) -> str:
    path = programs.find(name)
    if path is None:
        raise ServiceError(
            f"{name} is not installed",
            code="no-service-manager",
            cause="this system has no service manager that netkit knows",
        )
    return path


class Systemd:
    """The user's own systemd."""

    def file(self, profile: str) -> Path:
        """Return the unit file (systemd.unit(5), "User Unit Search Path")."""
        config = os.environ.get("XDG_CONFIG_HOME", "")
        base = Path(config) if config.startswith("/") else Path.home() / ".config"
        return base / "systemd" / "user" / service_text.unit_name(profile)

    def content(self, service: Service) -> bytes:
        """Return the unit."""
        return service_text.unit(service)

    def check(self) -> None:
        """Raise ServiceError where systemd is not pid 1."""
        if not _BOOTED.is_dir():
            raise ServiceError(
                "systemd does not run this machine",
                code="no-systemd",
                cause="pid 1 is another program, as in most containers; --print shows the unit",
            )
        _found("systemctl")

    def _systemctl(self, *words: str, what: str) -> str:
        return _told(_found("systemctl"), "--user", *words, what=what)

    def start(self, profile: str, *, changed: bool) -> None:
        """Enable and start it, without waiting for the gateway."""
        name = service_text.unit_name(profile)
        if changed:
            self._systemctl("daemon-reload", what="systemd did not read the unit")
        self._systemctl("enable", name, what=f"{name} was not enabled")
        verb = "restart" if changed else "start"
        self._systemctl(verb, "--no-block", name, what=f"{name} was not started")

    def end(self, profile: str) -> None:
        """Disable and stop it."""
        name = service_text.unit_name(profile)
        self._systemctl("disable", "--now", name, what=f"{name} was not stopped")

    def removed(self) -> None:
        """Have systemd forget the unit."""
        self._systemctl("daemon-reload", what="systemd did not read its units")

    def status(self, profile: str) -> Running:
        """Return what systemd knows of it."""
        text = self._systemctl(
            "show",
            service_text.unit_name(profile),
            "--property=ActiveState,SubState,StatusText,Result,NRestarts,ExecMainStatus,MainPID",
            what="systemd did not answer",
        )
        values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        active = values.get("ActiveState", "unknown")
        details = [values["StatusText"]] if values.get("StatusText") else []
        if values.get("MainPID", "0") != "0":
            details.append(f"process {values['MainPID']}")
        if values.get("NRestarts", "0") != "0":
            details.append(f"{values['NRestarts']} restarts")
        if active not in {"active", "activating"} and values.get("ExecMainStatus", "0") != "0":
            details.append(f"it ended with exit {values['ExecMainStatus']}")
        return Running(active == "active", active, tuple(details))

    def logs(self, profile: str, lines: int) -> list[str]:
        """Return its part of the journal."""
        name = service_text.unit_name(profile)
        argv = ("--user", "--no-pager", "-u", name, "-n", str(lines), "-o", "short-iso")
        return _told(_found("journalctl"), *argv, what="the journal cannot be read").splitlines()

    def lingers(self) -> bool | None:
        """Return whether services go on after the user has logged out; None where unknown."""
        loginctl = programs.find("loginctl")
        if loginctl is None:
            return None
        ran = programs.run((loginctl, "show-user", getpass.getuser(), "--property=Linger"))
        text = ran.output.decode("utf-8", "replace").strip()
        return None if ran.status != 0 or "=" not in text else text == "Linger=yes"

    def linger(self) -> None:
        """Have services start at boot and go on after logout; raises ServiceError."""
        _told(_found("loginctl"), "enable-linger", what="lingering was not enabled")


class Launchd:
    """launchd's agents of the user."""

    def file(self, profile: str) -> Path:
        """Return the property list."""
        agents = Path.home() / "Library" / "LaunchAgents"
        return agents / f"{service_text.agent_label(profile)}.plist"

    def content(self, service: Service) -> bytes:
        """Return the property list, with the PATH of now."""
        return service_text.agent(service, os.environ.get("PATH", os.defpath))

    def check(self) -> None:
        """Raise ServiceError without launchctl."""
        _found("launchctl")

    def _domains(self) -> tuple[str, str]:
        """Return the two that a user has: with a screen, and without one (over SSH)."""
        uid = os.getuid() if hasattr(os, "getuid") else 0
        return f"gui/{uid}", f"user/{uid}"

    def start(self, profile: str, *, changed: bool) -> None:
        """Load it; an old one is unloaded first."""
        launchctl, path = _found("launchctl"), str(self.file(profile))
        if not changed and self.status(profile).active:
            return
        with contextlib.suppress(OSError):
            log_file(profile).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._unload(profile)
        gui, user = self._domains()
        if programs.run((launchctl, "bootstrap", gui, path), timeout=_TIMEOUT).status != 0:
            _told(launchctl, "bootstrap", user, path, what="launchd did not load the agent")

    def _unload(self, profile: str) -> None:
        for domain in self._domains():
            target = f"{domain}/{service_text.agent_label(profile)}"
            programs.run((_found("launchctl"), "bootout", target), timeout=_TIMEOUT)

    def end(self, profile: str) -> None:
        """Unload it."""
        self._unload(profile)

    def removed(self) -> None:
        """Do nothing: launchd reads the file when it is loaded."""

    def status(self, profile: str) -> Running:
        """Return what launchd knows of it."""
        for domain in self._domains():
            target = f"{domain}/{service_text.agent_label(profile)}"
            ran = programs.run((_found("launchctl"), "print", target), timeout=_TIMEOUT)
            if ran.status != 0:
                continue
            pairs = (
                line.split(" = ", 1)
                for line in ran.output.decode("utf-8", "replace").splitlines()
                if line.startswith("\t") and not line.startswith("\t\t") and " = " in line
            )
            values = {name.strip(): value.strip() for name, value in pairs}
            state = values.get("state", "unknown")
            shown = tuple(
                f"{word} {values[name]}"
                for name, word in (("pid", "process"), ("last exit code", "last exit code"))
                if name in values
            )
            return Running(state == "running", state, shown)
        return Running(False, "not loaded")

    def logs(self, profile: str, lines: int) -> list[str]:
        """Return the end of its log."""
        return _tail(log_file(profile), lines)


class Scheduler:
    """The Task Scheduler of Windows."""

    def file(self, profile: str) -> Path:
        """Return our copy of the task; the scheduler keeps one of its own."""
        from platformdirs import user_data_path

        return Path(user_data_path("netkit", appauthor=False)) / f"service-{profile}.xml"

    def content(self, service: Service) -> bytes:
        """Return the task, which starts when this user logs on."""
        domain = os.environ.get("USERDOMAIN", "")
        user = getpass.getuser()
        return service_text.task(service, f"{domain}\\{user}" if domain else user)

    def check(self) -> None:
        """Raise ServiceError without schtasks."""
        _found("schtasks")

    def _schtasks(self, verb: str, profile: str, *more: str, what: str) -> str:
        name = service_text.task_name(profile)
        return _told(_found("schtasks"), verb, "/TN", name, *more, what=what)

    def start(self, profile: str, *, changed: bool) -> None:
        """Register and start it."""
        if not changed and self.status(profile).active:
            return
        with contextlib.suppress(ServiceError):
            self._schtasks("/End", profile, what="")
        file = str(self.file(profile))
        self._schtasks("/Create", profile, "/XML", file, "/F", what="the task was not created")
        self._schtasks("/Run", profile, what="the task was not started")

    def end(self, profile: str) -> None:
        """End it and take it out of the scheduler."""
        with contextlib.suppress(ServiceError):
            self._schtasks("/End", profile, what="")
        self._schtasks("/Delete", profile, "/F", what="the task was not removed")

    def removed(self) -> None:
        """Do nothing: the scheduler's copy went first."""

    def status(self, profile: str) -> Running:
        """Return whether it runs; the word for that is one of the system's language."""
        try:
            text = self._schtasks("/Query", profile, "/FO", "CSV", "/NH", what="")
        except ServiceError:
            return Running(False, "not registered")
        columns = text.strip().splitlines()[-1].strip('"').split('","') if text.strip() else []
        state = columns[-1] if columns else "unknown"
        return Running(state.lower() == "running", state)

    def logs(self, profile: str, lines: int) -> list[str]:  # noqa: ARG002 - one log for all
        """Return the end of the log of what runs without a window."""
        from platformdirs import user_state_path

        return _tail(Path(user_state_path("netkit", appauthor=False)) / "hidden.log", lines)


def log_file(profile: str) -> Path:
    """Return the log of a service where the system keeps none (macOS)."""
    return Path.home() / "Library" / "Logs" / "netkit" / f"{profile}.log"


def _tail(path: Path, lines: int) -> list[str]:
    if not path.is_file():
        return []
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _MAX_LOG))
            data = file.read(_MAX_LOG)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", code="bad-file") from None
    return data.decode("utf-8", "replace").splitlines()[-lines:]
