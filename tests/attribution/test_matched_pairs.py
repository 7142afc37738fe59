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


def answered(draws=2, seed=1):
    """Models of eight units; siblings and draws share what they answer, the draws more of it."""
    rng = np.random.default_rng(seed)
    shape = (PROMPTS, DIMENSIONS)
    common = rng.normal(size=shape)
    rows, model, prompt = [], [], []
    unit = [rng.normal(size=shape) for _ in range(MODELS // 2)]
    for m in range(MODELS):
        own = rng.normal(size=shape)
        for p in range(PROMPTS):
            for _ in range(draws):
                noise = rng.normal(size=DIMENSIONS)
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
    scored = score_matched(answered(), (5, 10, 25), rng=np.random.default_rng(2))
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
    scored = score_matched(answered(), (10,), rng=np.random.default_rng(3))
    whole = score_matched(answered(), (12,), rng=np.random.default_rng(3), repeats=1)
    chosen = sorted(set(scored.suspect.tolist()))
    assert len(chosen) == 6
    assert set(scored.reference.tolist()) == set(chosen)
    assert chosen[-1] > 6
    # A score on all prompts is that of the pair, whichever other models are paired.
    monkeypatch.setattr(matched_pairs, "_MOST_MODELS", 400)
    every = score_matched(answered(), (12,), rng=np.random.default_rng(5), repeats=1)
    table = np.full((MODELS, MODELS), np.nan)
    table[every.suspect, every.reference] = every.score
    assert whole.score == pytest.approx(table[whole.suspect, whole.reference])
