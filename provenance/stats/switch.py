"""At which moment did a side change? A scan over moments, with one p-value for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.stats.distance import squared_distance
from provenance.stats.fused import normal_scores
from provenance.stats.layout import first_appearance
from provenance.stats.permutation import CELLS_IN_MEMORY, p_value

SPLITS = 39  # moments that are looked at, at equal steps of the draws' ranks in time
_EDGE = 0.05  # of the draws that stand before the first moment, and after the last


@dataclass(frozen=True, slots=True)
class SwitchResult:
    """Outcome of `switch_test`.

    Attributes
    ----------
    p_value
        Is there a moment before and after which the answers differ?
    moment
        Time of the last draw before the moment that stands out most; None where no answer varies.
    before
        Share of the draws up to that moment, it included; None likewise.
    distance
        Estimated squared distance of the answers before and after it, mean over cells with two
        draws on either side; None without one. Chosen where it is largest: too large on average.
    draws
        Draws of the sequences that were looked at.
    """

    p_value: float
    moment: float | None
    before: float | None
    distance: float | None
    draws: int


def switch_test(
    sequences: Sequence[NDArray[np.intp]],
    times: Sequence[NDArray[np.float64]],
    *,
    resamples: int,
    rng: np.random.Generator,
) -> SwitchResult:
    """Test that a side's answers do not change at any moment.

    Null hypothesis: the draws of each cell are exchangeable in time. Unit: a draw. Estimand: none;
    it rejects for answers that have one distribution before a moment and another after it, such as
    a router that sends another share elsewhere from then on.

    For each of `SPLITS` moments the squared differences of the category counts before it from what
    the cell's totals lead to expect are summed over cells, each divided by its variance factor; the
    sums become normal scores within each moment, and the largest over the moments is the statistic.
    Answers are permuted within cell while the times stay, and the whole is recomputed, scores
    and largest included, so the test is exact however many moments are looked at (Phipson & Smyth
    2010). What breaks it: draws that depend on each other, such as cached ones.

    Parameters
    ----------
    sequences
        One array of category codes per cell; shorter than 2 are left out.
    times
        The time of every draw, in any unit.
    resamples
        Permutations, at least 1.
    rng
        Their randomness.

    Raises
    ------
    ValueError
        If codes and times differ in number.
    """
    kept = []
    for codes, at in zip(sequences, times, strict=True):
        if len(codes) != len(at):
            raise ValueError(f"expected a time for each of {len(codes)} draws, found {len(at)}")
        if len(codes) >= 2:
            order = np.argsort(at, kind="stable")
            kept.append((first_appearance(np.asarray(codes)[order]), np.asarray(at)[order]))
    draws = sum(len(codes) for codes, _ in kept)
    if draws < 4 or all(codes.max() == 0 for codes, _ in kept):
        return SwitchResult(1.0, None, None, None, draws)
    moments = np.unique(
        np.quantile(
            np.concatenate([at for _, at in kept]),
            np.linspace(_EDGE, 1 - _EDGE, SPLITS),
            method="lower",
        )
    )
    total = np.zeros((resamples + 1, len(moments)))
    for codes, at in kept:
        # One answer, or answers that never repeat: the same sum in every order.
        if 0 < codes.max() < len(codes) - 1:
            before = np.searchsorted(at, moments, side="right")
            total += _sums(codes, before, resamples, rng)
    # A moment at which nothing varies under permutation is no candidate.
    varies = np.ptp(total, axis=0) > 1e-9
    if not varies.any():
        return SwitchResult(1.0, None, None, None, draws)
    scores = normal_scores(total[:, varies], total[:, varies])
    largest = scores.max(axis=1)
    # Scores are on one scale for the test; the moment itself is where the sum is largest, as least
    # squares would have it.
    place = float(moments[int(np.argmax(np.where(varies, total[0], -np.inf)))])
    return SwitchResult(
        p_value=p_value(float(largest[0]), largest[1:], exact=False),
        moment=place,
        before=float(np.mean(np.concatenate([at for _, at in kept]) <= place)),
        distance=_distance(kept, place),
        draws=draws,
    )


def _sums(
    codes: NDArray[np.intp], before: NDArray[np.intp], resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Standardised squares of a cell, shape (resamples + 1, moments); the recorded order first."""
    n = len(codes)
    totals = np.bincount(codes).astype(np.float64)
    splits = (before > 0) & (before < n)
    sums = np.zeros((resamples + 1, len(before)))
    if not splits.any():
        return sums
    # Many moments fall between the same two draws of a cell.
    cut, place = np.unique(before[splits], return_inverse=True)
    # The expected sum of squares of a hypergeometric table, over the categories.
    factor = cut * (n - cut) / (n - 1.0)
    rows = max(1, CELLS_IN_MEMORY // (n * len(totals)))
    for start in range(0, resamples + 1, rows):
        size = min(rows, resamples + 1 - start)
        orders = np.tile(codes, (size, 1))
        shuffled = orders if start else orders[1:]
        rng.permuted(shuffled, axis=1, out=shuffled)
        # Time first: running counts then add whole rows.
        seen = (orders.T[:, :, None] == np.arange(len(totals))).cumsum(axis=0, dtype=np.float32)
        apart = seen[cut - 1] - (cut[:, None] * totals / n)[:, None]
        squares = (apart**2).sum(axis=2) / factor[:, None]
        sums[start : start + size, splits] = squares[place].T
    return sums


def _distance(
    cells: Sequence[tuple[NDArray[np.intp], NDArray[np.float64]]], moment: float
) -> float | None:
    found = []
    for codes, at in cells:
        first, second = codes[at <= moment], codes[at > moment]
        if min(len(first), len(second)) >= 2:
            k = int(codes.max()) + 1
            table = [np.bincount(x, minlength=k).astype(np.intp) for x in (first, second)]
            found.append(float(squared_distance(*table)))
    return float(np.mean(found)) if found else None
