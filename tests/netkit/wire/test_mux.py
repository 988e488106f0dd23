"""The connection layer message by message: RFC 4254's bytes, and every rule that is enforced."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import LocalProtocolError, RemoteProtocolError
from netkit.wire import mux as m
from netkit.wire.channel import Channel, ChannelState
from netkit.wire.messages import string, u32
from netkit.wire.window import INITIAL_WINDOW, WindowBudget


def numbers(*values: int) -> bytes:
    return b"".join(u32(value) for value in values)


def feed(mux: m.Mux, *parts: int | bytes) -> m.Event | None:
    """Feed one message: its type and its fields, numbers as uint32."""
    kind, *fields = parts
    assert isinstance(kind, int)
    body = b"".join(u32(field) if isinstance(field, int) else field for field in fields)
    return mux.feed(memoryview(bytes([kind]) + body))


def said(mux: m.Mux) -> list[bytes]:
    """Return and forget what the machine wants to say."""
    out = list(mux.out)
    mux.out.clear()
    return out


def opened(
    window: int = 1_000, *, send_window: int = 1_000, packet: int = 500
) -> tuple[m.Mux, Channel]:
    """Return a machine with one open channel of ours: 0 here, 7 at the peer."""
    mux = m.Mux()
    channel = mux.open("direct-tcpip", window=window)
    assert feed(mux, 91, 0, 7, send_window, packet) == m.Opened(channel)
    mux.out.clear()
    return mux, channel


def offered(mux: m.Mux, *, window: int = 1_000, packet: int = 500) -> Channel:
    """Let the peer offer its channel 9."""
    event = feed(mux, 90, string("forwarded-tcpip"), 9, window, packet, b"details")
    assert isinstance(event, m.OpenRequest)
    assert (event.kind, event.data) == ("forwarded-tcpip", b"details")
    return event.channel


class TestBytes:
    """What we say, as RFC 4254 writes it."""

    def test_open(self) -> None:
        mux = m.Mux()
        mux.open("direct-tcpip", b"host", window=0x8000)
        mux.open("x11")
        assert said(mux) == [
            b"\x5a" + b"\0\0\0\x0cdirect-tcpip" + numbers(0, 0x8000, 0x20000) + b"host",
            b"\x5a" + b"\0\0\0\x03x11" + numbers(1, INITIAL_WINDOW, 0x20000),
        ]

    def test_confirm(self) -> None:
        mux = m.Mux()
        mux.confirm(offered(mux), b"more", window=0x8000)
        assert said(mux) == [b"\x5b" + numbers(9, 0, 0x8000, 0x20000) + b"more"]

    def test_refuse(self) -> None:
        mux = m.Mux()
        channel = offered(mux)
        mux.refuse(channel, 2, "Connection refused")
        text = b"\0\0\0\x12Connection refused" + bytes(4)
        assert said(mux) == [b"\x5c" + numbers(9, 2) + text]
        assert channel.state is ChannelState.CLOSED

    def test_what_is_said_on_an_open_channel(self) -> None:
        mux, channel = opened(100)
        header = bytearray(b"......... and data")
        mux.data_header(channel, header, 0, 9)
        assert header == b"\x5e\0\0\0\x07\0\0\0\x09 and data"
        assert mux.send(channel, b"abc") == 3
        mux.request(channel, "signal", b"INT")
        mux.request(channel, "env", want_reply=False)
        mux.answer(channel, ok=True)
        mux.answer(channel, ok=False)
        feed(mux, 94, 0, string(bytes(25)))
        mux.taken(channel, 25)
        mux.eof(channel)
        mux.eof(channel)
        mux.close(channel)
        mux.close(channel)
        assert said(mux) == [
            b"\x5e" + numbers(7, 3) + b"abc",
            b"\x62" + u32(7) + b"\0\0\0\x06signal\x01INT",
            b"\x62" + u32(7) + b"\0\0\0\x03env\x00",
            b"\x63" + u32(7),
            b"\x64" + u32(7),
            b"\x5d" + numbers(7, 25),
            b"\x60" + u32(7),
            b"\x61" + u32(7),
        ]
        assert channel.send_window == 1_000 - 9 - 3

    def test_of_the_link(self) -> None:
        mux = m.Mux()
        mux.global_request("tcpip-forward", string("") + u32(0))
        mux.answer_global(ok=True, data=u32(8080))
        mux.answer_global(ok=False)
        assert said(mux) == [
            b"\x50\0\0\0\x0dtcpip-forward\x01" + bytes(8),
            b"\x51" + u32(8080),
            b"\x52",
        ]

    def test_data_in_the_middle_of_an_arena(self) -> None:
        mux, channel = opened()
        arena = bytearray(30)
        mux.data_header(channel, memoryview(arena), 10, 500)
        assert arena == bytes(10) + b"\x5e" + numbers(7, 500) + bytes(11)


class TestEvents:
    """What the peer says."""

    def test_of_an_open_channel(self) -> None:
        mux, channel = opened(1_000, send_window=0)
        assert feed(mux, 94, 0, string(b"data"), b"ignored") == m.Data(channel, memoryview(b"data"))
        assert feed(mux, 93, 0, 5) == m.Writable(channel, 5)
        assert feed(mux, 93, 0, 5) == m.Writable(channel, 5)
        assert channel.sendable == 10
        request = feed(mux, 98, 0, string("exit-status"), b"\0", 1)
        assert request == m.ChannelRequest(channel, "exit-status", False, u32(1))
        mux.request(channel, "signal")
        mux.request(channel, "signal")
        assert feed(mux, 99, 0) == m.ChannelReply(channel, True)
        assert feed(mux, 100, 0) == m.ChannelReply(channel, False)
        assert feed(mux, 96, 0) == m.Eof(channel)
        assert feed(mux, 96, 0) is None
        mux.out.clear()
        assert feed(mux, 97, 0) == m.Closed(channel)
        assert said(mux) == [b"\x61" + u32(7)]
        assert (channel.state, mux.channels) == (ChannelState.CLOSED, {})

    def test_data_is_a_view(self) -> None:
        mux, _ = opened()
        payload = bytearray(b"\x5e" + u32(0) + string(b"data"))
        event = mux.feed(memoryview(payload))
        assert isinstance(event, m.Data)
        payload[9:] = b"DATA"
        assert bytes(event.view) == b"DATA"

    def test_open_failed(self) -> None:
        mux = m.Mux()
        channel = mux.open("x")
        event = feed(mux, 92, 0, 2, string("Connection refused"), string("en"))
        assert event == m.OpenFailed(channel, 2, "Connection refused")
        assert mux.channels == {}

    def test_reason_of_a_failure_is_cut_and_decoded(self) -> None:
        """A language tag may be missing, as it is in some old servers."""
        mux = m.Mux()
        channel = mux.open("x")
        event = feed(mux, 92, 0, 99, string(b"\xff" + b"y" * 5_000))
        assert event == m.OpenFailed(channel, 99, "�" + "y" * 1_023)

    def test_global_requests_and_replies(self) -> None:
        mux = m.Mux()
        event = feed(mux, 80, string("hostkeys-00@openssh.com"), b"\2", b"keys")
        assert event == m.GlobalRequest("hostkeys-00@openssh.com", True, b"keys")
        for token in ("a", "b", "c"):
            mux.global_request("x", token=token)
        assert feed(mux, 81, 8080) == m.GlobalReply("a", True, u32(8080))
        assert feed(mux, 82) == m.GlobalReply("b", False, b"")
        # Tokens are taken in order whatever the caller did with the events before.
        assert feed(mux, 81) == m.GlobalReply("c", True, b"")

    def test_extended_data_is_credited_and_dropped(self) -> None:
        mux, channel = opened(1_000)
        for _ in range(42):
            assert feed(mux, 95, 0, 1, string(bytes(100))) is None
        assert channel.dropped == 4_200
        assert sum(int.from_bytes(message[5:]) for message in said(mux)) == 4_200

    def test_extended_data_that_is_wanted(self) -> None:
        """It is told, and credited by whoever takes it."""
        mux, channel = opened(1_000)
        channel.wants_extended = True
        event = feed(mux, 95, 0, 1, string(b"oops"))
        assert isinstance(event, m.ExtendedData)
        assert (event.channel, event.kind, bytes(event.view)) == (channel, 1, b"oops")
        assert (channel.dropped, channel.window.left) == (0, 996)
        assert feed(mux, 95, 0, 1, string(b"")) is None
        mux.close(channel)
        assert feed(mux, 95, 0, 1, string(b"x")) is None

    def test_no_data_is_no_event(self) -> None:
        """Empty messages are legal, and nothing a caller should have to collect."""
        mux, channel = opened()
        assert feed(mux, 94, 0, string(b"")) is None
        assert channel.window.left == 1_000

    def test_windows_that_do_not_open(self) -> None:
        mux, channel = opened(send_window=0)
        mux.eof(channel)
        assert feed(mux, 93, 0, 100) is None

    def test_no_window_is_granted_to_a_peer_that_sends_no_more(self) -> None:
        mux, channel = opened(1_000)
        feed(mux, 94, 0, string(bytes(1_000)))
        feed(mux, 96, 0)
        mux.taken(channel, 1_000)
        assert said(mux) == []

    def test_packet_size_is_bounded(self) -> None:
        mux, channel = opened(send_window=2**32 - 1, packet=2**32 - 1)
        assert channel.send_packet == m.MAXIMUM_PACKET
        assert mux.send(channel, bytes(m.MAXIMUM_PACKET + 1)) == m.MAXIMUM_PACKET
        assert len(said(mux)[0]) == m.MAXIMUM_PACKET + m.DATA_HEADER

    def test_send_takes_what_fits(self) -> None:
        mux, channel = opened(send_window=700, packet=500)
        assert [mux.send(channel, bytes(600)) for _ in range(3)] == [500, 200, 0]
        assert mux.send(channel, b"") == 0
        assert len(said(mux)) == 2

    def test_numbers_are_used_again(self) -> None:
        mux = m.Mux()
        first, second = mux.open("x"), mux.open("x")
        assert (first.number, second.number) == (0, 1)
        feed(mux, 92, 0, 1, string(""), string(""))
        assert mux.open("x").number == 0
        assert offered(mux).number == 2
        mux.close(mux.channels[2])
        assert mux.open("x").number == 2


Parts = tuple[int | bytes, ...]
OPEN: Parts = (90, string("x"), 9)
VIOLATIONS: list[tuple[str, Parts, str]] = [
    ("nothing", (), "without a type"),
    ("unknown type", (101,), "message type 101"),
    ("transport message", (20, bytes(16)), "message type 20"),
    ("data beyond the window", (94, 0, string(bytes(1_001))), "window has 1000"),
    ("extended data beyond the window", (95, 0, 1, string(bytes(1_001))), "window has 1000"),
    ("data for nobody", (94, 5, string(b"x")), "does not exist"),
    ("data before the open is answered", (94, 1, string(b"x")), "takes none"),
    ("data on an offer", (94, 2, string(b"x")), "takes none"),
    ("extended data before the open is answered", (95, 1, 1, string(b"x")), "takes none"),
    ("extended data on an offer", (95, 2, 1, string(b"x")), "takes none"),
    ("extended data for nobody", (95, 5, 1, string(b"x")), "channel 5, which does not exist"),
    ("data shorter than it says", (94, 0, 5, b"abcd"), "shorter than it says"),
    ("half a data header", (94, 0, b"\0\0"), "does not exist"),
    ("eof for nobody", (96, 5), "channel 5"),
    ("eof before open", (96, 1), "before it was open"),
    ("eof on an offer", (96, 2), "before it was open"),
    ("close for nobody", (97, 5), "channel 5"),
    ("close before open", (97, 1), "before it was open"),
    ("close on an offer", (97, 2), "before it was open"),
    ("adjust for nobody", (93, 5, 1), "channel 5"),
    ("adjust before open", (93, 1, 1), "before it was open"),
    ("adjust on an offer", (93, 2, 1), "before it was open"),
    ("adjust beyond 2**32", (93, 0, 2**32 - 1_000), "beyond 2\\*\\*32"),
    ("confirmation for nobody", (91, 5, 1, 1, 1), "channel 5"),
    ("confirmation twice", (91, 0, 1, 1, 1), "twice"),
    ("confirmation of its own offer", (91, 2, 1, 1, 1), "twice"),
    ("confirmation without packets", (91, 1, 1, 1, 0), "no data in a packet"),
    ("failure for nobody", (92, 5, 1, string(""), string("")), "channel 5"),
    ("failure of an open channel", (92, 0, 1, string(""), string("")), "twice"),
    ("offer without packets", (*OPEN, 1, 0), "no data in a packet"),
    ("offer with a long name", (90, string(bytes(257)), 9, 1, 1), "name of 257 bytes"),
    ("request for nobody", (98, 5, string("x"), b"\0"), "channel 5"),
    ("request before open", (98, 1, string("x"), b"\0"), "before it was open"),
    ("request with a long name", (98, 0, string(bytes(257)), b"\0"), "name of 257 bytes"),
    ("success without a request", (99, 0), "not made"),
    ("failure without a request", (100, 0), "not made"),
    ("reply for nobody", (99, 5), "channel 5"),
    ("reply before open", (99, 1), "before it was open"),
    ("global success without a request", (81,), "not made"),
    ("global failure without a request", (82,), "not made"),
    ("global request with a long name", (80, string(bytes(257)), b"\0"), "name of 257 bytes"),
    *((f"only the type {kind}", (kind,), "too short") for kind in (80, 90, *range(91, 94))),
    *((f"only the type {kind}", (kind,), "too short") for kind in range(95, 101)),
    ("half an open", OPEN, "too short"),
    ("half a confirmation", (91, 1, 1, 1), "too short"),
    ("half a failure", (92, 1, 1), "too short"),
    ("half a request", (98, 0, string("x")), "too short"),
    ("half a global request", (80, string("x")), "too short"),
    ("a string that ends behind the message", (80, 2**32 - 1, b"x"), "shorter than it says"),
]


class TestRules:
    """Each rule of the module's docstring, broken by the peer."""

    @pytest.mark.parametrize(
        ("parts", "complaint"), [v[1:] for v in VIOLATIONS], ids=[v[0] for v in VIOLATIONS]
    )
    def test_violation(self, parts: Parts, complaint: str) -> None:
        """Channel 0 is open, 1 waits for its answer, 2 is offered."""
        mux, _ = opened(1_000)
        mux.open("x")
        offered(mux)
        with pytest.raises(RemoteProtocolError, match=complaint) as caught:
            _ = feed(mux, *parts) if parts else mux.feed(memoryview(b""))
        assert caught.value.exit_code == 4
        assert caught.value.code == "protocol-error"

    def test_packets_larger_than_offered(self) -> None:
        mux, _ = opened(10 << 20)
        assert feed(mux, 94, 0, string(bytes(m.MAXIMUM_PACKET))) is not None
        with pytest.raises(RemoteProtocolError, match="at most 131072"):
            feed(mux, 94, 0, string(bytes(m.MAXIMUM_PACKET + 1)))

    @pytest.mark.parametrize("kind", [94, 95])
    def test_data_after_eof(self, kind: int) -> None:
        mux, _ = opened()
        feed(mux, 96, 0)
        with pytest.raises(RemoteProtocolError, match="takes none"):
            feed(mux, kind, 0, *([1] if kind == 95 else []), string(b"x"))

    @pytest.mark.parametrize("kind", [93, 94, 95, 96, 97, 98, 99, 100])
    @pytest.mark.parametrize("we_closed_first", [True, False])
    def test_anything_after_close(self, kind: int, we_closed_first: bool) -> None:
        mux, channel = opened()
        if we_closed_first:
            mux.close(channel)
        feed(mux, 97, 0)
        with pytest.raises(RemoteProtocolError, match="does not exist"):
            feed(mux, kind, 0, 1, 1, 1)

    @pytest.mark.parametrize("kind", [94, 95])
    def test_window_counts_behind_our_close_and_eof(self, kind: int) -> None:
        mux, channel = opened(300)
        mux.eof(channel)
        mux.close(channel)
        mux.out.clear()
        extended = [1] if kind == 95 else []
        assert [feed(mux, kind, 0, *extended, string(bytes(100))) for _ in range(3)] == [None] * 3
        assert said(mux) == []
        with pytest.raises(RemoteProtocolError, match="window has 0"):
            feed(mux, kind, 0, *extended, string(b"x"))

    def test_more_channels_than_allowed(self) -> None:
        mux = m.Mux(max_incoming=2)
        for _ in range(5):
            mux.open("ours do not count")
        first, second = offered(mux), offered(mux)
        mux.confirm(first)
        with pytest.raises(RemoteProtocolError, match="more than 2 channels"):
            offered(mux)
        mux.refuse(second, 1, "")
        third = offered(mux)
        feed(mux, 97, first.number)
        offered(mux)
        with pytest.raises(RemoteProtocolError, match="more than 2 channels"):
            offered(mux)
        mux.close(third)
        offered(mux)

    @pytest.mark.parametrize(
        "flood",
        [
            lambda mux, channel: (feed(mux, 80, string("x"), b"\1"), mux.answer_global(ok=False)),
            lambda mux, channel: (
                feed(mux, 98, 0, string("x"), b"\1"),
                mux.answer(channel, ok=False),
            ),
            lambda mux, channel: mux.refuse(offered(mux), 1, "no"),
            lambda mux, channel: feed(mux, 95, 0, 1, string(bytes(250))),
            lambda mux, channel: (
                feed(mux, 94, 0, string(bytes(250))),
                mux.taken(channel, 250),
            ),
        ],
        ids=["global requests", "channel requests", "opens", "extended data", "data"],
    )
    def test_floods_that_want_answers(
        self, monkeypatch: pytest.MonkeyPatch, flood: Callable[[m.Mux, Channel], object]
    ) -> None:
        """During a key exchange nothing can be sent, and the peer need not care."""
        monkeypatch.setattr(m, "MAX_OUT", 100)
        mux, channel = opened(1_000)
        with pytest.raises(RemoteProtocolError, match="more than it reads") as caught:
            for _ in range(101):
                flood(mux, channel)
        assert caught.value.code == "peer-flood"
        assert len(mux.out) == 100


