from __future__ import annotations

import contextlib
import errno
import io
import os
import pty
import sys
import termios
import threading

import pytest

from netkit.cli import terminal
from netkit.cli.terminal import TerminalPrompter, host_key_text, read_password
from netkit.errors import UsageError
from netkit.prompt import HostKeyQuestion
from support.cli import FakeTunnel, run_cli
from support.waiting import wait_until

QUESTION = HostKeyQuestion(
    host="[gw]:2222",
    address="127.0.0.1",
    key_type="ED25519",
    fingerprint="SHA256:abc/def+123",
    randomart="+--[ED25519 256]--+\n|   .o*    \x1b[2J   |\n+----[SHA256]-----+",
)


class Person:
    """The far side of a terminal: types, and reads what is shown."""

    def __init__(self, master: int, slave: int) -> None:
        self._master, self._slave = master, slave
        self.shown = ""

    def read_until(self, text: str) -> str:
        while text not in self.shown:
            self.shown += os.read(self._master, 4096).decode()
        return self.shown

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    @property
    def echo(self) -> bool:
        return bool(termios.tcgetattr(self._slave)[3] & termios.ECHO)


@pytest.fixture
def person(monkeypatch):
    """Make /dev/tty a terminal of the test's own."""
    master, slave = pty.openpty()
    opened = os.open

    def open_tty(path, flags, *rest, **more):
        if path == "/dev/tty":
            return os.dup(slave)
        return opened(path, flags, *rest, **more)

    monkeypatch.setattr(terminal.os, "open", open_tty)
    yield Person(master, slave)
    os.close(master)
    os.close(slave)


