from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any

import pytest

from netkit import model
from netkit.model import Endpoint, ForwardKind, ForwardSpec, Gateway, Plan, TunnelSpec, UnixPath


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Endpoint("db", 5432), "db:5432"),
        (Endpoint("::1", 22), "[::1]:22"),
        (Endpoint("fe80::1%eth0", 22), "[fe80::1%eth0]:22"),
        (Endpoint("", 0), ":0"),
        (Endpoint("*", 80), "*:80"),
        (UnixPath("/run/x.sock"), "/run/x.sock"),
        (Gateway("gw"), "gw"),
        (Gateway("gw", "me"), "me@gw"),
        (Gateway("gw", "me", 2222), "me@gw:2222"),
        (Gateway("::1"), "::1"),
        (Gateway("::1", port=2222), "[::1]:2222"),
        (ForwardSpec(ForwardKind.LOCAL, Endpoint("", 1), text="1:h:2"), "1:h:2"),
        (
            ForwardSpec(ForwardKind.REMOTE, Endpoint("*", 80), UnixPath("/x")),
            "remote *:80 -> /x",
        ),
        (ForwardSpec(ForwardKind.DYNAMIC, Endpoint("::1", 1080)), "dynamic [::1]:1080 -> any"),
    ],
)
def test_text(value: object, text: str) -> None:
    assert str(value) == text


def test_all_values_are_frozen_and_have_no_dict() -> None:
    classes: list[Any] = [v for v in vars(model).values() if dataclasses.is_dataclass(v)]
    assert len(classes) > 5
    for value in classes:
        assert value.__dataclass_params__.frozen, value
        assert "__slots__" in vars(value), value


def test_values_are_compared_by_content() -> None:
    assert len({Endpoint("a", 1), Endpoint("a", 1), Endpoint("a", 2)}) == 2
    assert TunnelSpec(gateway=Gateway("gw")) == TunnelSpec(gateway=Gateway("gw"))
    assert hash(Plan(hops=())) == hash(Plan(hops=()))


def test_it_imports_nothing_of_ours() -> None:
    script = (
        "import sys, importlib.util as u;"
        "s = u.spec_from_file_location('model', sys.argv[1]); m = u.module_from_spec(s);"
        "sys.modules['model'] = m; s.loader.exec_module(m);"
        "print([n for n in sys.modules if n.split('.')[0] in ('netkit', 'paramiko')])"
    )
    out = subprocess.run(
        [sys.executable, "-I", "-c", script, model.__file__],
        check=True,
        capture_output=True,
        text=True,
    )
    assert out.stdout.strip() == "[]"
