"""The colours of the page meet WCAG 2.2 level AA on screens of both schemes and in print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from provenance.dossier import html

CSS = (Path(html.__file__).parent / "templates" / "dossier.css").read_text("utf-8")
SCHEMES = {
    "light": r"\A:root \{(.*?)\}",
    "dark": r"prefers-color-scheme: dark\) \{\s*:root \{(.*?)\}",
    "print": r"@media print \{\s*:root \{(.*?)\}",
}
TEXT = ("ink", "soft", "alert", "caution", "calm")
DRAWN = ("reference", "suspect", "soft", "alert", "caution", "calm")
# Colours of things that carry no meaning: hairlines and backgrounds.
QUIET = {"paper", "tint", "rule"}


def colours(scheme: str) -> dict[str, str]:
    found = re.search(SCHEMES[scheme], CSS, re.DOTALL)
    assert found is not None
    return dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6});", found.group(1)))


def linear(colour: str) -> list[float]:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_formula_gives_the_published_values() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("background", ["paper", "tint"])
def test_text_can_be_read(scheme: str, background: str) -> None:
    known = colours(scheme)
    poor = {n: contrast(known[n], known[background]) for n in TEXT}
    assert {n: c for n, c in poor.items() if c < 4.5} == {}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_drawings_can_be_seen(scheme: str) -> None:
    known = colours(scheme)
    assert {n for n in DRAWN if contrast(known[n], known["paper"]) < 3} == set()


def test_every_colour_is_a_named_one_that_is_tested() -> None:
    for scheme in SCHEMES:
        assert set(colours(scheme)) == QUIET | {*TEXT, *DRAWN}
    rules = re.sub(r":root \{.*?\}", "", CSS, flags=re.DOTALL)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b|\brgb|\bhsl", rules) == []
    assert set(re.findall(r"var\(--([a-z]+)\)", rules)) == QUIET | {*TEXT, *DRAWN}


# Machado, Oliveira and Fernandes 2009, severity 1, in linear RGB.
SEEN = {
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("eye", SEEN)
def test_the_sides_stay_apart_for_colour_blind_eyes(scheme: str, eye: str) -> None:
    known = colours(scheme)
    seen = []
    for side in ("reference", "suspect"):
        rgb = linear(known[side])
        seen.append([sum(a * b for a, b in zip(row, rgb, strict=True)) for row in SEEN[eye]])
    assert max(abs(a - b) for a, b in zip(*seen, strict=True)) > 0.1
