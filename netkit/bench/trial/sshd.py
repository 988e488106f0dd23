"""The system's sshd as a throw-away gateway, with keys and a configuration of its own.

It lets in the user who runs it, and reads nothing of the system's configuration.  Every way in
which this can fail ends in a `TrialError` that says so in its cause: the caller takes netkit's own
gateway then.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from netkit.bench.trial.gateway import HOST, Keys, Trial, TrialError, check_cancelled
from netkit.bench.trial.processes import Served
from netkit.errors import NetkitError
from netkit.keys.make import write_key
from netkit.model import Endpoint, Plan

PLACES: Final = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin", "/sbin")
"""Where sshd is, beside PATH, which ordinary users often have without the sbin directories."""

TEST_LIMIT: Final = 3.0
READY_LIMIT: Final = 5.0
"""Seconds for ``sshd -t`` and until it listens."""

WORD_LIMIT: Final = 0.5
"""Seconds that its reason for refusing a login may come after the refusal."""

PORTS_TRIED: Final = 5

_OBJECTION: Final = r".*\bnot allowed\b.*|^(?:error|fatal): .*"

# sshd_config(5).  LogLevel INFO says when it listens, and why it lets somebody not in.
WORDS: Final[Mapping[str, str]] = {
    "AuthenticationMethods": "publickey",
    "GatewayPorts": "no",
    "KbdInteractiveAuthentication": "no",
    "LogLevel": "INFO",
    "MaxSessions": "100",
    "MaxStartups": "100",
    "PasswordAuthentication": "no",
    "PerSourcePenalties": "no",
    "PermitRootLogin": "prohibit-password",
    "PermitUserRC": "no",
    "PidFile": "none",
    "PrintLastLog": "no",
    "PrintMotd": "no",
    # bash reads ~/.bashrc for every command of sshd unless it believes that it is nested.
    "SetEnv": "SHLVL=2",
    "StrictModes": "no",
    "UseDNS": "no",
    "UsePAM": "no",
}

# What an sshd may be too old for, or built without, and can do without.
OPTIONAL: Final = frozenset(
    {"maxsessions", "permituserrc", "persourcepenalties", "printlastlog", "setenv", "usepam"}
)


def start(keys: Keys, cancelled: threading.Event) -> Trial:
    """Start it, and log in once to see that it works.

    Raises:
        TrialError: there is none, or it cannot be used; the cause says why.
        NetkitError: it was cancelled.
    """
    program = find()
    user = login_name()
    server = _Config(keys)
    words = _known_words(program, server)
    for _ in range(PORTS_TRIED):
        check_cancelled(cancelled)
        port = server.write(words)
        served = _serve(program, server.path, keys)
        try:
            if served.wait_for(rf"listening on {HOST} port {port}\b", READY_LIMIT, cancelled):
                address = Endpoint(HOST, port)
                trial = Trial(kind="sshd", address=address, user=user, keys=keys, server=served)
                _log_in(trial, cancelled)
                return trial
            check_cancelled(cancelled)
            said = served.last_words()
        except BaseException:
            served.stop(port)
            raise
        served.stop(port)
        if "in use" not in said:
            raise _unusable(said or f"it did not listen within {READY_LIMIT:g} s")
    raise _unusable("no port was free")


def find() -> Path:
    """Return the path of sshd, absolute, as sshd wants to be called.

    Raises:
        TrialError: there is none, or this is Windows.
    """
    if sys.platform == "win32":
        raise TrialError("no sshd", cause="the sshd of Windows runs as a service only")
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *PLACES])
    found = shutil.which("sshd", path=path)
    if found is None:
        raise TrialError("no sshd", cause="there is no sshd on this machine")
    return Path(found).absolute()


def login_name() -> str:
    """Return the account of this process: the only one that an sshd of this user can let in.

    Raises:
        TrialError: it has none.
    """
    import pwd  # noqa: PLC0415 (not on Windows)

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise _unusable(f"user {os.geteuid()} of this process has no account") from None


class _Config:
    """The configuration file and the host key."""

    def __init__(self, keys: Keys) -> None:
        if re.search(r'["\\\n\r]', str(keys.directory)):
            raise _unusable(f"the path {str(keys.directory)!r} cannot be written in its file")
        self.path = keys.directory / "sshd_config"
        self._host_key = keys.directory / "host_ed25519"
        self._keys = keys
        keys.know(write_key(self._host_key, "netkit-bench-host"))

    def write(self, words: Mapping[str, str]) -> int:
        """Write the file and return the port that is in it; it was free a moment ago."""
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port: int = probe.getsockname()[1]
        self.path.write_text(config_text(words, port, self._host_key, self._keys.authorized))
        return port


def config_text(words: Mapping[str, str], port: int, host_key: Path, authorized: Path) -> str:
    """Return the configuration.  In AuthorizedKeysFile a percent sign begins a token."""
    lines = [
        f"Port {port}",
        f"ListenAddress {HOST}",
        f'HostKey "{host_key}"',
        f'AuthorizedKeysFile "{str(authorized).replace("%", "%%")}"',
        *(f"{word} {value}" for word, value in words.items()),
    ]
    return "\n".join(lines) + "\n"


def _known_words(program: Path, config: _Config) -> dict[str, str]:
    """Ask ``sshd -t`` until it takes the configuration; return what is in it then."""
    words = dict(WORDS)
    has_made = False
    while True:
        config.write(words)
        said = _test(program, config.path)
        if said is None:
            return words
        bad = re.search(r"(?:Bad configuration option|Unsupported option):? (\w+)", said)
        missing = re.search(r"Missing privilege separation directory: (/\S+)", said)
        if bad and bad[1].lower() in OPTIONAL and _drop(words, bad[1]):
            continue
        if missing and not has_made:
            has_made = True
            if _make(Path(missing[1])):
                continue
        lines = said.strip().splitlines() or ["sshd -t fails"]
        raise _unusable(next((line for line in lines if bad and bad[0] in line), lines[-1]))


def _drop(words: dict[str, str], word: str) -> bool:
    name = next((each for each in words if each.lower() == word.lower()), None)
    return name is not None and bool(words.pop(name))


def _make(directory: Path) -> bool:
    """Make what the system makes when its own sshd starts; it stays, as then."""
    try:
        directory.mkdir(mode=0o755)
    except OSError:
        return False
    return True


def _test(program: Path, config: Path) -> str | None:
    """Return what ``sshd -t`` objects to; None: nothing."""
    try:
        done = subprocess.run(  # noqa: S603 - an argv list of ours
            [program, "-t", "-f", config],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TEST_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "sshd -t does not come to an end"
    except OSError as error:
        return f"{program}: {error.strerror}"
    return done.stdout.decode("utf-8", "replace") if done.returncode else None


def _serve(program: Path, config: Path, keys: Keys) -> Served:
    try:
        return Served([str(program), "-D", "-e", "-f", str(config)], keys.directory)
    except OSError as error:
        raise _unusable(f"{program}: {error.strerror}") from error


def _log_in(trial: Trial, cancelled: threading.Event) -> None:
    """Log in and out: an account may be locked, and more."""
    from netkit.doctor.session import Access, open_session  # noqa: PLC0415 (import cost)

    try:
        open_session(Access(plan=Plan(hops=(trial.hop(),)), cancelled=cancelled)).close()
    except NetkitError as error:
        check_cancelled(cancelled)
        said = trial.server.wait_for(_OBJECTION, WORD_LIMIT, cancelled)
        raise _unusable(f"{error.summary} ({said[0]})" if said else error.summary) from error


def _unusable(cause: str) -> TrialError:
    return TrialError("the system's sshd cannot be used", cause=cause)
