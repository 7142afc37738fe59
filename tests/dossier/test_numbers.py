import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.dossier import numbers


@pytest.mark.parametrize(
    ("p", "alpha", "expected"),
    [
        (0.0004, 0.01, "0.0004"),
        (0.0001, 0.01, "0.0001"),
        (1 / 10_000_000, None, "1 × 10⁻⁷"),
        (0.009999, 0.01, "0.009999"),
        (0.010001, 0.01, "0.010001"),
        (0.01, 0.01, "0.01"),
        (0.99999, None, "0.99999"),
        (1.0, 0.01, "1"),
        (0.12345, 0.01, "0.12"),
        (None, 0.01, "unknown"),
    ],
)
def test_p_values(p: float | None, alpha: float | None, expected: str) -> None:
    assert numbers.p_value(p, alpha) == expected


@given(st.floats(1e-300, 1, exclude_min=True), st.sampled_from([0.05, 0.01, 0.001]))
def test_a_printed_p_is_never_0_and_stays_on_its_side_of_alpha(p: float, alpha: float) -> None:
    text = numbers.p_value(p, alpha)
    assert text != "0"
    assert (text == "1") == (p == 1)
    if "×" not in text:
        assert (float(text) <= alpha) == (p <= alpha)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.99995, ">99%"),
        (1, "100%"),
        (0, "0%"),
        (0.0001, "<1%"),
        (0.605, "60%"),
        (math.nan, "unknown"),
        (None, "unknown"),
    ],
)
def test_percentages_are_honest_at_the_ends(value: float | None, expected: str) -> None:
    assert numbers.percent(value) == expected


def test_unknown_is_unknown() -> None:
    assert numbers.count(None) == numbers.usd(None) == numbers.significant(None) == "unknown"
    assert numbers.interval(None) == numbers.moment(None) == "unknown"
    assert numbers.share(0, 0) == "none"


def test_other_numbers() -> None:
    assert numbers.usd(0.004) == "<$0.01"
    assert numbers.usd(0.0312) == "$0.03"
    assert numbers.significant(-0.5) == "−0.5"
    assert numbers.significant(1_234_567) == "1.2 × 10⁶"
    assert numbers.significant(100.0) == "100"
    assert numbers.signed(2.31, 3) == "+2.31"
    assert numbers.interval((0.1, None)) == "at least 0.1"
    assert numbers.moment("2026-11-20T10:00:00+02:00") == "2026-11-20 08:00:00 UTC"
    assert numbers.counted(1, "family", "families") == "1 family"


def test_a_share_of_few_units_says_what_it_leaves_open() -> None:
    assert numbers.left_open(0.238, 11) == " On 11 units a share of up to 24% is possible."
    assert numbers.left_open(None, 11) == numbers.left_open(1.0, 11) == ""
