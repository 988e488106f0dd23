from __future__ import annotations

from dataclasses import dataclass

from diagnostics.values import changed, parts, with_fields


@dataclass(frozen=True, slots=True)
class Facts:
    text: str = "a"
    data: bytes = b"b"
    inner: tuple[object, ...] = ()
    number: int = 7


def upper(value: str | bytes) -> str | bytes:
    return value.upper() if value != value.upper() else value


def test_changed():
    facts = Facts("x", b"y", ("z", [b"w", 1], {"key": "v"}, Facts()), 3)
    assert changed(facts, upper) == Facts(
        "X", b"Y", ("Z", [b"W", 1], {"key": "V"}, Facts("A", b"B")), 3
    )


def test_what_is_not_changed_is_the_same():
    facts = Facts("X", b"Y", ("Z", [b"W"], Facts("", b"")))
    assert changed(facts, upper) is facts
    assert changed(7, upper) == 7
    assert changed(Facts, upper) is Facts


def test_with_fields():
    seen: list[str] = []
    facts = Facts()

    def keep(name: str, value: object) -> object:
        seen.append(name)
        return value

    assert with_fields(facts, keep) is facts
    assert seen == ["text", "data", "inner", "number"]
    assert with_fields(facts, lambda name, value: 8 if name == "number" else value).number == 8


def test_parts():
    facts = Facts("x", b"y", ([1], {"k": "v"}, Facts))
    assert list(parts(facts)) == [
        facts,
        "x",
        b"y",
        facts.inner,
        [1],
        1,
        {"k": "v"},
        "v",
        Facts,
        7,
    ]
