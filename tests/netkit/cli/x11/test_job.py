"""What goes on while ``netkit x11`` runs: the program's output, and the guide to a display."""

from __future__ import annotations

import io
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from diagnostics.parsers.gateway_survey import MARKER
from netkit import errors
from netkit.cli.output import Output, OutputError, ReaderGoneError
from netkit.cli.services import Services
from netkit.cli.tunnel_job import Request
from netkit.cli.x11.job import Guide, Program, X11Job, X11Request, write
from netkit.desktop.display import LocalDisplay
from netkit.desktop.gateway_display import ASK, INSTALL
from netkit.engine.exec_channel import Executed
from netkit.engine.x11 import XServer
from netkit.model import Endpoint, Gateway, TunnelSpec, X11Trust
from support.cli import FakeTunnel, plan_of

SPEC = TunnelSpec(gateway=Gateway("gw"))
COOKIE = bytes(range(16))


class Streams:
    """Standard output and error that take bytes; made in the test, behind pytest's own."""

    def __init__(self, monkeypatch) -> None:
        self.out, self.err = io.BytesIO(), io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(self.out))
        monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(self.err))


class TestWrite:
    def test_bytes_as_they_come(self, monkeypatch):
        streams = Streams(monkeypatch)
        write(b"\xff\x00out", b"\xfeerr")
        write(b"", b"")
        assert (streams.out.getvalue(), streams.err.getvalue()) == (b"\xff\x00out", b"\xfeerr")

    @pytest.mark.parametrize(
        ("failure", "kind"),
        [(BrokenPipeError(), ReaderGoneError), (OSError(28, "No space left"), OutputError)],
    )
    def test_nobody_reads(self, monkeypatch, failure, kind):
        def fail(_data: bytes) -> int:
            raise failure

        monkeypatch.setattr("netkit.cli.output.silence_stdout", lambda: None)
        out = SimpleNamespace(
            flush=lambda: None, buffer=SimpleNamespace(write=fail, flush=lambda: None)
        )
        monkeypatch.setattr(sys, "stdout", out)
        with pytest.raises(kind):
            write(b"x", b"")

    def test_no_streams_at_all(self, monkeypatch):
        monkeypatch.setattr("netkit.cli.output.silence_stdout", lambda: None)
        monkeypatch.setattr(sys, "stdout", None)
        monkeypatch.setattr(sys, "stderr", None)
        write(b"", b"unheard")
        with pytest.raises(OutputError):
            write(b"x", b"")


class Session:
    """A program of which the test says what it says."""

    def __init__(self, *, status: int = 0, error: errors.NetkitError | None = None) -> None:
        self.status, self.error = status, error
        self.told: list[str] = []

    def pump(self, write) -> int:
        write(b"out", b"err")
        if self.error is not None:
            raise self.error
        return self.status

    def wait_flows(self) -> None:
        self.told.append("windows")

    def interrupt(self) -> None:
        self.told.append("interrupt")


class TestProgram:
    def test_its_end_is_the_end(self, monkeypatch):
        streams = Streams(monkeypatch)
        ended = threading.Event()
        session: Any = Session(status=7)
        program: Any = Program(session)
        program.up(None, None, ended.set)
        assert ended.wait(10)
        program.down()
        assert program.status == 7
        assert session.told == ["windows"]
        assert streams.out.getvalue() == b"out"

    def test_lost_link_is_the_tunnels_to_tell(self, monkeypatch):
        Streams(monkeypatch)
        ended = threading.Event()
        session: Any = Session(error=errors.LinkLostError("gone"))
        program: Any = Program(session)
        program.up(None, None, ended.set)
        program.down()
        assert not ended.is_set()

    def test_interrupt(self):
        session: Any = Session()
        program = Program(session)
        program.interrupt()
        program.down()
        assert session.told == ["interrupt"]


class Mapping:
    """A gateway whose shell answers as told."""

    cookie = COOKIE

    def __init__(self, survey: bytes = b"", install: Executed | None = None) -> None:
        self.survey = survey
        self.install = install or Executed(outcome="ran", status=0)
        self.ran: list[tuple[str, bytes]] = []

    def run(self, command: str, stdin: bytes = b"") -> Executed:
        self.ran.append((command, stdin))
        return Executed(outcome="ran", stdout=self.survey) if command == ASK else self.install


def survey(*listeners: str, sockets: str = "", names: str = "") -> bytes:
    """Return what a shell answers; listeners are netstat's columns."""
    rows = "".join(f"tcp4 0 0 {each} *.* LISTEN\n" for each in listeners)
    parts = ("host", "own", "xauth", "sockets", "locks", "ipv6", "listeners")
    said = {"host": f"gw\n{names}", "sockets": sockets, "listeners": rows}
    text = "".join(f"netkit-part {part}\n{said.get(part, '')}\n" for part in parts)
    return f"{MARKER}\n{text}netkit-part end\n".encode()


