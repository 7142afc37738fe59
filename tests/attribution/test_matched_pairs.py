"""Pairs of models on the same prompts, as calibration takes them."""

from __future__ import annotations

import numpy as np
import pytest

from provenance.attribution import matched_pairs
from provenance.attribution.answered import Answered, AnsweredModel
from provenance.attribution.hypotheses import pairs_for
from provenance.attribution.matched_pairs import score_matched
from provenance.library.relations import Relation, Relations
from provenance.library.sketches import DIMENSIONS, scheme

MODELS, PROMPTS = 16, 12


def answered(draws=2, seed=1, spread=None):
    """Models of eight units; siblings and draws share what they answer, the draws more of it.

    ``spread``: of each model's draws; None: 1.
    """
    rng = np.random.default_rng(seed)
    shape = (PROMPTS, DIMENSIONS)
    common = rng.normal(size=shape)
    rows, model, prompt = [], [], []
    unit = [rng.normal(size=shape) for _ in range(MODELS // 2)]
    for m in range(MODELS):
        own = rng.normal(size=shape)
        for p in range(PROMPTS):
            for _ in range(draws):
                noise = (1 if spread is None else spread[m]) * rng.normal(size=DIMENSIONS)
                rows.append(3 * common[p] + unit[m // 2][p] + own[p] + noise)
                model.append(m)
                prompt.append(p)
    return Answered(
        scheme(),
        tuple(AnsweredModel(f"m{m}", "", f"u{m // 2}", "", "") for m in range(MODELS)),
        tuple(f"p{p:02d}" for p in range(PROMPTS)),
        np.array(model),
        np.array(prompt),
        np.zeros(len(model), dtype=np.int64),
        np.clip(np.array(rows) * 10, -127, 127).astype(np.int8),
    )


def test_pairs_of_one_model_are_the_most_alike_and_siblings_count_nowhere():
    scored = score_matched(answered(), (5, 10, 25), rng=np.random.default_rng(2)).plain
    assert sorted(set(scored.n_suspect.tolist())) == [5, 10]  # there are twelve prompts
    labels = Relations(models={f"m{m}": Relation(unit=f"u{m // 2}") for m in range(MODELS)})
    pairs = pairs_for("same_weights", scored, labels)
    assert sorted(pairs) == [5, 10]
    for own in pairs.values():
        assert own.first.sum() == MODELS * matched_pairs.REPEATS
        assert len(own) == MODELS * (MODELS - 1) * matched_pairs.REPEATS
        assert own.scores[own.first].min() > own.scores[~own.first].max()
    siblings = scored.same_unit & ~scored.same
    assert scored.score[scored.same].mean() > scored.score[siblings].mean() + 0.1
    assert scored.score[siblings].mean() > scored.score[~scored.same_unit].mean() + 0.1


def test_without_second_draws_there_are_no_pairs():
    assert score_matched(answered(draws=1), (5,), rng=np.random.default_rng(2)) is None


def test_of_many_models_some_are_paired_and_keep_their_codes(monkeypatch):
    monkeypatch.setattr(matched_pairs, "_MOST_MODELS", 6)
    scored = score_matched(answered(), (10,), rng=np.random.default_rng(3)).plain
    whole = score_matched(answered(), (12,), rng=np.random.default_rng(3), repeats=1).plain
    chosen = sorted(set(scored.suspect.tolist()))
    assert len(chosen) == 6
    assert set(scored.reference.tolist()) == set(chosen)
    assert chosen[-1] > 6
    # A score on all prompts is that of the pair, whichever other models are paired.
    monkeypatch.setattr(matched_pairs, "_MOST_MODELS", 400)
    every = score_matched(answered(), (12,), rng=np.random.default_rng(5), repeats=1).plain
    table = np.full((MODELS, MODELS), np.nan)
    table[every.suspect, every.reference] = every.score
    assert whole.score == pytest.approx(table[whole.suspect, whole.reference])


def test_over_their_own_draws_unsteady_models_are_as_like_themselves_as_steady_ones():
    """Half of the models vary four times as much between draws as the others.

    Unit: a model. Plain likeness of a model to itself tells how steady it is, twice as large for
    the steady ones; over what its own draws have it is near 1 for both. Not 1: of eight prompts and
    three of the mean of all models, the mean makes up three elevenths.
    """
    spread = np.where(np.arange(MODELS) % 2, 2.0, 0.5)
    scored = score_matched(answered(draws=4, spread=spread), (8,), rng=np.random.default_rng(4))
    plain, relative = scored.plain, scored.relative
    assert np.array_equal(plain.suspect, relative.suspect)
    assert np.array_equal(plain.reference, relative.reference)
    steady = spread[plain.suspect] < 1
    assert plain.score[plain.same & ~steady].max() < plain.score[plain.same & steady].min()
    own = [relative.score[relative.same & kind].mean() for kind in (steady, ~steady)]
    assert own == pytest.approx([1, 1], abs=0.25)
    means = [plain.score[plain.same & kind].mean() for kind in (steady, ~steady)]
    assert means[0] / means[1] > 1.8 > 1.4 > own[0] / own[1]


def test_sizes_that_leave_too_few_other_prompts_have_no_score_over_own_draws():
    """Two draws a prompt: one is enrolled, and what is enrolled twice lies on other prompts."""
    assert score_matched(answered(draws=2), (5,), rng=np.random.default_rng(5)).relative is None
    scored = score_matched(answered(draws=3), (5, 12), rng=np.random.default_rng(5))
    assert sorted(set(scored.relative.n_suspect.tolist())) == [5, 12]
