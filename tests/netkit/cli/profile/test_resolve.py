"""What the word GATEWAY means."""

from __future__ import annotations

import click
import pytest

from netkit import profiles as store
from netkit.cli import options
from netkit.cli.profile import resolve as profiles
from netkit.errors import ConfigError, UsageError
from netkit.model import Gateway, HostKeyPolicy, Keepalive
from support.profiles import OFFICE


@pytest.fixture(autouse=True)
def file(monkeypatch, tmp_path):
    path = tmp_path / "profiles.toml"
    path.write_text(OFFICE)
    monkeypatch.setenv(store.VARIABLE, str(path))
    return path


@click.command("forward", cls=options.OrderedForwardsCommand)
@options.gateway_options
@options.forward_options
@click.option("--default", is_flag=True)
@click.pass_context
def command(ctx, /, gateway, *, default, **values):
    return profiles.wish(gateway, options.forwards_of(ctx), values, default=default)


def wish(*argv):
    return command.main(list(argv), standalone_mode=False)


def texts(wanted):
    return [str(each) for each in wanted.spec.forwards]


def test_a_gateway():
    found = wish("me@gw", "-D", "1080", "--keepalive", "auto")
    assert (found.spec.gateway, texts(found)) == (Gateway("gw", "me"), ["1080"])
    assert (found.profile, found.auto_keepalive, found.counted) == (None, True, False)
    assert found.password_of == ""


def test_a_profile():
    found = wish("office")
    assert found.spec.gateway == Gateway("gw.example", "me", 2222)
    assert texts(found) == ["127.0.0.2:3389:desktop:3389", "1080"]
    assert found.profile is not None
    assert found.profile.name == "office"
    assert (found.auto_keepalive, found.counted) == (True, False)
    assert found.password_of == "office"
    assert not str(found.spec.identities[0]).startswith("~")


def test_options_go_before_it():
    found = wish("office", "-L", "1:h:2", "-C", "--host-key", "strict", "--keepalive", "9")
    assert texts(found) == ["1:h:2"]
    assert (found.spec.compression, found.spec.host_key) == (True, HostKeyPolicy.STRICT)
    assert found.spec.keepalive == Keepalive(9, 3)
    assert not found.auto_keepalive
    assert found.password_of == "office"


def test_a_count_alone():
    found = wish("office", "--keepalive-count", "7")
    assert found.spec.keepalive == Keepalive(30, 7)
    assert (found.auto_keepalive, found.counted) == (True, True)


@pytest.mark.parametrize("more", [("-l", "you"), ("-p", "22"), ("-F", "cfg")])
def test_another_login_does_not_get_the_password(more):
    assert wish("office", *more).password_of == ""


def test_the_password(monkeypatch):
    monkeypatch.setattr("netkit.secrets.recall", {"office": "hush"}.get)
    monkeypatch.setattr("netkit.cli.terminal.read_password", lambda: "typed")
    assert profiles.login_password(stdin=True, profile="office") == "typed"
    assert profiles.login_password(stdin=False, profile="office") == "hush"
    assert profiles.login_password(stdin=False, profile="") is None


def test_no_gateway():
    assert wish() is None
    assert wish("-D", "1") is None


def test_the_default():
    found = wish("--default")
    assert texts(found) == ["127.0.0.2:3389:desktop:3389", "1080"]
    found = wish("--default", "--bind", "127.0.0.2:3390")
    assert found.spec.gateway == Gateway("gw.example", "me", 2222)
    assert texts(found) == ["--bind 127.0.0.2:3390"]
    store.set_default("")
    assert wish("--default") is None


def test_no_file(file):
    file.unlink()
    assert wish("--default") is None
    assert wish("office").spec.gateway == Gateway("office")


def test_a_file_that_is_wrong(file):
    file.write_text("x = 1\n")
    with pytest.raises(ConfigError):
        wish("office")
    with pytest.raises(ConfigError):
        wish("--default")
    # no profile can be meant
    assert wish("me@office").profile is None
    assert wish("office:22").profile is None


def test_a_gateway_that_is_none():
    with pytest.raises(UsageError, match="is not"):
        wish("a b")


class TestNames:
    def test_names(self):
        assert profiles.names() == ["office", "home"]

    @pytest.mark.parametrize("text", ["x = [", "profiles = 1", "[profiles.'a b']", "\udcff"])
    def test_where_they_are_not_known(self, file, text):
        file.write_text(text, errors="surrogateescape")
        assert profiles.names() == []

    def test_where_there_is_no_file(self, file):
        file.unlink()
        assert profiles.names() == []
        file.mkdir()
        assert profiles.names() == []

    def test_completion(self):
        context, parameter = click.Context(command), command.params[0]
        found = profiles.complete_name(context, parameter, "of")
        assert [(item.value, item.help) for item in found] == [("office", "profile")]

    def test_completion_of_a_gateway(self, monkeypatch, tmp_path):
        (tmp_path / ".ssh").mkdir()
        (tmp_path / ".ssh/config").write_text("Host office other\n")
        monkeypatch.setenv("HOME", str(tmp_path))
        gateway = next(each for each in command.params if each.name == "gateway")
        found = gateway.shell_complete(click.Context(command), "o")
        assert [item.value for item in found] == ["office", "other"]
