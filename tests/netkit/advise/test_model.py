from __future__ import annotations

import ipaddress

import pytest

from netkit.advise.model import File, Need, Recipe, Technology, TunnelAddresses
from netkit.model import Fix


def test_undo_is_the_way_back():
    steps = (
        Fix(("one",), undo=("un-one",)),
        Fix(("two",)),
        Fix(("three",), where="gateway", needs_admin=True, undo=("un-three",)),
    )
    undo = Recipe(Technology.WIREGUARD, steps).undo
    assert [fix.argv for fix in undo] == [("un-three",), ("un-one",)]
    assert (undo[0].where, undo[0].needs_admin) == ("gateway", True)


def test_path_of_a_file():
    assert File("here", "netkit0.conf", "", "/etc/x").path == "here/netkit0.conf"


def test_addresses_of_a_tunnel():
    pair = ipaddress.ip_interface("10.0.0.1/30"), ipaddress.ip_interface("10.0.0.2/30")
    tunnel = TunnelAddresses((pair,))
    assert tunnel.networks == (ipaddress.ip_network("10.0.0.0/30"),)
    assert (tunnel.here, tunnel.gateway) == ((pair[0],), (pair[1],))


@pytest.mark.parametrize("need", Need)
def test_needs_have_words(need):
    assert need.text
