"""Null distributions by permuting labels as they were assigned: within unit, across none.

A unit is a block of a cell, or the whole cell where there are no blocks. Under the null
hypothesis the draws of a unit are exchangeable across the sides, so every relabelling that keeps
the number of suspect draws in each unit has the same probability (Lehmann & Romano 2005,
§15.2; Monte Carlo: Phipson & Smyth 2010).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.stats.layout import Layout

# Two statistics closer than this, relative to the largest magnitude or 1, are the same number.
TIE = 1e-8
# Labels held at a time, in draws × relabellings (8 bytes each, a few copies).
CELLS_IN_MEMORY = 6_000_000

Statistic = Callable[[NDArray[np.bool_]], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class NullSample:
    """A statistic of the realised labels and of relabelled draws.

    Attributes
    ----------
    observed
        Shape (k,): k statistics of the realised labels.
    null
        Shape (rows, k). If ``exact``, every relabelling once, the realised one included; else
        independent random relabellings, the realised one not included.
    """

    observed: NDArray[np.float64]
    null: NDArray[np.float64]
    exact: bool

    def rows(self) -> NDArray[np.float64]:
        """Rows that are exchangeable under the null: the null, with the observed if drawn."""
        return self.null if self.exact else np.vstack([self.observed[None], self.null])


@dataclass(frozen=True, slots=True)
class UpperTail:
    """One statistic, its p-value and the null that the p-value was read from.

    Attributes
    ----------
    statistic, p_value
        P-value in (0, 1]; ties count as exceedances.
    null
        Shape (rows,): every relabelling if ``exact``, else the random ones in the order drawn.
    exact
        Whether every relabelling was enumerated. (The p-value is valid either way.)
    stopped
        Whether drawing ended early, at the Besag–Clifford number of exceedances.
    """

    statistic: float
    p_value: float
    null: NDArray[np.float64]
    exact: bool
    stopped: bool


@dataclass(frozen=True, slots=True)
class PermutationNull:
    """How the null distribution is made.

    Parameters
    ----------
    rng
        Source of the random relabellings.
    resamples
        Random relabellings, where not all are enumerated.
    exact_limit
        Enumerate if there are no more relabellings than this. 0: never.
    batch
        Relabellings computed at a time; None: bounded by memory. Numbers depend on it.
    stop_at
        Besag–Clifford: stop at this many exceedances; for `upper_tail` only.
    """

    rng: np.random.Generator
    resamples: int = 9_999
    exact_limit: int = 10_000
    batch: int | None = None
    stop_at: int | None = None

    def __post_init__(self) -> None:
        if self.resamples < 1:
            raise ValueError(f"expected at least one resample, found {self.resamples}")
        if self.batch is not None and self.batch < 1:
            raise ValueError(f"expected a batch of at least one, found {self.batch}")
        if self.stop_at is not None and self.stop_at < 1:
            raise ValueError(f"expected to stop at one exceedance or more, found {self.stop_at}")

    def sample(self, layout: Layout, statistic: Statistic) -> NullSample:
        """Evaluate a statistic on the realised labels and on relabellings.

        Parameters
        ----------
        statistic
            Boolean labels (b, n) to values (b, k). The realised labels go through the same code.
        """
        exact = relabelling_count(layout) <= self.exact_limit
        observed = statistic(layout.suspect[None])[0]
        batches = self._enumerated(layout) if exact else self._random(layout)
        null = np.concatenate([statistic(labels) for labels in batches])
        return NullSample(observed, null, exact)

    def upper_tail(self, layout: Layout, statistic: Statistic) -> UpperTail:
        """P-value of one statistic that is fixed given the pooled draws, with its null.

        Few relabellings are enumerated. Else, with ``stop_at`` = h, random relabellings end at
        the h-th exceedance, the l-th relabelling, and p = h/l (Besag & Clifford 1991); if it does
        not come, p = (1 + exceedances)/(B + 1). Either way P(p ≤ α) ≤ α under the null.

        Nothing may be standardised over the relabellings themselves: for that, use `sample`.

        Parameters
        ----------
        statistic
            Boolean labels (b, n) to values (b, 1).
        """
        if self.stop_at is None or relabelling_count(layout) <= self.exact_limit:
            sampled = self.sample(layout, statistic)
            observed, null = float(sampled.observed[0]), sampled.null[:, 0]
            p = p_value(observed, null, exact=sampled.exact)
            return UpperTail(observed, p, null, sampled.exact, stopped=False)
        observed = float(statistic(layout.suspect[None])[0, 0])
        drawn: list[NDArray[np.float64]] = []
        seen, reached, largest = 0, 0, np.array([observed])
        for labels in self._growing(layout, self.stop_at):
            values = statistic(labels)[:, 0]
            largest = np.append(largest, np.abs(values).max())
            exceeds = np.cumsum(values >= observed - tolerance(largest)) + reached
            if exceeds[-1] >= self.stop_at:
                last = int(np.searchsorted(exceeds, self.stop_at)) + 1
                null = np.concatenate([*drawn, values[:last]])
                return UpperTail(observed, self.stop_at / len(null), null, False, stopped=True)
            drawn.append(values)
            seen, reached = seen + len(values), int(exceeds[-1])
        return UpperTail(
            observed, (1 + reached) / (seen + 1), np.concatenate(drawn), False, stopped=False
        )

    def _batch(self, layout: Layout) -> int:
        return self.batch or max(1, min(4_096, CELLS_IN_MEMORY // max(1, layout.n)))

    def _random(self, layout: Layout) -> Iterator[NDArray[np.bool_]]:
        size = self._batch(layout)
        for start in range(0, self.resamples, size):
            yield relabel(layout, min(size, self.resamples - start), self.rng)

    def _growing(self, layout: Layout, stop_at: int) -> Iterator[NDArray[np.bool_]]:
        """Batches that double from a few times ``stop_at``: most nulls stop soon."""
        largest = self._batch(layout)
        size, done = self.batch or min(largest, max(64, 2 * stop_at)), 0
        while done < self.resamples:
            rows = min(size, self.resamples - done)
            yield relabel(layout, rows, self.rng)
            done, size = done + rows, self.batch or min(largest, 2 * size)

    def _enumerated(self, layout: Layout) -> Iterator[NDArray[np.bool_]]:
        size = self._batch(layout)
        for start in range(0, total := relabelling_count(layout), size):
            yield _relabellings(layout, np.arange(start, min(total, start + size)))


def relabel(layout: Layout, rows: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Random relabellings, shape (rows, n), uniform over those that keep each unit's counts."""
    labels = np.empty((rows, layout.n), dtype=np.bool_)
    for positions in layout.groups:
        if positions.shape[1] == 2:  # pairs, as most plans make them: a coin each
            first, second = layout.suspect[positions].T
            swap = rng.integers(0, 2, (rows, len(positions)), dtype=np.bool_) & (first != second)
            labels[:, positions[:, 0]] = first ^ swap
            labels[:, positions[:, 1]] = second ^ swap
            continue
        # Sorting random 63-bit keys that carry the label in their last bit permutes the labels;
        # NumPy sorts short rows of integers several times faster than it shuffles them.
        keys = rng.integers(0, 2**63, (rows, *positions.shape), dtype=np.uint64)
        keys = (keys << np.uint64(1)) | layout.suspect[positions].astype(np.uint64)
        keys.sort(axis=2)
        labels[:, positions] = (keys & np.uint64(1)).astype(np.bool_)
    return labels


