"""Do the draws of one side depend on each other or on time? Run before any comparison.

A cache that repeats a tenth of a side's draws ruins every test that permutes labels, because
copies are not independent draws. If draws are exchangeable in time, every order of a sequence has
the same probability, so permuting orders gives exact tests.

What they miss, for one side at α = .05, a cache that repeats .1 / .3 of the draws (100
simulations a number; cells peaked, flat and Zipf in turn, and all peaked):

=================  ===========  ===========
cells × draws      mixed        peaked
=================  ===========  ===========
12 × 5             .79 / .10    .83 / .44
24 × 5             .52 / .01    .89 / .16
12 × 15            .11 / .00    .43 / .00
24 × 10            .11 / .00    .48 / .00
24 × 15            .01 / .00    .17 / .00
=================  ===========  ===========

A cache that repeats older draws than the last leaves fewer equal neighbours, and is missed more
often. Sticky routing is mostly missed where it does harm. Where requests of a side keep to one of
several unlike replicas for a while, neighbours in time are other cells, which no test here
compares; and a side that keeps to one replica throughout is exchangeable in time, so that no test
of its order can see it. Two replicas that answer as unrelated models, each request staying with
the last one's with chance .95, both sides alike, 12 cells × 10 draws in pairs, α = .01: a
diagnostic was raised in 398 of 1,000 whole studies, and `different` said in 218
(`benchmarks/false_alarms.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from provenance.stats.fused import combine, normal_scores
from provenance.stats.layout import first_appearance
from provenance.stats.parts import category_scores
from provenance.stats.permutation import CELLS_IN_MEMORY, PermutationNull, p_value

# Share of cached draws for which the weights of the repeat statistic are a likelihood ratio.
CACHED_SHARE = 0.2
LONG_TEXT = 80


@dataclass(frozen=True, slots=True)
class SerialResult:
    """Outcome of `serial_test`.

    Attributes
    ----------
    p_repeat
        Are consecutive draws equal too often?
    p_drift
        Do answers change with time?
    repeats, expected_repeats
        Adjacent equal pairs, and their mean over all orders.
    excess_repeats
        Estimated share of draws that copy the draw before them: excess pairs over the pairs that
        could have been unequal; None if none could. Descriptive.
    longest_run
        Longest run of one answer.
    sequences, draws
        Sequences of two draws or more, and the draws in them.
    """

    p_repeat: float
    p_drift: float
    repeats: int
    expected_repeats: float
    excess_repeats: float | None
    longest_run: int
    sequences: int
    draws: int


def serial_test(sequences: Sequence[NDArray[np.intp]], *, null: PermutationNull) -> SerialResult:
    """Test that the draws of each sequence are exchangeable in time.

    Null hypothesis: the draws of a (side, cell) have the same joint law in every order;
    independent draws of one distribution suffice. Unit: a draw. Exact: orders are permuted within
    sequence and everything else is a function of the unordered draws. What breaks it: recorded
    order that is not the order of answering.

    "Repeat" fuses equal neighbours weighted by log(1 + c(1/f − 1)), the likelihood ratio of a
    cache that repeats the previous draw with probability c against chance agreement f, with equal
    triples, weighted alike; it rejects for too many. "Drift" fuses the association of categories
    with recorded order, as in `fused_test`.

    Parameters
    ----------
    sequences
        One array of category or text codes per (side, cell), in time order; lengths may differ,
        shorter than 2 are left out.
    null
        Resamples, batch and randomness; nothing is enumerated.
    """
    coded = []
    for i, sequence in enumerate(sequences):
        codes = np.asarray(sequence)
        if codes.ndim != 1 or not (np.issubdtype(codes.dtype, np.integer) or not codes.size):
            raise ValueError(f"sequence {i}: expected integer codes in one row")
        if len(codes) >= 2:
            coded.append(first_appearance(codes))
    if not coded:
        return SerialResult(1.0, 1.0, 0, 0.0, None, 0, 0, 0)
    by_length: dict[int, list[NDArray[np.intp]]] = {}
    for codes in coded:
        by_length.setdefault(len(codes), []).append(codes)
    groups = [np.vstack(rows) for _, rows in sorted(by_length.items())]
    expected = sum(float((t * (t - 1)).sum()) / len(c) for c in coded for t in [np.bincount(c)])
    pairs = sum(len(c) - 1 for c in coded)
    repeats = sum(int((c[1:] == c[:-1]).sum()) for c in coded)
    return SerialResult(
        p_repeat=_p_value([_Repeats.of(g) for g in groups], groups, null),
        p_drift=_p_value([_Drift.of(g) for g in groups], groups, null),
        repeats=repeats,
        expected_repeats=expected,
        excess_repeats=(repeats - expected) / (pairs - expected) if pairs > expected else None,
        longest_run=max(_longest_run(c) for c in coded),
        sequences=len(coded),
        draws=sum(len(c) for c in coded),
    )


def duplicate_share(texts: Iterable[str], minimum: int = LONG_TEXT) -> float | None:
    """Share of long texts that copy another one exactly: descriptive.

    Long texts of a model that samples hardly ever coincide; a model at temperature 0 repeats
    itself rightly. None if there are fewer than two texts of ``minimum`` characters.
    """
    seen = Counter(text for text in texts if len(text) >= minimum)
    total = sum(seen.values())
    return None if total < 2 else (total - len(seen)) / total


def repeated_ids(ids: Iterable[str | None]) -> int:
    """Response ids that were seen before; None and "" are not ids."""
    seen = Counter(i for i in ids if i)
    return sum(seen.values()) - len(seen)


def _longest_run(codes: NDArray[np.intp]) -> int:
    ends = np.flatnonzero(np.diff(codes, prepend=-1, append=-1))
    return max(b - a for a, b in pairwise(ends.tolist()))


class _OrderStatistic(Protocol):
    """Sums for orders (b, g, length) of codes (g, length), and the statistics from all sums."""

    def __call__(self, orders: NDArray[np.intp], codes: NDArray[np.intp]) -> NDArray[np.float64]:
        """Shape (b, k): summed over sequences."""
        ...

    def aggregate(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shape (b, k)."""
        ...


