"""What parts the models, beside how alike bundles are: the second half of a nonconformity.

A score says how alike two bundles are, whoever else there is. A discriminant
(`library.discriminant`) says by how much a bundle fits one model better than any other of the same
library. Alone it would find a model for every stranger; added to the score, and not above `MOST`,
it takes siblings and models of a like style out of sets that the score leaves them in.

What is added is a fixed function of a bundle and a model: the discriminant learnt from prompts that
neither a suspect nor a stand-in answered, so both are measured alike, and coverage is that of
`open_set`. Measured (`benchmarks/margins.py`, α .05): mean size of a set; share of bundles with a
set where all models of their unit had left library and discriminant, and where the space had never
seen them either, as a maker that is new to all of it:

    31 models, 20 outputs    4.2 → 2.0    .46 → .37    .93 → .86
    44 models, 20 outputs    1.3 → 1.1    .04 → .02    .08 → .09
    23 models, 25 outputs    1.0 → 1.1    .44 → .44
   134 models, 25 outputs    3.2 → 2.4    .30 → .32    (with two networks 2.1 and .34)

Coverage was .95 or more in each with them, and .91 to 1.00 without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.enrolled import Enrolled
from provenance.library.discriminant import Discriminant
from provenance.library.parts import HELD_OUT
from provenance.signatures.document import Source

__all__ = ["MOST", "WEIGHT", "Margins", "leads"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
# Chosen on the two genres that ship, of weights .1 to 2 and limits 0, 1, 2 and none: the largest
# weight that left strangers out at least as often. Half as much again makes sets smaller still, and
# a model for more strangers; alpaca_eval and stories were looked at afterwards.
WEIGHT = 0.25
MOST = 2.0  # nats an output
_SEEN = 0.8  # of a model's outputs on a part that the discriminant must have read


@dataclass(frozen=True, slots=True)
class Margins:
    """Log likelihoods of outputs under each model, an output.

    Attributes
    ----------
    suspect
        Shape (outputs, models): of the suspect's outputs.
    n, total
        Shapes (models, parts) and (models, parts, models): of outputs of each model on held-out
        parts of the prompts, how many, and the sums.
    """

    suspect: Floats
    n: NDArray[np.int64]
    total: Floats

    @classmethod
    def of(cls, found: Discriminant, texts: Sequence[Source], enrolled: Enrolled) -> Margins | None:
        """Of a suspect's texts.

        None where the discriminant lacks a model of the library, or read too few of its outputs to
        stand for those that scores are made of.
        """
        if found.standing is None:
            return None
        place = {name: i for i, name in enumerate(found.models)}
        order = [place.get(m.called, -1) for m in enrolled.models]
        if min(order, default=-1) < 0:
            return None
        n, total = found.standing.n[order], found.standing.total[np.ix_(order, HELD_OUT, order)]
        here = np.array([enrolled.n[list(m.sessions)].sum(axis=0) for m in enrolled.models])
        if (n[:, HELD_OUT] < _SEEN * here[:, HELD_OUT]).any():
            return None
        every = np.zeros((len(order), n.shape[1], len(order)))
        every[:, HELD_OUT] = total
        return cls(found.logs(texts)[:, order].astype(np.float64), n, every)

    def of_suspect(self, chosen: Flags) -> Floats:
        """What is added to its scores; shape (models,). ``chosen``: which outputs are compared."""
        found: Floats = _added(self.suspect[chosen].mean(axis=0)[None])[0]
        return found

    def of_models(self, parts: Sequence[int], outside: Flags | None = None) -> Floats:
        """The same for what stands in for a suspect, a row a model, shape (models, models).

        Parameters
        ----------
        parts
            Of the prompts, whose outputs stand in.
        outside
            Shape (models,): the models of which the library consists; None: all.
        """
        n = self.n[:, list(parts)].sum(axis=1)
        mean = self.total[:, list(parts)].sum(axis=1) / np.maximum(n, 1)[:, None]
        mean[n == 0] = np.nan
        return _added(mean if outside is None else np.where(outside, mean, -np.inf))


def _added(mean: Floats) -> Floats:
    margin: Floats = WEIGHT * np.minimum(leads(mean), MOST)
    return margin


def leads(mean: Floats) -> Floats:
    """Each mean log likelihood, a row a bundle, over that of the best other model."""
    rows = np.arange(len(mean))
    known = np.where(np.isnan(mean), -np.inf, mean)
    best = known.argmax(axis=1)
    others = known.copy()
    others[rows, best] = -np.inf
    rival = np.broadcast_to(known[rows, best][:, None], mean.shape).copy()
    rival[rows, best] = others.max(axis=1)
    with np.errstate(invalid="ignore"):
        found: Floats = mean - rival
    return found
