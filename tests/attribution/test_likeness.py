"""Whether a suspect is unusually like a reference."""

from __future__ import annotations

import numpy as np
import pytest

from provenance.attribution.likeness import centred, likeness


def _scores(rng: np.random.Generator, models: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Scores of models and a suspect against the reference (column 0) and the models."""
    generic = rng.normal(size=models + 1)  # some are like everything
    scores = generic[:, None] + rng.normal(size=(models + 1, models + 1))
    scores[np.arange(1, models + 1), np.arange(1, models + 1)] = np.nan
    return scores[0], scores[1:], ["R", *(f"u{i}" for i in range(models))]


def test_centring_by_hand() -> None:
    scores = np.array([[3.0, 1.0, np.nan, 2.0]])
    assert centred(scores, 0).tolist() == [1.5]


def test_a_generic_likeness_is_no_evidence() -> None:
    rng = np.random.default_rng(1)
    suspect, population, units = _scores(rng, 60)
    every = np.ones(60, dtype=bool)
    none = np.zeros(60, dtype=bool)
    plain = likeness(suspect, population, 0, unrelated=every, students=none, units=units, alpha=0.1)
    like_all = likeness(
        suspect + 50, population, 0, unrelated=every, students=none, units=units, alpha=0.1
    )
    assert plain is not None
    assert like_all is not None
    assert like_all.p_value == plain.p_value


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_an_unrelated_suspect_is_rarely_unusual(alpha: float) -> None:
    rng = np.random.default_rng(2)
    every, none = np.ones(39, dtype=bool), np.zeros(39, dtype=bool)
    p = []
    for _ in range(1_500):
        suspect, population, units = _scores(rng, 39)
        found = likeness(
            suspect, population, 0, unrelated=every, students=none, units=units, alpha=alpha
        )
        assert found is not None
        p.append(found.p_value)
    rate = np.mean(np.array(p) <= alpha)
    assert rate <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / 1_500)
    assert rate > alpha / 3


def test_students_and_a_third_source() -> None:
    rng = np.random.default_rng(3)
    suspect, population, units = _scores(rng, 60)
    population[:6, 0] += 8
    students = np.arange(60) < 6
    suspect[0] += 8
    found = likeness(
        suspect, population, 0, unrelated=~students, students=students, units=units, alpha=0.05
    )
    assert found is not None
    assert found.p_value == 1 / 55
    assert found.caught == 1.0
    assert found.students == 6
    assert found.rival is None
    suspect[10] += 20
    third = likeness(
        suspect, population, 0, unrelated=~students, students=students, units=units, alpha=0.05
    )
    assert third is not None
    assert third.rival == "u9"
    assert third.rival_p == 1 / 55


def test_too_few_unrelated_models() -> None:
    rng = np.random.default_rng(4)
    suspect, population, units = _scores(rng, 8)
    few = np.arange(8) < 4
    assert (
        likeness(suspect, population, 0, unrelated=few, students=~few, units=units, alpha=0.05)
        is None
    )
