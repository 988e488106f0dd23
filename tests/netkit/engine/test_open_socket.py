"""A connected socket through a link, without a local port."""

from __future__ import annotations

import threading

import pytest

from netkit.engine.open_socket import open_socket
from netkit.errors import GatewayUnreachableError, LinkLostError, OpenError
from netkit.model import Endpoint
from support.links import PLATFORMS, LinkPair, play
from support.tunnels import outcome, read_exactly

TARGET = Endpoint("db.test", 5432)


@pytest.fixture(params=PLATFORMS)
def platform(request, monkeypatch):
    play(request.param, monkeypatch)


def test_carries_data(platform):
    with LinkPair() as pair, open_socket(pair.near, TARGET, 10) as sock, pair.far_socket() as far:
        assert sock.getblocking()
        sock.sendall(b"question")
        assert read_exactly(far, 8) == b"question"
        far.sendall(bytes(3 << 20))
        sock.settimeout(20)
        assert read_exactly(sock, 3 << 20) == bytes(3 << 20)


def test_closing_it_closes_the_channel(platform):
    with LinkPair() as pair:
        sock = open_socket(pair.near, TARGET, 10)
        with pair.far_socket() as far:
            sock.close()
            assert outcome(far) in {"eof", "reset"}
        assert pair.is_idle()


@pytest.mark.parametrize(
    ("reason", "text", "code"),
    [(2, "Connection refused", "target-refused"), (1, "no", "forwarding-prohibited")],
)
def test_refused(reason, text, code):
    with LinkPair(answer=False) as pair:

        def refuse() -> None:
            channel = pair.offers.get(timeout=10).channel
            pair.far.run(lambda: pair.far.mux.refuse(channel, reason, text))

        refuser = threading.Thread(target=refuse)
        refuser.start()
        with pytest.raises(OpenError) as caught:
            open_socket(pair.near, TARGET, 10)
        refuser.join()
        assert (caught.value.code, caught.value.reason) == (code, reason)
        assert "db.test:5432" in caught.value.summary
        assert pair.is_idle()


def test_no_answer():
    with LinkPair(answer=False) as pair:
        with pytest.raises(OpenError) as caught:
            open_socket(pair.near, TARGET, 0.1)
        assert caught.value.code == "target-timed-out"
        channel = pair.offers.get(timeout=10).channel
        pair.far.run(lambda: pair.far.mux.confirm(channel))
        assert pair.is_idle()


def stop_when_asked(pair: LinkPair) -> None:
    pair.offers.get(timeout=10)
    pair.far.stop()


def test_end_of_the_link_meanwhile():
    with LinkPair(answer=False) as pair:
        stopper = threading.Thread(target=stop_when_asked, args=(pair,))
        stopper.start()
        with pytest.raises(LinkLostError):
            open_socket(pair.near, TARGET, 10)
        stopper.join()


def test_link_that_has_ended():
    with LinkPair() as pair:
        pair.near.stop()
        assert pair.near.wait(10)
        with pytest.raises(LinkLostError):
            open_socket(pair.near, TARGET, 10)


def test_cancelled():
    with LinkPair(answer=False) as pair:
        cancelled = threading.Event()
        cancelled.set()
        with pytest.raises(GatewayUnreachableError) as caught:
            open_socket(pair.near, TARGET, 30, cancelled)
        assert caught.value.code == "cancelled"
