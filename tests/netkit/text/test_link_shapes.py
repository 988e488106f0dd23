"""Link shapes: ``RATE/RTT[/LOSS]``, both ways."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netkit.errors import UsageError
from netkit.text.link_shapes import MAX_TEXT, LinkShape, parse_link


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("2mbit/80ms", LinkShape(250_000.0, 0.08)),
        ("2mbit/80ms/1%", LinkShape(250_000.0, 0.08, 0.01)),
        ("512kbit/500us", LinkShape(64_000.0, 0.0005)),
        ("1gbit/10ms", LinkShape(125e6, 0.01)),
        ("9600bit/1s", LinkShape(1200.0, 1.0)),
        ("1.5mbit/0.2s/0.5%", LinkShape(187_500.0, 0.2, 0.005)),
        (".5mbit/1.ms", LinkShape(62_500.0, 0.001)),
        ("  2MBit/80Ms/1%\n", LinkShape(250_000.0, 0.08, 0.01)),
        ("8kbit/0ms/0%", LinkShape(1000.0, 0.0)),
        ("100gbit/10s/50%", LinkShape(12.5e9, 10.0, 0.5)),
        ("1mbit/0.0123456789us", LinkShape(125_000.0, 1.2e-08)),
    ],
)
def test_text_is_read(text: str, shape: LinkShape):
    assert parse_link(text) == shape


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0.5gbit/0.08s", "500mbit/80ms"),
        ("2000kbit/80000us/1.50%", "2mbit/80ms/1.5%"),
        ("1000mbit/1000ms/0%", "1gbit/1s"),
        ("9600bit/0s", "9.6kbit/0us"),
    ],
)
def test_shape_is_written_in_the_largest_unit(text: str, canonical: str):
    assert str(parse_link(text)) == canonical


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "RATE/RTT"),
        ("2mbit", "RATE/RTT"),
        ("2mbit/80ms/1%/x", "RATE/RTT"),
        ("2mbit/80ms" + " " * MAX_TEXT, "RATE/RTT"),
        ("2/80ms", "'2' is no rate"),
        ("mbit/80ms", "'mbit' is no rate"),
        ("./80ms", "'.' is no rate"),
        ("-2mbit/80ms", "'-2mbit' is no rate"),
        ("1e6bit/80ms", "'1e6bit' is no rate"),
        ("nanmbit/80ms", "is no rate"),
        ("2mbit/80", "'80' is no round trip"),
        ("2mbit/80mbit", "is no round trip"),
        ("2mbit/80ms/", "'' is no loss"),
        ("2mbit/80ms/0.01", "'0.01' is no loss"),
        ("2mbit/s", "without /s"),
        ("2Mbit/s/80ms", "without /s"),
        ("7.9kbit/80ms", "8kbit to 100gbit"),
        ("100.1gbit/80ms", "8kbit to 100gbit"),
        ("0mbit/80ms", "8kbit to 100gbit"),
        ("2mbit/10.1s", "at most 10s"),
        ("2mbit/80ms/50.1%", "at most 50%"),
        ("٢mbit/80ms", "is no rate"),
    ],
)
def test_nonsense_is_refused_with_the_reason_and_an_example(text: str, why: str):
    with pytest.raises(UsageError) as caught:
        parse_link(text)
    assert why in caught.value.cause
    assert caught.value.code == "bad-link"
    (fix,) = caught.value.fixes
    assert parse_link(fix.argv[-1]).rate > 0


@pytest.mark.parametrize(
    ("text", "bits", "in_bytes"),
    [
        ("2mbps/80ms", "2mbit/80ms", "16mbit/80ms"),
        ("1.50KBPS/1s/2%", "1.50kbit/1s/2%", "12kbit/1s/2%"),
        ("100MB/80ms", "100mbit/80ms", "800mbit/80ms"),
        ("9600bps/1s", "9600bit/1s", "76800bit/1s"),
        ("16kbytes/1s", "16kbit/1s", "128kbit/1s"),
    ],
)
def test_bits_or_bytes_is_not_guessed(text: str, bits: str, in_bytes: str):
    with pytest.raises(UsageError) as caught:
        parse_link(text)
    assert "bits or bytes" in caught.value.summary
    assert "tc(8)" in caught.value.cause
    first, second = (fix.argv[-1] for fix in caught.value.fixes)
    assert first == bits.replace("1.50", "1.5")
    assert second == in_bytes


_pieces = st.sampled_from(
    [
        *"0123456789./%",
        "bit",
        "kbit",
        "mbit",
        "gbit",
        "mbps",
        "ms",
        "us",
        "s",
        "2mbit/80ms",
        " ",
        "e",
    ]
)
_texts = st.text() | st.lists(_pieces, max_size=12).map("".join)


@given(_texts)
@example("2mbit/80ms/1%")
@example("999999999999.999999999999gbit/1s")
@example("\u212abit/1s")
def test_any_text_gives_a_shape_or_a_usage_error(text: str):
    try:
        shape = parse_link(text)
    except UsageError as error:
        assert error.cause
        assert error.fixes
    else:
        assert 1000 <= shape.rate <= 12.5e9
        assert 0 <= shape.round_trip <= 10
        assert 0 <= shape.loss <= 0.5
        assert parse_link(str(shape)) == shape


@given(
    st.integers(8_000, 100 * 10**9),
    st.integers(0, 10 * 10**9),
    st.integers(0, 500_000_000),
)
def test_shapes_survive_being_written(bits: int, nanoseconds: int, billionths: int):
    shape = LinkShape(bits / 8, nanoseconds / 1e9, billionths / 1e9)
    assert parse_link(str(shape)) == shape


@given(st.decimals(8, 10**8, places=3), st.decimals(0, 10**4, places=3))
def test_numbers_mean_what_they_say(kilobits, milliseconds):
    shape = parse_link(f"{kilobits}kbit/{milliseconds}ms")
    assert shape.rate == pytest.approx(float(kilobits) * 125, rel=1e-12)
    assert shape.round_trip == pytest.approx(float(milliseconds) / 1000, abs=1e-9)
