"""How alike two bundles are that answered the same prompts: prompt by prompt, centred.

What a prompt makes everybody say is taken off each answer: the mean answer of a population. What
is left is what two models share beyond the prompt. Pure functions of arrays; the rows may be
sketches (`provenance.library.sketches`) or any other coordinates of answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FEWEST_OTHERS",
    "UNKNOWN",
    "Alike",
    "Likenesses",
    "cosine_weights",
    "draws_alike",
    "fit_of_prompts",
    "likenesses",
]

Floats = NDArray[np.float64]
Rows = NDArray[np.float32]
Codes = NDArray[np.int64]
UNKNOWN = -1  # the unit of a suspect
FEWEST_OTHERS = 3  # units that a prompt's middle must rest on
FEWEST_PAIRS = 10  # of members of different units, for a prompt to have a weight of its own
WEIGHTS = (0.25, 4.0)
_MEMBERS = 64
_NOTHING = 1e-9
_TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True)
class Likenesses:
    """Of every pair of bundles.

    Attributes
    ----------
    score
        Shape (a, b), in [−1, 1]; NaN where two bundles share no prompt with a middle.
    prompts
        Shape (a, b): prompts that it is the mean over.
    """

    score: Floats
    prompts: Codes


def likenesses(
    a: Rows,
    b: Rows,
    population: Rows,
    *,
    units_a: Codes,
    units_b: Codes,
    units: Codes,
    channels: Sequence[slice],
    weights: Floats | None = None,
) -> Likenesses:
    """Mean cosine of the centred answers of two bundles to the same prompts.

    Parameters
    ----------
    a, b
        Shapes (a, prompts, d), (b, prompts, d): each bundle's answer to each prompt, the mean of
        its draws; NaN where it has none.
    population
        Shape (members, prompts, d): of models that answered these prompts.
    units_a, units_b, units
        Shapes (a,), (b,), (members,): codes of their units, from 0; `UNKNOWN` for a suspect.
    channels
        Parts of the d numbers; each has a cosine of its own.
    weights
        Shape (channels, prompts), above 0: how much the cosines of each channel count at each
        prompt (`cosine_weights`); None: all alike.

    Returns
    -------
    Likenesses
        Symmetric: exchanging a and b transposes it.

    Notes
    -----
    For prompt p, m_p is the mean answer of the population without the units of the two bundles,
    each unit weighing as the root of its members; s is the weighted mean of
    cos(a_p − m_p, b_p − m_p) over channels and prompts. Members of the compared units are left out
    for every pair in the same way, so a suspect is scored against model k as k's own second bundle
    is. Unit: a pair of bundles; draws of one bundle are not independent given the model's session.
    Null hypothesis that users of the score reject with it: see `open_set` (suspect and k
    exchangeable) and `likeness` (suspect exchangeable with unrelated models); the score itself has
    no known distribution and is calibrated on known pairs.

    What breaks it: answers that do not hang on the prompt lie to one side of every middle, and two
    such bundles are alike whoever wrote them (`fit_of_prompts` finds them); very short answers are
    like other short ones; a population of few units leaves their topics in the middle. Centring
    follows the double centring of kernels (Schölkopf, Smola & Müller 1998), with the middle of
    other units in place of the sample's own.
    """
    total, weighed = np.zeros((len(a), len(b))), np.zeros((len(a), len(b)))
    times = np.zeros((len(a), len(b)), dtype=np.int64)
    codes = (units_a, units_b, units)
    for prompt, at, cosines, enough in _by_prompt(a, b, population, codes, channels):
        weight = np.ones(len(channels)) if weights is None else weights[:, prompt]
        total[at] += np.tensordot(weight, cosines, axes=1)
        weighed[at] += weight.sum() * enough
        times[at] += enough
    score = np.where(times > 0, total / np.maximum(weighed, _NOTHING), np.nan)
    return Likenesses(score, times)


@dataclass(frozen=True, slots=True)
class Alike:
    """Of two draws of each model, prompt by prompt.

    Attributes
    ----------
    total, weight
        Shape (models, prompts): sum of the cosines over channels, each times its weight, and of the
        weights; 0 where there are no two draws.
    """

    total: Floats
    weight: Floats


def draws_alike(
    first: Rows,
    second: Rows,
    population: Rows,
    *,
    own: Codes,
    units: Codes,
    channels: Sequence[slice],
    weights: Floats,
) -> Alike:
    """How alike two draws of each model are, as `likenesses` has it, prompt by prompt.

    Parameters
    ----------
    first, second
        Shape (models, prompts, d): one draw each; NaN where there is none.
    own
        Shape (models,): units of these models.
    population, units, channels, weights
        As in `likenesses`. The middle of a model is that of the units that are not its own.
    """
    total, weighed = np.zeros(first.shape[:2]), np.zeros(first.shape[:2])
    count = 1 + int(max(own.max(initial=0), units.max(initial=0)))
    for prompt in range(first.shape[1]):
        both = ~np.isnan(first[:, prompt, 0]) & ~np.isnan(second[:, prompt, 0])
        members = _there(population[:, prompt])
        means, weight = _unit_means(population[members, prompt], units[members], count)
        others = int(np.sum(weight > 0)) - (weight[own] > 0)
        i = np.flatnonzero(both & (others >= FEWEST_OTHERS))
        if not len(i):
            continue
        means = means * weight[:, None]
        left = (weight.sum() - weight[own[i]])[:, None]
        middle = (means.sum(axis=0) - means[own[i]]) / left
        x, y = first[i, prompt] - middle, second[i, prompt] - middle
        for channel, w in zip(channels, weights[:, prompt], strict=True):
            a, b = x[:, channel], y[:, channel]
            lengths = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
            cosines = (a * b).sum(axis=1) / np.maximum(lengths, _NOTHING)
            total[i, prompt] += w * np.clip(cosines, -1.0, 1.0)
        weighed[i, prompt] = weights[:, prompt].sum()
    return Alike(total, weighed)


def cosine_weights(population: Rows, units: Codes, channels: Sequence[slice]) -> Floats:
    """How much each channel should count at each prompt: one over the spread between units.

    To some prompts models answer much as they please, to others nearly alike; and some channels
    spread more than others. A likeness says less where unrelated models are often as like.

    Parameters
    ----------
    population, units, channels
        As in `likenesses`.

    Returns
    -------
    ndarray
        Shape (channels, prompts), within `WEIGHTS`, 1 at the median spread and where a prompt has
        fewer than `FEWEST_PAIRS` pairs.

    Notes
    -----
    The spread is that of cosines of centred answers, over pairs of members of different units, and
    hangs on the population alone: bundles that are compared with it get the same weights, whoever
    they are. At most `_MEMBERS` members are looked at. On 31 models it lifts the share found at 1%
    false positives by 1 to 3 points (`benchmarks/_matched.py`).
    """
    chosen = np.unique(np.linspace(0, len(units) - 1, min(len(units), _MEMBERS)).astype(np.int64))
    rows, own = population[chosen], units[chosen]
    apart = own[:, None] < own[None, :]
    spread = np.full((len(channels), population.shape[1]), np.nan)
    for prompt, at, cosines, enough in _by_prompt(
        rows, rows, population, (own, own, units), channels
    ):
        pairs = cosines[:, enough & apart[at]]
        if pairs.shape[1] >= FEWEST_PAIRS:
            spread[:, prompt] = pairs.std(axis=1)
    if np.isnan(spread).all():
        return np.ones(spread.shape)
    weights = np.nanmedian(spread) / np.maximum(spread, _NOTHING)
    return np.clip(np.where(np.isnan(spread), 1.0, weights), *WEIGHTS)


def _by_prompt(
    a: Rows,
    b: Rows,
    population: Rows,
    codes: tuple[Codes, Codes, Codes],
    channels: Sequence[slice],
) -> Iterator[tuple[int, tuple[NDArray[Any], ...], Floats, NDArray[np.bool_]]]:
    """Each prompt: places of the bundles that answered it, cosines, and which have a middle.

    Cosines have shape (channels, bundles of a, bundles of b).
    """
    count = 1 + int(max(u.max(initial=0) for u in codes))
    # A last unit, without members, stands for the unknown one.
    of_a, of_b, units = (np.where(u == UNKNOWN, count, u) for u in codes)
    for prompt in range(a.shape[1]):
        i, j = _there(a[:, prompt]), _there(b[:, prompt])
        members = _there(population[:, prompt])
        if not len(i) or not len(j) or not len(members):
            continue
        means, weights = _unit_means(population[members, prompt], units[members], count + 1)
        pair = _Pair(of_a[i], of_b[j], weights)
        x, y = a[i, prompt].astype(np.float64), b[j, prompt].astype(np.float64)
        weighed = means * weights[:, None]
        found = np.array([_cosines(x[:, c], y[:, c], weighed[:, c], pair) for c in channels])
        yield prompt, np.ix_(i, j), np.where(pair.enough, found, 0.0), pair.enough


@dataclass(frozen=True, slots=True)
class _Pair:
    """Codes of the units of both sides, and the weight of each unit's mean; 0 where it has none."""

    a: Codes
    b: Codes
    weights: Floats

    @property
    def twice(self) -> NDArray[np.bool_]:
        """Where both are one unit, which is left out once."""
        same: NDArray[np.bool_] = self.a[:, None] == self.b[None, :]
        return same

    @property
    def left(self) -> Floats:
        """Weight of the units that the middle of each pair rests on."""
        return self._without(self.weights)

    @property
    def enough(self) -> NDArray[np.bool_]:
        """Whether these are enough units."""
        found: NDArray[np.bool_] = (
            self._without((self.weights > 0).astype(np.float64)) >= FEWEST_OTHERS
        )
        return found

    def _without(self, values: Floats) -> Floats:
        own, other = values[self.a][:, None], values[self.b][None, :]
        found: Floats = values.sum() - own - np.where(self.twice, 0, other)
        return found


