"""A machine that was recorded elsewhere, played back: same question, same answer.

Where a question was answered differently over time, the answers come in their order, and the last
one from then on.  What was not asked is not known.  Nothing of this machine is touched.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from diagnostics import tape
from diagnostics.asked import AskedSsh, AskedSystem
from diagnostics.model import InconclusiveError, Target
from diagnostics.ssh import Ssh
from diagnostics.tape import Question


class RecordedSystem(AskedSystem):
    """A recording as a machine.

    Attributes:
        target: what the doctor was asked about when it was made.
        left_out: questions whose answers were too large for it.
    """

    def __init__(self, data: bytes) -> None:
        """Read a recording.

        Raises:
            RecordingError: it is none; the cause names the place.
        """
        found = tape.decode(data)
        self.target: Target = found.target
        self.left_out = found.left_out
        self._os = found.os
        self._lock = threading.Lock()
        self._answers: dict[bytes, list[Any]] = {}
        for question in found.questions:
            self._answers.setdefault(question.key, []).append(question.answer)
        for answers in self._answers.values():
            answers.reverse()
        self._ssh = _RecordedSsh(self._look_up)

    @property
    def os(self) -> str:
        """What kind of system the recorded machine has."""
        return self._os

    @property
    def ssh(self) -> Ssh:
        """The recorded SSH."""
        return self._ssh

    def progress(self, text: str) -> None:
        """Do nothing: no answer takes long."""

    def _ask(self, method: str, /, **arguments: Any) -> Any:
        return self._look_up("system", method, arguments)

    def _look_up(self, of: str, method: str, arguments: dict[str, Any]) -> Any:
        with self._lock:
            answers = self._answers.get(tape.key(of, method, arguments))
            if answers:
                return answers.pop() if len(answers) > 1 else answers[0]
        asked = {name: value for name, value in arguments.items() if name not in tape.ASIDE}
        raise InconclusiveError(f"was not recorded: {Question(of, method, asked)}")


class _RecordedSsh(AskedSsh):
    def __init__(self, look_up: Callable[[str, str, dict[str, Any]], Any]) -> None:
        self._look_up = look_up

    def _ask(self, method: str, /, **arguments: Any) -> Any:
        return self._look_up("ssh", method, arguments)

    def cancel(self) -> None:
        """Do nothing: no answer takes long."""

    def close(self) -> None:
        """Do nothing: nothing is open."""