class TestAfterOurClose:
    """Nothing more is told about a channel that we closed, and nothing said."""

    @pytest.mark.parametrize(
        "parts",
        [
            (93, 0, 5),
            (94, 0, string(b"x" * 400)),
            (95, 0, 1, string(b"x" * 400)),
            (96, 0),
            (97, 0),
            (98, 0, string("signal"), b"\1"),
            (99, 0),
            (100, 0),
        ],
    )
    def test_nothing_is_told(self, parts: Parts) -> None:
        mux, channel = opened(1_000, send_window=0)
        mux.request(channel, "signal")
        mux.close(channel)
        mux.out.clear()
        assert feed(mux, *parts) is None
        mux.taken(channel, 400)
        mux.answer(channel, ok=True)
        mux.eof(channel)
        mux.close(channel)
        assert mux.send(channel, b"x") == channel.sendable == 0
        assert said(mux) == []

    def test_data_before_the_confirmation_of_a_cancelled_open(self) -> None:
        mux = m.Mux()
        channel = mux.open("x")
        mux.close(channel)
        with pytest.raises(RemoteProtocolError, match="takes none"):
            feed(mux, 94, 0, string(b"x"))

    def test_confirmation_of_a_cancelled_open(self) -> None:
        mux = m.Mux()
        channel = mux.open("x")
        mux.close(channel)
        mux.out.clear()
        assert feed(mux, 91, 0, 7, 100, 100) is None
        assert said(mux) == [b"\x61" + u32(7)]
        assert feed(mux, 94, 0, string(b"x" * 4)) is None
        assert channel.sendable == 0
        assert mux.budget.granted == INITIAL_WINDOW
        assert feed(mux, 97, 0) is None
        assert (mux.budget.granted, mux.channels, said(mux)) == (0, {}, [])

    def test_refusal_of_a_cancelled_open(self) -> None:
        mux = m.Mux()
        mux.close(mux.open("x"))
        mux.out.clear()
        assert feed(mux, 92, 0, 1, string(""), string("")) is None
        assert (mux.budget.granted, mux.channels, said(mux)) == (0, {}, [])

    def test_close_of_an_offer_refuses_it(self) -> None:
        mux = m.Mux()
        mux.close(offered(mux))
        assert said(mux)[0].startswith(b"\x5c" + numbers(9, 2))
        assert (mux.budget.granted, mux.channels) == (0, {})