def guide(mapping: Any, **wish) -> Any:
    made = Guide(
        X11Request(request=Request(spec=SPEC), trust=X11Trust.TRUSTED, display=1, **wish),
        Output(),
        ":0",
    )
    made.mapping = mapping
    return made


class TestGuide:
    def tell(self, capsys, mapping: Mapping, **wish) -> tuple[list[str], str]:
        guide(mapping, **wish).up(None, plan_of(SPEC), lambda: None)
        said = capsys.readouterr()
        return said.out.splitlines(), said.err

    def test_on_the_gateway(self, capsys):
        out, err = self.tell(capsys, Mapping(survey("127.0.0.1.6001")))
        assert out == [
            "DISPLAY=localhost:1 on gw shows here (:0)",
            f"xauth add unix:1 . {COOKIE.hex()}",
        ]
        assert err == ""

    def test_for_other_hosts(self, capsys):
        out, err = self.tell(capsys, Mapping(survey("*.6001")), bind="*")
        assert out == [
            "DISPLAY=localhost:1 on gw shows here (:0)",
            "DISPLAY=gw:1 elsewhere shows here (:0)",
            f"xauth add unix:1 . {COOKIE.hex()}",
            f"xauth add gw:1 . {COOKIE.hex()}",
        ]
        assert err == ""

    def test_not_exposed_really(self, capsys):
        out, err = self.tell(capsys, Mapping(survey("127.0.0.1.6001")), bind="*")
        assert len(out) == 2
        assert "GatewayPorts" in err

    def test_not_known(self, capsys):
        out, _ = self.tell(capsys, Mapping(), bind="*")
        assert out[1] == "DISPLAY=gw:1 elsewhere shows here (:0) if GatewayPorts there allows it"

    def test_installed_cookie_is_not_shown(self, capsys):
        mapping = Mapping(survey("127.0.0.1.6001"))
        out, err = self.tell(capsys, mapping, install=True)
        assert out == ["DISPLAY=localhost:1 on gw shows here (:0)"]
        assert "keeps the cookie" in err
        words = f"add unix:1 MIT-MAGIC-COOKIE-1 {COOKIE.hex()}\n".encode()
        assert mapping.ran[-1] == (INSTALL, words)

    @pytest.mark.parametrize(
        ("done", "cause"),
        [
            (Executed(outcome="ran", status=1, stderr=b"xauth: no room\n"), "xauth: no room"),
            (Executed(outcome="refused"), "it runs no command"),
            (Executed(outcome="timed-out"), "timed-out"),
        ],
    )
    def test_cookie_that_cannot_be_installed(self, done, cause):
        with pytest.raises(errors.RemoteForwardError) as caught:
            guide(Mapping(install=done), install=True).up(None, plan_of(SPEC), lambda: None)
        assert caught.value.code == "x11-cookie-not-installed"
        assert cause in caught.value.cause

    def test_own_name_that_misleads(self, capsys):
        _, err = self.tell(capsys, Mapping(survey(names="127.0.1.1 STREAM gw")))
        assert "127.0.1.1" in err

    def test_looks_before(self):
        mapping = Mapping(survey(sockets="X1\n"))
        with pytest.raises(errors.RemoteForwardError) as caught:
            guide(mapping).check(mapping.run)
        assert caught.value.code == "x-display-collides"
        guide(Mapping(survey())).check(Mapping(survey()).run)
        guide(mapping).down()

    def test_refusal_knows_what_was_seen(self):
        made = guide(Mapping(survey("127.0.0.1.6002")))
        made.check(made.mapping.run)
        error = made.explain(errors.RemoteForwardError("no", cause="why"))
        assert error.fixes[0].argv[-1] == "3"
        assert guide(Mapping()).explain(error).fixes[0].argv[-1] == "2"


class TestStopping:
    def job(self, tunnel: FakeTunnel, display) -> X11Job:
        wish = X11Request(
            request=Request(spec=SPEC, drain=0.0), trust=X11Trust.TRUSTED, command="xprog"
        )
        return X11Job(wish, Services(plan=plan_of, tunnel=tunnel, display=display), Output())

    def found(self, _trust) -> LocalDisplay:
        return LocalDisplay(XServer(name=":0", address=Endpoint("h", 6000)))

    def test_before_there_is_anything(self):
        tunnel = FakeTunnel()
        job = self.job(tunnel, self.found)
        job.stop(0)
        assert job.work() == 0
        assert not tunnel.started.is_set()

    def test_while_it_starts(self):
        tunnel = FakeTunnel(blocks=True, start_error=errors.LinkLostError("stopped"))
        job = self.job(tunnel, self.found)
        failures: list[BaseException] = []

        def work() -> None:
            try:
                job.work()
            except errors.LinkLostError as error:
                failures.append(error)

        worker = threading.Thread(target=work)
        worker.start()
        assert tunnel.started.wait(10)
        job.stop(0)
        worker.join(10)
        assert not worker.is_alive()
        assert tunnel.drains
        assert len(failures) == 1
