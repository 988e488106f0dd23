"""ssh_config's algorithm lists, and agreement as in RFC 4253 section 7.1."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.engine.transport import algorithms
from netkit.engine.transport.algorithms import CERT, CIPHERS, HOST_KEYS, KEX, MACS, Offer, agree
from netkit.errors import AlgorithmError, ConfigError
from netkit.model import Hop

HOP = Hop(alias="g", host="g")


def ciphers(*spec: str) -> tuple[str, ...]:
    return algorithms.select("Ciphers", spec, default=CIPHERS)


class TestSelect:
    def test_nothing_said_is_the_default(self):
        assert ciphers() == CIPHERS
        assert ciphers("", " ") == CIPHERS

    def test_list_replaces_in_its_order(self):
        assert ciphers("aes256-ctr", "aes128-ctr") == ("aes256-ctr", "aes128-ctr")
        assert ciphers("aes256-ctr,aes128-ctr") == ("aes256-ctr", "aes128-ctr")

    def test_names_we_lack_are_ignored(self):
        assert ciphers("chacha20-poly1305@openssh.com,aes128-ctr") == ("aes128-ctr",)

    def test_plus_appends(self):
        assert algorithms.select("X", ("+c",), default=("a", "b"), supported=("a", "b", "c")) == (
            *("a", "b", "c"),
        )

    def test_plus_with_something_unknown_is_the_default(self):
        assert ciphers("+3des-cbc") == CIPHERS

    def test_minus_removes_by_pattern(self):
        assert ciphers("-*-ctr") == CIPHERS[:2]

    def test_caret_puts_in_front(self):
        assert ciphers("^aes256-ctr")[0] == "aes256-ctr"
        assert sorted(ciphers("^aes256-ctr")) == sorted(CIPHERS)

    def test_wildcards(self):
        assert ciphers("aes?56-*") == ("aes256-gcm@openssh.com", "aes256-ctr")

    @pytest.mark.parametrize("spec", ["chacha20-poly1305@openssh.com", "-*", "no-such-name"])
    def test_nothing_left_is_an_error_that_lists_what_there_is(self, spec):
        with pytest.raises(ConfigError) as caught:
            ciphers(spec)
        assert spec in caught.value.summary
        assert all(name in caught.value.cause for name in CIPHERS)

    @given(st.lists(st.text("aes128*?-+^,", max_size=12), max_size=4))
    def test_any_spec_gives_known_names_once(self, spec):
        try:
            chosen = ciphers(*spec)
        except ConfigError:
            return
        assert chosen
        assert set(chosen) <= set(CIPHERS)
        assert len(set(chosen)) == len(chosen)


class TestOffer:
    def test_gcm_and_etm_lead_and_nothing_is_compressed(self):
        offer = algorithms.offer_for(HOP)
        assert offer.ciphers[0] == "aes128-gcm@openssh.com"
        assert offer.macs[0] == "hmac-sha2-256-etm@openssh.com"
        assert offer.compression == ("none",)
        assert not any("cbc" in name for name in offer.ciphers)

    def test_compression(self):
        offer = algorithms.offer_for(replace(HOP, compression=True))
        assert offer.compression == ("zlib@openssh.com", "zlib", "none")

    def test_types_that_are_known_come_first(self):
        offer = algorithms.offer_for(HOP, known_types=["ssh-rsa"])
        assert offer.host_keys[:2] == ("rsa-sha2-512", "rsa-sha2-256")
        assert sorted(offer.host_keys) == sorted(HOST_KEYS)

    def test_certificates_only_where_an_authority_is_known(self):
        assert not any(CERT in name for name in algorithms.offer_for(HOP).host_keys)
        assert algorithms.offer_for(HOP, cert=True).host_keys[0] == f"ssh-ed25519{CERT}"

    def test_host_key_algorithms_of_openssh_with_certificates(self):
        spec = (f"ssh-ed25519{CERT}", "ssh-ed25519")
        hop = replace(HOP, host_key_algorithms=spec)
        assert algorithms.offer_for(hop).host_keys == ("ssh-ed25519",)
        assert algorithms.offer_for(hop, cert=True).host_keys == spec

    def test_kex_is_limited_to_what_the_installation_can_do(self):
        offer = algorithms.offer_for(HOP, kex=KEX[1:3])
        assert offer.kex == KEX[1:3]


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [
        ("ssh-ed25519", "ssh-ed25519"),
        ("rsa-sha2-512", "ssh-rsa"),
        (f"rsa-sha2-256{CERT}", f"ssh-rsa{CERT}"),
        (f"ecdsa-sha2-nistp256{CERT}", f"ecdsa-sha2-nistp256{CERT}"),
    ],
)
def test_type_of(algorithm, kind):
    assert algorithms.type_of(algorithm) == kind


class TestAgree:
    def test_our_first_that_they_have(self):
        theirs = Offer(ciphers=("aes256-ctr", "aes128-ctr"), macs=("hmac-sha2-512", "umac"))
        there, back = agree(Offer(), theirs, Offer())
        assert (there.cipher, there.mac) == ("aes128-ctr", "hmac-sha2-512")
        assert back.cipher == "aes128-gcm@openssh.com"

    def test_gcm_needs_no_common_mac(self):
        theirs = Offer(ciphers=("aes256-gcm@openssh.com",), macs=("umac-128-etm@openssh.com",))
        assert agree(Offer(), theirs, theirs)[0].mac == "implicit"

    @pytest.mark.parametrize(
        ("theirs", "word"),
        [
            (Offer(kex=("sntrup761x25519-sha512@openssh.com", "ext-info-s")), "key exchange"),
            (Offer(host_keys=("ssh-rsa",)), "host key"),
            (Offer(ciphers=("chacha20-poly1305@openssh.com",)), "cipher"),
            (Offer(ciphers=("aes128-ctr",), macs=("umac-64@openssh.com",)), "MAC"),
            (Offer(compression=("zlib",)), "compression"),
        ],
    )
    def test_nothing_in_common_names_both_offers(self, theirs, word):
        with pytest.raises(AlgorithmError) as caught:
            agree(Offer(), theirs, Offer())
        error = caught.value
        assert word in error.summary
        field = {"key exchange": "kex", "host key": "host_keys", "cipher": "ciphers"}
        field |= {"MAC": "macs", "compression": "compression"}
        assert getattr(theirs, field[word])[0] in error.cause
        assert getattr(Offer(), field[word])[0] in error.cause
        assert "ext-info" not in error.cause

    def test_hostile_offer_is_printable_and_short(self):
        with pytest.raises(AlgorithmError) as caught:
            agree(Offer(), Offer(kex=("\x1b[2J" * 2000,)), Offer())
        assert caught.value.cause.isprintable()
        assert len(caught.value.cause) < 3000

    def test_macs_of_every_form(self):
        assert {"hmac-sha1", "hmac-sha2-256", "hmac-sha2-512-etm@openssh.com"} <= set(MACS)