class TestOurMistakes:
    def test_data_that_does_not_fit(self) -> None:
        mux, channel = opened(send_window=600, packet=500)
        header = bytearray(9)
        for size in (501, 601):
            with pytest.raises(LocalProtocolError, match="do not fit"):
                mux.data_header(channel, header, 0, size)
        assert header == bytes(9)
        assert channel.send_window == 600

    @pytest.mark.parametrize("end", [m.Mux.eof, m.Mux.close])
    def test_data_after_the_end(self, end: Callable[[m.Mux, Channel], None]) -> None:
        mux, channel = opened()
        end(mux, channel)
        feed(mux, 93, 0, 100)
        with pytest.raises(LocalProtocolError, match="do not fit"):
            mux.data_header(channel, bytearray(9), 0, 1)

    def test_data_before_the_channel_is_open(self) -> None:
        mux = m.Mux()
        for channel in (mux.open("x"), offered(mux)):
            assert mux.send(channel, b"x") == channel.sendable == 0
            mux.eof(channel)
            with pytest.raises(LocalProtocolError, match="do not fit"):
                mux.data_header(channel, bytearray(9), 0, 1)
        assert len(said(mux)) == 1

    @pytest.mark.parametrize("count", [1, 100, 1 << 30])
    def test_taking_what_never_came(self, count: int) -> None:
        mux = m.Mux()
        with pytest.raises(LocalProtocolError, match="never sent"):
            mux.taken(offered(mux), count)
        with pytest.raises(LocalProtocolError, match="never sent"):
            mux.taken(mux.open("x", window=3), count)
        open_mux, channel = opened(400)
        feed(open_mux, 94, 0, string(bytes(100)))
        with pytest.raises(LocalProtocolError, match="never sent"):
            open_mux.taken(channel, 100 + count)
        assert [message[0] for message in said(open_mux)] == []

    def test_answers_to_what_was_answered(self) -> None:
        mux, channel = opened()
        for call in (mux.confirm, lambda c: mux.refuse(c, 1, "")):
            with pytest.raises(LocalProtocolError, match="cannot be"):
                call(channel)
        refused = offered(mux)
        mux.refuse(refused, 1, "")
        for call in (mux.confirm, lambda c: mux.refuse(c, 1, "")):
            with pytest.raises(LocalProtocolError, match="cannot be"):
                call(refused)

    def test_requests(self) -> None:
        mux, channel = opened()
        for _ in range(m.MAX_REPLIES_OWED):
            mux.request(channel, "x")
        with pytest.raises(LocalProtocolError, match="owes 1024"):
            mux.request(channel, "x")
        mux.request(channel, "x", want_reply=False)
        mux.close(channel)
        for other in (channel, mux.open("x"), offered(mux)):
            with pytest.raises(LocalProtocolError, match="takes no request"):
                mux.request(other, "x")


