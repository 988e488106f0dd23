"""A person for tests: answers from a script, remembers what was asked and shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netkit.prompt import HostKeyQuestion


class Person:
    """Answers questions in order; silence (``None``) when the script is over.

    Attributes:
        asked: the text of every question, in order.
        shown: every text shown.
        host_keys: every host key question.
    """

    def __init__(
        self,
        secrets: Iterable[str | None] = (),
        answers: Iterable[str | None] = (),
        *,
        trusts: bool = False,
    ) -> None:
        self._secrets = list(secrets)
        self._answers = list(answers)
        self._trusts = trusts
        self.asked: list[str] = []
        self.shown: list[str] = []
        self.host_keys: list[HostKeyQuestion] = []

    def secret(self, prompt: str) -> str | None:
        self.asked.append(prompt)
        return self._secrets.pop(0) if self._secrets else None

    def answer(self, prompt: str) -> str | None:
        self.asked.append(prompt)
        return self._answers.pop(0) if self._answers else None

    def show(self, text: str) -> None:
        self.shown.append(text)

    def trust_host_key(self, question: HostKeyQuestion) -> bool:
        self.host_keys.append(question)
        return self._trusts