def _cosines(x: Floats, y: Floats, means: Floats, pair: _Pair) -> Floats:
    """Of x − m and y − m, where m is the mean of the units that neither of the two belongs to.

    In inner products, because m is another one for every pair of units; ``means`` are weighed.
    """
    left, twice = np.where(pair.enough, pair.left, 1.0), pair.twice
    every = means.sum(axis=0)
    # Inner products with the units that are left out: a's, and b's unless it is the same.
    x_units, y_units, units = x @ means.T, y @ means.T, means @ means.T
    rows, columns = np.arange(len(x)), np.arange(len(y))
    x_out = x_units[rows, pair.a][:, None] + np.where(twice, 0, x_units[:, pair.b])
    y_out = y_units[columns, pair.b][None, :] + np.where(twice, 0, y_units[:, pair.a].T)
    x_middle = ((x @ every)[:, None] - x_out) / left
    y_middle = ((y @ every)[None, :] - y_out) / left
    of_every = means @ every
    own, other = units[pair.a, pair.a][:, None], units[pair.b, pair.b][None, :]
    crossed = of_every[pair.a][:, None] + np.where(twice, 0, of_every[pair.b][None, :])
    squared = own + np.where(twice, 0, other + 2 * units[np.ix_(pair.a, pair.b)])
    middle = (float(every @ every) - 2 * crossed + squared) / left**2
    inner = x @ y.T - x_middle - y_middle + middle
    x_length = (x**2).sum(axis=1)[:, None] - 2 * x_middle + middle
    y_length = (y**2).sum(axis=1)[None, :] - 2 * y_middle + middle
    lengths = np.sqrt(np.maximum(x_length, 0) * np.maximum(y_length, 0))
    found: Floats = np.where(lengths > _NOTHING, inner / np.maximum(lengths, _NOTHING), 0.0)
    return np.clip(found, -1.0, 1.0)


