"""The only reader of the user's configuration: ssh_config, environment variables, key files.

Where an ``ssh`` is installed it is asked (``ssh -G``), so that its configuration means exactly what
it means to ssh.  Elsewhere netkit's own reader (netkit.text.ssh_config) resolves the same files.
The variable ``NETKIT_SSH`` chooses: the path of an ssh, or ``none`` for netkit's own reader.
"""

from __future__ import annotations

import contextlib
import errno
import getpass
import glob
import logging
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from netkit.errors import ConfigError, ResourceError, UsageError
from netkit.model import Fix, Gateway, Plan, TunnelSpec
from netkit.plan import make_plan
from netkit.plan.chain import Environment, walk
from netkit.plan.hops import WINDOWS_AGENT
from netkit.text.foreign.ssh_hosts import names_of
from netkit.text.ssh_config import ConfigFile, Options, parse_ssh_g, resolve
from netkit.text.ssh_lines import MAX_FILE
from netkit.text.ssh_tokens import LocalFacts, expand_home, variables_in

SSH_TIMEOUT = 10.0
"""Seconds that ``ssh -G``, or the command of a ``Match exec``, may take."""

MAX_INCLUDED = 1000
"""How many files one ``Include`` may name."""

_MAX_OUTPUT = 1024 * 1024
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}
_NO_SSH = "none"
_NO_CONFIG = "none"
# Options whose values netkit expands itself, and which may therefore refer to variables.
_EXPANDED = ("identityfile", "certificatefile", "identityagent", "userknownhostsfile")
_WINDOWS = sys.platform == "win32"

_log = logging.getLogger("netkit.environment")


def plan_of(spec: TunnelSpec) -> Plan:
    """Return what a tunnel will do, by the configuration of this machine.

    Raises:
        UsageError, ConfigError: as `read_environment` and `netkit.plan.make_plan` do.
    """
    plan = make_plan(spec, read_environment(spec))
    ways = []
    for gateway in spec.via:
        # what the gateway's own words say goes before -l and -p, which are for all of them
        other = replace(
            spec,
            gateway=gateway,
            user=None if gateway.user else spec.user,
            port=None if gateway.port else spec.port,
            via=(),
        )
        ways.append(make_plan(other, read_environment(other)).hops)
    endurance = plan.endurance
    if endurance.spread and ways and endurance.links == 1:
        endurance = replace(endurance, links=1 + len(ways))
    return replace(plan, ways=tuple(ways), endurance=endurance)


def read_environment(
    spec: TunnelSpec, *, ssh: str | None = None, home: Path | None = None
) -> Environment:
    """Read what a plan for ``spec`` needs: this machine, and the options of every gateway.

    Args:
        spec: what the user asked for.
        ssh: the ssh to ask, or ``none`` for netkit's own reader; by default ``NETKIT_SSH``, then
            the installed one.
        home: the home directory; by default the user database's, as for ssh.

    Raises:
        UsageError: a gateway of the chain is impossible.
        ConfigError: a configuration file is wrong; says what ssh, or netkit's reader, says.
    """
    local = _local_facts(home)
    program = _find_ssh(ssh)
    look_up, defaults = (
        _ask_ssh(program, spec.config_file) if program else _read_files(local, spec.config_file)
    )
    hosts: dict[Gateway, Options] = {}

    def remember(gateway: Gateway) -> Options:
        if gateway not in hosts:
            hosts[gateway] = look_up(gateway)
        return hosts[gateway]

    walk(spec, remember)
    return Environment(
        local=_only_needed(local, hosts.values()),
        hosts=hosts,
        defaults=defaults,
        existing=_existing(defaults, local.home),
        ssh=program,
        windows=_WINDOWS,
    )


def config_aliases(config: Path | None = None, *, home: Path | None = None) -> tuple[str, ...]:
    """Return the hosts that ssh_config names in ``Host`` lines, included files too, in order.

    Args:
        config: read instead of the user's and the system's.
        home: the home directory; by default the user database's, as for ssh.

    Raises:
        ConfigError: a file cannot be read.
    """
    local = _local_facts(home)
    waiting = list(_config_files(local.home, config))
    seen: set[str] = set()
    hosts: dict[str, None] = {}
    while waiting and len(seen) < MAX_INCLUDED:
        file = waiting.pop(0)
        if file.path in seen:
            continue
        seen.add(file.path)
        named = names_of(file.text, file.path)
        hosts.update(dict.fromkeys(named.hosts))
        base = "~/.ssh" if file.user else str(_system_directory())
        for pattern in named.include:
            absolute = pattern.startswith(("/", "~")) or pattern[1:2] == ":"
            waiting += _included(pattern if absolute else f"{base}/{pattern}", local.home)
    return tuple(hosts)


