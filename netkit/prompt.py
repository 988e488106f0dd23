"""What the engine may ask of a person, as a port.

The command line answers on the terminal; a program passes its own object or none.  With none,
nothing is ever asked: an unknown host key is refused and an encrypted key is an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class HostKeyQuestion:
    """An unknown host key: shown with its fingerprint and random art before it is trusted."""

    host: str
    address: str
    key_type: str
    fingerprint: str
    randomart: str


class Prompter(Protocol):
    """Answers of a person; ``None`` means "no answer" and is treated as refusal."""

    def secret(self, prompt: str) -> str | None:
        """Ask for a password or passphrase without echo."""

    def answer(self, prompt: str) -> str | None:
        """Ask a keyboard-interactive question with echo."""

    def show(self, text: str) -> None:
        """Show a banner or instruction of the gateway, already stripped of control characters."""

    def trust_host_key(self, question: HostKeyQuestion) -> bool:
        """Ask whether to trust an unknown host key."""
