"""A suspect that answered a library's own prompts: identified, and weighed, prompt by prompt.

Where all that is needed is there, this takes the place of the comparison on other prompts, which
looks at style alone: what a model says to a prompt tells it from others with a tenth of the
outputs. What is needed: sketches of the library's answers (`answered`), `FEWEST_PROMPTS` shared
prompts, an answer of every model to most of them, second draws or sessions of as many models as α
asks for, and answers of the suspect that belong to their prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.answered import FEWEST_PROMPTS, Answered, Battery
from provenance.attribution.enrolled import Enrolled
from provenance.attribution.holding import Texts
from provenance.attribution.identification import Identification
from provenance.attribution.matched import UNKNOWN, fit_of_prompts, likenesses
from provenance.attribution.open_set import false_inclusion, fixed, open_set
from provenance.library.population import answers
from provenance.library.sketches import CHANNELS, COUNTED, sketches

__all__ = ["FIT_ALPHA", "Placed", "fit_of", "identify_matched", "place", "rows_of"]

Floats = NDArray[np.float64]
Rows = NDArray[np.float32]
FIT_ALPHA = 0.01  # of the test that the answers belong to their prompts
# Prompts at which the answers of each of 75 models fitted, on every draw of prompts.
FEWEST_TO_REFUSE = 8
_SHARE = 0.5  # of the shared prompts that a model must have answered
_TRIED = 300  # bundles that are left out in turn, at most


@dataclass(frozen=True, slots=True)
class Placed:
    """A suspect among the models of a battery, on the prompts that it answered.

    Attributes
    ----------
    battery
        Digest of the whole battery.
    whole
        The models' answers to all of its prompts.
    own
        The models' answers to the shared prompts.
    rows
        Shape (prompts, d): the suspect's, in the order of ``own.prompts``.
    draws
        Of a prompt that were taken, at most.
    outputs
        How many answers these are.
    fit_p
        p-value of `matched.fit_of_prompts`; large where its answers do not belong to the prompts.
    """

    battery: str
    whole: Answered
    own: Answered
    rows: Rows
    draws: int
    outputs: int
    fit_p: float

    def expected(self) -> Floats | None:
        """Likeness that each model is expected to have to itself (`own_draws`), if known."""
        place = {p: i for i, p in enumerate(self.whole.prompts)}
        shared = np.array([place[p] for p in self.own.prompts], dtype=np.int64)
        return self.whole.own_draws().expected(shared, draws=self.draws)

    @property
    def fits(self) -> bool:
        """Whether its answers belong to their prompts."""
        return self.fit_p <= FIT_ALPHA

    @property
    def refused(self) -> bool:
        """Whether nothing may be concluded from them: every model's answers fit so many prompts."""
        return not self.fits and len(self.rows) >= FEWEST_TO_REFUSE


def place(
    texts: Texts,
    answered: Answered,
    rng: np.random.Generator,
    *,
    only: frozenset[str] | None = None,
) -> Placed | None:
    """Put a suspect beside the models that answered its prompts; None where too few are shared.

    Parameters
    ----------
    rng
        For the test that its answers belong to its prompts.
    only
        Digests of the prompts that count; None: all.
    """
    asked = frozenset(texts.prompts) if only is None else frozenset(texts.prompts) & only
    shared = [
        (b, tuple(p for p in b.prompts if p in asked)) for b in answered.batteries() if len(asked)
    ]
    battery, prompts = max(shared, key=lambda s: len(s[1]), default=(None, ()))
    if battery is None or len(prompts) < FEWEST_PROMPTS:
        return None
    own = answered.within(Battery(battery.kind, prompts, battery.models))
    several = [texts.prompts.count(p) for p in prompts]
    draws = max(1, min(own.spare(), int(np.median(several))))
    rows, outputs = rows_of(texts, prompts, draws)
    p = fit_of(rows, own, rng)
    return Placed(battery.digest, answered.within(battery), own, rows, draws, outputs, p)


def fit_of(rows: Rows, own: Answered, rng: np.random.Generator) -> float:
    """p-value of `matched.fit_of_prompts`, by what the answers are about."""
    members = own.everything()[..., COUNTED]
    return fit_of_prompts(rows[:, COUNTED], members, own.units, rng=rng)


