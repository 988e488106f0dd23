from __future__ import annotations

import os
import subprocess

from netkit.advise.model import Need, Technology
from netkit.advise.ppp_ssh import route_script
from support import advice

P = Technology.PPP_SSH


def test_options():
    found = advice.made(P)
    here = advice.file(found, "here/netkit0.peer").splitlines()
    assert here[0] == (
        'pty "ssh -T -o BatchMode=yes -p 2222 me@gw.example sudo -n pppd call netkit0"'
    )
    assert here[1] == "10.255.255.253:10.255.255.254"
    gateway = advice.file(found, "gateway/netkit0.peer").splitlines()
    assert gateway[:3] == ["notty", "nodetach", "10.255.255.254:10.255.255.253"]
    assert "noauth" in here
    assert "noauth" in gateway


def test_routes():
    found = advice.made(P)
    assert 'ip route replace 10.1.0.0/16 dev "$1"' in advice.file(found, "here/netkit0.ip-up")
    assert "192.168.1.0/24" in advice.file(found, "gateway/netkit0.ip-up")
    alone = advice.made(P, Need.HOST_TO_LAN)
    assert "gateway/netkit0.ip-up" not in [each.path for each in alone.files]


def test_the_script_minds_its_own_link_only(tmp_path):
    """pppd runs every script of the folder for every link, with the name of the link as $6."""
    sites = advice.two_sites(P)
    script = route_script("netkit0", sites.remote_nets).replace("ip route", "echo ip route")
    for name, count in (("netkit0", 2), ("other", 0)):
        argv = ["sh", "-c", script, "ip-up", "ppp3", "tty", "9600", "a", "b", name]
        done = subprocess.run(argv, capture_output=True, text=True, check=True, env=os.environ)
        assert done.stdout.count(" dev ppp3") == count


def test_ipv6_is_turned_on_where_it_is_needed():
    v6 = advice.made(P, remote_net=("2001:db8:1::/48",), local_net=("2001:db8:2::/48",))
    assert "+ipv6" in advice.file(v6, "here/netkit0.peer").splitlines()
    assert "+ipv6" not in advice.file(advice.made(P), "here/netkit0.peer")
