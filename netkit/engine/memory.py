"""What a person typed once need not be typed for every link that is made again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from netkit.prompt import HostKeyQuestion, Prompter

_LASTING: Final = re.compile(r"pass(word|phrase)", re.IGNORECASE)
_PASSING: Final = re.compile(r"one.?time|otp|new|token|code|verif", re.IGNORECASE)


class Memory:
    """Asks through another prompter and keeps passwords and passphrases, in memory alone.

    An answer is given again on a later attempt, once: if it was wrong, or is not any more, the
    person is asked.  Codes that are good for one login are always asked for.
    """

    def __init__(self, prompter: Prompter) -> None:
        self._prompter = prompter
        self._kept: dict[str, str] = {}
        self._given: set[str] = set()

    def begin(self) -> None:
        """A new attempt begins."""
        self._given.clear()

    def secret(self, prompt: str) -> str | None:
        """Return what was answered on an earlier attempt, or ask without echo."""
        kept = self._kept.pop(prompt, None) if prompt in self._given else self._kept.get(prompt)
        if kept is not None and prompt not in self._given:
            self._given.add(prompt)
            return kept
        self._given.add(prompt)
        answer = self._prompter.secret(prompt)
        if answer and is_lasting(prompt):
            self._kept[prompt] = answer
        return answer

    def recall(self, prompt: str) -> str | None:
        """Return what was answered to a question; any thread."""
        return self._kept.get(prompt)

    def answer(self, prompt: str) -> str | None:
        """Ask with echo."""
        return self._prompter.answer(prompt)

    def show(self, text: str) -> None:
        """Show what the gateway says."""
        self._prompter.show(text)

    def trust_host_key(self, question: HostKeyQuestion) -> bool:
        """Ask about an unknown host key."""
        return self._prompter.trust_host_key(question)


class Remembered:
    """Gives the answers of a `Memory` and asks nobody: for links that no person waits for."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def secret(self, prompt: str) -> str | None:
        """Return what was answered before."""
        return self._memory.recall(prompt)

    def answer(self, _prompt: str) -> None:
        """Nobody is asked."""

    def show(self, text: str) -> None:
        """Nobody looks."""

    def trust_host_key(self, _question: HostKeyQuestion) -> bool:
        """Nobody is asked; a key that was trusted is known."""
        return False


def is_lasting(prompt: str) -> bool:
    """Return whether the answer to a question is likely to be good for more than one login."""
    return bool(_LASTING.search(prompt)) and not _PASSING.search(prompt.partition("'")[0])
