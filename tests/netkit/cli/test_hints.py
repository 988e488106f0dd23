from __future__ import annotations

import pytest

from netkit.cli.hints import forward_line
from netkit.model import Endpoint, ForwardKind, ForwardSpec, UnixPath

LOCAL, REMOTE, DYNAMIC = ForwardKind.LOCAL, ForwardKind.REMOTE, ForwardKind.DYNAMIC
RDP = Endpoint("10.0.0.5", 3389)


def line(kind, to, *addresses):
    bind = addresses[0] if addresses else Endpoint("", 0)
    return forward_line(ForwardSpec(kind, bind, to), addresses, "gw")


def test_rdp_is_the_promised_line():
    assert line(LOCAL, RDP, Endpoint("127.0.0.2", 3389)) == (
        "127.0.0.2:3389 -> 10.0.0.5:3389 through gw   (point your RDP client at 127.0.0.2:3389)"
    )


@pytest.mark.parametrize(
    ("port", "hint"),
    [
        (22, "ssh -p 4000 ::1"),
        (23, "telnet ::1 4000"),
        (80, "open http://[::1]:4000/"),
        (443, "open https://[::1]:4000/"),
        (8080, "open http://[::1]:4000/"),
        (25, "mail server (SMTP) is [::1]:4000"),
        (110, "mail server (POP3) is [::1]:4000"),
        (143, "mail server (IMAP) is [::1]:4000"),
        (3306, "mysql -h ::1 -P 4000"),
        (5432, "psql -h ::1 -p 4000"),
        (5900, "vncviewer ::1::4000"),
        (6379, "redis-cli -h ::1 -p 4000"),
        (9, "connect to [::1]:4000"),
    ],
)
def test_hint_follows_the_far_port(port, hint):
    text = line(LOCAL, Endpoint("far", port), Endpoint("::1", 4000))
    assert text == f"[::1]:4000 -> far:{port} through gw   ({hint})"


def test_every_address_is_named_and_the_first_word_is_one():
    text = line(LOCAL, Endpoint("db", 5432), Endpoint("127.0.0.1", 5000), Endpoint("::1", 5000))
    assert text.split()[0] == "127.0.0.1:5000"
    assert "also on [::1]:5000; psql -h 127.0.0.1 -p 5000" in text


@pytest.mark.parametrize(
    ("host", "shown"), [("0.0.0.0", "127.0.0.1:80"), ("*", "127.0.0.1:80"), ("::", "[::1]:80")]
)
def test_a_wildcard_is_nothing_to_connect_to(host, shown):
    assert line(LOCAL, Endpoint("web", 80), Endpoint(host, 80)).endswith(f"(open http://{shown}/)")


def test_dynamic_says_how_to_set_the_proxy():
    assert line(DYNAMIC, None, Endpoint("127.0.0.1", 1080)) == (
        "127.0.0.1:1080 -> any host through gw"
        "   (curl --proxy socks5h://127.0.0.1:1080 URL; SOCKS4, SOCKS4a and HTTP work too)"
    )


def test_remote_listens_on_the_gateway():
    assert line(REMOTE, Endpoint("localhost", 80), Endpoint("localhost", 8080)) == (
        "localhost:8080 on gw -> localhost:80 through this machine"
        "   (on gw: open http://localhost:8080/)"
    )


def test_remote_socks_leads_anywhere():
    text = line(REMOTE, None, Endpoint("localhost", 1080))
    assert "-> any host through this machine" in text
    assert "on gw: curl --proxy socks5h://localhost:1080" in text


def test_unix_sockets():
    sock = UnixPath("/run/user/1/d.sock")
    docker = line(LOCAL, UnixPath("/var/run/docker.sock"), sock)
    assert docker.endswith("(docker -H unix:///run/user/1/d.sock ps)")
    assert line(LOCAL, RDP, sock).endswith("(connect to the socket /run/user/1/d.sock)")


def test_without_addresses_the_bind_is_shown():
    assert forward_line(ForwardSpec(LOCAL, Endpoint("h", 1), RDP), (), "gw").startswith("h:1 -> ")
