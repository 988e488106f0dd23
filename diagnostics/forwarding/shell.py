"""Asking a shell on the gateway, and what to say where there is none.

Everything here only reads.  An account without a shell is nothing unusual: what needs one is then
not known, and says so with `why`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from diagnostics.parsers import gateway_survey, key_options, port_holder
from diagnostics.parsers.gateway_survey import Survey
from diagnostics.parsers.key_options import KeyLine
from diagnostics.parsers.port_holder import Holder
from diagnostics.parsers.sshd_config import SshdConfig
from diagnostics.parsers.text import clean
from diagnostics.ssh import RemoteOutput, Ssh
from netkit.model import Fix

TIME = 6.0
"""Seconds for the answer to one command."""

NO_SHELL = "no-shell"

_PATH = re.compile(r"/[A-Za-z0-9_./@+~-]{1,200}\Z", re.ASCII)
_REASONS = {
    "refused": "the gateway runs no commands for this account",
    NO_SHELL: "this account has no shell on the gateway",
    "timed-out": "the gateway's shell did not answer in time",
    "link-lost": "the connection to the gateway was lost",
    "no-login": "there is no login to the gateway",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A survey, or why there is none.

    Attributes:
        outcome: empty where there is a survey, else a key of the reasons that `why` tells.
        said: what came in place of a survey.
        server: the version line of the server.
        survey: see there.
    """

    outcome: str = ""
    said: str = ""
    server: str = ""
    survey: Survey = field(default_factory=Survey)

    @property
    def is_openssh(self) -> bool:
        """Whether sshd_config is what decides."""
        return "openssh" in self.server.lower()


def ask(ssh: Ssh, *, whole: bool = True) -> Asked:
    """Ask who we are on the gateway, and with ``whole`` what its SSH server is told to do."""
    server = clean(ssh.login().server, 100)
    if "windows" in server.lower():
        return _ask_windows(ssh, server)
    done = ssh.run(gateway_survey.ASK if whole else gateway_survey.ASK_SHELL, TIME)
    survey = gateway_survey.parse_survey(done.stdout)
    if not survey.has_shell:
        return _nothing(done, server)
    if "openssh" not in server.lower():
        # An sshd_config that happens to be there says nothing about another server.
        survey = replace(survey, config=SshdConfig(), config_file="")
    return Asked(server=server, survey=survey)


def _ask_windows(ssh: Ssh, server: str) -> Asked:
    done = ssh.run(gateway_survey.ASK_WINDOWS, TIME)
    survey = gateway_survey.parse_windows(done.stdout)
    return Asked(server=server, survey=survey) if survey.config_file else _nothing(done, server)


def _nothing(done: RemoteOutput, server: str) -> Asked:
    outcome = NO_SHELL if done.outcome == "ran" else done.outcome
    said = done.stdout.strip() or done.stderr.strip() or done.text_error.encode()
    return Asked(outcome=outcome, said=clean(said, 100), server=server)


def why(asked: Asked) -> str:
    """Return why there is no answer, as a part of a sentence."""
    return _REASONS.get(asked.outcome, "the gateway's shell could not be asked")


def ask_keys(ssh: Ssh, asked: Asked) -> tuple[KeyLine, ...]:
    """Return the lines of the account's authorized_keys; none where they cannot be read."""
    paths = key_files(asked.survey)
    if not paths:
        return ()
    return key_options.parse_answer(ssh.run(key_options.ask(paths), TIME).stdout)


def key_files(survey: Survey) -> tuple[str, ...]:
    """Return where sshd looks for the account's public keys."""
    account = survey.account
    setting = survey.config.get("AuthorizedKeysFile")
    words = setting.words if setting else (".ssh/authorized_keys", ".ssh/authorized_keys2")
    found = []
    for word in words[:8]:
        path = word.replace("%h", account.home).replace("%u", account.user).replace("%%", "%")
        path = path if path.startswith("/") else f"{account.home}/{path}"
        if _PATH.match(path):
            found.append(path)
    return tuple(found) if survey.has_shell and account.home else ()


def ask_holder(ssh: Ssh, port: int) -> Holder | None:
    """Return who listens on ``port`` of the gateway; None where no shell tells."""
    return port_holder.parse_holder(ssh.run(port_holder.ask(port), TIME).stdout, port)


def by_hand(*argv: str, note: str = "", needs_admin: bool = False) -> Fix:
    """Return a command to be typed on the gateway."""
    words = ("sudo", *argv) if needs_admin else argv
    return Fix(words, where="gateway", note=note, needs_admin=needs_admin)
