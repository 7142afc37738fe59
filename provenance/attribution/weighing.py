"""How much it counts that two bundles are alike in an unusual place: chosen on known pairs.

What is best hangs on the texts. Where answers are short and of a few kinds, as to puzzles, the
unusual tells most; where they are long and free, weighed as much it makes strangers look alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from provenance.attribution.calibration import Pairs, metrics, validated
from provenance.attribution.known_pairs import Scored
from provenance.library.space import UNUSUAL

__all__ = ["WEIGHTS", "choose"]

WEIGHTS = (0.0, 0.3, 0.6, 0.9, UNUSUAL)
FOLDS = 3

PairsOf = Callable[[Scored], dict[int, Pairs] | str]


def choose(scored: Scored, pairs_of: PairsOf, *, rng: np.random.Generator) -> float:
    """The weight with the least cost of ratios, on average over kinds of prompts and sizes.

    Parameters
    ----------
    scored
        Known pairs.
    pairs_of
        Pairs for and against one model, by the number of outputs; or why there are none.
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
    costs = {
        weight: _costs(scored.weighing(weight), pairs_of, np.random.default_rng(seed))
        for weight in WEIGHTS
    }
    tested = [w for w in WEIGHTS if costs[w]]
    return min(tested, key=lambda w: (np.mean(costs[w]), -w), default=UNUSUAL)


def _costs(scored: Scored, pairs_of: PairsOf, rng: np.random.Generator) -> Sequence[float]:
    found = []
    for kind in sorted(set(scored.kinds)):
        pairs = pairs_of(scored.only(scored.of_kind(kind)))
        if isinstance(pairs, str):
            continue
        every = np.unique(np.concatenate([p.units for p in pairs.values()]))
        folds = {int(unit): i % FOLDS for i, unit in enumerate(rng.permutation(every))}
        for own in pairs.values():
            tested = validated(own, folds)
            if tested is not None:
                found.append(metrics.cllr(*tested))
    return found
