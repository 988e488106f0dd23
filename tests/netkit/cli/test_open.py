from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.cli import open as open_command
from netkit.cli.open import checked_path
from netkit.desktop.clients import Kind
from netkit.errors import UsageError
from support.cli import run_cli


@pytest.mark.parametrize(
    ("words", "path", "secure"),
    [
        ((), "/", None),
        (("--path", "login?next=/a b"), "/login?next=/a%20b", None),
        (("--https",), "/", True),
        (("--no-https", "--path", "/x"), "/x", False),
    ],
)
def test_the_page_that_is_asked_for(monkeypatch, words, path: str, secure: bool | None):
    orders = []

    def run_view(_ctx, order, _gateway, _values) -> int:
        orders.append(order)
        return 0

    monkeypatch.setattr(open_command.viewing, "run_view", run_view)
    assert run_cli("open", "gw", *words).code == 0
    (order,) = orders
    assert (order.view.kind, order.path, order.secure) == (Kind.HTTP, path, secure)


@given(st.text(max_size=60))
def test_any_path_is_refused_or_stays_on_the_server(text: str):
    try:
        path = checked_path(text)
    except UsageError as error:
        assert error.code == "bad-path"
        return
    assert path.isascii()
    assert not set(path) & set(" \"'<>\\^`{|}\n") - {"'"}
    assert urlsplit(f"http://127.0.0.1:8080{path}").netloc == "127.0.0.1:8080"


@pytest.mark.parametrize("text", ["//evil.example/", "@evil.example", "\\evil", ":80@x"])
def test_no_path_leads_elsewhere(text: str):
    assert urlsplit(f"http://127.0.0.1:8080{checked_path(text)}").hostname == "127.0.0.1"
