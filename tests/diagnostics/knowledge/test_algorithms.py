"""What is said of netkit's algorithms is what its engine does."""

from __future__ import annotations

from diagnostics.knowledge import algorithms
from diagnostics.knowledge.algorithms import SPOKEN, is_retired, strict_since
from netkit.engine.transport.algorithms import CIPHERS, HOST_KEYS, KEX, MACS, offer_for
from netkit.model import Hop


def test_the_engine_speaks_these():
    assert SPOKEN["kex"] == KEX
    assert SPOKEN["host_keys"] == HOST_KEYS
    assert SPOKEN["ciphers"] == CIPHERS
    assert SPOKEN["macs"] == MACS
    offered = offer_for(Hop(alias="gw", host="gw", compression=True)).compression
    assert set(SPOKEN["compression"]) == set(offered)


def test_netkit_speaks_nothing_that_is_retired():
    for names in (KEX, HOST_KEYS, CIPHERS, MACS):
        assert is_retired(names) == ()


def test_every_list_has_its_words():
    assert algorithms.OPTIONS.keys() == algorithms.WORDS.keys() == SPOKEN.keys()


def test_strict_kex_by_version_line():
    assert strict_since("SSH-2.0-OpenSSH_9.2p1 Debian-2") == ("OpenSSH", "9.6")
    assert strict_since("SSH-2.0-dropbear_2022.83") == ("Dropbear", "2024.84")
    assert strict_since("SSH-2.0-Cisco-1.25") == ("", "")
