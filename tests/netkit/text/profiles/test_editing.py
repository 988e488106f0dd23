"""Edits of a file of profiles: what they change, and what stays."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import ConfigError, UsageError
from netkit.model import ForwardKind, Gateway, Profile, TunnelSpec
from netkit.text.forwards import parse_forward
from netkit.text.profiles.editing import block, canonical, drop, put, rename, set_default
from netkit.text.profiles.reading import Profiles, decode
from support.profiles import OFFICE, profiles

PLAIN = Profile(name="plain", tunnel=TunnelSpec(gateway=Gateway("gw")))


def read(text):
    return decode(text.encode(), "f")


def office():
    found = read(OFFICE).find("office")
    assert found is not None
    return found


def lines_gone(new):
    """Return the lines of OFFICE that ``new`` lacks."""
    left = new.splitlines()
    return [line for line in OFFICE.splitlines() if line not in left]


class TestPut:
    def test_the_first(self):
        assert put("", PLAIN) == '[profiles.plain]\ngateway = "gw"\n'

    def test_another_one_comes_last(self):
        assert put(OFFICE, PLAIN) == f'{OFFICE}\n[profiles.plain]\ngateway = "gw"\n'

    def test_a_file_without_an_end_of_line(self):
        assert put(OFFICE.rstrip("\n"), PLAIN).startswith(OFFICE)

    def test_a_change_leaves_the_rest(self):
        new = put(OFFICE, replace(office(), note="desk", launch="rdp"))
        assert lines_gone(new) == []
        assert 'keepalive = "auto"\nnote = "desk"\nlaunch = "rdp"\n\n# the desktop' in new

    def test_a_value_that_changes_keeps_its_comment(self):
        old = office()
        moved = replace(old.tunnel, gateway=Gateway("other"))
        assert lines_gone(put(OFFICE, replace(old, tunnel=moved))) == [
            'gateway = "me@gw.example:2222"'
        ]

    def test_forwards_one_by_one(self):
        old = office()
        rdp, socks = old.tunnel.forwards
        third = parse_forward(ForwardKind.REMOTE, "8080:localhost:80")
        more = put(OFFICE, replace(old, tunnel=replace(old.tunnel, forwards=(rdp, socks, third))))
        assert lines_gone(more) == []
        fewer = put(OFFICE, replace(old, tunnel=replace(old.tunnel, forwards=(rdp,))))
        assert 'bind = "127.0.0.2:3389"  # as in the recipe' in fewer
        assert "1080" not in fewer
        none = put(OFFICE, replace(old, tunnel=replace(old.tunnel, forwards=())))
        assert "forwards" not in none
        assert "# about keys" in none

    @pytest.mark.parametrize(
        "text",
        [
            'profiles = { plain = { gateway = "old" } }\n',
            'profiles.plain.gateway = "old"\n',
            'profiles.plain = { gateway = "old", forwards = [{kind = "dynamic", bind = "1"}] }\n',
            '[profiles]\nplain.gateway = "old"\nplain.note = "x"\n',
            '["profiles"."plain"]\r\ngateway = "old"\r\n',
        ],
    )
    def test_other_ways_to_write_it(self, text):
        assert read(put(text, PLAIN)).profiles == (PLAIN,)
        assert read(rename(text, "plain", "x")).names == ("x",)
        assert read(drop(text, "plain")).profiles == ()

    def test_where_only_an_editor_can(self):
        text = 'profiles = { plain = { gateway = "old" } }\n'
        with pytest.raises(ConfigError) as raised:
            put(text, replace(PLAIN, name="other"))
        assert raised.value.code == "cannot-edit"

    @given(st.lists(profiles, min_size=1, max_size=3))
    def test_one_after_another(self, wanted):
        text = OFFICE
        expected = {each.name: each for each in read(OFFICE).profiles}
        for profile in wanted:
            text = put(text, profile)
            expected[profile.name] = profile
        assert set(read(text).profiles) == set(expected.values())
        assert text.startswith("# my tunnels\n")

    @given(profiles, profiles)
    def test_one_in_the_place_of_another(self, old, new):
        new = replace(new, name=old.name)
        assert read(put(put("# top\n", old), new)).profiles == (new,)


class TestCanonical:
    def test_texts_of_forwards_are_ours(self):
        typed = parse_forward(ForwardKind.LOCAL, "localhost:1:h:2")
        tunnel = TunnelSpec(
            gateway=Gateway("gw"), forwards=(replace(typed, text="--bind localhost:1 --to h:2"),)
        )
        made = canonical(Profile(name="x", tunnel=tunnel))
        assert made.tunnel.forwards[0].text == "localhost:1:h:2"

    @pytest.mark.parametrize(
        ("profile", "said"),
        [
            (replace(PLAIN, note="a\nb"), "x cannot be saved: at note: it holds a control"),
            (replace(PLAIN, note="\udc80"), "x cannot be saved: "),
            (replace(PLAIN, note="n" * 501), "x cannot be saved: at note: expected"),
            (replace(PLAIN, launch="rm"), "x cannot be saved: at launch"),
            (
                replace(PLAIN, tunnel=replace(PLAIN.tunnel, proxy="socks5://me:hush@h:1")),
                "x cannot be saved: at proxy: a proxy's URL must not hold a password",
            ),
            (
                replace(PLAIN, tunnel=replace(PLAIN.tunnel, connect_timeout=1e9)),
                "x cannot be saved: at connect_timeout: expected a number <= 3600",
            ),
        ],
    )
    def test_values_that_cannot_be_saved(self, profile, said):
        with pytest.raises(UsageError) as raised:
            canonical(replace(profile, name="x"))
        assert raised.value.summary.startswith(said)
        assert raised.value.code == "bad-profile"

    def test_a_name_that_is_none(self):
        with pytest.raises(UsageError, match="cannot be the name"):
            canonical(replace(PLAIN, name="a/b"))


class TestDrop:
    def test_the_others_stay(self):
        new = drop(OFFICE, "home")
        assert lines_gone(new) == ["[profiles.home]", 'gateway = "home"']

    def test_the_default(self):
        new = drop(OFFICE, "office")
        assert read(new) == Profiles(read(OFFICE).profiles[1:], "")
        assert new.startswith("# my tunnels\n")

    def test_the_last(self):
        assert drop(put("", PLAIN), "plain") == ""


class TestRename:
    def test_only_its_headers_change(self):
        new = rename(OFFICE, "office", "desk.1")
        assert lines_gone(new) == [
            'default = "office"   # the usual one',
            "[profiles.office]  # the desk",
            "[[profiles.office.forwards]]",
            "[[profiles.office.forwards]]",
        ]
        assert '[profiles."desk.1"]  # the desk\n' in new
        assert 'default = "desk.1"   # the usual one\n' in new

    def test_to_what_is_no_name(self):
        with pytest.raises(UsageError, match="cannot be the name"):
            rename(OFFICE, "office", "a b")


class TestDefault:
    def test_another_one(self):
        new = set_default(OFFICE, "home")
        assert lines_gone(new) == ['default = "office"   # the usual one']
        assert 'default = "home"   # the usual one\n' in new

    def test_the_first(self):
        text = put("", PLAIN)
        assert set_default(text, "plain") == f'default = "plain"\n\n{text}'

    def test_none(self):
        assert read(set_default(OFFICE, "")).default == ""
        assert set_default(set_default(put("", PLAIN), "plain"), "") == put("", PLAIN)


def test_a_block_alone():
    assert block(office()).splitlines() == [
        "[profiles.office]",
        'gateway = "me@gw.example:2222"',
        'identities = ["~/.ssh/id_ed25519"]',
        'keepalive = "auto"',
        "",
        "[[profiles.office.forwards]]",
        'kind = "local"',
        'bind = "127.0.0.2:3389"',
        'to = "desktop:3389"',
        "",
        "[[profiles.office.forwards]]",
        'kind = "dynamic"',
        'bind = "1080"',
    ]
