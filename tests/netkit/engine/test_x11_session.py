"""The session of ``ssh -X`` against a scripted far side; a real sshd is in integration/recipe."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from netkit.engine import x11_session as engine
from netkit.engine.memory_channel import MemoryChannel
from netkit.engine.remote import RemoteForwards
from netkit.engine.x11 import XServer
from netkit.engine.x11_session import HOLD, X11Session
from netkit.errors import LinkLostError, NetkitError, RemoteForwardError
from netkit.events import Notice
from netkit.model import Endpoint, ForwardKind, ForwardSpec
from netkit.wire.messages import DEBUG, Fields, string, u32
from support.links import LinkPair
from support.waiting import wait_until

SERVER = XServer(name=":0", address=Endpoint("127.0.0.1", 1), cookie=b"R" * 16)


class Sshd:
    """The far link: says yes or no to ``x11-req`` and ``exec``, and says ``words`` on exec."""

    def __init__(self, pair: LinkPair, words: bytes = b"netkit-display=localhost:10.0.\n") -> None:
        self.pair = pair
        self.words = words
        self.errors = b""
        self.asked: list[tuple[str, bytes]] = []
        self.refuses: tuple[str, ...] = ()
        self.mute: tuple[str, ...] = ()
        self.debug = ""
        self.then: tuple[tuple[str, bytes], ...] = ()
        self.closes = False
        self.channel: MemoryChannel | None = None
        pair.far.on_open = self._open
        pair.far.on_request = self._request
        self.remotes = RemoteForwards(pair.near)

    def _open(self, request) -> None:
        self.channel = MemoryChannel.accept(self.pair.far, request)

    def _request(self, event) -> bool:
        far = self.pair.far
        self.asked.append((event.kind, event.data))
        if event.kind in self.mute:
            return True
        if self.debug:
            far.stream.send(bytes([DEBUG, 1]) + string(self.debug) + string(""))
        ok = event.kind not in self.refuses
        far.mux.answer(event.channel, ok=ok)
        if event.kind == "exec" and ok:
            self._run(event.channel)
        return True

    def _run(self, channel) -> None:
        mux = self.pair.far.mux
        mux.send(channel, self.words)
        for kind, data in self.then:
            mux.request(channel, kind, data, want_reply=False)
        if self.then:
            mux.eof(channel)
        if self.closes:
            self.channel.leave()

    def connect(self, session: X11Session) -> X11Session:
        session.connected(self.pair.near, self.remotes)
        return session


@pytest.fixture
def pair():
    with LinkPair(answer=False) as pair:
        yield pair


def refusal(sshd: Sshd, **words) -> NetkitError:
    with pytest.raises(NetkitError) as caught:
        sshd.connect(X11Session(SERVER, **words))
    assert sshd.pair.is_idle()
    return caught.value


class TestHolding:
    def test_display_is_told(self, pair):
        sshd = Sshd(pair, b"motd of a shell\nnetkit-display=gw:11.0.\r\n")
        session = sshd.connect(X11Session(SERVER))
        assert session.display == "gw:11.0"
        kinds = [kind for kind, _ in sshd.asked]
        assert kinds == ["x11-req", "exec"]
        assert Fields(sshd.asked[1][1], 0).text(1024) == HOLD
        assert sshd.channel.eof is False  # the program waits for the end of its input
        fields = Fields(sshd.asked[0][1], 0)
        assert (fields.boolean(), fields.text()) == (False, "MIT-MAGIC-COOKIE-1")
        fake = bytes.fromhex(fields.text())
        assert len(fake) == 16
        assert fake != SERVER.cookie

    def test_each_link_has_a_cookie_of_its_own(self, pair):
        session = X11Session(SERVER)
        fakes = set()
        for _ in range(2):
            sshd = Sshd(pair)
            sshd.connect(session)
            fakes.add(sshd.asked[0][1])
        assert len(fakes) == 2

    def test_end_of_the_session_is_told(self, pair):
        sshd = Sshd(pair)
        session = sshd.connect(X11Session(SERVER))
        sshd.channel.close()
        assert pair.report_of(Notice).code == "x11-session-ended"
        assert session.display == ""
        assert session._door._closed

    @pytest.mark.parametrize("side", ["near", "far"])
    def test_end_of_the_link_is_not(self, pair, side):
        sshd = Sshd(pair)
        session = sshd.connect(X11Session(SERVER))
        getattr(pair, side).stop()
        assert pair.near.wait(10)
        assert session.display == ""
        assert not [event for event in pair.reports if isinstance(event, Notice)]

    def test_other_forwards_are_not_its_business(self):
        forward = ForwardSpec(ForwardKind.REMOTE, Endpoint("", 6001))
        assert X11Session(SERVER).accept(forward) is None


class TestRefused:
    @pytest.mark.parametrize(
        ("debug", "code", "word"),
        [
            ("", "x-forwarding-refused", "X11Forwarding no"),
            ("No xauth program; cannot forward X11.", "x-forwarding-no-xauth", "xauth"),
            ("X11 forwarding disabled by key options.", "x-forwarding-forbidden-to-key", "key"),
        ],
    )
    def test_why(self, pair, debug, code, word):
        sshd = Sshd(pair)
        sshd.refuses, sshd.debug = ("x11-req",), debug
        pair.near.peer_version = "SSH-2.0-OpenSSH_9.2"
        heard: list[str] = []
        pair.near.on_debug = heard.append
        error = refusal(sshd)
        assert (error.code, error.exit_code) == (code, 8)
        assert word in error.cause
        assert error.fixes[0].where == "gateway"
        assert error.fixes[-1].argv == ("netkit", "x11", "GATEWAY", "--display", "1")
        assert heard == ([debug] if debug else [])
        assert [kind for kind, _ in sshd.asked] == ["x11-req"]

    def test_another_server(self, pair):
        sshd = Sshd(pair)
        sshd.refuses = ("x11-req",)
        pair.near.peer_version = "SSH-2.0-dropbear\x1b"
        error = refusal(sshd, gateway="me@gw")
        assert "SSH-2.0-dropbear?" in error.cause
        assert [fix.argv[2] for fix in error.fixes] == ["me@gw"]

    def test_no_command_runs(self, pair):
        sshd = Sshd(pair)
        sshd.refuses = ("exec",)
        assert refusal(sshd).code == "gateway-no-shell"

    @pytest.mark.parametrize("words", [b"This account is not available.\n", b""])
    def test_no_shell_answers(self, pair, words):
        sshd = Sshd(pair, words)
        sshd.then, sshd.closes = (("exit-status", u32(1)),), True
        assert refusal(sshd).code == "gateway-no-shell"

    def test_shell_without_display(self, pair):
        error = refusal(Sshd(pair, b"netkit-display=.\n"))
        assert error.code == "gateway-no-shell"
        assert "DISPLAY" in error.cause

    def test_no_session(self, pair):
        sshd = Sshd(pair)
        pair.far.on_open = lambda request: pair.far.mux.refuse(request.channel, 1, "no\x1b[2J")
        error = refusal(sshd)
        assert (error.code, error.exit_code) == ("gateway-no-sessions", 8)
        assert "no?[2J" in error.cause

    def test_no_answer(self, pair, monkeypatch):
        monkeypatch.setattr(engine, "ANSWER_TIME", 0.2)
        sshd = Sshd(pair)
        sshd.mute = ("x11-req",)
        assert refusal(sshd).code == "gateway-no-sessions"

    def test_program_that_never_starts(self, pair, monkeypatch):
        monkeypatch.setattr(engine, "START_TIME", 0.2)
        sshd = Sshd(pair)
        sshd.mute = ("exec",)
        assert refusal(sshd).code == "gateway-no-shell"

    @pytest.mark.parametrize("mute", ["x11-req", "exec"])
    def test_link_that_ends_meanwhile(self, pair, mute):
        sshd = Sshd(pair)
        sshd.mute = (mute,)
        threading.Timer(0.1, pair.far.stop).start()
        with pytest.raises(LinkLostError):
            sshd.connect(X11Session(SERVER))


def pumped(session: X11Session) -> tuple[int, bytes, bytes]:
    out, err = bytearray(), bytearray()

    def write(data: bytes, errors: bytes) -> None:
        out.extend(data)
        err.extend(errors)

    return session.pump(write), bytes(out), bytes(err)


class TestProgram:
    @pytest.mark.parametrize(
        ("then", "status"),
        [
            (("exit-status", u32(7)), 7),
            (("exit-status", u32(0)), 0),
            (("exit-status", u32(2**31)), 255),
            (("exit-status", b"\0"), 255),
            (("exit-signal", string("TERM") + b"\0" + string("")), 128 + signal.SIGTERM),
            (("exit-signal", string("WHAT") + b"\0" + string("")), 255),
        ],
    )
    def test_output_and_status(self, pair, then, status):
        sshd = Sshd(pair, b"windows\n")
        sshd.then = (then,)
        session = sshd.connect(X11Session(SERVER, command="xprog", single=True))
        assert pumped(session) == (status, b"windows\n", b"")
        assert session.display == ""
        assert sshd.asked[0][1][:1] == b"\1"
        assert Fields(sshd.asked[1][1], 0).text(1024) == "xprog"
        assert sshd.channel.wait(lambda c: c.eof, time.monotonic() + 10)

    def test_close_without_a_status(self, pair):
        sshd = Sshd(pair, b"x")
        sshd.closes = True
        assert pumped(sshd.connect(X11Session(SERVER, command="xprog"))) == (255, b"x", b"")

    def test_lost_link(self, pair):
        session = Sshd(pair).connect(X11Session(SERVER, command="xprog"))
        threading.Timer(0.1, pair.far.stop).start()
        with pytest.raises(LinkLostError):
            pumped(session)

    def test_interrupt(self, pair):
        sshd = Sshd(pair)
        session = sshd.connect(X11Session(SERVER, command="xprog"))
        session.interrupt()
        wait_until(lambda: sshd.channel.is_over, what="the close")
        assert sshd.channel.told["signal"] == string("TERM")
        X11Session(SERVER).interrupt()  # before there is anything

    def test_reader_that_stalls_stalls_the_program(self, pair):
        """Of 8 MB no more than a window is under way before somebody takes some."""
        sshd = Sshd(pair, b"")
        session = sshd.connect(X11Session(SERVER, command="xprog"))
        sshd.channel.send(bytes(8_000_000))
        channel = session._channel
        size = channel._channel.window.size
        wait_until(lambda: len(channel.data) == size, what="a window full")
        assert len(channel.data) == size < 3_000_000
        taken = 0

        def write(data: bytes, _errors: bytes) -> None:
            nonlocal taken
            taken += len(data)
            if taken == 8_000_000:
                sshd.channel.close()

        session.pump(write)
        assert taken == 8_000_000

    def test_no_windows_no_wait(self, pair):
        session = Sshd(pair).connect(X11Session(SERVER, command="xprog"))
        began = time.monotonic()
        session.wait_flows()
        assert time.monotonic() - began < 5


def test_refusal_is_of_the_remote_kind():
    assert isinstance(engine.refused([], "", "gw"), RemoteForwardError)
