from __future__ import annotations

import inspect
from typing import Any

import pytest

from diagnostics.asked import AskedSsh, AskedSystem
from diagnostics.ssh import Ssh
from diagnostics.system import System
from support.any_values import NAMES, QUESTIONS


class Asked(AskedSystem):
    """Says what it was asked."""

    def _ask(self, method: str, /, **arguments: Any) -> Any:
        return method, arguments

    @property
    def os(self) -> str:
        return ""

    @property
    def ssh(self) -> Ssh:
        return Asking()

    def progress(self, text: str) -> None:
        """Nobody listens."""


class Asking(AskedSsh):
    """Says what it was asked."""

    def _ask(self, method: str, /, **arguments: Any) -> Any:
        return method, arguments

    def cancel(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(("of", "method"), QUESTIONS, ids=NAMES)
def test_every_question_goes_through_it(of: str, method: str):
    """By name, with every argument by its name, and with the port's own defaults."""
    port, asked = (System, Asked()) if of == "system" else (Ssh, Asked().ssh)
    parameters = inspect.signature(getattr(port, method)).parameters
    given = {
        name: parameter.default if parameter.default is not parameter.empty else f"given {name}"
        for name, parameter in parameters.items()
        if name != "self"
    }
    required = {
        name: value for name, value in given.items() if parameters[name].default is inspect._empty
    }
    assert getattr(asked, method)(**required) == (method, given)
    positional = [
        value
        for name, value in required.items()
        if parameters[name].kind is not inspect.Parameter.KEYWORD_ONLY
    ]
    assert getattr(asked, method)(*positional) == (method, given)
    ours = inspect.signature(getattr(type(asked), method), eval_str=True)
    assert ours == inspect.signature(getattr(port, method), eval_str=True)
