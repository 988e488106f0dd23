"""`netkit doctor` as users run it, and the table of faults that it was shown.

diagnosis = run_doctor("--for", "forward", "-L", "8080:web:80", home=tmp_path)
expect(record_property, diagnosis, "port taken", {"port-taken"})
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.sshd import Sshd

ROWS = "doctor-fault"
"""Name of the property that carries a row of the fault table."""

_SEVERITIES = ("ok", "info", "warning", "error")
_ROOT = Path(__file__).resolve().parents[2]
_KEPT = ("PATH", "LANG", "SYSTEMROOT", "COVERAGE_PROCESS_START")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What one run printed."""

    code: int
    document: dict[str, Any]
    stderr: str

    def codes(self, at_least: str = "warning") -> set[str]:
        """Return the codes of visible findings that are at least that severe."""
        rank = _SEVERITIES.index(at_least)
        return {
            finding["code"]
            for finding in self.document["findings"]
            if _SEVERITIES.index(finding["severity"]) >= rank
        }

    @property
    def hidden(self) -> set[str]:
        """What was hidden as a consequence: codes of findings, or of checks that made no sense."""
        return {each["what"] for each in self.document["hidden"]}

    def finding(self, code: str) -> dict[str, Any]:
        """Return the first finding with that code."""
        found = [each for each in self.document["findings"] if each["code"] == code]
        assert found, f"no {code} among {sorted(self.codes('ok'))}"
        first: dict[str, Any] = found[0]
        return first

    def status(self, check: str) -> str:
        """Return what became of a check."""
        by_code = {each["code"]: each["status"] for each in self.document["checks"]}
        return str(by_code[check])


def run_doctor(
    *arguments: str,
    home: Path,
    prefix: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    timeout: float = 60.0,
) -> Diagnosis:
    """Run ``netkit doctor --json`` with a home of its own and nothing of this user's."""
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / ".local/state"),
        "PYTHONPATH": str(_ROOT),
        "NO_COLOR": "1",
        **(env or {}),
    }
    argv = [*prefix, sys.executable, "-m", "netkit", "doctor", "--json", *arguments]
    done = subprocess.run(
        argv,
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout,
        cwd=home,
    )
    stderr = done.stderr.decode(errors="replace")
    assert "Traceback" not in stderr, stderr
    try:
        document = json.loads(done.stdout)
    except ValueError:
        raise AssertionError(f"exit {done.returncode}: {done.stdout!r}\n{stderr}") from None
    return Diagnosis(done.returncode, document, stderr)


def sshd_arguments(sshd: Sshd, home: Path, *, known: bool = True) -> list[str]:
    """Return the words that lead to ``sshd`` with its client key, and to nothing else.

    Without ``known`` its host key is in no known_hosts file.
    """
    known_hosts = str(sshd.known_hosts()) if known else str(home / "no_known_hosts")
    config = home / "ssh_config"
    config.write_text(
        f"Host *\n  UserKnownHostsFile {known_hosts}\n  GlobalKnownHostsFile none\n"
        f"  IdentitiesOnly yes\n  IdentityFile {sshd.client_key}\n  IdentityAgent none\n"
    )
    return [f"{sshd.user}@{sshd.host}:{sshd.port}", "-F", str(config)]


def expect(
    record_property: Callable[[str, object], None],
    diagnosis: Diagnosis,
    fault: str,
    codes: set[str],
    *,
    hidden: set[str] | None = None,
) -> None:
    """Assert that exactly ``codes`` are found (warning or worse), and that ``hidden`` is hidden.

    What passes becomes a row of the fault table at the end of the test run.
    """
    listed = json.dumps(diagnosis.document["findings"], indent=1)
    assert diagnosis.codes() == codes, f"{fault}: {sorted(diagnosis.codes())}\n{listed}"
    assert (hidden or set()) <= diagnosis.hidden, f"{fault}: hidden {sorted(diagnosis.hidden)}"
    shown = sorted(diagnosis.hidden)
    row = f"{fault} -> {', '.join(sorted(codes)) or 'nothing'} -> {', '.join(shown) or '-'}"
    record_property(ROWS, row)
