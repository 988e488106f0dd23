"""Field encodings, with the examples of RFC 4251 section 5."""

from __future__ import annotations

import paramiko.common
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paramiko.message import Message

from netkit.errors import RemoteProtocolError
from netkit.wire import messages as n
from netkit.wire.messages import Fields, string, u32


class TestEncoding:
    def test_examples_of_the_rfc(self) -> None:
        assert u32(699_921_578) == bytes.fromhex("29b7f4aa")
        assert string("testing") == bytes.fromhex("00000007 74657374696e67")

    def test_text_and_bytes(self) -> None:
        assert string("é") == b"\0\0\0\x02\xc3\xa9"
        assert string(b"\xff\0") == b"\0\0\0\x02\xff\0"
        assert string("") == bytes(4)

    def test_undecodable_names_of_the_system_pass_unchanged(self) -> None:
        assert string(b"/tmp/\xff".decode("utf-8", "surrogateescape")) == string(b"/tmp/\xff")

    def test_numbers_are_paramikos(self) -> None:
        """Both are RFC 4250 section 4.1.2."""
        theirs = {
            name.removeprefix("MSG_"): value
            for name, value in vars(paramiko.common).items()
            if name.startswith("MSG_") and isinstance(value, int)
        }
        renamed = {"CHANNEL_OPEN_CONFIRMATION": "CHANNEL_OPEN_SUCCESS"}
        ours = {
            name: value
            for name, value in vars(n).items()
            if name.isupper() and isinstance(value, int) and value != n.MAX_NAME and value > 4
        }
        for name, value in ours.items():
            assert theirs[renamed.get(name, name)] == value


class TestFields:
    def test_in_order(self) -> None:
        payload = b"\x62" + u32(7) + string("signal") + b"\1" + string(b"\xff") + b"rest"
        fields = Fields(payload)
        assert fields.u32() == 7
        assert fields.text() == "signal"
        assert fields.boolean() is True
        assert bytes(fields.string()) == b"\xff"
        assert fields.rest() == b"rest"

    def test_from_somewhere_else(self) -> None:
        assert Fields(b"xxxx" + u32(7), at=4).u32() == 7

    @pytest.mark.parametrize(("byte", "value"), [(0, False), (1, True), (2, True), (255, True)])
    def test_boolean(self, byte: int, value: bool) -> None:
        assert Fields(bytes([80, byte])).boolean() is value

    def test_strings_are_views_and_the_rest_is_a_copy(self) -> None:
        payload = bytearray(b"\x50" + string(b"abc") + b"def")
        fields = Fields(memoryview(payload))
        view, rest = fields.string(), fields.rest()
        payload[5:] = b"ABCDEF"
        assert (bytes(view), rest) == (b"ABC", b"def")

    @pytest.mark.parametrize("count", range(4))
    def test_half_a_number(self, count: int) -> None:
        with pytest.raises(RemoteProtocolError, match="too short"):
            Fields(b"\x50" + bytes(count)).u32()

    def test_no_boolean(self) -> None:
        with pytest.raises(RemoteProtocolError, match="too short"):
            Fields(b"\x50").boolean()

    @pytest.mark.parametrize("length", [4, 5, 2**31, 2**32 - 1])
    def test_string_behind_the_end(self, length: int) -> None:
        with pytest.raises(RemoteProtocolError, match="shorter than it says"):
            Fields(b"\x50" + u32(length) + b"abc").string()

    def test_names_are_refused_and_texts_are_cut(self) -> None:
        assert Fields(b"\x50" + string("n" * 256)).text() == "n" * 256
        with pytest.raises(RemoteProtocolError, match="name of 257 bytes"):
            Fields(b"\x50" + string("n" * 257)).text()
        assert Fields(b"\x50" + string("n" * 257)).text(limit=10) == "n" * 10

    def test_text_that_is_no_utf8(self) -> None:
        assert Fields(b"\x50" + string(b"a\xff")).text() == "a�"

    def test_a_failed_read_takes_nothing(self) -> None:
        fields = Fields(b"\x50" + b"\0\0\0")
        with pytest.raises(RemoteProtocolError):
            fields.u32()
        assert fields.rest() == bytes(3)

    @given(st.integers(0, 2**32 - 1), st.binary(max_size=50), st.booleans(), st.binary(max_size=9))
    def test_paramiko_writes_what_we_read(
        self, number: int, data: bytes, flag: bool, rest: bytes
    ) -> None:
        message = Message()
        message.add_byte(b"\x50")
        message.add_int(number)
        message.add_string(data)
        message.add_boolean(flag)
        payload = message.asbytes() + rest
        assert payload[1:] == u32(number) + string(data) + bytes([flag]) + rest
        fields = Fields(payload)
        read = fields.u32(), bytes(fields.string()), fields.boolean(), fields.rest()
        assert read == (number, data, flag, rest)

    @given(st.binary(max_size=40), st.lists(st.sampled_from("unst"), max_size=6))
    def test_arbitrary_bytes(self, payload: bytes, reads: list[str]) -> None:
        fields = Fields(payload)
        try:
            for read in reads:
                if read == "u":
                    assert fields.u32() < 2**32
                elif read == "n":
                    fields.boolean()
                elif read == "s":
                    assert len(fields.string()) <= len(payload)
                else:
                    assert len(fields.text(limit=5)) <= 5
        except RemoteProtocolError:
            pass
        assert payload.endswith(fields.rest())
