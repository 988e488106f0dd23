from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers.hosts import HostsFile, HostsLine, hosts, nsswitch_hosts

SAMPLE = b"""\
# comment
127.0.0.1\tlocalhost LocalHost.localdomain # really
::1 ip6-localhost\tlocalhost
fe80::1%lo0 localhost
192.0.2.7 web\r
"""


def test_keeps_the_lines_that_were_asked_for():
    found = hosts(SAMPLE, {"LOCALHOST", "host", ""})
    assert found.found == (
        HostsLine(2, "127.0.0.1", ("localhost", "LocalHost.localdomain")),
        HostsLine(3, "::1", ("ip6-localhost", "localhost")),
        HostsLine(4, "fe80::1%lo0", ("localhost",)),
    )
    assert [line.number for line in found.about("localhost.LOCALDOMAIN")] == [2]
    assert found.about("web") == ()


def test_bad_lines_are_counted():
    found = hosts(b"127.0.0.1\nnonsense localhost\n\x00\x01\x02 localhost\n" + b"x y\n" * 100, ())
    assert found.bad_count == 103
    assert len(found.bad) == 32
    assert found.bad[2] == (3, "??? localhost")


def test_a_block_list_costs_little_and_hides_nothing():
    data = b"0.0.0.0 ads.example\n" * 30_000 + b"127.0.0.1 localhost\n"
    assert [line.number for line in hosts(data, {"localhost"}).found] == [30_001]
    assert len(hosts(b"127.0.0.1 localhost\n" * 1000, {"localhost"}).found) == 32


def test_nsswitch():
    text = b"passwd: files\nhosts:  files [NOTFOUND=return] mdns4_minimal dns # as shipped\n"
    assert nsswitch_hosts(text) == ("files", "mdns4_minimal", "dns")
    assert nsswitch_hosts(b"#hosts: files\nhosts files\n") == ()


@given(st.binary(max_size=300), st.lists(st.text(max_size=5)))
def test_is_total(data, names):
    assert isinstance(hosts(data, names), HostsFile)
    assert isinstance(nsswitch_hosts(data), tuple)
