"""Whether ratios hold on a genre that neither their space nor their line has seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.calibration import (
    Across,
    Pairs,
    effective_different,
    effective_same,
    metrics,
)
from provenance.attribution.calibration.fit import fit_line
from provenance.attribution.gathering import Population, Progress
from provenance.attribution.known_pairs import FEWEST_UNITS, OUTPUTS, Scored, score_pairs
from provenance.attribution.layouts import RAW
from provenance.library.space import UNUSUAL, Sizes

__all__ = ["left_out"]

Floats = NDArray[np.float64]


def left_out(
    population: Population,
    *,
    rng: np.random.Generator,
    sizes: Sizes | None = None,
    outputs: Sequence[int] = OUTPUTS,
    unusual: float = UNUSUAL,
    say: Progress | None = None,
) -> tuple[Across, ...]:
    """Test ratios on each genre in turn, from the others alone.

    Parameters
    ----------
    population
        Of several kinds of prompts; with one there is nothing to test.
    rng, sizes, outputs, say
        As in `known_pairs.score_pairs`.
    unusual
        Weight of the unusual in a score.

    Returns
    -------
    tuple
        One a kind and number of outputs that both it and the others have; kinds with fewer than
        `FEWEST_UNITS` units, or whose others have fewer, are not tested.

    Notes
    -----
    Every pair of the genre that is left out is scored in a space that was fitted on the other
    genres without both of its units, and weighed by a line of pairs of the other genres without
    these units, within the bounds that those pairs support. So neither prompts nor makers are
    shared. It says what to expect of *these* genres; another may be further off.
    """
    kinds = sorted(set(population.kinds))
    found: list[Across] = []
    for kind in kinds:
        rest = [k for k in kinds if k != kind]
        own, others = _units(population, [kind]), _units(population, rest)
        if not rest or len(own) < FEWEST_UNITS or len(others) < FEWEST_UNITS + 2:
            continue
        if say is not None:
            say(f"without {kind}")
        shared = {"rng": rng, "sizes": sizes, "outputs": outputs, "repeats": 1, "fit_on": rest}
        known = score_pairs(population, kinds=rest, **shared).weighing(unusual)  # type: ignore[arg-type]
        new = score_pairs(population, kinds=[kind], **shared).weighing(unusual)  # type: ignore[arg-type]
        for n in sorted(set(known.n_suspect.tolist()) & set(new.n_suspect.tolist())):
            tested = _tested(known, new, n, alike_only=population.training.view == RAW)
            if tested is not None:
                found.append(_described(kind, n, len(own), *tested))
    return tuple(found)


def _units(population: Population, kinds: Sequence[str]) -> set[str]:
    own = zip(population.units, population.kinds, strict=True)
    return {unit for unit, kind in own if kind in kinds}


def _described(kind: str, n: int, units: int, same: Floats, different: Floats) -> Across:
    return Across(
        left_out=kind,
        outputs=n,
        units=units,
        pairs_same=len(same),
        pairs_different=len(different),
        cllr=metrics.cllr(same, different),
        cllr_min=metrics.cllr_min(same, different),
        misleading_above_1=float(np.mean(different > 0)),
        misleading_above_10=float(np.mean(different > 1)),
    )


def _tested(
    known: Scored, new: Scored, n: int, *, alike_only: bool
) -> tuple[Floats, Floats] | None:
    """Clipped ratios of same-source pairs and of others of the new genre."""
    codes = {u: i for i, u in enumerate(dict.fromkeys(known.units))}
    unit = np.array([codes[u] for u in known.units], dtype=np.int64)
    a, b = unit[new.suspect], unit[new.reference]
    usable = _usable(new, n, alike_only)
    ratios: dict[bool, list[Floats]] = {True: [], False: []}
    for fold in np.unique(new.fold[usable]).tolist():
        chosen = usable & (new.fold == fold)
        there = np.unique(np.concatenate([a[chosen], b[chosen]]))
        rest = _usable(known, n, alike_only)
        rest &= ~np.isin(unit[known.suspect], there) & ~np.isin(unit[known.reference], there)
        first = known.same[rest]
        if not first.any() or first.all():
            continue
        pairs = Pairs(
            known.score[rest], first, unit[known.suspect[rest]], unit[known.reference[rest]]
        )
        line = fit_line(pairs)
        if line is None:
            continue
        low = -np.log10(effective_same(pairs) + 1)
        high = np.log10(effective_different(pairs) + 1)
        clipped = np.clip(line.ratios(new.score[chosen]), low, high)
        for kind, collected in ratios.items():
            collected.append(clipped[new.same[chosen] == kind])
    same, different = (np.concatenate(r) if r else np.zeros(0) for r in ratios.values())
    return (same, different) if len(same) and len(different) else None


def _usable(scored: Scored, n: int, alike_only: bool) -> NDArray[np.bool_]:
    chosen = (scored.n_suspect == n) & (scored.n_reference >= n)
    chosen &= scored.same | ~scored.same_unit
    if alike_only:
        chosen &= ~scored.unlike
    return np.asarray(chosen, dtype=bool)
