import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers.no_proxy import bypasses, proxy_host


@pytest.mark.parametrize(
    ("value", "host", "answer"),
    [
        ("localhost,127.0.0.1,::1", "localhost", True),
        ("localhost 127.0.0.1", "127.0.0.1", True),
        ("localhost", "127.0.0.1", False),
        ("127.0.0.0/8", "127.0.0.2", True),
        ("127.0.0.0/8", "::1", False),
        ("127.0.0.1", "127.0.0.2", False),
        ("[::1]", "::1", True),
        ("*", "anything", True),
        (".example.com", "www.example.com", True),
        ("example.com", "www.Example.com.", True),
        ("example.com", "myexample.com", False),
        (".localhost", "localhost", True),
        ("", "localhost", False),
        (",,", "localhost", False),
        ("127.0.0.1/99", "127.0.0.1", False),
    ],
)
def test_bypasses(value, host, answer):
    assert bypasses(value, host) is answer


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://proxy.corp:3128", "proxy.corp"),
        ("http://me:secret@Proxy:8080/", "proxy"),
        ("proxy:3128", "proxy"),
        ("socks5h://[::1]:1080", "::1"),
        ("", ""),
        ("http://", ""),
    ],
)
def test_proxy_host(url, host):
    assert proxy_host(url) == host


@given(st.text(), st.text())
def test_is_total(value, host):
    assert bypasses(value, host) in (True, False)
    assert isinstance(proxy_host(value), str)
