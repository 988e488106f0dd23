"""Does data still come after an end of data, through the gateway and back?

A remote forward on the gateway's loopback leads to us, and a direct-tcpip channel leads to it, so
both ends are ours: one says its piece and EOF, the other answers only then.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from diagnostics.ssh import HalfClose
from netkit.doctor.facts import refusal_kind
from netkit.doctor.knocks import LISTEN_TIME
from netkit.engine.memory_channel import MemoryChannel
from netkit.errors import NetkitError, RemoteForwardError
from netkit.model import Endpoint

if TYPE_CHECKING:
    from netkit.doctor.session import Session
    from netkit.engine.remote import RemoteListener
    from netkit.wire.mux import OpenRequest

TIME: Final = 5.0
LOOPBACK: Final = "127.0.0.1"
_QUESTION: Final = b"netkit asks"
_ANSWER: Final = b"netkit answers"


class _Loop:
    """A connection from us through the gateway to us."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.changed = threading.Condition()
        self.far: MemoryChannel | None = None

    def accept(self, request: OpenRequest, _source: str) -> None:
        far = MemoryChannel.accept(self.session.link, request, changed=self.changed)
        with self.changed:
            if self.far is None:
                self.far = far
                self.changed.notify_all()
                return
        far.leave()

    def examine(self, port: int) -> HalfClose:
        deadline = time.monotonic() + TIME
        near = self.session.open(Endpoint(LOOPBACK, port), changed=self.changed)
        try:
            if not near.wait_open(deadline):
                return _not_open(near)
            near.send(_QUESTION, end=True)
            near.wait(lambda _: self._is_asked() or near.is_over, deadline)
            return self._answer(near, deadline)
        finally:
            near.close()
            if self.far is not None:
                self.far.close()

    def _is_asked(self) -> bool:
        far = self.far
        return far is not None and (far.eof or far.is_over)

    def _answer(self, near: MemoryChannel, deadline: float) -> HalfClose:
        far = self.far
        if far is not None and far.eof and not (far.is_over or near.is_over):
            far.send(_ANSWER, end=True)
            near.wait(lambda c: c.eof or c.is_over, deadline)
            if bytes(near.data) == _ANSWER:
                return HalfClose(outcome="kept")
            text = "what is sent after an end of data is lost"
        else:
            text = "the end of data closes the whole channel"
        states = {near.state} if far is None else {near.state, far.state}
        if "lost" in states:
            return HalfClose(outcome="timed-out", text="the link was lost")
        if "closed" in states:
            return HalfClose(outcome="lost", text=text)
        asked = far is not None and far.eof
        text = "no answer arrives after" if asked else "nothing arrives of"
        return HalfClose(outcome="timed-out", text=f"{text} an end of data")


def _not_open(near: MemoryChannel) -> HalfClose:
    if near.state == "refused":
        outcome = "prohibited" if refusal_kind(near) == "prohibited" else "timed-out"
        return HalfClose(outcome=outcome, text=near.text or "the gateway opens no channel")
    return HalfClose(outcome="timed-out", text=near.text or "the gateway opens no channel")


def half_close(session: Session) -> HalfClose:
    """Try it; both a local and a remote forward have to be allowed."""
    loop = _Loop(session)
    try:
        listener = session.listen(Endpoint(LOOPBACK, 0), loop.accept, LISTEN_TIME)
    except RemoteForwardError as error:
        outcome = "timed-out" if error.code == "remote-forward-unanswered" else "prohibited"
        return HalfClose(outcome=outcome, text=error.summary)
    except NetkitError as error:
        return HalfClose(outcome="timed-out", text=error.summary)
    result = loop.examine(listener.port)
    _give_back(session, listener)
    return result


def _give_back(session: Session, listener: RemoteListener) -> None:
    try:
        session.unlisten(listener, LISTEN_TIME)
    except NetkitError:
        return
