"""How much it counts how well a column tells models apart: chosen on known pairs.

`Sizes.telling`, an exponent. A quarter helps where many models of one genre make known which
columns tell models apart; where there are few it may follow what those few were asked. So both are
tried: every pair is scored twice, with the same units left out and the same outputs drawn, in
spaces that differ in this alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.calibration import Pairs, tested
from provenance.attribution.gathering import Population, Progress
from provenance.attribution.hypotheses import pairs_for
from provenance.attribution.known_pairs import OUTPUTS, REPEATS, Scored, score_pairs
from provenance.attribution.weighing import ONE, WEIGHTS, choose, folds_of
from provenance.library.relations import Relations
from provenance.library.space import Sizes

__all__ = ["SPLITS", "TELLINGS", "Chosen", "choose_telling", "score_each", "unit_costs"]

TELLINGS = (0.0, 0.25)
SPLITS = 20  # of the units into folds: with few units the cost of one split says little

Floats = NDArray[np.float64]
_Key = tuple[str, str, int]  # unit, kind of prompts, size


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen, and the pairs scored with it.

    Attributes
    ----------
    telling, unusual
        The exponent, and its own weight of the unusual (`weighing.choose`).
    scored
        With both.
    costs
        Mean cost over units by exponent; empty where only one was there, or none can be tested.
    error
        Standard error over units of what the best other one saves against the first; None likewise.
    """

    telling: float
    unusual: float
    scored: Scored
    costs: Mapping[float, float]
    error: float | None = None


def score_each(
    population: Population,
    tellings: Sequence[float],
    *,
    rng: np.random.Generator,
    sizes: Sizes,
    outputs: Sequence[int] = OUTPUTS,
    repeats: int = REPEATS,
    say: Progress | None = None,
) -> dict[float, Scored]:
    """`known_pairs.score_pairs` for each exponent, from one state of ``rng``: the same draws."""
    start = rng.bit_generator.state
    scored: dict[float, Scored] = {}
    for telling in tellings:
        rng.bit_generator.state = start
        if say is not None and len(tellings) > 1:
            say(f"columns weighed by how well they tell models apart, exponent {telling:g}")
        scored[telling] = score_pairs(
            population,
            rng=rng,
            sizes=replace(sizes, telling=telling),
            outputs=outputs,
            repeats=repeats,
            say=say,
        )
    return scored


