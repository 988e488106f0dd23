"""Points of the curve edwards25519: the 32 bytes of an Ed25519 key and its affine coordinates.

RFC 8032 sections 5.1.2 and 5.1.3.  Only public keys are handled, so time may depend on them.
"""

from __future__ import annotations

from typing import Final

P: Final = 2**255 - 19
"""The field's prime."""

_D: Final = -121665 * pow(121666, -1, P) % P
_ROOT_OF_MINUS_1: Final = pow(2, (P - 1) // 4, P)


def decode_point(encoded: bytes) -> tuple[int, int]:
    """Return x and y of the point that 32 bytes stand for.

    Raises:
        ValueError: they stand for no point of the curve.
    """
    if len(encoded) != 32:
        raise ValueError("an Ed25519 key has 32 bytes")
    number = int.from_bytes(encoded, "little")
    y, odd = number & (2**255 - 1), number >> 255
    if y >= P:
        raise ValueError("the key is no point of the curve")
    square = (y * y - 1) * pow(_D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * _ROOT_OF_MINUS_1 % P
    if x * x % P != square or (x == 0 and odd):
        raise ValueError("the key is no point of the curve")
    return (P - x if x & 1 != odd else x), y


def encode_point(x: int, y: int) -> bytes:
    """Return the 32 bytes that stand for a point.

    Raises:
        ValueError: it is not on the curve.
    """
    if not (0 <= x < P and 0 <= y < P) or (y * y - x * x - 1 - _D * x * x * y * y) % P:
        raise ValueError("the key is no point of the curve")
    return (y | (x & 1) << 255).to_bytes(32, "little")