@dataclass(frozen=True, slots=True)
class _Repeats:
    """Weights by (sequence, category), shape (g, k)."""

    weights: NDArray[np.float64]

    @classmethod
    def of(cls, codes: NDArray[np.intp]) -> _Repeats:
        length = codes.shape[1]
        chance = np.maximum(_tables(codes) - 1, 1) / (length - 1)
        return cls(np.log1p(CACHED_SHARE * (1 / chance - 1)))

    def __call__(self, orders: NDArray[np.intp], codes: NDArray[np.intp]) -> NDArray[np.float64]:
        # The draw answered at position p in each order; orders is (b, g, length).
        drawn = np.take_along_axis(codes[None], orders, axis=2)
        equal = drawn[:, :, 1:] == drawn[:, :, :-1]
        row = np.arange(codes.shape[0])[:, None] * self.weights.shape[1]
        weighted = self.weights.ravel()[drawn[:, :, 1:] + row] * equal
        triples = weighted[:, :, 1:] * equal[:, :, :-1]
        return np.column_stack([weighted.sum(axis=(1, 2)), triples.sum(axis=(1, 2))])

    def aggregate(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        return sums


@dataclass(frozen=True, slots=True)
class _Drift:
    """Where categories begin in the sorted draws, their weights, and the sorting."""

    order: NDArray[np.intp]
    starts: NDArray[np.intp]
    weights: NDArray[np.float64]
    directions: NDArray[np.float64]

    @classmethod
    def of(cls, codes: NDArray[np.intp]) -> _Drift:
        tables = _tables(codes)
        used = tables > 0
        sizes = tables[used]
        length = codes.shape[1]
        varies = (used.sum(axis=1) > 1)[:, None]
        local = np.where(varies, 1 / np.sqrt(2 * (tables**2).sum(axis=1, keepdims=True)), 0.0)
        distinct = np.maximum(used.sum(axis=1, keepdims=True) - 1, 1)
        balanced = np.where(varies & used, 1 / np.maximum(tables, 1) / np.sqrt(2 * distinct), 0.0)
        weights = np.column_stack([np.broadcast_to(local, used.shape)[used], balanced[used]])
        directions = np.column_stack([score[used] for score in category_scores(tables)])
        order = np.argsort(codes, axis=1, kind="stable") + length * np.arange(len(codes))[:, None]
        starts = (np.cumsum(sizes) - sizes).astype(np.intp)
        return cls(order.ravel(), starts, weights, directions)

    def __call__(self, orders: NDArray[np.intp], codes: NDArray[np.intp]) -> NDArray[np.float64]:
        # Position of each draw in time, centred. A random order's inverse is a random order.
        length = codes.shape[1]
        times = (2 * orders - (length - 1)) / length
        sums = np.add.reduceat(times.reshape(len(orders), -1)[:, self.order], self.starts, axis=1)
        return np.hstack([sums**2 @ self.weights, sums @ self.directions])

    def aggregate(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        # Directed sums are squared after they were added up over all sequences.
        return np.hstack([sums[:, :2], sums[:, 2:] ** 2])


def _tables(codes: NDArray[np.intp]) -> NDArray[np.float64]:
    """Counts by (sequence, category)."""
    table = np.zeros((len(codes), int(codes.max()) + 1))
    np.add.at(table, (np.arange(len(codes))[:, None], codes), 1.0)
    return table


def _p_value(
    statistics: Sequence[_OrderStatistic],
    groups: Sequence[NDArray[np.intp]],
    null: PermutationNull,
) -> float:
    rows = np.concatenate(
        [
            statistics[0].aggregate(
                np.sum([s(o, g) for s, o, g in zip(statistics, orders, groups, strict=True)], 0)
            )
            for orders in _orders(groups, null)
        ]
    )
    fused = combine(normal_scores(rows, rows))
    return p_value(float(fused[0]), fused[1:], exact=False)


def _orders(
    groups: Sequence[NDArray[np.intp]], null: PermutationNull
) -> Iterator[list[NDArray[np.intp]]]:
    """The recorded order, then random ones, in batches of shape (b, g, length)."""
    yield [np.broadcast_to(np.arange(g.shape[1]), (1, *g.shape)) for g in groups]
    size = null.batch or max(1, min(2_048, CELLS_IN_MEMORY // 2 // sum(g.size for g in groups)))
    for start in range(0, null.resamples, size):
        rows = min(size, null.resamples - start)
        yield [_random_orders(rows, g.shape, null.rng) for g in groups]


def _random_orders(rows: int, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.intp]:
    # Random keys carrying the position in their low bits; see permutation.relabel.
    bits = np.uint64(max(1, (shape[1] - 1).bit_length()))
    keys = rng.integers(0, 2**63, (rows, *shape), dtype=np.uint64) << bits
    keys |= np.arange(shape[1], dtype=np.uint64)
    keys.sort(axis=2)
    return (keys & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.intp)