def agent_path() -> str:
    """Return where the agent of this login is, whatever ssh_config says; empty for none."""
    return os.environ.get("SSH_AUTH_SOCK", "") or (WINDOWS_AGENT if _WINDOWS else "")


def _local_facts(home: Path | None) -> LocalFacts:
    user, directory = _account() or (_login_name(), str(Path("~").expanduser()))
    return LocalFacts(
        home=str(home or directory),
        user=user,
        uid=_user_id(),
        hostname=socket.gethostname(),
        variables=dict(os.environ),
    )


def _user_id() -> int | None:
    if sys.platform == "win32":
        return None
    return os.getuid()


def _account() -> tuple[str, str] | None:
    """Return login name and home from the user database, which ssh trusts over ``$HOME``."""
    if sys.platform == "win32":
        return None
    import pwd  # noqa: PLC0415 - not on Windows

    try:
        entry = pwd.getpwuid(os.getuid())
    except KeyError:
        return None
    return entry.pw_name, entry.pw_dir


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "user"


def _find_ssh(asked: str | None) -> str | None:
    """Return the ssh to run, or None for netkit's own reader.

    Raises:
        UsageError: an ssh was asked for and is not there.
    """
    asked = asked or os.environ.get("NETKIT_SSH") or None
    if asked == _NO_SSH:
        return None
    if asked:
        found = shutil.which(asked)
        if found is None:
            raise UsageError(
                f"no ssh at {asked!r}",
                code="no-such-ssh",
                cause="NETKIT_SSH names it; 'none' makes netkit read ssh_config itself",
            )
        return found
    if _WINDOWS:
        # Never by PATH alone: Windows looks into the current directory first.
        system = Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32/OpenSSH/ssh.exe"
        return str(system) if system.is_file() else None
    # ssh refuses to work for a user without an account, as there are in containers.
    return shutil.which("ssh") if _account() else None


_LookUp = Callable[[Gateway], Options]


def _ask_ssh(program: str, config: Path | None) -> tuple[_LookUp, Options]:
    """Return how to ask ``ssh -G`` about a gateway, and what ssh assumes without configuration."""
    file = [] if config is None else ["-F", str(config)]

    def look_up(gateway: Gateway) -> Options:
        return parse_ssh_g(_run_ssh_g(program, [*file, *_who(gateway), "--", gateway.host]))

    # A name that no "Host" of any file is about, and no file either.
    defaults = parse_ssh_g(_run_ssh_g(program, ["-F", _NO_CONFIG, "--", "netkit.invalid"]))
    return look_up, defaults


def _who(gateway: Gateway) -> list[str]:
    user = [] if gateway.user is None else ["-l", gateway.user]
    return user + ([] if gateway.port is None else ["-p", str(gateway.port)])


def _run_ssh_g(program: str, arguments: list[str]) -> str:
    """Run ``ssh -G`` and return what it prints.

    Raises:
        ConfigError: ssh says that the configuration is wrong, or does not answer in time.
    """
    command = [program, "-G", *arguments]
    fix = (Fix(argv=("ssh", *command[1:])),)
    _log.debug("running %s", command)
    try:
        status, output, errors = _run(command)
    except TimeoutError:
        raise ConfigError(
            f"ssh -G did not answer within {SSH_TIMEOUT:.0f} s",
            cause="a command of 'Match exec' in ssh_config hangs",
            fixes=fix,
        ) from None
    except OSError as error:
        if error.errno in _EXHAUSTED:
            raise ResourceError(
                f"{program} cannot be run: {error.strerror}",
                cause="this machine, or a limit of this shell (ulimit -a), allows no more",
                retryable=True,
            ) from None
        raise ConfigError(f"{program} cannot be run: {error.strerror}", fixes=fix) from None
    if status != 0 or len(output) > _MAX_OUTPUT:
        raise _ssh_error(errors.decode("utf-8", "replace"), fix)
    return output.decode("utf-8", "surrogateescape")


def _run(command: list[str]) -> tuple[int, bytes, bytes]:
    """Run a command to its end; return its status, output and errors.

    Raises:
        TimeoutError: it takes longer than SSH_TIMEOUT; it and what it started are ended.
        OSError: it cannot be run.
    """
    # A group of its own, so that the shell of a "Match exec" can be ended with ssh.
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(timeout=SSH_TIMEOUT)
        except subprocess.TimeoutExpired:
            _kill_group(process)
            raise TimeoutError from None
        except BaseException:
            _kill_group(process)
            raise
    return process.returncode, output, errors


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        process.kill()
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _ssh_error(stderr: str, fixes: tuple[Fix, ...]) -> ConfigError:
    lines = [
        line.strip()
        for line in stderr.splitlines()
        # Said on every run without a terminal, and nothing to do with the configuration.
        if line.strip() and not line.startswith("Pseudo-terminal")
    ]
    said = lines[0] if lines else "it said nothing"
    return ConfigError(
        f"ssh rejects the configuration: {said}", cause="; ".join(lines[1:4]), fixes=fixes
    )


