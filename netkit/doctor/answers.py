"""A person's answers, remembered for further logins of the same examination.

Measuring needs many logins, and nobody should type a password for each.  A remembered answer is
given once per login; when the same is asked again it was wrong, and the person is asked.  Answers
that are shown while they are typed are never remembered: they may be one-time codes.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netkit.prompt import HostKeyQuestion, Prompter


class Answers:
    """What a person has answered; itself a `Prompter` that asks anew."""

    def __init__(self, prompter: Prompter) -> None:
        self._prompter = prompter
        self._lock = threading.RLock()
        self._secrets: dict[str, str] = {}
        self._trusted: dict[HostKeyQuestion, bool] = {}
        self._shown: set[str] = set()

    def for_login(self) -> Prompter:
        """Return a prompter for one login."""
        return _OneLogin(self)

    def secret(self, prompt: str, *, again: bool = True) -> str | None:
        """Ask, unless the answer is known and this is not ``again``."""
        with self._lock:
            if not again and prompt in self._secrets:
                return self._secrets[prompt]
            answer = self._prompter.secret(prompt)
            if answer is not None:
                self._secrets[prompt] = answer
            return answer

    def answer(self, prompt: str) -> str | None:
        """Ask; never remembered."""
        with self._lock:
            return self._prompter.answer(prompt)

    def show(self, text: str) -> None:
        """Show a text the first time."""
        with self._lock:
            if text not in self._shown:
                self._shown.add(text)
                self._prompter.show(text)

    def trust_host_key(self, question: HostKeyQuestion) -> bool:
        """Ask the first time."""
        with self._lock:
            if question not in self._trusted:
                self._trusted[question] = self._prompter.trust_host_key(question)
            return self._trusted[question]


class _OneLogin:
    """Gives each remembered secret once."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._asked: set[str] = set()

    def secret(self, prompt: str) -> str | None:
        again = prompt in self._asked
        self._asked.add(prompt)
        return self._answers.secret(prompt, again=again)

    def answer(self, prompt: str) -> str | None:
        return self._answers.answer(prompt)

    def show(self, text: str) -> None:
        self._answers.show(text)

    def trust_host_key(self, question: HostKeyQuestion) -> bool:
        return self._answers.trust_host_key(question)
