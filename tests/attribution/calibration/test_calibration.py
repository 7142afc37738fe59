"""Calibrations: the line, the effective numbers, the bounds, the scope, the interval."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from provenance.attribution.calibration import (
    Assessed,
    Calibration,
    Case,
    Pairs,
    Scope,
    effective_different,
    effective_same,
    metrics,
    validated,
)
from provenance.attribution.calibration.fit import fit_line
from provenance.attribution.ratios import Ratios, Told
from provenance.errors import SettingsError, UsageError

SPACE = "ab" * 32


def population(
    rng: np.random.Generator,
    units: int = 30,
    models: int = 3,
    *,
    apart: float = 3.0,
    unit_effect: float = 0.0,
) -> Pairs:
    """Every pair of models: N(apart, 1) for a model with itself, N(0, 1) for other units.

    The true log10 LR is (apart·s − apart²/2)/ln 10 without effects of units.
    """
    unit = np.repeat(np.arange(units), models)
    n = len(unit)
    effect = rng.normal(0, unit_effect, units) if unit_effect else np.zeros(units)
    scores, first, a, b = [], [], [], []
    for i in range(n):
        scores.append(apart + rng.normal() + effect[unit[i]])
        first.append(True)
        a.append(unit[i])
        b.append(unit[i])
        for j in range(i + 1, n):
            if unit[i] != unit[j]:
                scores.append(rng.normal() + (effect[unit[i]] + effect[unit[j]]) / 2)
                first.append(False)
                a.append(unit[i])
                b.append(unit[j])
    return Pairs(
        np.array(scores), np.array(first), np.array(a, dtype=np.int64), np.array(b, dtype=np.int64)
    )


def fitted(pairs: Pairs, seed: int = 0, **scope: object) -> Calibration:
    return Calibration.fit(
        {100: pairs},
        name="test",
        hypothesis="same_weights",
        against="none_of_these",
        scope=Scope(space=SPACE, **scope),  # type: ignore[arg-type]
        population="made here",
        rng=np.random.default_rng(seed),
        units=[f"u{u}" for u in pairs.units],
    )


CASE = Case(space=SPACE, outputs=120)


def test_the_line_against_a_general_minimiser() -> None:
    rng = np.random.default_rng(1)
    pairs = population(rng, 12, 2, apart=1.5)
    w = rng.uniform(0.2, 2, len(pairs))
    line = fit_line(pairs, w)
    assert line is not None
    y = pairs.first
    v = np.where(y, w / w[y].sum(), w / w[~y].sum()) / 2
    centre = np.average(pairs.scores, weights=v)
    spread = np.sqrt(np.average((pairs.scores - centre) ** 2, weights=v))

    def cost(theta: np.ndarray) -> float:
        z = theta[0] + theta[1] * (pairs.scores - centre) / spread
        return float(np.sum(v * (np.logaddexp(0, z) - y * z)) + 5e-6 * theta[1] ** 2)

    best = minimize(cost, [0.0, 1.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-15})
    slope = best.x[1] / spread / np.log(10)
    assert line.slope == pytest.approx(slope, rel=1e-4)
    assert line.ratios(np.array([centre]))[0] == pytest.approx(best.x[0] / np.log(10), abs=1e-5)


def test_gaussian_scores_get_their_true_ratios() -> None:
    pairs = population(np.random.default_rng(2), 60, 4, apart=2.5)
    found = fitted(pairs)
    for score in (0.5, 1.25, 2.0):
        truth = (2.5 * score - 2.5**2 / 2) / np.log(10)
        assessed = found.assess(score, CASE)
        assert assessed.log10_lr == pytest.approx(truth, abs=0.15)
        assert assessed.interval is not None
        assert assessed.interval[0] <= truth <= assessed.interval[1]
    grade = found.grades[0]
    assert grade.cllr is not None
    truths = (2.5 * pairs.scores - 2.5**2 / 2) / np.log(10)
    ideal = metrics.cllr(truths[pairs.first], truths[~pairs.first])
    assert grade.cllr == pytest.approx(ideal, abs=0.05)


def test_ratios_stop_at_the_bounds() -> None:
    pairs = population(np.random.default_rng(3), 15, 2, apart=12.0)
    found = fitted(pairs)
    high, low = found.assess(1e6, CASE), found.assess(-1e6, CASE)
    assert high.bounds is not None
    assert high.log10_lr == high.bounds[1] <= np.log10(15 * 14 / 2 + 1)
    assert low.log10_lr == high.bounds[0] == -np.log10(16)
    assert high.clipped
    assert low.clipped
    assert found.grades[0].cllr is not None
    assert found.grades[0].cllr >= found.grades[0].floor


def test_pairs_that_share_models_are_worth_few() -> None:
    """Thousands of pairs are worth one a pair of units, and less where units have effects."""
    rng = np.random.default_rng(4)
    plain = population(rng, 15, 8)
    assert (~plain.first).sum() == 6_720
    assert effective_different(plain) == 15 * 14 / 2
    assert effective_same(plain) == 15
    alike = [effective_different(population(rng, 60, 2, unit_effect=e)) for e in (0.0, 2.0, 4.0)]
    assert alike[0] == 60 * 59 / 2
    assert 50 < alike[2] < alike[1] < 700


def test_misleading_evidence_stays_within_its_bound() -> None:
    """A ratio above 10^u happens to unrelated pairs at most 10^-u of the time, anew."""
    rng = np.random.default_rng(5)
    rates = []
    for run in range(20):
        found = fitted(population(rng, 25, 3, apart=3.0), run)
        anew = rng.normal(size=20_000)
        ratios = np.array([found.grades[0].intercept + found.grades[0].slope * anew])
        rates.append([np.mean(ratios > 1), np.mean(ratios > 2)])
    assert np.mean(rates, axis=0)[0] <= 0.1
    assert np.mean(rates, axis=0)[1] <= 0.01


def test_the_interval_covers_the_truth() -> None:
    """95% intervals over families, at a score between the kinds."""
    rng = np.random.default_rng(6)
    inside, runs = 0, 40
    for run in range(runs):
        found = fitted(population(rng, 30, 2, apart=3.0), run).assess(1.8, CASE)
        assert found.interval is not None
        inside += found.interval[0] <= (3.0 * 1.8 - 4.5) / np.log(10) <= found.interval[1]
    assert inside / runs >= 0.85


def test_shuffled_labels_say_nothing() -> None:
    found = fitted(population(np.random.default_rng(7), 24, 3, apart=4.0))
    assert found.control_cllr is not None
    assert found.control_cllr >= 0.97
    assert found.grades[0].cllr is not None
    assert found.grades[0].cllr < 0.4


def test_units_are_kept_apart_in_validation() -> None:
    pairs = population(np.random.default_rng(8), 9, 2)
    tested = validated(pairs, {u: u % 3 for u in range(9)})
    assert tested is not None
    same, different = tested
    assert len(same) == 18
    # Pairs across folds belong to neither side.
    assert len(different) == 3 * (3 * 4)


def test_what_is_out_of_scope_gets_no_ratio() -> None:
    pairs = population(np.random.default_rng(9), 12, 2)
    found = fitted(pairs, genres=("story",), languages=("en",), characters=(200.0, 3_000.0))
    good = Case(space=SPACE, outputs=100, genre="story", language="en", characters=900)
    assert found.assess(1.0, good).assessed
    for change, words in (
        ({"space": "cd" * 32}, "another space"),
        ({"genre": "code"}, "genres story"),
        ({"language": "ru"}, "covers en"),
        ({"characters": 9_000.0}, "9,000"),
        ({"outputs": 99}, "begins at 100"),
        ({"kind": "matched"}, "free text"),
    ):
        assessed = found.assess(1.0, good.model_copy(update=change))
        assert assessed.log10_lr is None
        assert assessed.why_not is not None
        assert words in assessed.why_not
        proposition = assessed.proposition("same_weights", "none_of_these")
        assert not proposition.assessed
        assert proposition.why_not == assessed.why_not


def test_what_could_not_be_validated_gives_no_ratio() -> None:
    rng = np.random.default_rng(10)
    both = {25: population(rng, 12, 2, apart=2.0), 100: population(rng, 12, 2, apart=4.0)}
    found = Calibration.fit(
        both, name="n", hypothesis="a", against="b", scope=Scope(), population="p", rng=rng
    )
    small, large = found.grades
    grades = (small, large.model_copy(update={"cllr": None}))
    half = found.model_copy(update={"grades": grades})
    one, two = half.assess(0.9, Case(outputs=100)), found.assess(0.9, Case(outputs=25))
    assert one.log10_lr == two.log10_lr
    none = [g.model_copy(update={"cllr": None}) for g in found.grades]
    untested = found.model_copy(update={"grades": tuple(none)}).assess(0.9, Case(outputs=100))
    assert untested.log10_lr is None
    assert untested.why_not is not None
    assert "too few units to be tested" in untested.why_not


def test_unlike_formats_are_out_of_a_scope_of_alike_ones() -> None:
    pairs = population(np.random.default_rng(9), 12, 2)
    case = Case(space=SPACE, outputs=100, unlike_formats=True)
    assert fitted(pairs).assess(1.0, case).assessed
    assert fitted(pairs, alike_only=True).assess(1.0, case).why_not == "format_mismatch"
    alike = case.model_copy(update={"unlike_formats": False})
    assert fitted(pairs, alike_only=True).assess(1.0, alike).assessed


def test_what_is_drawn_agrees_with_what_is_printed() -> None:
    grade = fitted(population(np.random.default_rng(14), 15, 2)).grades[0]
    curves = grade.curves
    assert curves is not None
    even = curves.priors.index(0.0)
    assert curves.cost[even] == pytest.approx(grade.cllr, abs=1e-3)
    assert curves.cost_min[even] == pytest.approx(grade.cllr_min, abs=1e-3)
    assert curves.cost_nothing[even] == 1.0
    assert all(a <= b + 1e-3 for a, b in zip(curves.cost_min, curves.cost, strict=True))
    for shares in (curves.same, curves.different):
        assert shares[0] == 1.0
        assert list(shares) == sorted(shares, reverse=True)
    assert grade.misleading_upper_10 is not None
    assert grade.misleading_above_10 is not None
    assert grade.misleading_above_10 < grade.misleading_upper_10 <= 1


def test_misleading_evidence_of_both_kinds_stands_beside_a_ratio() -> None:
    """Counted again from the validated ratios.

    Estimand: share of known pairs of one model with a ratio below 1, of units that took no part in
    the fit; limit: Clopper-Pearson over units with such a pair. Breaks if it is read from the fit
    itself, or at another point of the curve.
    """
    pairs = population(np.random.default_rng(17), 12, 3, apart=1.0)
    folds = {int(u): i % 3 for i, u in enumerate(pairs.units)}
    made = Calibration.fit(
        {25: pairs},
        name="n",
        hypothesis="same_weights",
        against="none_of_these",
        scope=Scope(),
        population="p",
        rng=np.random.default_rng(18),
        folds=folds,
        units=[f"u{u}" for u in pairs.units],
    )
    tested = validated(pairs, folds)
    assert tested is not None
    below = float(np.mean(tested[0] < 0))
    assert below > 0.02
    known = made.assess(0.0, Case(outputs=30)).known_pairs
    assert known is not None
    assert known.same_below_1 == pytest.approx(below, abs=1e-4)
    assert known.same_below_1_upper == pytest.approx(metrics.upper_limit(below, 12), abs=1e-3)
    assert known.different_above_1 == pytest.approx(float(np.mean(tested[1] > 0)))
    assert (known.outputs, known.units) == (25, 12)
    assert made.assess(0.0, Case(outputs=3)).known_pairs is None


def test_of_two_that_cover_a_case_the_better_one_on_known_pairs_speaks() -> None:
    rng = np.random.default_rng(15)
    good, poor = (fitted(population(rng, 14, 2, apart=a)) for a in (4.0, 1.0))
    named = [c.model_copy(update={"name": n}) for c, n in ((poor, "a"), (good, "b"))]
    found = Ratios(SPACE, tuple(named))
    pair, told = ("same_weights", "none_of_these"), Told("en", 500.0)
    for score in (-3.0, 0.5, 6.0):
        assessed = found.weigh(pair, score, (100, 100), told)
        assert assessed is not None
        assert assessed.calibration == "b"
    assert found.weigh(("derived", "none_of_these"), 1.0, (100, 100), told) is None


def test_a_case_of_another_genre_is_told_all_genres_that_are_covered() -> None:
    pairs = population(np.random.default_rng(16), 12, 2)
    odes, code = (fitted(pairs, genres=(g,)) for g in ("odes", "code"))
    found = Ratios(SPACE, (odes, code))
    pair = ("same_weights", "none_of_these")
    for genre, why in (
        ("", "Calibrations cover the genres code, odes; this one is not stated."),
        ("prose", "Calibrations cover the genres code, odes; this one is prose."),
        ("odes", None),
    ):
        assessed = found.weigh(pair, 1.0, (100, 100), Told("en", 500.0, genre))
        assert assessed is not None
        assert assessed.why_not == why


def test_the_nearest_smaller_number_of_outputs_is_used() -> None:
    rng = np.random.default_rng(10)
    both = {25: population(rng, 12, 2, apart=1.0), 100: population(rng, 12, 2, apart=4.0)}
    found = Calibration.fit(
        both,
        name="n",
        hypothesis="a",
        against="b",
        scope=Scope(),
        population="p",
        rng=rng,
        units=["u"] * 12,
    )
    slopes = {g.outputs: g.slope for g in found.grades}
    assert slopes[100] > slopes[25]
    for outputs, grade in ((25, 25), (99, 25), (100, 100), (5_000, 100)):
        at = found.assess(0.9, Case(outputs=outputs)).log10_lr
        chosen = next(g for g in found.grades if g.outputs == grade)
        raw = chosen.intercept + chosen.slope * 0.9
        assert at == pytest.approx(float(np.clip(raw, *chosen.bounds)))


def test_a_file_gives_the_same_calibration() -> None:
    found = fitted(population(np.random.default_rng(11), 10, 2))
    again = Calibration.read(found.model_dump_json())
    assert again == found
    assert again.digest == found.digest
    with pytest.raises(SettingsError, match="grades"):
        Calibration.read(found.model_copy(update={"grades": ()}).model_dump_json())


def test_too_few_units() -> None:
    with pytest.raises(UsageError, match="6 units or more, found 4"):
        fitted(population(np.random.default_rng(12), 4, 2))
    with pytest.raises(UsageError, match="both kinds"):
        Pairs.of(np.zeros(2), np.array([True, True]), ["a", "b"], ["a", "b"])


@settings(deadline=None, max_examples=20)
@given(st.lists(st.floats(-20, 20), min_size=2, max_size=12))
def test_ratios_rise_with_scores_within_the_bounds(scores: list[float]) -> None:
    found = _SHARED
    ratios = [found.assess(s, CASE).log10_lr for s in sorted(scores)]
    assert all(r is not None for r in ratios)
    known = [r for r in ratios if r is not None]
    assert known == sorted(known)
    low, high = found.grades[0].bounds
    assert all(low <= r <= high for r in known)


_SHARED = fitted(population(np.random.default_rng(13), 15, 2))


def test_a_limited_ratio_has_limited_intervals_and_bounds():
    ratio = Assessed(1.4, (0.9, 1.6), (-1.1, 1.7), False, "c", "p", 9.0, 50.0, None)
    found = ratio.limited(1.0)
    assert (found.log10_lr, found.interval, found.bounds) == (1.0, (0.9, 1.0), (-1.1, 1.0))
    assert found.clipped
    low = replace(ratio, log10_lr=-1.1, interval=(-1.2, -0.9)).limited(1.0)
    assert (low.log10_lr, low.interval, low.bounds) == (-1.1, (-1.2, -0.9), (-1.1, 1.0))
    assert not low.clipped
    none = ratio.withheld("no calibration")
    assert none.limited(1.0) == none
