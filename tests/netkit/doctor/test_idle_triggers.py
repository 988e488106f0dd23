"""How a gateway is made to speak: what each trigger makes of what comes."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from netkit.doctor import idle_triggers as module
from netkit.doctor.idle import IdleLink
from netkit.doctor.idle_triggers import (
    CommandTrigger,
    Knocker,
    KnockTrigger,
    QuestionTrigger,
    idle_command,
)
from netkit.errors import LinkLostError


class Channel:
    """A channel whose content a test sets."""

    def __init__(self):
        self.changed = threading.Condition()
        self.data = bytearray()
        self.last = 0.0
        self.is_over = False
        self.eof = False
        self.state = "open"
        self.text = "refused there"
        self.opened = True

    def say(self, text, last):
        self.data += text.encode()
        self.last = last

    def wait_open(self, deadline):
        return self.opened

    def wait(self, until, deadline):
        return bool(until(self))


class Loop:
    """A loop that runs what is posted at once."""

    def post(self, call):
        call()


class Session:
    """A session that notes what it is asked."""

    def __init__(self):
        self.channel = Channel()
        self.has_ended = False
        self.error: Any = None
        self.local = None
        self.last_received = time.monotonic()
        self.heard_at = 100.0
        self.abandoned = False
        self.commands: list[str] = []
        self.opened: list[Any] = []
        self.asked: list[Any] = []
        self.refused: list[Any] = []
        self.accept: Any = None
        mux = SimpleNamespace(refuse=lambda *what: self.refused.append(what))
        self.link = SimpleNamespace(loop=Loop(), mux=mux, ask=self._ask)

    def _ask(self, kind, data, reply):
        self.asked.append(reply)

    def start(self, command):
        self.commands.append(command)
        return SimpleNamespace(channel=self.channel)

    def open(self, target):
        self.opened.append(target)
        return self.channel

    def listen(self, bind, accept, timeout):
        self.accept = accept
        return SimpleNamespace(port=40000)

    def abandon(self):
        self.abandoned = True


@pytest.fixture
def session():
    return Session()


class TestCommand:
    @pytest.fixture
    def trigger(self, session):
        return CommandTrigger(session, 10)

    def say(self, session, text, last):
        token = session.commands[0].split("-", 1)[1][:8]
        session.channel.say(text.replace("TOKEN", token), last)

    def test_it_begins_with_the_first_word_and_is_heard_with_the_second(self, session, trigger):
        trigger.poll(time.monotonic())
        assert (trigger.began, trigger.heard) == (0, 0)
        self.say(session, "motd\nbegin-TOKEN 1.2.3.4 5 6.7.8.9 22\r\n", 100.0)
        trigger.poll(101)
        assert (trigger.began, trigger.source) == (100.0, "1.2.3.4:5")
        self.say(session, "end-TOKEN\n", 110.0)
        session.channel.eof = True
        trigger.poll(111)
        assert (trigger.heard, trigger.failure) == (110.0, "")

    @pytest.mark.parametrize(
        "line", ["", "1.2.3.4", "a b c d", "1.2.3.4 123456 a 1", "1.2.3.4 ٣ a 1"]
    )
    def test_a_source_that_is_none(self, session, trigger, line):
        self.say(session, f"begin-TOKEN {line}\n", 100.0)
        trigger.poll(101)
        assert (trigger.began, trigger.source) == (100.0, "")

    def test_a_sleep_that_does_not_wait(self, session, trigger):
        self.say(session, "begin-TOKEN \nend-TOKEN\n", 100.0)
        trigger.poll(101)
        assert "no 'sleep'" in trigger.failure
        assert trigger.heard == 0

    def test_a_command_that_ends_before_its_time(self, session, trigger):
        self.say(session, "begin-TOKEN \n", 100.0)
        session.channel.is_over = True
        trigger.poll(104)
        assert "ended before" in trigger.failure

    def test_no_command_at_all(self, session, trigger):
        session.channel.is_over = True
        trigger.poll(time.monotonic())
        assert "runs no commands" in trigger.failure

    def test_a_lost_link_is_no_failure_of_the_command(self, session, trigger):
        session.channel.is_over, session.channel.state = True, "lost"
        trigger.poll(time.monotonic())
        assert trigger.failure == ""
        self.say(session, "begin-TOKEN \n", 100.0)
        trigger.poll(104)
        assert trigger.failure == ""

    def test_a_shell_that_does_not_start(self, trigger):
        trigger.poll(time.monotonic() + module.ANSWER_TIME + 1)
        assert "did not start" in trigger.failure

    def test_the_command_for_posix(self):
        done = subprocess.run(
            ["sh", "-c", idle_command("abcd", 0.1, cmd=False)],
            check=True,
            capture_output=True,
            env={"SSH_CONNECTION": "1.2.3.4 5 6.7.8.9 22", "PATH": "/bin:/usr/bin"},
        )
        assert done.stdout == b"begin-abcd 1.2.3.4 5 6.7.8.9 22\nend-abcd\n"

    @pytest.mark.parametrize(
        "shell", [each for each in ("bash", "csh", "tcsh", "fish", "zsh") if shutil.which(each)]
    )
    def test_other_shells_that_are_here_take_it_too(self, shell):
        done = subprocess.run(
            [shell, "-c", idle_command("abcd", 0.1, cmd=False)],
            check=True,
            capture_output=True,
            env={"SSH_CONNECTION": "a", "PATH": "/bin:/usr/bin"},
        )
        assert done.stdout == b"begin-abcd a\nend-abcd\n"

    def test_the_command_for_cmd(self):
        assert idle_command("abcd", 28, cmd=True) == (
            "echo begin-abcd %SSH_CONNECTION%& ping -n 29 127.0.0.1 >nul & echo end-abcd"
        )


class TestKnock:
    @pytest.fixture
    def control(self):
        return Session()

    @pytest.fixture
    def trigger(self, session, control):
        return KnockTrigger(session, 10, Knocker(control))

    def test_it_knocks_once_when_it_is_time(self, session, control, trigger):
        trigger.poll(trigger.began + 9)
        assert control.opened == []
        trigger.poll(trigger.began + 10)
        trigger.poll(trigger.began + 11)
        (target,) = control.opened
        assert (target.host, target.port) == ("127.0.0.1", 40000)
        assert trigger.heard == 0
        session.accept(SimpleNamespace(channel="c"), "1.2.3.4:5")
        assert trigger.heard > 0
        assert session.refused[0][0] == "c"

    def test_a_knocker_that_is_lost(self, control, trigger):
        control.has_ended = True
        trigger.poll(trigger.began + 10)
        assert "second connection" in trigger.failure

    def test_trying_it_out(self, session, control, trigger):
        def open_and_arrive(target):
            session.accept(SimpleNamespace(channel="c"), "x")
            return control.channel

        control.open = open_and_arrive
        assert trigger.try_out() == ""
        assert trigger.heard == 0

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"has_ended": True}, "second connection"),
            ({"state": "refused"}, "refused there"),
            ({}, "do not arrive"),
        ],
    )
    def test_what_does_not_arrive(self, control, trigger, change, why):
        control.has_ended = change.get("has_ended", False)
        control.channel.state = change.get("state", "open")
        assert why in trigger.try_out()

    def test_the_knocker_is_kept_alive(self, control):
        knocker = Knocker(control)
        now = time.monotonic()
        knocker.poll(now)
        assert control.asked == []
        knocker.poll(now + module.STAY_ALIVE + 0.1)
        knocker.poll(now + module.STAY_ALIVE + 0.2)
        (reply,) = control.asked
        reply(False, b"")


class TestQuestion:
    def test_it_asks_once_when_it_is_time(self, session):
        trigger = QuestionTrigger(session, 10)
        trigger.poll(trigger.began + 9)
        assert session.asked == []
        trigger.poll(trigger.began + 10)
        trigger.poll(trigger.began + 11)
        (reply,) = session.asked
        assert trigger.heard == 0
        reply(False, b"")
        assert trigger.heard > 0

    def test_it_is_idle_since_the_last_word(self, session):
        session.last_received = time.monotonic() - 0.1
        assert QuestionTrigger(session, 1).began == session.last_received
        session.last_received -= 100
        assert time.monotonic() - QuestionTrigger(session, 1).began < 1


class Trigger:
    """A trigger that a test sets."""

    def __init__(self, **values):
        self.began, self.heard, self.failure, self.source = 100.0, 0.0, "", ""
        vars(self).update(values)

    def poll(self, now):
        """Nothing happens by itself."""


class TestLink:
    def after(self, now, *, session=None, end=200.0, **trigger):
        session = session or Session()
        session.last_received = session.heard_at
        link = IdleLink(session, Trigger(**trigger), "push", 10.0)
        link.poll(now, end)
        assert session.abandoned is bool(link.outcome)
        return link

    def test_it_waits(self):
        assert self.after(105).outcome == ""
        assert self.after(105).result().outcome == "unfinished"
        assert self.after(105, began=0.0).outcome == ""

    def test_the_word_arrived(self):
        assert self.after(111, heard=110.2).outcome == "alive"

    @pytest.mark.parametrize(("end", "silent_at"), [(200, 120), (115, 115), (105, 111)])
    def test_silence_is_certain_later_or_sooner(self, end, silent_at):
        assert self.after(silent_at - 0.1, end=end).outcome == ""
        assert self.after(silent_at, end=end).outcome == "silence"

    def test_somebody_else_knocked_before(self):
        link = self.after(105, heard=104.0)
        assert (link.outcome, link.refresh) == ("refreshed", 4.0)

    def test_the_gateway_spoke_before(self):
        session = Session()
        session.heard_at = 106.0
        link = self.after(107, session=session)
        assert (link.outcome, link.refresh) == ("refreshed", 6.0)

    def test_a_link_that_ended(self):
        session = Session()
        session.has_ended = True
        session.error = LinkLostError("gone", code="link-closed", cause="it said so")
        link = self.after(104, session=session)
        assert (link.outcome, link.ended, link.text) == ("fin", 4.0, "gone: it said so")

    def test_a_link_that_ended_before_it_was_idle(self):
        session = Session()
        session.has_ended = True
        link = self.after(104, session=session, began=0.0)
        assert (link.outcome, link.text) == ("not-started", "the connection was closed")

    def test_a_trigger_that_fails(self):
        link = self.after(104, failure="no sleep")
        assert (link.outcome, link.text) == ("not-started", "no sleep")
