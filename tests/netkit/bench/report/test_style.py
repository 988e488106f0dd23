"""The style sheet: self-contained, and readable in both themes."""

from __future__ import annotations

import re

import pytest

from netkit.bench.report.style import STYLE

LIGHT, DARK = (
    dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", block))
    for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)[:2]
)


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio, WCAG 2.2."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_nothing_is_fetched():
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    assert "</" not in STYLE


def test_braces_match():
    assert STYLE.count("{") == STYLE.count("}") > 50


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_has_contrast(theme):
    for ground in ("ground", "card", "code"):
        assert contrast(theme["ink"], theme[ground]) >= 7
        assert contrast(theme["soft"], theme[ground]) >= 4.5
    for tone in ("good", "bad", "plain"):
        assert contrast(theme[tone], theme["card"]) >= 4.5
        assert contrast(theme[tone], theme[f"{tone}-ground"]) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_of_series_have_contrast(theme):
    for series in range(1, 6):
        assert contrast(theme[f"s{series}"], theme["card"]) >= 3


def test_every_colour_is_defined():
    used = set(re.findall(r"var\(--([a-z0-9-]+)\)", STYLE))
    assert used <= set(LIGHT)
    assert set(LIGHT) == set(DARK)
