"""Other lines and bounds for the same scores: what keeps a ratio for another maker under 10.

Each is fitted on the pairs of the other folds, and says which negatives a ratio is against: models
of other units without a known tie to the model (*strangers*), with one (*tied*: a teacher or a
maker in common, or one the other's teacher), models of its own unit (*relatives*).

None of them ends it. The pairs over 10 are mostly students of one teacher (phi-2-sft beside Vicuna,
Baize and others): in each fold the closest lie closer together than .37 to .72 of the pairs of one
model's own bundles. The lower of the ratios in two spaces, of words and of all else, does not end
it either (.0045 of others over 10, .84 of the same model).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from _pairs import OTHER, RELATIVE, SAME, Found, pairs_of

from provenance.attribution.calibration import Pairs, effective_different, effective_same
from provenance.attribution.calibration.fit import Line, fit_line

# Shares of strangers, tied ones and relatives among the negatives of each line; the least ratio of
# the lines of a row counts.
LINES: dict[str, tuple[tuple[float, float, float], ...]] = {
    "tied .04, relatives .08": ((0.88, 0.04, 0.08),),
    "tied .16, relatives .08": ((0.76, 0.16, 0.08),),
    "tied .34, relatives .16": ((0.5, 0.34, 0.16),),
    "lower of against strangers, relatives": ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
    "lower of against strangers, tied": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
}
ELUB = "bounded by misleading evidence"
_STEP = 0.01


def by_lines(
    plain: Found, tested: Found, tied: np.ndarray, weights: Mapping[int, float]
) -> Iterator[tuple[str, np.ndarray]]:
    """log10 ratios of ``tested`` by each of `LINES`, clipped as `judged` does; and by `elub`."""
    for label, shares in LINES.items():
        ratio = np.zeros(len(tested.score))
        for fold, weight in weights.items():
            rest, inside = _rest(plain, fold, weight), tested.fold == fold
            score = tested.only(inside).weighing(weight).score
            found = [_line(rest, tied, s).ratios(score) for s in shares]
            pairs = pairs_of(rest)
            low, high = effective_same(pairs) + 1, effective_different(pairs) + 1
            ratio[inside] = np.clip(np.min(found, axis=0), -np.log10(low), np.log10(high))
        yield label, ratio
    ratio = np.zeros(len(tested.score))
    for fold, weight in weights.items():
        rest, inside = _rest(plain, fold, weight), tested.fold == fold
        pairs = pairs_of(rest)
        line = fit_line(pairs)
        assert line is not None
        high = elub(
            line.ratios(rest.of(SAME)), line.ratios(rest.of(OTHER)), effective_different(pairs)
        )
        score = tested.only(inside).weighing(weight).score
        ratio[inside] = np.clip(line.ratios(score), -np.log10(effective_same(pairs) + 1), high)
    yield ELUB, ratio


def elub(same: np.ndarray, other: np.ndarray, effective: float) -> float:
    """The largest log10 ratio for which its system beats saying nothing, with one error more.

    Decided at prior odds of 1 to the ratio, the share of the same model below it times these odds,
    and the share of others above it, cost less than always saying "other" (Vergeer et al. 2016,
    Science & Justice 56, the upper bound). ``effective``: independent pairs of others, one of which
    more is counted as an error; without errors the bound is log10(effective + 1).
    """
    bound = 0.0
    while True:
        reached = bound + _STEP
        false = (float((other >= reached).mean()) * effective + 1) / (effective + 1)
        odds = 10.0**-reached
        if odds * float((same < reached).mean()) + false > odds:
            return bound
        bound = reached


def _rest(plain: Found, fold: int, weight: float) -> Found:
    """The pairs of the other folds, as this fold's weight scores them."""
    return plain.only(plain.fold != fold).weighing(weight)


def _line(rest: Found, tied: np.ndarray, shares: tuple[float, float, float]) -> Line:
    known = tied[rest.i, rest.j]
    other = rest.kind == OTHER
    kinds = (other & ~known, other & known, rest.kind == RELATIVE)
    weights = (rest.kind == SAME).astype(float)
    for chosen, share in zip(kinds, shares, strict=True):
        weights[chosen] = share / max(1, int(chosen.sum()))
    line = fit_line(Pairs(rest.score, rest.kind == SAME, rest.a, rest.b), weights)
    assert line is not None
    return line