def choose_telling(
    scored: Mapping[float, Scored],
    labels: Relations,
    *,
    rng: np.random.Generator,
    alike_only: bool = False,
) -> Chosen:
    """The exponent with the least cost of ratios, if it is the least by more than chance.

    Parameters
    ----------
    scored
        The same known pairs by exponent, the usual one first: another is taken only if it saves
        more than one standard error over units.
    labels, alike_only
        As in `hypotheses.pairs_for`.
    rng
        Draws the folds of units, the same for all.

    Notes
    -----
    Cost is that of Cllr for each unit: half the mean cost of its same-source pairs, half that of
    its pairs with other units, of clipped ratios of pairs whose units took no part in the line;
    averaged over `SPLITS` splits of the units, kinds of prompts and sizes, each exponent with the
    weight of the unusual that costs least. Units, and not pairs, are what there are few of: over
    the pairs of one split of nine units Cllr rose from .57 to .88 by one fold, where over units and
    splits it fell by .04, and sets of `identify` became smaller.

    Measured on development data (``benchmarks/telling.py``): with 134 models of one genre a quarter
    saves .014 ± .006 bits, and at one coverage of .95 a set of `identify` holds 2.6 models instead
    of 3.0 at 25 outputs, 2.0 instead of 2.1 at 50. With 23 to 44 models it saves between −.03 and
    +.04, of the order of its error, and sets hardly differ (1.2 and 1.1 models, 1.1 and 1.1); for
    the library that ships it saves .001 ± .012, and the first is kept. The rank of a bundle's own
    model among those of its fold was tried beside it: its error is larger than any effect that was
    seen.

    The units that then validate the calibration took part in this choice of one of two numbers,
    too. Where they do not differ by more than an error the first is kept; else what the choice
    flatters is at most what it saves (``costs``, kept in the space's file).
    """
    start = rng.bit_generator.state
    weights: dict[float, float] = {}
    for telling, pairs in scored.items():
        rng.bit_generator.state = start
        weights[telling] = choose(pairs, labels, rng=rng, alike_only=alike_only)

    def chosen(telling: float, costs: Mapping[float, float], error: float | None) -> Chosen:
        weight = weights[telling]
        return Chosen(telling, weight, scored[telling].weighing(weight), costs, error)

    usual = next(iter(scored))
    if len(scored) == 1:
        return chosen(usual, {}, None)
    seed = int(rng.integers(2**63))
    found = {t: _least(pairs, labels, seed, alike_only=alike_only) for t, pairs in scored.items()}
    shared = sorted(set.intersection(*(set(f) for f in found.values())))
    by_unit = {t: _by_unit({key: f[key] for key in shared}) for t, f in found.items()}
    if len(by_unit[usual]) < 2:
        return chosen(usual, {}, None)
    costs = {t: float(own.mean()) for t, own in by_unit.items()}
    rival = min((t for t in costs if t != usual), key=lambda t: (costs[t], t))
    saved = by_unit[usual] - by_unit[rival]
    error = float(saved.std(ddof=1) / np.sqrt(len(saved)))
    return chosen(rival if saved.mean() > error else usual, costs, error)


def _least(scored: Scored, labels: Relations, seed: int, *, alike_only: bool) -> dict[_Key, float]:
    """`unit_costs` with the weight of the unusual with which they are least."""
    every = [
        unit_costs(scored.weighing(weight), labels, seed, alike_only=alike_only)
        for weight in WEIGHTS
    ]
    some = [costs for costs in every if costs]
    return min(some, key=lambda costs: float(_by_unit(costs).mean()), default={})


def unit_costs(
    scored: Scored, labels: Relations, seed: int, *, alike_only: bool = False
) -> dict[_Key, float]:
    """Of each unit, kind of prompts and size, as far as it can be tested: in bits."""
    names = list(dict.fromkeys(scored.units))
    collected: dict[_Key, list[float]] = {}
    for kind in sorted(set(scored.kinds)):
        pairs = pairs_for(ONE, scored.only(scored.of_kind(kind)), labels, alike_only=alike_only)
        if isinstance(pairs, str):
            continue
        rng = np.random.default_rng(seed)
        for _ in range(SPLITS):
            folds = folds_of(pairs, rng)
            for n, own in pairs.items():
                for unit, cost in _of_units(own, folds):
                    collected.setdefault((names[unit], kind, n), []).append(cost)
    return {key: float(np.mean(costs)) for key, costs in collected.items()}


def _of_units(pairs: Pairs, folds: Mapping[int, int]) -> Iterator[tuple[int, float]]:
    """Half the mean cost of a unit's same-source pairs and half that of its others, as suspect."""
    for inside, ratios in tested(pairs, folds):
        first, unit = pairs.first[inside], pairs.units_a[inside]
        cost = np.logaddexp(0, np.where(first, -ratios, ratios) * np.log(10)) / np.log(2)
        for code in np.unique(unit).tolist():
            same, other = (cost[(unit == code) & (first == kind)] for kind in (True, False))
            if len(same) and len(other):
                yield code, float(same.mean() + other.mean()) / 2


def _by_unit(costs: Mapping[_Key, float]) -> Floats:
    """Mean over kinds and sizes, in the order of the units' names."""
    own: dict[str, list[float]] = {}
    for (unit, _, _), cost in costs.items():
        own.setdefault(unit, []).append(cost)
    return np.array([np.mean(own[unit]) for unit in sorted(own)])
