"""A channel that ends in memory: both ends, every state, every bound."""

from __future__ import annotations

import threading
import time

import pytest

from netkit.engine import memory_channel
from netkit.engine.memory_channel import MemoryChannel
from netkit.wire.messages import string, u32
from support.links import LinkPair
from support.waiting import wait_until


def soon() -> float:
    return time.monotonic() + 10


@pytest.fixture
def pair():
    with LinkPair(answer=False) as pair:
        yield pair


class Far:
    """Accepts every channel of the pair into memory."""

    def __init__(self, pair: LinkPair) -> None:
        self.changed = threading.Condition()
        self.channels: list[MemoryChannel] = []
        self.kinds: list[tuple[str, bytes]] = []
        self.link = pair.far
        pair.far.on_open = self._accept

    def _accept(self, request) -> None:
        channel = MemoryChannel.accept(self.link, request, changed=self.changed)
        with self.changed:
            self.kinds.append((request.kind, request.data))
            self.channels.append(channel)
            self.changed.notify_all()

    def channel(self, index: int = 0) -> MemoryChannel:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.channels) > index, 10)
        return self.channels[index]


def test_there_and_back(pair):
    far = Far(pair)
    near = MemoryChannel.open(pair.near, "direct-tcpip", b"where")
    assert near.wait_open(soon())
    assert far.channel().state == "open"
    assert far.kinds == [("direct-tcpip", b"where")]
    near.send(b"question", end=True)
    assert far.channel().wait(lambda c: c.eof, soon())
    assert far.channel().data == b"question"
    far.channel().send(b"ans")
    far.channel().send(b"wer")
    far.channel().close()
    assert near.wait(lambda c: c.state == "closed", soon())
    assert near.data == b"answer"
    assert (near.eof, near.is_over) == (False, True)
    assert near.heard == 6
    assert near.last > 0
    assert pair.is_idle()


def test_what_comes_before_it_falls_silent(pair):
    far = Far(pair)
    near = MemoryChannel.open(pair.near, "x")
    near.wait_open(soon())
    began = time.monotonic()
    near.wait_quiet(5, 0.1, began + 0.1)  # nothing at all
    far.channel().send(b"hello")
    near.wait_quiet(5, 30, soon())  # all of it
    near.wait_quiet(100, 0.1, soon())  # no more for a moment
    far.channel().send(b"", end=True)
    assert near.wait(lambda c: c.eof, soon())
    near.wait_quiet(100, 30, soon())
    assert near.data == b"hello"
    assert time.monotonic() - began < 10
    near.close()
    assert pair.is_idle()


def test_words_for_the_first_moment(pair):
    far = Far(pair)
    near = MemoryChannel.open(pair.near, "x", first=lambda channel: channel.say(b"hello"))
    assert far.channel().wait(lambda c: c.data == b"hello", soon())
    near.close()
    assert far.channel().wait(lambda c: c.is_over, soon())
    near.close()
    near.send(b"too late")
    assert pair.is_idle()


def test_refused(pair):
    near = MemoryChannel.open(pair.near, "x")
    request = pair.offers.get(timeout=10)
    pair.far.run(lambda: pair.far.mux.refuse(request.channel, 1, "not\x1b you"))
    assert not near.wait_open(soon())
    assert (near.state, near.reason, near.text) == ("refused", 1, "not? you")
    assert pair.is_idle()


def test_no_answer_is_not_waited_for(pair):
    near = MemoryChannel.open(pair.near, "x")
    began = time.monotonic()
    assert not near.wait_open(began + 0.1)
    assert time.monotonic() - began < 2
    assert near.state == "opening"
    near.close()
    # The answer finds a channel that is to be closed.
    request = pair.offers.get(timeout=10)
    pair.far.run(lambda: pair.far.mux.confirm(request.channel))
    assert near.wait(lambda c: c.is_over, soon())
    assert pair.is_idle()


def test_two_streams(pair):
    far = Far(pair)
    near = MemoryChannel.open(pair.near, "session")
    near.wait_open(soon())
    far.channel().send(b"out")
    _extended(pair, far, 1, b"err")
    _extended(pair, far, 7, b"unknown")
    assert near.wait(lambda c: c.heard == 13, soon())
    assert near.data == b"out"
    assert near.errors == b"err"
    near.close()


def _extended(pair: LinkPair, far: Far, kind: int, data: bytes) -> None:
    channel = far.channel()._channel
    assert channel is not None
    message = b"\x5f" + u32(channel.remote) + u32(kind) + string(data)

    def say() -> None:
        channel.send_window -= len(data)
        pair.far.mux.out.append(message)

    pair.far.run(say)


def test_requests_both_ways(pair):
    far = Far(pair)
    near = MemoryChannel.open(
        pair.near, "session", first=lambda channel: channel.ask("exec", string("ls"))
    )
    # Nobody on the far side knows the request.
    assert near.wait(lambda c: c.replies, soon())
    assert near.replies == [False]
    pair.far.run(lambda: far.channel().ask("exit-status", u32(3), want_reply=False))
    assert near.wait(lambda c: c.told, soon())
    assert near.told == {"exit-status": u32(3)}
    near.close()


