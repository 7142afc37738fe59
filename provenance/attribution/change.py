"""Did a model move towards another between two dates? A difference in differences on prompts.

The suspect answered the same prompts *before* and *after* the date in question; the reference and
some controls (models that cannot be the source) answered them too. What counts is the signed
contrast within each prompt, not a distance: the step from before to after, measured along the
direction that leads from the controls to the reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from provenance.errors import UsageError

__all__ = ["Change", "change_towards"]

Floats = NDArray[np.float64]
RESAMPLES = 9_999
LEVEL = 0.95  # of the interval of the step
_ENUMERATED = 12  # prompts up to which every assignment of before and after is tried
_TIE = 1e-9
_BATCH = 2_000_000  # numbers held at once


@dataclass(frozen=True, slots=True)
class Change:
    """A step towards the reference.

    Attributes
    ----------
    step
        Mean over prompts of ⟨after − before, d⟩ / |d|, in units of the rows, where d leads from the
        mean of the controls to that of the reference: how far the suspect moved that way.
    interval
        Of the step, two-sided at `LEVEL`: exact if every prompt's term lies symmetrically about one
        common step. None with prompts too few for the level.
    way
        Mean of ⟨reference − before, d⟩ / |d|: how far from the reference it was, measured alike.
        Descriptive: d leads to this very reference, so it is a little too long.
    p_moved
        Of the null hypothesis that before and after are exchangeable within each prompt (nothing
        changed), one-sided towards the reference: exact, in (0, 1].
    rank
        Of the null hypothesis that the reference is exchangeable with the controls as a place to
        move to: (1 + number of controls towards which the step is as long) / (controls + 1). None
        with fewer than two controls.
    controls
        The steps towards each control, measured in the same way with the reference in its place.
    prompts, resamples
        How many; resamples is the number of all assignments where they were enumerated.
    enumerated
        Whether p_moved comes from every assignment.
    """

    step: float
    interval: tuple[float, float] | None
    way: float
    p_moved: float
    rank: float | None
    controls: tuple[float, ...]
    prompts: int
    resamples: int
    enumerated: bool


def change_towards(
    before: Floats,
    after: Floats,
    reference: Floats,
    controls: Floats,
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> Change:
    """Test and measure a step towards the reference.

    Parameters
    ----------
    before, after, reference
        Shape (prompts, dimensions): one row a prompt, in a space where lengths mean something.
    controls
        Shape (controls, prompts, dimensions); at least one.
    rng
        Draws the assignments of before and after.
    resamples
        Of them, where there are too many to try all.

    Returns
    -------
    Change

    Raises
    ------
    UsageError
        For shapes that do not fit, fewer than two prompts, no control, or numbers that are not
        finite.

    Notes
    -----
    *p_moved*: swapping before and after within a prompt changes the sign of its term; under the
    null all 2^prompts signs are equally likely. It rejects "nothing changed", whatever the cause:
    any new version that moved this way does so. *rank* asks whether the step leads to the
    reference rather than to any other model, and needs 1/α − 1 controls to reach α; its null
    treats the reference as one of the controls. Neither says who learned from whom. What breaks
    it: another system prompt or decoding after the date (declare it, or sample it as a control),
    prompts that were chosen after looking at the answers, controls that share a source with the
    suspect, and controls that lie beyond the reference on the way that the suspect went: from
    junk to plain prose, say, with human prose as control, true students step *back*
    (``benchmarks/student.py``). Controls should be what the suspect might else have become.
    Source: Fisher 1935 (sign randomisation); Hartigan 1969; Angrist & Pischke 2009, ch. 5.
    """
    _validate(before, after, reference, controls)
    step = after - before
    places = np.concatenate([reference[None], controls])
    steps, terms, way = [], None, 0.0
    for i in range(len(places)):
        others = np.delete(places, i, axis=0).mean(axis=0)
        # One direction for all prompts: a single answer is a poor compass. It hangs on neither
        # before nor after, so the signs stay free.
        direction = (places[i] - others).mean(axis=0)
        length = float(np.linalg.norm(direction))
        along = step @ direction / length if length > 0 else np.zeros(len(step))
        steps.append(float(along.mean()))
        if i == 0:
            terms = along
            gap = (reference - before).mean(axis=0)
            way = float(gap @ direction / length) if length > 0 else 0.0
    assert terms is not None
    p, interval, used, enumerated = _signs(terms, rng, resamples)
    rivals = np.array(steps[1:])
    rank = None
    if len(rivals) >= 2:
        rank = float((1 + np.sum(rivals >= steps[0] - _TIE)) / (len(rivals) + 1))
    return Change(
        step=steps[0],
        interval=interval,
        way=way,
        p_moved=p,
        rank=rank,
        controls=tuple(steps[1:]),
        prompts=len(step),
        resamples=used,
        enumerated=enumerated,
    )


def _signs(
    terms: Floats, rng: np.random.Generator, resamples: int
) -> tuple[float, tuple[float, float] | None, int, bool]:
    observed = terms.sum()
    tolerance = _TIE * float(np.abs(terms).sum())
    n = len(terms)
    if n <= _ENUMERATED:
        signs = np.array(list(product((1.0, -1.0), repeat=n)))
        sums = signs @ terms
        p = int(np.sum(sums >= observed - tolerance)) / len(signs)
        # Without the first, which swaps nothing and stands for the data themselves.
        return p, _typical(sums[1:], signs[1:].sum(axis=1), terms), len(signs), True
    drawn, totals, left = [], [], resamples
    while left:
        batch = min(left, max(1, _BATCH // n))
        signs = rng.integers(0, 2, size=(batch, n), dtype=np.int8) * 2.0 - 1.0
        drawn.append(signs @ terms)
        totals.append(signs.sum(axis=1))
        left -= batch
    sums = np.concatenate(drawn)
    p = float((1 + np.sum(sums >= observed - tolerance)) / (resamples + 1))
    return p, _typical(sums, np.concatenate(totals), terms), resamples, False


def _typical(sums: Floats, totals: Floats, terms: Floats) -> tuple[float, float] | None:
    """The steps that the swaps do not reject, from sums of signed terms and of signs.

    With a step δ taken off, a swap of some prompts reaches the observed sum where the mean of their
    terms is at most δ; so the ends are order statistics of these means.
    """
    rejected = int(np.floor((1 - LEVEL) / 2 * (len(sums) + 1)))
    if rejected < 1:
        return None
    swapped = (len(terms) - totals) / 2
    of_swapped = (terms.sum() - sums) / 2
    some = swapped > 0
    means = np.where(some, of_swapped / np.maximum(swapped, 1), -np.inf)
    low = float(np.partition(means, rejected - 1)[rejected - 1])
    means[~some] = np.inf
    high = float(np.partition(means, len(means) - rejected)[len(means) - rejected])
    return (low, high) if np.isfinite([low, high]).all() else None


def _validate(before: Floats, after: Floats, reference: Floats, controls: Floats) -> None:
    shape = before.shape
    if before.ndim != 2 or after.shape != shape or reference.shape != shape:
        raise UsageError(
            "before, after and reference need one shape (prompts, dimensions), found "
            f"{before.shape}, {after.shape} and {reference.shape}"
        )
    if controls.ndim != 3 or controls.shape[1:] != shape or not len(controls):
        raise UsageError(
            f"controls need the shape (controls, {shape[0]}, {shape[1]}) with at least one "
            f"control, found {controls.shape}"
        )
    if shape[0] < 2:
        raise UsageError(f"a change needs two prompts or more, found {shape[0]}")
    if not all(np.isfinite(a).all() for a in (before, after, reference, controls)):
        raise UsageError("rows hold numbers that are not finite")