class TestAnything:
    @given(
        st.lists(
            st.binary(max_size=60)
            | st.builds(
                lambda kind, fields, tail: bytes([kind]) + b"".join(map(u32, fields)) + tail,
                st.integers(80, 101),
                st.lists(st.integers(0, 8) | st.integers(0, 2**32 - 1), max_size=4),
                st.binary(max_size=40),
            ),
            max_size=60,
        )
    )
    def test_arbitrary_messages(self, payloads: list[bytes]) -> None:
        """Whatever comes, it is understood or the peer's fault, and memory stays bounded."""
        mux = m.Mux(WindowBudget(1 << 20), max_incoming=4)
        for _ in range(3):
            mux.open("x", window=1_000)
        mux.global_request("x")
        mux.out.clear()
        try:
            for payload in payloads:
                event = mux.feed(memoryview(payload))
                if isinstance(event, m.OpenRequest):
                    assert len(event.kind) <= 256
                elif isinstance(event, m.OpenFailed):
                    assert len(event.text) <= 1_024
        except RemoteProtocolError:
            pass
        assert len(mux.channels) <= 3 + 4
        assert len(mux.out) <= len(payloads)
        for channel in mux.channels.values():
            assert 0 <= channel.window.left <= channel.window.size
            assert channel.send_packet <= m.MAXIMUM_PACKET
        mux.abandon()
        assert mux.budget.granted == 0
