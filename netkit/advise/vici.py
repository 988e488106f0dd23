"""strongSwan's control protocol, as far as ``swanctl --load-conns`` speaks it; sans-IO.

A packet is its length (4 bytes, big endian), its type and the rest; a message is a list of elements
that begin with their type (strongSwan, src/libcharon/plugins/vici/README.md).  With somebody who
answers, swanctl reads a file as it would for the daemon, and shows what it made of it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from netkit.errors import UsageError

MAX_PACKET: Final = 512 * 1024
"""The protocol's own limit."""

_DEPTH: Final = 16

CMD_REQUEST, CMD_RESPONSE, CMD_UNKNOWN = 0, 1, 2
EVENT_REGISTER, EVENT_CONFIRM = 3, 5

_SECTION_START, _SECTION_END, _KEY_VALUE = 1, 2, 3
_LIST_START, _LIST_ITEM, _LIST_END = 4, 5, 6

Message = dict[str, "str | list[str] | Message"]


class ViciError(UsageError):
    """What came is no packet of this protocol."""

    default_code = "vici"


@dataclass(frozen=True, slots=True)
class Request:
    """A command with its message."""

    name: str
    message: Message


class Server:
    """Takes bytes, collects requests, gives the answers as bytes; says yes to everything.

    Attributes:
        requests: the commands so far.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._buffer = b""

    def receive(self, data: bytes) -> bytes:
        """Take bytes of the peer and return those to send.

        Raises:
            ViciError: they are not this protocol.
        """
        self._buffer += data
        answers = b""
        while len(self._buffer) >= 4:
            (size,) = struct.unpack_from(">I", self._buffer)
            if not 1 <= size <= MAX_PACKET:
                raise ViciError(f"a packet of {size} bytes")
            if len(self._buffer) < 4 + size:
                break
            packet, self._buffer = self._buffer[4 : 4 + size], self._buffer[4 + size :]
            answers += self._answer(packet)
        return answers

    def _answer(self, packet: bytes) -> bytes:
        kind = packet[0]
        if kind == EVENT_REGISTER:
            return _packet(bytes([EVENT_CONFIRM]))
        if kind != CMD_REQUEST:
            return _packet(bytes([CMD_UNKNOWN]))
        name, offset = _name(packet, 1)
        self.requests.append(Request(name, parse(packet[offset:])))
        return _packet(bytes([CMD_RESPONSE]) + serialize({"success": "yes"}))


def _packet(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def parse(data: bytes) -> Message:
    """Return the message in ``data``.

    Raises:
        ViciError: it is cut short, nested too deeply, or holds what no message does.
    """
    message, offset = _section(data, 0, 0)
    if offset != len(data):
        raise ViciError("a section ends that was not begun")
    return message


def _section(data: bytes, offset: int, depth: int) -> tuple[Message, int]:
    if depth > _DEPTH:
        raise ViciError(f"sections are nested deeper than {_DEPTH}")
    message: Message = {}
    while offset < len(data):
        kind = data[offset]
        offset += 1
        if kind == _SECTION_END:
            return message, offset - (depth == 0)
        if kind == _SECTION_START:
            name, offset = _name(data, offset)
            message[name], offset = _section(data, offset, depth + 1)
        elif kind == _KEY_VALUE:
            name, offset = _name(data, offset)
            message[name], offset = _value(data, offset)
        elif kind == _LIST_START:
            name, offset = _name(data, offset)
            message[name], offset = _list(data, offset)
        else:
            raise ViciError(f"an element of type {kind}")
    if depth:
        raise ViciError("a section does not end")
    return message, offset


def _list(data: bytes, offset: int) -> tuple[list[str], int]:
    items = []
    while offset < len(data) and data[offset] == _LIST_ITEM:
        item, offset = _value(data, offset + 1)
        items.append(item)
    if offset >= len(data) or data[offset] != _LIST_END:
        raise ViciError("a list does not end")
    return items, offset + 1


def _name(data: bytes, offset: int) -> tuple[str, int]:
    if offset >= len(data):
        raise ViciError("a name is missing")
    return _text(data, offset + 1, data[offset])


def _value(data: bytes, offset: int) -> tuple[str, int]:
    if offset + 2 > len(data):
        raise ViciError("a value is missing")
    (size,) = struct.unpack_from(">H", data, offset)
    return _text(data, offset + 2, size)


def _text(data: bytes, offset: int, size: int) -> tuple[str, int]:
    end = offset + size
    if end > len(data):
        raise ViciError("a text is cut short")
    return data[offset:end].decode("utf-8", "surrogateescape"), end


def serialize(message: Message) -> bytes:
    """Return ``message`` as bytes; names have at most 255 bytes, values 65535.

    Raises:
        ViciError: one is longer.
    """
    out = b""
    for name, value in message.items():
        if isinstance(value, str):
            out += bytes([_KEY_VALUE]) + _short(name) + _long(value)
        elif isinstance(value, list):
            items = b"".join(bytes([_LIST_ITEM]) + _long(item) for item in value)
            out += bytes([_LIST_START]) + _short(name) + items + bytes([_LIST_END])
        else:
            inner = serialize(value)
            out += bytes([_SECTION_START]) + _short(name) + inner + bytes([_SECTION_END])
    return out


def _short(text: str) -> bytes:
    data = text.encode("utf-8", "surrogateescape")
    if len(data) > 255:
        raise ViciError("a name is longer than 255 bytes")
    return bytes([len(data)]) + data


def _long(text: str) -> bytes:
    data = text.encode("utf-8", "surrogateescape")
    if len(data) > 65535:
        raise ViciError("a value is longer than 65535 bytes")
    return struct.pack(">H", len(data)) + data