def test_a_request_that_wants_an_answer_goes_to_the_link(pair):
    far = Far(pair)
    asked: list[str] = []

    def note(event) -> bool:
        asked.append(event.kind)
        return False

    pair.near.on_request = note
    near = MemoryChannel.open(pair.near, "session")
    near.wait_open(soon())
    pair.far.run(lambda: far.channel().ask("keepalive@openssh.com"))
    assert far.channel().wait(lambda c: c.replies, soon())
    assert far.channel().replies == [False]
    assert asked == ["keepalive@openssh.com"]
    assert near.told == {}
    near.close()


def test_what_is_told_is_bounded(pair):
    far = Far(pair)
    near = MemoryChannel.open(pair.near, "session")
    near.wait_open(soon())

    def chatter() -> None:
        for number in range(100):
            far.channel().ask(f"noise-{number}", want_reply=False)
        far.channel().say(b"done")

    pair.far.run(chatter)
    assert near.wait(lambda c: c.data == b"done", soon())
    assert len(near.told) == memory_channel.MAX_TOLD
    near.close()


def test_more_than_is_kept(pair):
    """It goes on being credited, so that the end can be seen."""
    far = Far(pair)
    near = MemoryChannel.open(pair.near, "session", kept=1000)
    near.wait_open(soon())
    far.channel().send(bytes(5 << 20), end=True)
    assert near.wait(lambda c: c.eof, soon())
    assert (len(near.data), near.heard) == (1000, 5 << 20)
    near.close()


def test_a_flood_is_closed_upon(pair, monkeypatch):
    monkeypatch.setattr(memory_channel, "HEARD", 1 << 20)
    far = Far(pair)
    near = MemoryChannel.open(pair.near, "session", kept=10)
    near.wait_open(soon())
    far.channel().send(bytes(8 << 20), end=True)
    assert near.wait(lambda c: c.state == "closed", soon())
    assert not near.eof
    assert pair.is_idle()


def test_data_is_told_at_once(pair):
    heard = []
    pair.far.on_open = lambda request: MemoryChannel.accept(
        pair.far, request, on_data=lambda channel: heard.append(bytes(channel.data))
    )
    near = MemoryChannel.open(pair.near, "x", first=lambda channel: channel.say(b"nonce"))
    near.wait_open(soon())
    near.close()
    assert pair.is_idle()
    assert heard == [b"nonce"]


def test_the_link_ends(pair):
    Far(pair)
    near = MemoryChannel.open(pair.near, "session")
    near.wait_open(soon())
    waiting = threading.Thread(target=near.wait, args=(lambda c: c.eof, soon()))
    waiting.start()
    pair.near.stop()
    waiting.join(10)
    assert not waiting.is_alive()
    assert (near.state, near.text) == ("lost", "the link was closed")
    assert near.wait(lambda c: c.is_over, soon())


def test_a_link_that_has_ended(pair):
    pair.near.stop()
    pair.near.wait(10)
    near = MemoryChannel.open(pair.near, "session")
    assert near.state == "lost"
    assert near.text
    near.send(b"x")
    near.close()


def test_window(pair):
    """What does not fit waits for the peer's window, and the end waits behind it."""
    near = MemoryChannel.open(pair.near, "x")
    request = pair.offers.get(timeout=10)
    taken = []

    class Slow:
        def deliver(self, view) -> None:
            taken.append(len(view))

        def peer_eof(self) -> None:
            taken.append(-1)

        def peer_closed(self) -> None:
            request.channel.user = None

    def confirm() -> None:
        request.channel.user = Slow()
        pair.far.mux.confirm(request.channel, window=100)

    pair.far.run(confirm)
    near.wait_open(soon())
    near.send(bytes(150), end=True)
    far = request.channel
    wait_until(lambda: sum(taken) == 100)
    pair.far.run(lambda: pair.far.mux.taken(far, 100))
    wait_until(lambda: taken == [100, 50, -1])
    near.close()
    assert pair.is_idle()


def test_paced(pair):
    """Everything is kept, and no more comes than the window before it is taken."""
    far = Far(pair)
    near = MemoryChannel.open(pair.near, "session", kept=1, paced=True)
    near.wait_open(soon())
    size = near._channel.window.size
    far.channel().send(bytes(size + 1000), end=True)
    assert near.wait(lambda c: c.heard == size, soon())
    assert not near.eof
    assert near.take() == (bytes(size), b"")
    assert near.wait(lambda c: c.eof, soon())
    assert near.take() == (bytes(1000), b"")
    near.close()
    assert pair.is_idle()


def test_paced_for_longer_than_a_channel_is_heard(pair, monkeypatch):
    monkeypatch.setattr(memory_channel, "HEARD", 10)
    far = Far(pair)
    near = MemoryChannel.open(pair.near, "session", paced=True)
    near.wait_open(soon())
    far.channel().send(bytes(100), end=True)
    assert near.wait(lambda c: c.eof, soon())
    assert near.take() == (bytes(100), b"")
    near.close()


@pytest.mark.parametrize("how", ["closed", "lost"])
def test_end_is_told_once(pair, how):
    far = Far(pair)
    near = MemoryChannel.open(pair.near, "x")
    near.wait_open(soon())
    ends = []
    near.on_over = lambda channel: ends.append(channel.state)
    if how == "closed":
        far.channel().close()
    else:
        pair.near.stop()
    assert near.wait(lambda c: c.state == how, soon()) or near.state == how
    wait_until(lambda: ends)
    near.close()
    assert ends == [how]
