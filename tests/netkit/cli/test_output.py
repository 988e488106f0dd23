from __future__ import annotations

import io
import json
import os
import sys
import threading
from pathlib import Path

import pytest

from netkit import events
from netkit.cli import output
from netkit.cli.output import EventPrinter, Output, OutputError, ReaderGoneError
from netkit.errors import BindError
from support.cli import LINK_UP

NOTICE = events.Notice(code="weak", text="weak cipher")


def failed(target="db:1", code="refused") -> events.FlowFailed:
    return events.FlowFailed(
        flow=1, forward=None, source="s", target=target, code=code, reason="no"
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def use_terminal(monkeypatch) -> Terminal:
    # not a fixture: pytest puts its own stderr back between set-up and call
    monkeypatch.setattr(sys, "stderr", stream := Terminal())
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return stream


def test_data_and_talk_go_their_ways(capsys):
    Output().data("address")
    Output().talk("hello")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("address\n", "netkit: hello\n")


def test_no_colour_off_a_terminal(capsys):
    Output().error(BindError("no"), command="netkit")
    assert "\x1b" not in capsys.readouterr().err


def test_colour_on_a_terminal(monkeypatch):
    terminal = use_terminal(monkeypatch)
    Output().error(BindError("no"), command="netkit")
    assert terminal.getvalue().startswith("\x1b[1;31mnetkit: no [bind-failed]\x1b[0m\n  cause: ")


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_can_be_refused(monkeypatch, name, value):
    terminal = use_terminal(monkeypatch)
    monkeypatch.setenv(name, value)
    out = Output()
    out.error(BindError("no"), command="netkit")
    out.event(NOTICE)
    assert "\x1b" not in terminal.getvalue()


def test_a_terminal_gets_progress_and_others_do_not(monkeypatch):
    terminal = use_terminal(monkeypatch)
    connecting = events.Connecting(gateway="gw", hop=1, hops=1)
    Output().event(connecting)
    assert terminal.getvalue() == "netkit: connecting to gw …\n"
    monkeypatch.setattr(sys, "stderr", plain := io.StringIO())
    Output().event(connecting)
    assert not plain.getvalue()


def test_json_prints_documents_and_nothing_else(capsys):
    out = Output(as_json=True, verbose=True)
    out.event(NOTICE)
    out.event(failed())
    out.error(BindError("no", cause="c"), command="netkit forward")
    captured = capsys.readouterr()
    documents = [json.loads(line) for line in captured.out.splitlines()]
    assert [each["event"] for each in documents] == ["notice", "flow-failed", "failed"]
    assert captured.err.splitlines()[0] == "netkit: no [bind-failed]"


def test_failures_of_flows_are_shown_once_each(capsys):
    out = Output()
    for _ in range(3):
        out.event(failed())
    out.event(failed(code="timeout"))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert (
        lines[0] == "netkit: flow 1: s -> db:1 failed: no [refused] (further ones like it with -v)"
    )


def test_failures_of_flows_fill_neither_screen_nor_memory(capsys):
    out = Output()
    for number in range(1000):
        out.event(failed(target=f"db:{number}"))
    assert len(capsys.readouterr().err.splitlines()) == 100


def test_verbose_shows_every_failure(capsys):
    out = Output(verbose=True)
    for _ in range(3):
        out.event(failed())
    assert len(capsys.readouterr().err.splitlines()) == 3


class Unwritable(io.StringIO):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def write(self, _text: str) -> int:
        raise self._error


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (BrokenPipeError(32, "Broken pipe"), ReaderGoneError, "reader"),
        (OSError(28, "No space left on device"), OutputError, "No space left on device"),
        (ValueError("I/O operation on closed file"), OutputError, "closed file"),
    ],
)
def test_unwritable_output(monkeypatch, error, kind, text):
    monkeypatch.setattr(sys, "stdout", Unwritable(error))
    with pytest.raises(kind, match=text) as caught:
        Output().data("x")
    assert type(caught.value) is kind


def test_missing_output(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OutputError, match="closed"):
        Output().data("x")


