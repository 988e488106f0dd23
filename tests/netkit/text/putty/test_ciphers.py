"""PuTTY's families of ciphers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.engine.transport.algorithms import CIPHERS
from netkit.text.putty import defaults
from netkit.text.putty.ciphers import from_putty, to_putty


@pytest.mark.parametrize("text", ["", *defaults.CIPHERS])
def test_defaults_are_nobodys_choice(text: str):
    assert from_putty(text).names == ()
    assert from_putty(text).left_out == ()


def test_what_stands_before_warn_is_allowed():
    found = from_putty("aesgcm,chacha20,WARN,aes,3des,des,blowfish,arcfour")
    assert found.names == ("aes256-gcm@openssh.com", "aes128-gcm@openssh.com")
    assert found.left_out == ("Cipher: netkit does not have chacha20",)


def test_nothing_that_netkit_has():
    found = from_putty("blowfish,WARN,aes")
    assert found.names == ()
    assert "none of these" in found.left_out[0]


def test_back():
    made = to_putty(["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "nonsense"])
    assert made.text == "aesgcm,WARN,aes,chacha20,3des,des,blowfish,arcfour"
    assert made.left_out == ("cipher nonsense: PuTTY does not have it",)
    half = to_putty(["aes128-ctr"])
    assert half.text.startswith("aes,WARN,")
    assert "aes256-ctr, aes192-ctr" in half.left_out[0]
    assert to_putty(["nonsense"]).text == ""
    assert to_putty([]).left_out == ()


@given(
    st.text(max_size=60) | st.lists(st.sampled_from(["aes", "aesgcm", "WARN", "x"])).map(",".join)
)
def test_what_comes_out_is_what_netkit_has(text: str):
    found = from_putty(text)
    assert set(found.names) <= set(CIPHERS)
    if found.names:
        assert from_putty(to_putty(found.names).text).names == found.names