@contextlib.contextmanager
def asking(question):
    """Run ``question`` on a thread; yields a function that returns its answer."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(question()))
    thread.start()

    def answer():
        thread.join(10)
        assert answers, "no answer came"
        return answers[0]

    yield answer
    thread.join(10)


def test_a_secret_is_not_echoed(person):
    with asking(lambda: TerminalPrompter().secret("me@gw's password:")) as answer:
        person.read_until("password: ")
        assert not person.echo
        person.type("s3cret pass\n")
        assert answer() == "s3cret pass"
    assert person.echo
    person.type("x\n")
    assert "s3cret" not in person.read_until("x")


def test_an_answer_is_echoed(person):
    with asking(lambda: TerminalPrompter().answer("Code:")) as answer:
        person.read_until("Code: ")
        assert person.echo
        person.type("123\n")
        assert answer() == "123"


def test_a_prompt_of_the_gateway_cannot_drive_the_terminal(person):
    with asking(lambda: TerminalPrompter().answer("\x1b]0;x\x07Co\x9bde:\n\n")) as answer:
        shown = person.read_until("e: ")
        person.type("\n")
        assert answer() == ""
    assert shown.isprintable()


def test_end_of_input_is_no_answer(person):
    with asking(lambda: TerminalPrompter().secret("p:")) as answer:
        person.read_until("p: ")
        person.type("\x04")
        assert answer() is None
    assert person.echo


def test_cancel_ends_a_question_and_restores_echo(person):
    prompter = TerminalPrompter()
    with asking(lambda: prompter.secret("p:")) as answer:
        person.read_until("p: ")
        prompter.cancel()
        assert answer() is None
    assert person.echo
    assert prompter.secret("again:") is None
    assert prompter.trust_host_key(QUESTION) is False


def test_without_a_terminal_nothing_is_asked(monkeypatch):
    def no_tty(*_args):
        raise OSError(6, "No such device or address")

    monkeypatch.setattr(terminal.os, "open", no_tty)
    prompter = TerminalPrompter()
    assert prompter.secret("p:") is None
    assert prompter.answer("p:") is None
    assert prompter.trust_host_key(QUESTION) is False


@pytest.mark.parametrize(
    ("typed", "trusted"),
    [("yes", True), ("YES ", True), ("SHA256:abc/def+123", True), ("no", False), ("No", False)],
)
def test_host_key_answers(person, typed, trusted):
    with asking(lambda: TerminalPrompter().trust_host_key(QUESTION)) as answer:
        person.read_until("[fingerprint])? ")
        person.type(f"{typed}\n")
        assert answer() is trusted


@pytest.mark.parametrize("typed", ["y", "", "SHA256:other", "sha256:abc/def+123"])
def test_an_unclear_answer_is_asked_again(person, typed):
    with asking(lambda: TerminalPrompter().trust_host_key(QUESTION)) as answer:
        person.read_until("[fingerprint])? ")
        person.type(f"{typed}\n")
        person.read_until("Please type 'yes', 'no' or the fingerprint: ")
        person.type("no\n")
        assert answer() is False


def test_host_key_text_shows_what_is_needed():
    assert host_key_text(QUESTION).splitlines() == [
        "The authenticity of host '[gw]:2222 (127.0.0.1)' can't be established.",
        "ED25519 key fingerprint is SHA256:abc/def+123",
        "+--[ED25519 256]--+",
        "|   .o*    ?[2J   |",
        "+----[SHA256]-----+",
        "Compare it with `ssh-keygen -lv -f /etc/ssh/ssh_host_…_key.pub` on the gateway.",
        "Trust it and remember it (yes/no/[fingerprint])? ",
    ]


def test_a_banner_is_shown_without_controls(capsys):
    prompter = TerminalPrompter()
    prompter.show("Welcome\r\n\x1b[31mred\x07\n\n")
    prompter.show("")
    assert capsys.readouterr().err == "Welcome\n?[31mred?\n"


@pytest.fixture
def stdin(monkeypatch):
    """Return a function that makes ``data`` standard input."""
    read, write = os.pipe()
    stream = os.fdopen(read)

    def use(data: bytes) -> None:
        os.write(write, data)
        os.close(write)
        monkeypatch.setattr(sys, "stdin", stream)

    yield use
    stream.close()


@pytest.mark.parametrize(
    ("data", "password"),
    [
        (b"pass\n", "pass"),
        (b"pass", "pass"),
        (b"pass\r\nmore\n", "pass"),
        (b" p\xc3\xa4ss \n", " päss "),
        (b"x" * 4096 + b"\n", "x" * 4096),
    ],
)
def test_password_on_stdin(stdin, data, password):
    stdin(data)
    assert read_password() == password


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b"\xff\xfe\n", "UTF-8"),
        (b"x" * 4097 + b"\n", "longer than 4096 bytes"),
        (b"x" * 60000, "longer than 4096 bytes"),
    ],
)
def test_no_password_on_stdin(stdin, data, cause):
    stdin(data)
    with pytest.raises(UsageError) as caught:
        read_password()
    assert cause in caught.value.cause
    assert caught.value.code == "no-password-on-stdin"


def test_a_terminal_would_show_the_password(monkeypatch):
    master, slave = pty.openpty()
    with os.fdopen(slave) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        with pytest.raises(UsageError) as caught:
            read_password()
    os.close(master)
    assert "terminal" in caught.value.cause


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_closed_stdin(monkeypatch, stream):
    if stream is not None:
        stream.close()
    monkeypatch.setattr(sys, "stdin", stream)
    with pytest.raises(UsageError):
        read_password()


def test_stdin_replaced_by_an_object(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"pass\n")))
    assert read_password() == "pass"


def test_a_question_waits_for_the_whole_line(person):
    with asking(lambda: TerminalPrompter().answer("p:")) as answer:
        person.read_until("p: ")
        person.type("ab")
        person.read_until("ab")
        person.type("c\n")
        assert answer() == "abc"
    wait_until(lambda: person.echo)


def test_without_a_terminal_nobody_is_asked(monkeypatch):
    def refuse(*_arguments):
        raise OSError(errno.ENXIO, "no such device")

    monkeypatch.setattr("netkit.cli.terminal.os.open", refuse)
    assert not TerminalPrompter.has_terminal()
    monkeypatch.undo()
    tunnel = FakeTunnel()
    monkeypatch.setattr(TerminalPrompter, "has_terminal", staticmethod(lambda: False))
    run_cli("forward", "gw", "-D", "1080", tunnel=tunnel)
    assert tunnel.prompter is None
    monkeypatch.setattr(TerminalPrompter, "has_terminal", staticmethod(lambda: True))
    run_cli("forward", "gw", "-D", "1080", tunnel=tunnel)
    assert isinstance(tunnel.prompter, TerminalPrompter)
