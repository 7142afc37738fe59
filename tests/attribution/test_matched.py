"""Likeness prompt by prompt: against a slow implementation, its symmetries, and its negatives."""

from __future__ import annotations

import numpy as np
import pytest

from provenance.attribution.matched import (
    FEWEST_OTHERS,
    UNKNOWN,
    cosine_weights,
    draws_alike,
    fit_of_prompts,
    likenesses,
)

CHANNELS = (slice(0, 5), slice(5, 12))
PROMPTS, D = 6, 12


def bundles(rng, units, *, missing=0.1):
    rows = rng.normal(size=(len(units), PROMPTS, D)).astype(np.float32)
    rows[rng.random(rows.shape[:2]) < missing] = np.nan
    return rows


def slowly(a, b, population, unit_a, unit_b, units):
    """By the definition: one pair, one prompt, one channel at a time."""
    found = []
    for p in range(PROMPTS):
        means, weights = [], []
        for u in sorted(set(units.tolist()) - {unit_a, unit_b}):
            own = population[units == u, p]
            own = own[~np.isnan(own[:, 0])]
            if len(own):
                means.append(own.mean(axis=0))
                weights.append(len(own) ** 0.5)
        if np.isnan(a[p, 0]) or np.isnan(b[p, 0]) or len(means) < FEWEST_OTHERS:
            continue
        middle = np.average(means, axis=0, weights=weights)
        x, y = a[p] - middle, b[p] - middle
        cosines = [x[c] @ y[c] / np.linalg.norm(x[c]) / np.linalg.norm(y[c]) for c in CHANNELS]
        found.append(np.mean(cosines))
    return (np.mean(found) if found else np.nan), len(found)


def test_against_the_definition():
    """Oracle: the same mean computed pair by pair. Units of one, two and three members."""
    rng = np.random.default_rng(1)
    units = np.array([0, 0, 0, 1, 1, 2, 3, 4], dtype=np.int64)
    population = bundles(rng, units)
    a, b = bundles(rng, range(4)), bundles(rng, range(5))
    units_a = np.array([0, UNKNOWN, 3, 1], dtype=np.int64)
    units_b = np.array([0, 1, 4, UNKNOWN, 2], dtype=np.int64)
    found = likenesses(
        a, b, population, units_a=units_a, units_b=units_b, units=units, channels=CHANNELS
    )
    for i in range(4):
        for j in range(5):
            score, prompts = slowly(a[i], b[j], population, units_a[i], units_b[j], units)
            assert found.prompts[i, j] == prompts
            assert found.score[i, j] == pytest.approx(score, abs=1e-6, nan_ok=True)
    turned = likenesses(
        b, a, population, units_a=units_b, units_b=units_a, units=units, channels=CHANNELS
    )
    assert np.allclose(turned.score.T, found.score, equal_nan=True)


def test_draws_of_a_model_are_compared_as_any_two_bundles():
    """Oracle: `likenesses` of the two draws, prompt by prompt; the model's unit is left out."""
    rng = np.random.default_rng(8)
    units = np.array([0, 0, 1, 2, 3, 4], dtype=np.int64)
    population, first, second = (bundles(rng, units) for _ in range(3))
    weights = rng.uniform(0.5, 2, (2, PROMPTS))
    found = draws_alike(
        first, second, population, own=units, units=units, channels=CHANNELS, weights=weights
    )
    for p in range(PROMPTS):
        a, b, c = (rows[:, p : p + 1] for rows in (first, second, population))
        alike = likenesses(
            a, b, c, units_a=units, units_b=units, units=units, channels=CHANNELS,
            weights=weights[:, p : p + 1],
        )  # fmt: skip
        there = alike.prompts.diagonal() > 0
        assert np.array_equal(found.weight[:, p] > 0, there)
        expected = alike.score.diagonal()[there]
        assert found.total[there, p] / weights[:, p].sum() == pytest.approx(expected, abs=1e-6)
    assert 0 < (found.weight > 0).sum() < found.weight.size


def test_what_every_model_says_to_a_prompt_counts_nothing():
    """A prompt's common part, however large, leaves the likeness where it was."""
    rng = np.random.default_rng(2)
    units = np.arange(8, dtype=np.int64)
    population, a = bundles(rng, units, missing=0), bundles(rng, range(2), missing=0)
    common = 50 * rng.normal(size=(PROMPTS, D)).astype(np.float32)
    unknown = np.full(2, UNKNOWN)

    def scored(shift):
        return likenesses(
            a + shift,
            a + shift,
            population + shift,
            units_a=unknown,
            units_b=unknown,
            units=units,
            channels=CHANNELS,
        ).score

    assert np.allclose(scored(0 * common), scored(common), atol=1e-3)