def rows_of(texts: Texts, prompts: Sequence[str], draws: int) -> tuple[Rows, int]:
    """Mean sketch of the answers to some prompts, shape (prompts, d), and how many answers.

    The draws of a prompt are taken in the order in which a library keeps its own; NaN where a
    prompt has no answer.
    """
    wanted = {p: i for i, p in enumerate(prompts)}
    there = [i for i, p in enumerate(texts.prompts) if p in wanted]
    order = [there[i] for i in answers.chosen([texts.prompts[i] for i in there])]
    kept: list[int] = []
    taken: dict[str, int] = {}
    for i in order:
        taken[texts.prompts[i]] = taken.get(texts.prompts[i], 0) + 1
        if taken[texts.prompts[i]] <= draws:
            kept.append(i)
    made = sketches([texts.completions[i].text for i in kept]).astype(np.float32)
    rows = np.full((len(prompts), made.shape[1]), np.nan, dtype=np.float32)
    codes = np.array([wanted[texts.prompts[i]] for i in kept], dtype=np.int64)
    for code in np.unique(codes):
        rows[code] = made[codes == code].mean(axis=0)
    return rows, len(kept)


def identify_matched(
    placed: Placed, enrolled: Enrolled, *, alpha: float, rng: np.random.Generator
) -> Identification | None:
    """Which models cannot be excluded, by their answers to the suspect's prompts.

    Parameters
    ----------
    placed
        The suspect.
    enrolled
        The models that are asked about, in the order of what comes back.
    alpha
        Level a model.
    rng
        Draws the models that are left out in turn, where there are more than can be tried.

    Returns
    -------
    Identification or None
        None where a model has no answers to most of the prompts, no model could be rejected at α,
        or the suspect's answers do not belong to their prompts: then bundles are compared as on
        other prompts.

    Notes
    -----
    The test of each model is that of `open_set`, on `matched.likenesses`: the stand-in of model k
    is draws of its own against its enrolled draws on the suspect's prompts, as many a prompt as the
    suspect's, with k's unit left out of the middle, as for the suspect. Both are divided by what k
    is expected to have with itself, where that is known without these stand-ins
    (`own_draws.OwnDraws.expected`). The choice between this
    and other prompts hangs on the suspect's texts only through the test of fit, which a model that
    answers its prompts passes; where it did not, coverage is that of the other comparison, so of
    the two together at least 1 − 2α.
    """
    own = placed.own
    codes = {m.key: k for k, m in enumerate(own.models)}
    keys = [(m.name, m.version, m.genre) for m in enrolled.models]
    if not placed.fits or any(key not in codes for key in keys):
        return None
    order = np.array([codes[key] for key in keys], dtype=np.int64)
    first, second = own.halves(placed.draws)
    everything, units, weights = own.everything(), own.units, own.weights()
    expected = placed.expected()
    divisor = np.ones(len(own)) if expected is None else expected

    def scored(rows: Rows, of: NDArray[np.int64]) -> Floats:
        found = likenesses(
            rows,
            first[order],
            everything,
            units_a=of,
            units_b=units[order],
            units=units,
            channels=CHANNELS,
            weights=weights,
        )
        kept = found.prompts >= _SHARE * len(own.prompts)
        return np.where(kept, found.score / divisor[order], np.nan)

    scores = scored(placed.rows[None], np.array([UNKNOWN], dtype=np.int64))[0]
    if np.isnan(scores).any():
        return None
    tried = np.arange(len(order))
    if len(order) > _TRIED:
        tried = np.sort(rng.choice(tried, _TRIED, replace=False))
    cross = scored(second[order][tried], units[order][tried])
    own_scores = np.full(len(order), np.nan)
    own_scores[tried] = cross[np.arange(len(tried)), tried]
    found = open_set(scores, own_scores, alpha=alpha)
    if not found.decidable:
        return None
    names = [m.unit for m in enrolled.models]
    with_own = np.flatnonzero(~np.isnan(own_scores[tried]))
    inclusion = None
    if len(with_own) >= 2:
        inclusion = false_inclusion(
            fixed(cross[with_own], own_scores), tried[with_own], names, alpha=alpha
        )
    counts = np.bincount(own.model, minlength=len(own))
    return Identification(
        found=found,
        scores=scores,
        tested=scores,
        outputs=tuple(int(counts[k]) for k in order),
        suspect_outputs=placed.outputs,
        comparison="same_prompts",
        inclusion=inclusion,
        unlike=np.zeros(len(order), dtype=bool),
        prompts=len(own.prompts),
        relative=expected is not None,
    )
