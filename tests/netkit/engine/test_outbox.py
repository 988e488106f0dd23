"""What waits for a local socket: order, copies, failure."""

from __future__ import annotations

import socket

import pytest

from netkit.engine import outbox as engine
from netkit.engine.outbox import Outbox


@pytest.fixture(params=[True, False], ids=["sendmsg", "send"])
def ends(request, monkeypatch):
    monkeypatch.setattr(engine, "HAS_SENDMSG", request.param)
    one, two = socket.socketpair()
    with one, two:
        one.setblocking(False)
        two.setblocking(False)
        yield Outbox(one), one, two


def drain(sock: socket.socket) -> bytes:
    data = bytearray()
    try:
        while piece := sock.recv(1 << 20):
            data += piece
    except BlockingIOError:
        pass
    return bytes(data)


def test_batch_goes_out_in_order(ends):
    box, _, far = ends
    for piece in (b"one ", b"two ", b"three"):
        box.add(memoryview(piece))
    assert box.size == 13
    assert box.write() == 13
    assert (box.size, box.pending) == (0, None)
    assert drain(far) == b"one two three"


@pytest.mark.parametrize("count", [2, 255, 256, 257, 3000])
def test_many_small_views(ends, count):
    box, _, far = ends
    text = b"".join(number.to_bytes(2, "big") for number in range(count))
    for at in range(0, len(text), 2):
        box.add(memoryview(text)[at : at + 2])
    assert box.write() == len(text)
    assert drain(far) == text


def test_rest_is_a_copy_of_its_own(ends):
    """The buffer behind the views is used again at once."""
    box, _, far = ends
    buffer = bytearray(b"a" * (8 << 20))
    view = memoryview(buffer)
    box.add(view[: 4 << 20])
    box.add(view[4 << 20 :])
    taken = box.write()
    assert 0 < taken < len(buffer)
    assert box.pending is not None
    assert taken + len(box.pending) == len(buffer)
    view.release()
    buffer[:] = b"b" * len(buffer)
    box.add(memoryview(b"the end"))
    got = bytearray()
    while box.pending is not None:
        got += drain(far)
        box.write()
    got += drain(far)
    assert got == b"a" * (8 << 20) + b"the end"


def test_nothing_taken(ends):
    box, near, _ = ends
    with pytest.raises(BlockingIOError):
        while True:
            near.send(bytes(65536))
    box.add(memoryview(b"waits"))
    assert box.write() == 0
    assert box.pending == b"waits"
    assert box.write() == 0
    assert not box.failed


def test_failure_takes_everything_off_our_hands(ends):
    box, _, far = ends
    far.close()
    box.add(memoryview(b"lost"))
    assert box.write() == 4
    assert box.failed
    box.add(memoryview(b"more"))
    assert box.write() == 4
    assert box.pending is None


def test_failure_of_what_waited(ends):
    box, _, far = ends
    box.add(memoryview(bytes(8 << 20)))
    box.write()
    waiting = len(box.pending)
    far.close()
    assert box.write() == waiting
    assert box.failed
    assert box.pending is None


def test_drop(ends):
    box, _, _ = ends
    box.add(memoryview(b"x"))
    box.drop()
    assert (box.size, box.pending) == (0, None)
