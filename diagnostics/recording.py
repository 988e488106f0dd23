"""Noting every question that probes ask of a machine, and every answer, for `diagnostics.recorded`.

What is written holds no private key, no password and no X cookie: keys and passwords are masked
where they are read, cookies when the document is made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from diagnostics import tape
from diagnostics.asked import AskedSsh, AskedSystem
from diagnostics.cookies import Cookies
from diagnostics.model import Target
from diagnostics.redact import Redactor
from diagnostics.ssh import Ssh
from diagnostics.system import System
from diagnostics.tape import Question, Tape

MAX_REPEATS = 32
"""Different answers kept of one question, in the order in which they came."""


class RecordingSystem(AskedSystem):
    """Another machine, which notes what it is asked; threads may share it."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._lock = threading.Lock()
        self._noted: dict[bytes, list[Question]] = {}
        self._ssh = _RecordingSsh(system.ssh, self._note)

    @property
    def os(self) -> str:
        """What kind of system the machine has."""
        return self._system.os

    @property
    def ssh(self) -> Ssh:
        """The machine's SSH, whose answers are noted too."""
        return self._ssh

    def progress(self, text: str) -> None:
        """Pass it on."""
        self._system.progress(text)

    def _ask(self, method: str, /, **arguments: Any) -> Any:
        answer = getattr(self._system, method)(**arguments)
        self._note("system", method, arguments, answer)
        return answer

    def _note(self, of: str, method: str, arguments: dict[str, Any], answer: Any) -> None:
        kept = {name: value for name, value in arguments.items() if name not in tape.ASIDE}
        question = Question(of, method, kept, answer)
        with self._lock:
            same = self._noted.setdefault(question.key, [])
            if len(same) < MAX_REPEATS and (not same or same[-1].answer != answer):
                same.append(question)

    def encode(self, target: Target, redactor: Redactor | None = None) -> bytes:
        """Return the recording; with a ``redactor`` names and addresses in it are replaced.

        The replaced ones are of the same kind, so that the recording can still be judged.
        """
        with self._lock:
            questions = [question for same in self._noted.values() for question in same]
        cookies = Cookies()
        for question in questions:
            cookies.learn(question)
        questions = [_changed(question, cookies.replaced) for question in questions]
        if redactor is not None:
            examples = redactor.examples()
            for each in (target, *questions):
                examples.learn(each)
            target = examples.value(target)
            questions = [_changed(question, examples.value) for question in questions]
        return tape.encode(Tape(self.os, target, tuple(questions)))


def _changed(question: Question, change: Callable[[Any], Any]) -> Question:
    """Return ``question`` with the values in it changed; what was asked stays."""
    arguments, answer = change(question.arguments), change(question.answer)
    return replace(question, arguments=arguments, answer=answer)


class _RecordingSsh(AskedSsh):
    def __init__(self, ssh: Ssh, note: Callable[[str, str, dict[str, Any], Any], None]) -> None:
        self._ssh = ssh
        self._note = note

    def _ask(self, method: str, /, **arguments: Any) -> Any:
        answer = getattr(self._ssh, method)(**arguments)
        self._note("ssh", method, arguments, answer)
        return answer

    def cancel(self) -> None:
        self._ssh.cancel()

    def close(self) -> None:
        self._ssh.close()
