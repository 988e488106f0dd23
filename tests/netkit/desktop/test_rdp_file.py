from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.desktop.clients import Kind, View
from netkit.desktop.rdp_file import encode_rdp, format_rdp, parse_rdp, rdp_settings
from netkit.errors import UsageError
from netkit.model import Endpoint

AT = Endpoint("127.0.0.2", 3389)


def test_a_view_as_a_file():
    view = View(kind=Kind.RDP, at=AT, user="CORP\\älice:1", fullscreen=True, size=(1280, 800))
    text = format_rdp(rdp_settings(view))
    assert text.startswith("full address:s:127.0.0.2:3389\r\nscreen mode id:i:2\r\n")
    assert "\r\nusername:s:CORP\\älice:1\r\n" in text
    assert "desktopwidth:i:1280\r\ndesktopheight:i:800\r\n" in text
    assert "password" not in text
    assert parse_rdp(text) == rdp_settings(view)


def test_nothing_of_this_machine_is_lent_but_the_clipboard():
    settings = rdp_settings(View(kind=Kind.RDP, at=AT))
    assert settings["drivestoredirect"] == ""
    assert settings["redirectprinters"] == 0
    assert "username" not in settings


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9 ]{0,20}", fullmatch=True),
        st.integers(-(10**9), 10**9) | st.text(max_size=40),
        max_size=8,
    )
)
def test_settings_come_back_or_are_refused(settings: dict[str, str | int]):
    try:
        text = format_rdp(settings)
    except UsageError as error:
        assert error.code == "bad-rdp-setting"
        bad = [value for value in settings.values() if isinstance(value, str)]
        assert any(not value.isprintable() for value in bad)
        return
    assert parse_rdp(text) == settings
    assert text.count("\n") == len(settings)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str):
    try:
        parse_rdp(text)
    except UsageError as error:
        assert error.code == "bad-rdp-file"


@pytest.mark.parametrize("line", ["full address", "a:x:1", "n:i:", "n:i:1x", ":s:x"])
def test_no_settings(line: str):
    with pytest.raises(UsageError):
        parse_rdp(f"screen mode id:i:1\r\n{line}\r\n")


def test_bytes_are_what_each_client_reads():
    assert encode_rdp("é\r\n", windows=True) == b"\xff\xfe\xe9\x00\r\x00\n\x00"
    assert encode_rdp("é\r\n", windows=False) == b"\xc3\xa9\r\n"
