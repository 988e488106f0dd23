"""Logins with one cipher, with compression, and what they show."""

from __future__ import annotations

import pytest

from netkit.bench.measuring.logins import common_ciphers, log_in
from netkit.doctor.session import Access
from netkit.engine.transport.algorithms import CIPHERS, Offer
from netkit.errors import AlgorithmError, AuthenticationError
from netkit.model import Plan
from support import tunnels


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    words = {"Ciphers": "aes256-ctr,aes128-gcm@openssh.com"}
    with tunnels.start("sshd", tmp_path_factory.mktemp("sshd"), **words) as gateway:
        yield gateway


def test_parts_of_a_login(gateway):
    made = log_in(Access(plan=Plan(hops=(gateway.hop(),))))
    made.session.close()
    login = made.login
    assert 0 < login.tcp < login.total
    assert 0 < login.key_exchange < login.total
    assert 0 < login.authentication < login.total
    assert login.tcp + login.key_exchange + login.authentication <= login.total
    assert (login.cipher, login.compression) == ("aes128-gcm@openssh.com", False)
    assert "OpenSSH" in made.server
    assert common_ciphers(CIPHERS, made.theirs, made.cipher) == (
        "aes128-gcm@openssh.com",
        "aes256-ctr",
    )


def test_a_cipher_and_compression(gateway):
    made = log_in(Access(plan=Plan(hops=(gateway.hop(),))), cipher="aes256-ctr", compression=True)
    made.session.close()
    assert (made.cipher, made.compression) == ("aes256-ctr", True)
    assert (made.login.cipher, made.login.compression) == ("aes256-ctr", True)


def test_only_the_last_hop_is_changed(gateway, tmp_path):
    with tunnels.start("sshd", tmp_path, Ciphers="aes192-ctr") as first:
        plan = Plan(hops=(first.hop(), gateway.hop()))
        made = log_in(Access(plan=plan), cipher="aes256-ctr", compression=True)
        assert made.session.hops[0].transport.agreed.cipher == "aes192-ctr"
        assert made.cipher == "aes256-ctr"
        made.session.close()


def test_a_cipher_that_the_gateway_lacks(gateway):
    with pytest.raises(AlgorithmError):
        log_in(Access(plan=Plan(hops=(gateway.hop(),))), cipher="aes192-ctr")


def test_nobody_is_let_in(gateway, tmp_path):
    hop = gateway.hop(identities=(), auth_methods=("password",))
    with pytest.raises(AuthenticationError):
        log_in(Access(plan=Plan(hops=(hop,))))


def test_common_ciphers():
    theirs = Offer(ciphers=("c", "a", "z"))
    assert common_ciphers(("a", "b", "c"), theirs, "c") == ("c", "a")
