from __future__ import annotations

import pytest

from netkit.cli.top.live import look_at, parse_typed
from netkit.errors import UsageError
from netkit.model import Endpoint, ForwardKind
from support.talking import talking


def test_a_look(tmp_path, monkeypatch):
    with talking(tmp_path, monkeypatch) as made:
        look = look_at(made.holder)
        assert look.running is not None
        assert (look.name, len(look.flows), look.trouble) == ("office", 1, "")
        made.server.close()
        gone = look_at(made.holder)
        assert gone.running is None
        assert "cannot be asked" in gone.trouble


@pytest.mark.parametrize(
    ("text", "kind", "port"),
    [
        ("-L 5432:db:5432", ForwardKind.LOCAL, 5432),
        ("-R 8080:web:80", ForwardKind.REMOTE, 8080),
        ("-D 1080", ForwardKind.DYNAMIC, 1080),
        ("--bind 127.0.0.1:3389 --to desk:3389", ForwardKind.LOCAL, 3389),
        ("--bind 127.0.0.1:3389", ForwardKind.LOCAL, 3389),
    ],
)
def test_forwards_to_add(text, kind, port):
    spec = parse_typed(text, whole=True)
    assert spec.kind is kind
    assert isinstance(spec.bind, Endpoint)
    assert spec.bind.port == port


def test_forwards_to_remove():
    spec = parse_typed("-L 5432", whole=False)
    assert (spec.kind, spec.bind, spec.to) == (ForwardKind.LOCAL, Endpoint("", 5432), None)


@pytest.mark.parametrize("text", ["", "-L", "5432", "-X 1:a:1", "-L 'a", "-L nothing", "-L 1 2"])
def test_what_is_no_forward(text):
    with pytest.raises(UsageError):
        parse_typed(text, whole=True)
