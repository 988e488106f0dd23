from __future__ import annotations

import dataclasses

import pytest

from netkit.prompt import HostKeyQuestion, Prompter


class Nobody:
    """The least that is a prompter; mypy checks that it is one."""

    def secret(self, prompt: str) -> str | None:
        return None

    def answer(self, prompt: str) -> str | None:
        return None

    def show(self, text: str) -> None:
        pass

    def trust_host_key(self, question: HostKeyQuestion) -> bool:
        return False


NOBODY: Prompter = Nobody()


def test_the_port_asks_for_no_more_than_this() -> None:
    asked = {name for name in vars(Prompter) if not name.startswith("_")}
    assert asked == {"secret", "answer", "show", "trust_host_key"}
    assert all(hasattr(NOBODY, name) for name in asked)


def test_a_question_cannot_be_changed_between_asking_and_trusting() -> None:
    question = HostKeyQuestion("gw", "192.0.2.1:22", "ssh-ed25519", "SHA256:x", "+--+")
    with pytest.raises(dataclasses.FrozenInstanceError):
        question.fingerprint = "SHA256:y"  # type: ignore[misc]
