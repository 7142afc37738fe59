"""Formats of a bundle and when two are unlike; the view that a bullet survives."""

from __future__ import annotations

import re

import pytest

from provenance.library.space import CLASSES, VIEWS, Formats, mismatch
from provenance.transcript import Completion

TEXTS = [
    "Sure! **Two** ideas:\n\n* Tea\n* Coffee",
    "no capitals, one line",
    "- a dash\n  “curly” and 'straight'",
]


def of(n: int, **having: int) -> Formats:
    """Formats with the named classes, by their first word."""
    counts = [having.get(name.split()[0], 0) for name in CLASSES]
    return Formats(n, tuple(counts), 100 * n)


def test_classes_counted_by_hand() -> None:
    found = Formats.of([TEXTS[0], Completion(text=TEXTS[1]), TEXTS[2]])
    assert found.shares == pytest.approx(
        {
            "capital letters": 1 / 3,
            "bold, headings or code marks": 1 / 3,
            "bullets other than dashes": 1 / 3,
            "bullets that are dashes": 1 / 3,
            "blank lines": 1 / 3,
            "line breaks": 2 / 3,
            "curly quotes": 1 / 3,
            "straight quotes": 1 / 3,
            "indented lines": 1 / 3,
            "bold or headings": 1 / 3,
            "backticks": 0,
            "code fences": 0,
            "fences around fences": 0,
            "beginnings without a fence": 1,
            "one line only": 1 / 3,
            "lines indented by less than four": 1 / 3,
            "lines indented by four or more": 0,
            "JSON with spaces after colons": 0,
            "JSON without spaces after colons": 0,
            "characters escaped by number": 0,
        }
    )
    assert found.n == 3
    assert found.characters == sum(map(len, TEXTS))
    assert found.mean_characters == pytest.approx(found.characters / 3)


JSON = '{\n    "answer": "×",\n    "sure": 1\n}'
FENCED = f"```json\n{JSON}\n```"


def stated(text: str) -> set[str]:
    return {name for name, share in Formats.of([text]).shares.items() if share}


@pytest.mark.parametrize(
    ("text", "host", "gone", "come"),
    [
        (FENCED, JSON, {"code fences", "backticks"}, {"beginnings without a fence"}),
        (FENCED, FENCED.replace("`", ""), {"backticks"}, {"beginnings without a fence"}),
        (FENCED, f"```json\n{FENCED}\n```", set(), {"fences around fences"}),
        (f"So:\n{FENCED}", f"```\nSo:\n{FENCED}\n```", set(), {"fences around fences"}),
        (JSON, '{"answer":"\\u00d7","sure":1}', {"line breaks"}, {"one line only"}),
        (JSON, JSON.replace("    ", "  "), {"lines indented by four or more"}, set()),
        (JSON, JSON.replace("    ", "  "), set(), {"lines indented by less than four"}),
        (JSON, JSON.replace(": ", ":"), {"JSON with spaces after colons"}, set()),
        (JSON, JSON.replace("×", "\\u00d7"), set(), {"characters escaped by number"}),
        ("Say **so** in `x`.", "Say so in `x`.", {"bold or headings"}, set()),
    ],
)
def test_what_a_host_does_to_every_output_is_seen_in_a_class(text, host, gone, come) -> None:
    """Of a class that goes the model has many outputs, of one that comes it may have none."""
    assert gone <= stated(text) - stated(host)
    assert come <= stated(host) - stated(text)


def test_a_host_that_fences_all_is_seen_where_a_model_fences_some() -> None:
    """Of a class that all have there is nothing to be seen: of its opposite there is."""
    model, host = Formats.of([FENCED, *[JSON] * 2] * 10), Formats.of([FENCED] * 30)
    assert "beginnings without a fence" in str(mismatch(model, host))
    assert mismatch(model, model) is None


def test_two_sessions_add_up() -> None:
    assert Formats.of(TEXTS[:1]) + Formats.of(TEXTS[1:]) == Formats.of(TEXTS)
    assert Formats.of([]) + Formats.of(TEXTS) == Formats.of(TEXTS)
    assert Formats.of([]).shares["line breaks"] == 0.0


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        # 90% and 2%: under a tenth of it.
        (of(100, capital=90), of(100, capital=2), "capital letters in 90% .* in 2%"),
        (of(100, capital=2), of(100, capital=90), "capital letters"),
        # 90% and 10%: a habit, not a removal.
        (of(100, capital=90), of(100, capital=10), None),
        # 15% is not often.
        (of(100, curly=15), of(100), None),
        (of(100, curly=20), of(100), "curly quotes in 20%"),
        # 5.0 expected among 25 outputs: none may be chance; 6 are enough.
        (of(100, curly=20), of(25), None),
        (of(100, curly=24), of(25), "curly quotes"),
        (of(0), of(100, line=100), None),
    ],
)
def test_when_two_are_unlike(a: Formats, b: Formats, said: str | None) -> None:
    """Often on one side, under a tenth of that on the other, with six expected."""
    found = mismatch(a, b)
    assert (found is None) == (said is None)
    assert said is None or re.search(said, found or "")


def test_a_bullet_stays_one_whatever_its_sign() -> None:
    view = VIEWS["canonical"]
    assert view is not None
    stars = "Two *fine* ideas:\n* Tea\n  + **Green** tea\n• Milk"
    dashes = "two fine ideas:\n- tea\n- green tea\n- milk"
    assert view.text(stars) == view.text(dashes) == dashes
    assert view.text(view.text(stars)) == view.text(stars)
    # A product and an emphasised word are no bullets.
    assert view.text("3 * 4\n*very* good") == "3 4\nvery good"
    assert str(view) != str(VIEWS["raw"])
    assert str(view).endswith("+dashed")


@pytest.mark.parametrize("text", ["", "*", "* ", "*\n* \n", "\n* * * a", "* " * 50_000])
def test_the_view_of_odd_bullets_is_stable(text: str) -> None:
    view = VIEWS["canonical"]
    assert view is not None
    assert view.text(view.text(text)) == view.text(text)
