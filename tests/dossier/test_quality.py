"""Figures of a calibration, and figures as files of their own."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from types import SimpleNamespace
from typing import Any

import pytest

from provenance.dossier import standalone
from provenance.dossier.blocks import Line, Plot, Spot, Tick
from provenance.dossier.sections.quality import ece, tippett

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def curves() -> Any:
    return SimpleNamespace(
        ratios=(-1.0, 0.0, 1.0),
        same=(1.0, 0.9, 0.5),
        different=(1.0, 0.04, 0.0),
        priors=(-2.0, 0.0, 2.0),
        cost=(0.05, 0.4, 0.06),
        cost_min=(0.04, 0.3, 0.05),
        cost_nothing=(0.08, 1.0, 0.08),
    )


def test_tippett_says_its_shares_in_words(curves: Any) -> None:
    plot = tippett(curves, "made", 50)
    assert plot.lines[0].places == ((0.0, 1.0), (0.5, 0.9), (1.0, 0.5))
    assert plot.alt.startswith("90% of pairs of one model and 4% of pairs of two makers")
    assert "made at 50 outputs" in plot.caption
    assert next(t.label for t in plot.x_ticks) == "−1"


def test_reliability_says_its_costs_in_words(curves: Any) -> None:
    plot = ece(curves, "made", 50)
    assert "cost 0.4 bits, re-calibrated on these pairs 0.3" in plot.alt
    assert plot.lines[0].places[1] == (0.5, 0.4)
    assert all(0 <= y <= 1 for line in plot.lines for _, y in line.places)


HOSTILE = '"/><script>alert(1)</script>\u202e'


def figure() -> Plot:
    return Plot(
        "caption", "words", (Line("a line", ((0.0, 0.0), (1.0, 1.0))),),
        (Spot(0.5, 0.5, HOSTILE, "filled"),), x_ticks=(Tick(0.5, "half"),),
    )  # fmt: skip


def test_a_figure_stands_alone_and_hostile_names_stay_text() -> None:
    content = standalone.to_svg(figure())
    root = ET.fromstring(content)
    assert root.tag == f"{SVG}svg"
    assert not list(root.iter(f"{SVG}script"))
    assert any("<script>" in (t.text or "") for t in root.iter(f"{SVG}text"))
    assert "\u202e" not in content
    # Shares of a nested frame are pixels: not every renderer knows the former.
    assert '="50.00%"' not in content


def test_a_figure_becomes_a_page() -> None:
    pytest.importorskip("typst")
    made = standalone.to_pdf(standalone.to_svg(figure()))
    assert made.startswith(b"%PDF-")
