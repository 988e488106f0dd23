"""Values out of other programs' TOML."""

from __future__ import annotations

import pytest

from netkit.errors import ConfigError
from netkit.text.endpoints import parse_gateway
from netkit.text.foreign.fields import Fields
from netkit.text.profiles.source import Source

TEXT = """\
name = "x"
port = 22
flag = true
words = ["a", "b"]
[[list]]
bad = 1.5
"""


def fields():
    source = Source(TEXT, "f")
    return Fields(source, (), source.parse())


def test_values():
    table = fields()
    assert (table.text("name"), table.text("port"), table.text("none")) == ("x", "22", "")
    assert (table.number("port"), table.number("none", -1)) == (22, -1)
    assert (table.flag("flag"), table.flag("none")) == (True, False)
    assert (table.texts("words"), table.texts("name"), table.texts("none")) == (
        ["a", "b"],
        ["x"],
        [],
    )
    assert table.rest() == ["list"]
    assert [each.path for each in table.tables("list")] == [("list", 0)]
    assert table.rest() == []


@pytest.mark.parametrize(
    ("take", "said"),
    [
        (lambda table: table.text("flag"), "f line 3: at flag: a text is expected"),
        (lambda table: table.number("name"), "f line 1: at name: a whole number is expected"),
        (lambda table: table.number("flag"), "f line 3: at flag: a whole number is expected"),
        (lambda table: table.flag("port"), "f line 2: at port: true or false is expected"),
        (lambda table: table.texts("port"), "f line 2: at port: a list of texts is expected"),
        (lambda table: table.tables("words"), "f line 4: at words: a table is expected"),
        (lambda table: table.tables("name"), "f line 1: at name: a list of tables is expected"),
        (
            lambda table: table.tables("list")[0].text("bad"),
            "f line 6: at list[0].bad: a text is expected",
        ),
        (
            lambda table: table.parsed("name", parse_gateway, "a b"),
            "f line 1: at name: 'a b' is not an address",
        ),
    ],
)
def test_what_is_wrong(take, said):
    with pytest.raises(ConfigError) as raised:
        take(fields())
    assert raised.value.summary == said