def test_too_few_other_units_give_no_score():
    rng = np.random.default_rng(3)
    units = np.array([0, 1, 2, 2, 3], dtype=np.int64)
    rows = bundles(rng, units, missing=0)
    found = likenesses(
        rows, rows, rows, units_a=units, units_b=units, units=units, channels=CHANNELS
    )
    # Of four units a pair of two leaves two, one and itself three.
    assert np.isnan(found.score[0, 1])
    assert found.prompts[0, 1] == 0
    assert found.score[2, 3] == pytest.approx(
        slowly(rows[2], rows[3], rows, 2, 2, units)[0], abs=1e-6
    )


def test_answers_that_do_not_hang_on_the_prompt_do_not_fit():
    """Null: the order of the answers is exchangeable. One constant answer ties every order."""
    rng = np.random.default_rng(4)
    units = np.arange(10, dtype=np.int64)
    topics = rng.normal(size=(1, PROMPTS, D)).astype(np.float32)
    population = topics + bundles(rng, units, missing=0)
    constant = np.tile(rng.normal(size=D).astype(np.float32), (PROMPTS, 1))
    assert fit_of_prompts(constant, population, units, rng=rng) == 1.0
    true = topics[0] + 0.5 * rng.normal(size=(PROMPTS, D)).astype(np.float32)
    assert fit_of_prompts(true, population, units, rng=rng) <= 0.01
    assert fit_of_prompts(true * np.nan, population, units, rng=rng) == 1.0
    # Of five prompts all orders are looked at, and only the true one is as good.
    assert fit_of_prompts(true[:5], population[:, :5], units, rng=rng) == 1 / 120


def test_answers_in_random_order_fit_no_oftener_than_their_level():
    """p is uniform or larger under its null: at most 10% below .05 in 200 tries has error < .001.

    Unit: a bundle; draws are independent. Binomial(200, .05) exceeds 20 with probability .0003.
    """
    rng = np.random.default_rng(5)
    units = np.arange(10, dtype=np.int64)
    topics = rng.normal(size=(1, PROMPTS, D)).astype(np.float32)
    population = topics + bundles(rng, units, missing=0)
    low = 0
    for _ in range(200):
        answers = (topics[0] + rng.normal(size=(PROMPTS, D)))[rng.permutation(PROMPTS)]
        p = fit_of_prompts(answers.astype(np.float32), population, units, rng=rng, resamples=99)
        low += p <= 0.05
    assert low <= 20


def test_prompts_to_which_answers_vary_more_count_less():
    """Unrelated bundles; at half of the prompts few numbers carry all, so likenesses spread."""
    rng = np.random.default_rng(6)
    units = np.arange(30, dtype=np.int64)
    population = rng.normal(size=(30, PROMPTS, D)).astype(np.float32)
    population[:, :3, 1:5] *= 0.01
    population[:, :3, 6:] *= 0.01
    weights = cosine_weights(population, units, CHANNELS)
    assert weights.shape == (2, PROMPTS)
    assert weights[:, :3].max() < 0.8 * weights[:, 3:].min()
    assert (weights > 0).all()
    few = cosine_weights(population[:4], units[:4], CHANNELS)  # six pairs, none with a middle
    assert np.array_equal(few, np.ones((2, PROMPTS)))


def test_weights_are_those_of_a_weighted_mean():
    rng = np.random.default_rng(7)
    units = np.arange(6, dtype=np.int64)
    rows = bundles(rng, units, missing=0)
    known = {"units_a": units, "units_b": units, "units": units, "channels": CHANNELS}
    weights = rng.uniform(0.5, 2, (2, PROMPTS))
    alone = [
        [
            likenesses(one, one, one, **known | {"channels": (channel,)}).score
            for one in np.split(rows, PROMPTS, axis=1)
        ]
        for channel in CHANNELS
    ]
    expected = np.average(np.reshape(alone, (-1, 6, 6)), axis=0, weights=weights.ravel())
    assert np.allclose(likenesses(rows, rows, rows, **known, weights=weights).score, expected)
