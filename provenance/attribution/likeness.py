"""Whether a suspect is unusually like a reference, for a model that should be unrelated to it.

Raw likeness misleads: some models are like everything. So a bundle's likeness to the reference is
centred on its likeness to the models of a population, and what is unusual is what unrelated models
of that population do not show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Likeness", "centred", "likeness"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
_TOLERANCE = 1e-12
FEWEST = 5


@dataclass(frozen=True, slots=True)
class Likeness:
    """How unusual the suspect's likeness to the reference is.

    Attributes
    ----------
    statistic
        The suspect's centred likeness, in units of the score.
    p_value
        (1 + number of unrelated models with at least as much) / (unrelated models + 1).
    unrelated
        How many stand for an unrelated suspect.
    caught
        Share of models known to be students of the reference (or of one with its weights) that
        would have a p-value of at most α; None where there is none.
    students
        How many of them.
    rival
        Name of the target of another unit that the suspect leans to more than to the reference: a
        third source that explains the likeness as well. None where there is none.
    rival_p
        (1 + number of unrelated models that lean as far to whatever they lean to most) / (unrelated
        models + 1): how unusual it is to lean so far to any target.
    view
        In which texts were compared.
    prompts
        How many were compared prompt by prompt; None where bundles were compared as a whole.
    """

    statistic: float
    p_value: float
    unrelated: int
    caught: float | None
    students: int
    rival: str | None
    rival_p: float | None = None
    view: str = "raw"
    prompts: int | None = None


def centred(scores: Floats, reference: int) -> Floats:
    """Likeness to one target less the mean likeness to the others.

    Parameters
    ----------
    scores
        Shape (bundles, targets); NaN where a bundle is compared with its own model.
    reference
        Column of the target.

    Returns
    -------
    ndarray
        Shape (bundles,).
    """
    others = np.delete(scores, reference, axis=1)
    found: Floats = scores[:, reference] - np.nanmean(others, axis=1)
    return found


def likeness(
    suspect: Floats,
    population: Floats,
    reference: int,
    *,
    unrelated: Flags,
    students: Flags,
    units: Sequence[str],
    alpha: float,
    names: Sequence[str] | None = None,
    view: str = "raw",
    centre: bool = True,
    prompts: int | None = None,
) -> Likeness | None:
    """Rank the suspect among unrelated models.

    Parameters
    ----------
    suspect
        Shape (targets,): scores against the reference and the models of the population.
    population
        Shape (models, targets): the same for held-out bundles of the models; NaN on their own.
    reference
        Column of the reference among the targets.
    unrelated
        Shape (models,): which of them stand for a suspect that is unrelated to the reference.
    students
        Shape (models,): known to be trained on its outputs.
    units, names
        Of the targets; without names the units stand for them.
    view
        Is handed on.
    centre
        Take off each bundle's mean likeness to the other targets; not where scores are centred
        already, answer by answer (`matched.likenesses`): it costs a quarter of what they tell of
        a common base.
    prompts
        Is handed on.
    alpha
        For ``caught``.

    Returns
    -------
    Likeness or None
        None with fewer than `FEWEST` unrelated models.

    Notes
    -----
    Null hypothesis: the suspect's centred likeness is exchangeable with that of the unrelated
    models. The p-value cannot fall below 1/(unrelated + 1). What breaks it: a suspect of another
    kind than the population (other genre, human text, lengths that no model of it has: callers keep
    to models of the suspect's length), and sources that suspect
    and reference share. Small values say *unusually alike*, not *trained on*: a common third
    source, common human data and the reverse direction all do this. Source: conformal ranks
    (Vovk, Gammerman & Shafer 2005) on centred scores.
    """
    if int(unrelated.sum()) < FEWEST:
        return None
    every = np.vstack([suspect[None, :], population])
    ranked = centred(every, reference) if centre else every[:, reference]
    own, theirs = float(ranked[0]), ranked[1:]
    null = np.sort(theirs[unrelated & ~np.isnan(theirs)])

    def p_of(value: float) -> float:
        reached = len(null) - int(np.searchsorted(null, value - _TOLERANCE, side="left"))
        return (1 + reached) / (len(null) + 1)

    caught = None
    known = theirs[students & ~np.isnan(theirs)]
    if len(known):
        caught = float(np.mean([p_of(float(v)) <= alpha for v in known]))
    rival, rival_p = _rival(suspect, population, reference, units, unrelated)
    return Likeness(
        own,
        p_of(own),
        len(null),
        caught,
        len(known),
        None if rival is None else (names or units)[rival],
        rival_p,
        view,
        prompts,
    )


def _rival(
    suspect: Floats, population: Floats, reference: int, units: Sequence[str], unrelated: Flags
) -> tuple[int | None, float | None]:
    """The target of another unit that the suspect leans to most, if more than to the reference.

    A lean is a score less what the models of the population score against the same target: a
    target to which everybody is alike is no source. The unrelated models may lean to any target
    but themselves, as the suspect may, so that choosing the largest is in their null too.
    """
    usual = np.nanmean(population, axis=0)
    others = np.array([t == reference or u != units[reference] for t, u in enumerate(units)])
    lean = np.where(others, suspect - usual, -np.inf)
    best = int(np.nanargmax(lean))
    if best == reference:
        return None, None
    theirs = np.nanmax(np.where(others, population - usual, -np.inf)[unrelated], axis=1)
    reached = int(np.sum(theirs >= lean[best] - _TOLERANCE))
    return best, (1 + reached) / (len(theirs) + 1)
