from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.dossier.blocks import Bar, BarGroup, Bars, Dots, Line, Plot, Spot, Tick
from provenance.dossier.figures import family_effects, family_p_values
from provenance.dossier.svg import bars, dots, plot
from provenance.findings import Family


def family(name: str, p: float | None, effect: float | None = None) -> Family:
    return Family(
        name=name, cells=1, n_reference=9, n_suspect=9, p_value=p, p_adjusted=p, effect=effect
    )


def drawn(*families: Family) -> Dots:
    figure = family_p_values(families, 0.01)
    assert figure is not None
    return figure


def test_p_values_stand_on_a_logarithmic_axis() -> None:
    figure = drawn(family("a", 0.0001), family("b", 0.01), family("c", 1.0))
    assert [m.place for m in figure.marks] == pytest.approx([0, 0.5, 1])
    assert [m.filled for m in figure.marks] == [True, True, False]
    assert figure.line is not None
    assert figure.line.place == pytest.approx(0.5)
    assert [t.label for t in figure.ticks] == ["0.0001", "0.001", "0.01", "0.1", "1"]
    assert figure.alt == "a: p adjusted 0.0001; b: p adjusted 0.01; c: p adjusted 1"


def test_the_axis_reaches_alpha_where_all_p_values_are_large() -> None:
    figure = drawn(family("a", 0.7))
    assert figure.line is not None
    assert 0 <= figure.line.place < figure.marks[0].place < 1


def test_zero_is_in_place_among_effects_of_both_signs() -> None:
    figure = family_effects([family("a", 0.5, -0.1), family("b", 0.001, 0.3)], 0.01)
    assert figure is not None
    assert figure.line is not None
    assert figure.line.place == pytest.approx(0.25)
    assert [t.label for t in figure.ticks] == ["−0.1", "0.3"]
    assert [m.filled for m in figure.marks] == [False, True]


def test_nothing_measured_draws_nothing() -> None:
    assert family_p_values([family("a", None)], 0.01) is None
    assert family_effects([family("a", 0.5, float("nan"))], 0.01) is None
    assert family_p_values([], None) is None


@given(
    st.lists(
        st.tuples(st.floats(1e-300, 1), st.floats(-1e6, 1e6)),
        min_size=1,
        max_size=8,
    ),
    st.one_of(st.none(), st.floats(1e-4, 0.5)),
)
def test_every_mark_lies_on_the_axis(
    values: list[tuple[float, float]], alpha: float | None
) -> None:
    families = [family(str(i), p, e) for i, (p, e) in enumerate(values)]
    for figure in (family_p_values(families, alpha), family_effects(families, alpha)):
        assert figure is not None
        assert all(m.place is not None and 0 <= m.place <= 1 for m in figure.marks)
        assert all(0 <= t.place <= 1 for t in figure.ticks)
        assert len(figure.ticks) <= 6
        key = 0 if "p adjusted" in figure.alt else 1
        ordered = sorted(zip(values, figure.marks, strict=True), key=lambda pair: pair[0][key])
        places = [mark.place for _, mark in ordered]
        assert places == sorted(places)
        assert dots(figure, "f").count("<circle") + dots(figure, "f").count("<path") == len(values)


def test_the_sides_differ_in_more_than_colour_and_nothing_is_drawn_for_nothing() -> None:
    group = BarGroup("x", (Bar("reference", 0.5, "1/2"), Bar("suspect", 0.0, "0/2")))
    text = bars(Bars("caption", "alt", (group,)), "f1")
    assert text.count("<rect") == 1
    assert ">reference 1/2</text>" in text
    assert ">suspect 0/2</text>" in text
    assert 'aria-labelledby="f1t f1d"' in text


def test_a_long_label_takes_lines_that_fit_a_phone() -> None:
    group = BarGroup("文" * 60, (Bar("neutral", 1.0, "1"),))
    text = bars(Bars("caption", "alt", (group,)), "f")
    assert text.count('class="name"') == 4


def test_a_plot_is_well_formed_and_keeps_its_words() -> None:
    from xml.etree import ElementTree

    figure = Plot(
        caption="caption",
        alt="alt <b>",
        lines=(
            Line("same source", ((0, 0), (0.5, 1), (1, 1)), "dashed", "suspect"),
            Line("", ((0, 1), (1, 0))),
        ),
        spots=(Spot(0.95, 0.5, "a <script>", "filled"), Spot(0.2, 0.2, "b", "open")),
        x_title="x",
        y_title="y",
        x_ticks=(Tick(0, "0"), Tick(1, "1")),
        y_ticks=(Tick(0, "0"), Tick(1, "1")),
    )
    root = ElementTree.fromstring(plot(figure, "k"))
    polylines = list(root.iter("polyline"))
    assert [p.get("points") for p in polylines] == [
        "0.0,1000.0 500.0,0.0 1000.0,0.0",
        "0.0,0.0 1000.0,1000.0",
    ]
    words = [e.text for e in root.iter("text")]
    assert {"a <script>", "b", "same source", "→ x", "↑ y"} <= set(words)
    ends = {e.text: e.get("text-anchor") for e in root.iter("text")}
    assert ends["a <script>"] == "end"
    assert ends["b"] is None