def relabelling_count(layout: Layout) -> int:
    """Number of relabellings that keep the counts of every unit."""
    return math.prod(
        math.comb(positions.shape[1], int(k))
        for positions in layout.groups
        for k in layout.suspect[positions].sum(axis=1)
    )


def _relabellings(layout: Layout, numbers: NDArray[np.intp]) -> NDArray[np.bool_]:
    """The relabellings with these numbers, as digits in the mixed radix of the units."""
    labels = np.empty((len(numbers), layout.n), dtype=np.bool_)
    rest = numbers
    for positions in layout.groups:
        for unit in positions:
            size, suspects = len(unit), int(layout.suspect[unit].sum())
            chosen = list(itertools.combinations(range(size), suspects))
            choices = np.zeros((len(chosen), size), dtype=np.bool_)
            np.put_along_axis(choices, np.array(chosen, dtype=np.intp), True, axis=1)
            labels[:, unit] = choices[rest % len(choices)]
            rest = rest // len(choices)
    return labels


def tolerance(values: NDArray[np.float64]) -> float:
    """How far apart two values may lie and still count as tied."""
    return TIE * max(1.0, float(np.abs(values).max(initial=0.0)))


def p_value(observed: float, null: NDArray[np.float64], *, exact: bool) -> float:
    """Upper-tail p-value; ties count as exceedances; never 0.

    Parameters
    ----------
    null
        Shape (rows,). If ``exact`` it is the whole distribution, the observed value included.
    """
    exceedances = int((null >= observed - tolerance(np.append(null, observed))).sum())
    if exact:
        return max(1, exceedances) / len(null)
    return (1 + exceedances) / (len(null) + 1)