def test_talk_to_nobody_is_no_error(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    Output().talk("x")
    monkeypatch.setattr(sys, "stderr", Unwritable(BrokenPipeError()))
    Output().talk("x")


def test_a_reader_that_left_is_no_error(capsys):
    Output().error(ReaderGoneError("gone"), command="netkit")
    assert capsys.readouterr().err == ""


def test_silence_keeps_the_descriptor(tmp_path, monkeypatch):
    with (tmp_path / "out").open("w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        output.silence_stdout()
        file.write("lost")
        file.flush()
        assert os.fstat(file.fileno()).st_rdev == Path(os.devnull).stat().st_rdev
    assert (tmp_path / "out").read_text() == ""


def test_printer_prints_in_order_and_ends():
    seen: list[events.Event] = []
    printer = EventPrinter(seen.append)
    notices = [events.Notice(code=str(number), text="") for number in range(100)]
    for notice in notices:
        printer.post(notice)
    printer.close(5)
    assert seen == notices


def test_printer_never_blocks_and_drops_flows_only():
    seen: list[events.Event] = []
    go = threading.Event()

    def show(event):
        go.wait(10)
        seen.append(event)

    printer = EventPrinter(show)
    for _ in range(10_500):
        printer.post(failed())
    printer.post(NOTICE)
    go.set()
    printer.close(10)
    assert NOTICE in seen
    last = seen[-1]
    assert isinstance(last, events.Notice)
    assert last.code == "events-dropped"
    assert len(seen) < 10_050
    dropped = int(last.text.split()[0])
    assert sum(isinstance(event, events.FlowFailed) for event in seen) + dropped == 10_500


def test_printer_that_cannot_print_tells_the_hook(monkeypatch):
    faults = []
    monkeypatch.setattr(threading, "excepthook", lambda fault: faults.append(fault.exc_value))

    def show(_event):
        raise ReaderGoneError("gone")

    printer = EventPrinter(show)
    printer.post(NOTICE)
    printer.close(5)
    printer.post(NOTICE)
    assert [type(fault) for fault in faults] == [ReaderGoneError]


def test_printer_without_flows_passes_on_their_failures_only():
    seen: list[events.Event] = []
    printer = EventPrinter(seen.append, flows=False)
    opened = events.FlowOpened(flow=1, forward=None, source="a", target="b")
    failed = events.FlowFailed(
        flow=2, forward=None, source="a", target="b", code="target-refused", reason="no"
    )
    printer.post(opened)
    printer.post(failed)
    printer.close(5)
    assert seen == [failed]


def test_lines_of_several_things_begin_with_which(capsys):
    tagged = Output(tag="office")
    tagged.data("a -> b")
    tagged.talk("hello")
    tagged.error(BindError("no", code="x", cause="why"), command="netkit up")
    tagged.event(events.Notice(code="n", text="careful"))
    told = capsys.readouterr()
    assert told.out == "office: a -> b\n"
    assert told.err.splitlines()[:3] == [
        "netkit: office: hello",
        "netkit: office: no [x]",
        "netkit: office:   cause: why",
    ]
    assert told.err.splitlines()[-1].startswith("netkit: office: ")
    Output(tag="office", as_json=True).document({"a": 1})
    assert capsys.readouterr().out == '{"profile": "office", "a": 1}\n'


class TestWhileItReconnects:
    """A gateway that is down for a night must not fill the screen."""

    @staticmethod
    def retrying(attempt: int, code: str = "refused") -> events.Retrying:
        return events.Retrying(gateway="gw", attempt=attempt, seconds=30, code=code, reason=code)

    def test_the_same_trouble_is_said_once(self, capsys):
        shown = Output()
        for attempt in range(1, 5):
            shown.event(self.retrying(attempt))
        shown.event(self.retrying(5, "no-route"))
        shown.event(self.retrying(6, "no-route"))
        lines = capsys.readouterr().err.splitlines()
        assert lines == [
            "netkit: link lost (refused); trying again in 30.0 s",
            "netkit: not connected (no-route); trying again in 30.0 s",
        ]

    def test_a_link_that_was_there_between_makes_it_new(self, capsys):
        shown = Output()
        for _ in range(2):
            shown.event(self.retrying(1))
            shown.event(LINK_UP)
        assert len(capsys.readouterr().err.splitlines()) == 2

    def test_attempts_are_no_progress(self, monkeypatch):
        terminal = use_terminal(monkeypatch)
        connecting = events.Connecting(gateway="gw", hop=1, hops=1)
        shown = Output()
        shown.event(connecting)
        shown.event(self.retrying(1))
        for _ in range(3):
            shown.event(connecting)
        shown.event(LINK_UP)
        shown.event(connecting)
        lines = terminal.getvalue().splitlines()
        assert [line.split()[1] for line in lines] == ["connecting", "link", "connecting"]

    def test_all_of_them_when_asked_for(self, capsys):
        shown = Output(verbose=True)
        for attempt in range(1, 4):
            shown.event(self.retrying(attempt))
        assert len(capsys.readouterr().err.splitlines()) == 3