def _unit_means(rows: Rows, units: Codes, count: int) -> tuple[Floats, Floats]:
    """Mean row of each unit, and its weight: the root of its members, 0 where it has none.

    Each unit alike would leave the middle to units of one model; each member alike, to one maker.
    """
    sums = np.zeros((count, rows.shape[1]))
    np.add.at(sums, units, rows.astype(np.float64))
    members = np.bincount(units, minlength=count)
    return sums / np.maximum(members, 1)[:, None], np.sqrt(members.astype(np.float64))


def _there(rows: Rows) -> Codes:
    return np.flatnonzero(~np.isnan(rows[:, 0])).astype(np.int64)


def fit_of_prompts(
    answers: Rows, population: Rows, units: Codes, *, rng: np.random.Generator, resamples: int = 999
) -> float:
    """Whether a bundle's answers belong to the prompts that they are said to answer.

    Parameters
    ----------
    answers
        Shape (prompts, d); NaN where there is none.
    population
        Shape (members, prompts, d).
    units
        Shape (members,).
    rng
        Draws the permutations.

    Returns
    -------
    float
        p-value in (0, 1].

    Notes
    -----
    Null hypothesis: which answer stands at which prompt is exchangeable, as for one constant
    answer, answers in random order, or text that has nothing to do with the prompts. Statistic:
    the sum over prompts of the inner product of the answer and the population's mean answer, from
    which each prompt's share that all prompts have is taken off. Unit: a prompt.
    All orders of the answers are enumerated where they are few (p = #{≥}/#all), else drawn: p =
    (1 + #{≥})/(B + 1), the observed order among them; exact for any population (Phipson & Smyth
    2010). What breaks it: nothing under its null; a
    model that answers every prompt alike is not told from a constant answer, and need not be.
    """
    count = int(units.max(initial=0)) + 1
    middles = np.full(answers.shape, np.nan)
    for prompt in range(answers.shape[0]):
        members = _there(population[:, prompt])
        if len(members):
            means, weights = _unit_means(population[members, prompt], units[members], count)
            middles[prompt] = np.average(means, axis=0, weights=weights)
    usable = ~np.isnan(answers[:, 0]) & ~np.isnan(middles[:, 0])
    if not usable.any():
        return 1.0
    own, middle = answers[usable].astype(np.float64), middles[usable]
    inner = own @ (middle - middle.mean(axis=0)).T
    places = np.arange(len(inner))
    observed = inner[places, places].sum()
    spread = _TOLERANCE * max(1.0, float(np.abs(inner).sum()))

    def reaches(order: Sequence[int] | Codes) -> bool:
        return bool(inner[np.asarray(order), places].sum() >= observed - spread)

    if factorial(len(inner)) <= resamples + 1:
        every = [reaches(order) for order in permutations(range(len(inner)))]
        return sum(every) / len(every)
    reached = sum(reaches(rng.permutation(len(inner))) for _ in range(resamples))
    return (1 + reached) / (resamples + 1)
