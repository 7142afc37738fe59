"""Which models of a library cannot be excluded as the origin of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from provenance.attribution.compared import Suspect, View, own_parts
from provenance.attribution.enrolled import Enrolled, EnrolledModel
from provenance.attribution.identification import identify
from provenance.errors import EvidenceError
from provenance.library.parts import PARTS
from provenance.library.population import Moments
from provenance.library.space.formats import CLASSES

D = 12


def gaussian_scores(a: Sequence[Moments], b: Sequence[Moments]) -> np.ndarray:
    """Minus the mean squared difference in standard errors: what a score does, in one line."""
    found = np.zeros((len(a), len(b)))
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            error = x.variance / x.n + y.variance / y.n + 1e-9
            found[i, j] = -np.mean((x.mean - y.mean) ** 2 / error)
    return found


def library(
    rng: np.random.Generator, centres: np.ndarray, *, outputs: int = 20, sessions: int = 1
) -> Enrolled:
    models = len(centres)
    n = np.full((models * sessions, PARTS), outputs)
    rows = centres.repeat(sessions, axis=0)[:, None, None, :] + rng.normal(
        size=(models * sessions, PARTS, outputs, D)
    )
    return Enrolled(
        library="test",
        digest="0" * 64,
        space="1" * 64,
        models=tuple(
            EnrolledModel(
                f"m{i}",
                "",
                f"f{i // 2}",
                f"u{i // 2}",
                "",
                "",
                tuple(range(i * sessions, (i + 1) * sessions)),
            )
            for i in range(models)
        ),
        prompts={"1": "a", "2": "b"},
        sources=("made here (CC0)",),
        n=n,
        mean=rows.mean(axis=2),
        variance=rows.var(axis=2, ddof=1),
    )


def answers(rng: np.random.Generator, centre: np.ndarray, n: int, prompts: str = "ab") -> Suspect:
    return Suspect(
        rows=centre + rng.normal(size=(n, D)),
        parts=np.arange(n) % PARTS,
        prompts=frozenset(prompts),
    )


def test_the_own_model_and_its_twin_stay_in_the_set() -> None:
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(60, D)).repeat(2, axis=0)  # 60 pairs of twins
    enrolled = library(rng, centres)
    found = identify(answers(rng, centres[6], 160), enrolled, gaussian_scores, alpha=0.01, rng=rng)
    assert found is not None
    assert np.flatnonzero(found.found.included).tolist() == [6, 7]
    assert found.comparison == "other_prompts"
    assert found.suspect_outputs == 80
    assert found.found.calibration == 120
    assert found.inclusion is not None
    assert found.inclusion.rate < 0.05


def test_a_stranger_gets_an_empty_set() -> None:
    rng = np.random.default_rng(2)
    centres = rng.normal(size=(120, D))
    enrolled = library(rng, centres)
    stranger = answers(rng, rng.normal(size=D) * 2, 160)
    found = identify(stranger, enrolled, gaussian_scores, alpha=0.01, rng=rng)
    assert found is not None
    assert not found.found.included.any()


@pytest.mark.parametrize("prompts", ["ab", "xyz"])
def test_coverage_over_models(prompts: str) -> None:
    """Shared prompts or others, large and small suspects: the own model is in the set."""
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(25, D))
    alpha, runs, inside = 0.1, 400, 0
    for run in range(runs):
        enrolled = library(rng, centres)
        k = int(rng.integers(25))
        suspect = answers(rng, centres[k], (40, 160)[run % 2], prompts)
        found = identify(suspect, enrolled, gaussian_scores, alpha=alpha, rng=rng)
        assert found is not None
        assert found.suspect_outputs == len(suspect.rows) // (2 if prompts == "ab" else 1)
        inside += bool(found.found.included[k])
    assert inside / runs >= 1 - alpha - 3 * np.sqrt(alpha * (1 - alpha) / runs)


def test_second_sessions_are_used_where_there_are_enough() -> None:
    """Sessions shift all answers of a model a little: only they say how much."""
    rng = np.random.default_rng(4)
    centres = rng.normal(size=(30, D)) * 2
    moved = centres.repeat(2, axis=0) + rng.normal(size=(60, D)) * 0.5
    enrolled = library(rng, moved)
    enrolled = Enrolled(
        **{
            **{name: getattr(enrolled, name) for name in Enrolled.__slots__},
            "models": tuple(
                EnrolledModel(f"m{i}", "", f"f{i}", f"u{i}", "", "", (2 * i, 2 * i + 1))
                for i in range(30)
            ),
        }
    )
    suspect = answers(rng, centres[4] + rng.normal(size=D) * 0.5, 160, "a")
    found = identify(suspect, enrolled, gaussian_scores, alpha=0.05, rng=rng)
    assert found is not None
    assert found.comparison == "other_sessions"
    assert found.suspect_outputs == 160
    assert found.found.included[4]


def test_too_little_to_compare() -> None:
    rng = np.random.default_rng(5)
    enrolled = library(rng, rng.normal(size=(4, D)))
    assert (
        identify(answers(rng, np.zeros(D), 12), enrolled, gaussian_scores, alpha=0.2, rng=rng)
        is None
    )
    few = identify(answers(rng, np.zeros(D), 80), enrolled, gaussian_scores, alpha=0.01, rng=rng)
    assert few is not None
    assert not few.found.decidable
    assert few.found.included.all()


@pytest.mark.parametrize(("outputs", "n", "parts"), [(20, 20, 1), (6, 6, 2), (6, 20, 3), (2, 2, 1)])
def test_stand_ins_hold_enough_outputs_to_be_compared(outputs: int, n: int, parts: int) -> None:
    """Null: none; a rule of choice. Unit: a part of the prompts.

    A first part of six outputs gives no model a second bundle of `FEWEST`, and the set would be
    everything. Breaks if a suspect of few outputs is told that the library is too small.
    """
    rng = np.random.default_rng(15)
    enrolled = library(rng, rng.normal(size=(4, D)), outputs=outputs)
    assert own_parts(enrolled, n) == tuple(range(parts))


def test_a_copy_in_the_evidence_gives_the_same_numbers() -> None:
    rng = np.random.default_rng(6)
    centres = rng.normal(size=(8, D))
    enrolled = library(rng, centres)
    copy = Enrolled.from_json(Enrolled.from_json(enrolled.to_json()).to_json())
    once = Enrolled.from_json(enrolled.to_json())
    assert np.array_equal(copy.mean, once.mean)
    assert copy.models == enrolled.models
    suspect = answers(rng, centres[3], 80)
    one, two = (
        identify(suspect, e, gaussian_scores, alpha=0.2, rng=np.random.default_rng(7))
        for e in (once, copy)
    )
    assert one is not None
    assert two is not None
    assert np.array_equal(one.scores, two.scores)
    with pytest.raises(EvidenceError, match="copy of the library"):
        Enrolled.from_json({**enrolled.to_json(), "mean": "!"})


def laid_out(outputs: int, having: int) -> np.ndarray:
    """Formats of single outputs: the first class in ``having`` of them, then characters."""
    rows = np.zeros((outputs, len(CLASSES) + 1), dtype=np.int64)
    rows[:having, 0] = 1
    rows[:, -1] = 100
    return rows


def test_a_suspect_of_unlike_format_is_decided_in_the_canonical_view() -> None:
    """Re-formatting moves it in the raw space, and nowhere in the other."""
    rng = np.random.default_rng(9)
    centres = rng.normal(size=(40, D))
    formats = np.full((40, PARTS, len(CLASSES) + 1), 0, dtype=np.int64)
    formats[..., 0] = 20  # every output of the library has the class
    raw = replace(library(rng, centres), formats=formats)
    plain = replace(library(rng, centres), formats=formats)
    own = answers(rng, centres[5], 160)
    moved = replace(own, rows=own.rows + 3.0, formats=laid_out(160, 0))
    view = View(own, plain, gaussian_scores)
    found = identify(moved, raw, gaussian_scores, alpha=0.05, rng=rng, plain=view)
    assert found is not None
    assert found.canonical.all()
    assert found.mostly_canonical
    assert found.found.included[5]
    assert int(np.nanargmax(found.shown)) == 5
    alone = identify(moved, raw, gaussian_scores, alpha=0.05, rng=rng)
    assert alone is not None
    assert alone.unlike.all()
    assert not alone.found.included.any()
    # The same suspect as it writes: the raw view decides.
    alike = replace(own, formats=laid_out(160, 160))
    again = identify(alike, raw, gaussian_scores, alpha=0.05, rng=rng, plain=view)
    assert again is not None
    assert not again.unlike.any()
    assert again.found.included[5]
    assert again.shown is again.scores


def test_twenty_sessions_of_one_model_give_it_a_test_of_its_own() -> None:
    rng = np.random.default_rng(10)
    centres = rng.normal(size=(3, D)) * 3
    enrolled = library(rng, centres, sessions=20)
    suspect = answers(rng, centres[1], 160, "a")
    found = identify(suspect, enrolled, gaussian_scores, alpha=0.05, rng=rng)
    assert found is not None
    assert found.comparison == "other_sessions"
    assert found.found.per_model == 3
    assert found.found.decidable
    assert np.flatnonzero(found.found.included).tolist() == [1]
