"""Published ports of containers."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers.containers import Published, published

RECORDED = Path(__file__).parents[2] / "recorded/linux/docker_ps.txt"


def test_recorded():
    assert published(RECORDED.read_bytes()) == (
        Published("9126fca893ca", "hopeful_banzai", "0.0.0.0", 80, 80),
        Published("9126fca893ca", "hopeful_banzai", "0.0.0.0", 8000, 9000),
        Published("1b2f5f7a0c11", "entry", "0.0.0.0", 9000, 9000),
        Published("1b2f5f7a0c11", "entry", "::", 9000, 9000),
        Published("bcf2f5b75439", "minio", "0.0.0.0", 3101, 3101),
        Published("bcf2f5b75439", "minio", "::", 3101, 3101),
        Published("5d0a11c3b2aa", "dns", "127.0.0.1", 5353, 5353),
    )


def test_nonsense():
    assert published(b"a\tb\n") == ()
    assert published(b"a\tb\t1.1.1.1:0->1/tcp, 1.1.1.1:9-3->1/tcp, 1.1.1.1:1-99999->1/tcp\n") == ()


def test_names_are_cleaned_and_the_answer_bounded():
    (found,) = published(b"a1,x\t-n\t\x07:1->1/tcp")
    assert (found.container, found.name, found.host) == ("a1", "", "?")
    assert published(b"--all\tn\x07\t:1->1/tcp") == ()
    line = b"a\tb\t" + b":1->1/tcp," * 1500 + b"\n"
    assert len(published(line * 3)) == 2000


@given(
    st.binary(max_size=300) | st.text("0123456789.:->/tcp[]\t\n ,", max_size=200).map(str.encode)
)
def test_total(data):
    for each in published(data):
        assert 0 < each.low <= each.high <= 65535


def test_megabytes():
    assert published(b"a\tb\t" + b"1.1.1.1:" * 2_000_000) == ()
