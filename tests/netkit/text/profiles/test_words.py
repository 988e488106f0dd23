"""The command line that does what a profile says."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given

from netkit.cli import options
from netkit.cli.forward import command
from netkit.files import at_home
from netkit.model import Gateway, Profile, TunnelSpec
from netkit.text.profiles.words import words
from support.profiles import profiles


def spec_of(argv):
    """Return the tunnel that ``netkit forward`` would make of a command line."""
    with command.make_context("forward", list(argv)) as context:
        values = dict(context.params)
        gateway = values.pop("gateway")
        return options.tunnel_spec(gateway, options.forwards_of(context), values), values


def test_nothing_more_than_needed():
    assert words(Profile(name="x", tunnel=TunnelSpec(gateway=Gateway("gw")))) == ("gw",)


def test_no_jumps_at_all():
    tunnel = TunnelSpec(gateway=Gateway("gw"), jumps=())
    assert words(Profile(name="x", tunnel=tunnel)) == ("gw", "-J", "none")


@given(profiles)
def test_the_command_line_says_the_same(profile):
    # no option switches compression off
    tunnel = replace(profile.tunnel, compression=profile.tunnel.compression or None)
    paths = tuple(map(at_home, tunnel.identities))
    config = tunnel.config_file and at_home(tunnel.config_file)
    found, values = spec_of(words(replace(profile, tunnel=tunnel)))
    assert replace(found, keepalive=None) == replace(
        tunnel, keepalive=None, identities=paths, config_file=config
    )
    assert (values["keepalive"] == options.AUTO) == profile.keepalive_auto
    if tunnel.keepalive is not None:
        assert values["keepalive_count"] == tunnel.keepalive.count