def _read_files(local: LocalFacts, config: Path | None) -> tuple[_LookUp, Options]:
    """Return how netkit's own reader resolves a gateway, and what it assumes by default."""
    files = list(_config_files(local.home, config))
    system = _system_directory()

    def include(pattern: str) -> list[ConfigFile]:
        return _included(pattern, local.home)

    def read(files: Iterable[ConfigFile], gateway: Gateway) -> Options:
        return resolve(
            files,
            gateway,
            local,
            include=include,
            run=_run_match,
            system_directory=str(system),
        )

    return lambda gateway: read(files, gateway), read((), Gateway("netkit.invalid"))


def _system_directory() -> Path:
    return (
        Path(os.environ.get("PROGRAMDATA", r"C:\ProgramData"), "ssh")
        if _WINDOWS
        else Path("/etc/ssh")
    )


def _config_files(home: str, config: Path | None) -> Iterable[ConfigFile]:
    if config is not None:
        if str(config).lower() == _NO_CONFIG:
            return
        yield ConfigFile(str(config), _read_text(config))
        return
    users, systems = Path(home, ".ssh", "config"), _system_directory() / "ssh_config"
    if users.is_file():
        yield ConfigFile(str(users), _read_text(users, private=True))
    if systems.is_file():
        yield ConfigFile(str(systems), _read_text(systems), user=False)


def _included(pattern: str, home: str) -> list[ConfigFile]:
    """Return the files that an ``Include`` pattern names, in order of their names."""
    paths = sorted(glob.glob(expand_home(pattern, home)))  # noqa: PTH207 - pattern is absolute
    if len(paths) > MAX_INCLUDED:
        raise ConfigError(f"Include {pattern} names more than {MAX_INCLUDED} files")
    files = (Path(path) for path in paths)
    return [ConfigFile(str(file), _read_text(file, private=True)) for file in files]


def _read_text(path: Path, *, private: bool = False) -> str:
    """Read a configuration file; a ``private`` one must not be writable by others, as for ssh.

    Raises:
        ConfigError: it cannot be read, is too large, or others can write it.
    """
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            status = os.fstat(file.fileno())
            if private and _is_unsafe(status):
                raise ConfigError(
                    f"{path} can be changed by others",
                    code="config-not-private",
                    cause="ssh refuses it too: a configuration can name commands to run",
                    fixes=(Fix(argv=("chmod", "go-w", str(path))),),
                )
            # A pipe or a device has no end to wait for.
            if not stat.S_ISREG(status.st_mode):
                raise ConfigError(f"{path} is no regular file")
            content = file.read(MAX_FILE + 1)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}", fixes=(Fix(argv=("ls", "-l", str(path))),)
        ) from None
    if len(content) > MAX_FILE:
        raise ConfigError(f"{path} is longer than {MAX_FILE >> 20} MiB")
    return content.decode("utf-8", "surrogateescape")


def _open_at_once(path: str, flags: int) -> int:
    # Opening a pipe that nobody writes would wait for ever.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _is_unsafe(status: os.stat_result) -> bool:
    if sys.platform == "win32":
        return False
    return status.st_uid not in (0, os.getuid()) or bool(status.st_mode & 0o022)


def _run_match(command: str) -> bool:
    """Run the command of a ``Match exec`` in the user's shell; tell whether it succeeded."""
    shell = os.environ.get("COMSPEC", "cmd.exe") if _WINDOWS else os.environ.get("SHELL", "/bin/sh")
    _log.debug("running Match exec %r", command)
    try:
        status, _, _ = _run([shell, "/c" if _WINDOWS else "-c", command])
    except TimeoutError:
        raise ConfigError(
            f"Match exec {command!r} did not end within {SSH_TIMEOUT:.0f} s"
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"Match exec {command!r} cannot be run: {error}") from None
    return status == 0


def _existing(defaults: Options, home: str) -> frozenset[Path]:
    paths = (Path(expand_home(text, home)) for text in defaults.get("identityfile", ()))
    return frozenset(path for path in paths if path.exists())


def _only_needed(local: LocalFacts, hosts: Iterable[Options]) -> LocalFacts:
    """Keep the variables that options refer to; the rest may hold secrets and is nobody's need."""
    needed = {"SSH_AUTH_SOCK"}
    for options in hosts:
        for name in _EXPANDED:
            for value in options.get(name, ()):
                needed |= variables_in(value)
    kept: Mapping[str, str] = {
        name: value for name, value in local.variables.items() if name in needed
    }
    return LocalFacts(
        home=local.home,
        user=local.user,
        uid=local.uid,
        hostname=local.hostname,
        variables=kept,
    )
