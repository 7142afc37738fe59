"""How much it counts that two bundles are alike in an unusual place: chosen on known pairs.

What is best hangs on the texts. Where answers are short and of a few kinds, as to puzzles, the
unusual tells most; where they are long and free, weighed as much it makes strangers look alike.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from provenance.attribution.calibration import Pairs, metrics, validated
from provenance.attribution.hypotheses import pairs_for
from provenance.attribution.known_pairs import Scored
from provenance.library.relations import Relations
from provenance.library.space import UNUSUAL

__all__ = ["FOLDS", "ONE", "WEIGHTS", "choose", "folds_of"]

WEIGHTS = (0.0, 0.3, 0.6, 0.9, UNUSUAL)
FOLDS = 3
ONE = "same_weights"


def choose(
    scored: Scored, labels: Relations, *, rng: np.random.Generator, alike_only: bool = False
) -> float:
    """The weight with the least cost of ratios, on average over kinds of prompts and sizes.

    Parameters
    ----------
    scored
        Known pairs.
    labels, alike_only
        As in `hypotheses.pairs_for`.
    rng
        Draws the folds of units.

    Returns
    -------
    float
        One of `WEIGHTS`; the usual one where no kind of prompts can be tested.

    Notes
    -----
    Cost is Cllr (Brümmer & du Preez 2006) of clipped ratios of pairs whose units took no part in
    the line. Folds and pairs are the same for every weight; of equal ones the largest is taken.
    The units that then validate the calibration took part in this choice of one of five numbers.
    What that costs was measured with the choice left to other units (``benchmarks/attribution.py``,
    the rows "weight chosen on the other folds"): on 134 models the gain holds on them. A library of
    few units may choose a weight that is not its best.
    """
    seed = int(rng.integers(2**63))
    kinds = [scored.only(scored.of_kind(kind)) for kind in sorted(set(scored.kinds))]
    costs: dict[float, list[float]] = {}
    for weight in WEIGHTS:
        folds = np.random.default_rng(seed)
        every = [pairs_for(ONE, k.weighing(weight), labels, alike_only=alike_only) for k in kinds]
        costs[weight] = [c for own in every if not isinstance(own, str) for c in _costs(own, folds)]
    tested = [w for w in WEIGHTS if costs[w]]
    return min(tested, key=lambda w: (np.mean(costs[w]), -w), default=UNUSUAL)


def _costs(pairs: Mapping[int, Pairs], rng: np.random.Generator) -> list[float]:
    """Of each size, as far as it can be tested."""
    folds = folds_of(pairs, rng)
    tested = [validated(own, folds) for own in pairs.values()]
    return [metrics.cllr(*ratios) for ratios in tested if ratios is not None]


def folds_of(pairs: Mapping[int, Pairs], rng: np.random.Generator) -> dict[int, int]:
    """The fold of each unit, at random."""
    every = np.unique(np.concatenate([p.units for p in pairs.values()]))
    return {int(unit): i % FOLDS for i, unit in enumerate(rng.permutation(every))}
