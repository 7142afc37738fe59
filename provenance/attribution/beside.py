"""A suspect and a reference that answered the same prompts as models of a library.

How alike their answers are, prompt by prompt, and how alike to the reference the library's models
are that have nothing to do with it. What `same_prompts` is to `identify`, this is to `attribute`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.answered import FEWEST_PROMPTS
from provenance.attribution.calibration import Assessed
from provenance.attribution.holding import Texts
from provenance.attribution.known import Known
from provenance.attribution.matched import UNKNOWN, likenesses
from provenance.attribution.ratios import Told
from provenance.attribution.same_prompts import FIT_ALPHA, Placed, fit_of, place, rows_of
from provenance.library.sketches import CHANNELS
from provenance.transcript import Role

__all__ = ["Beside", "Scored", "beside_of", "matched_ratios"]

Floats = NDArray[np.float64]
Rows = NDArray[np.float32]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Beside:
    """Suspect, reference and controls among models that answered the same prompts.

    Attributes
    ----------
    placed
        The suspect and the models, on the prompts that the reference answered too.
    reference
        Shape (prompts, d).
    reference_outputs
        How many answers these are.
    controls
        The same of each control; with NaN where it has no answer.
    units
        Codes of the units of suspect and reference, as far as the library knows them by name.
    """

    placed: Placed
    reference: Rows
    reference_outputs: int
    controls: tuple[Rows, ...]
    units: tuple[int, int]

    @property
    def prompts(self) -> int:
        """How many are compared."""
        return len(self.placed.rows)

    def scored(self) -> Scored:
        """Suspect, models and controls in the suspect's place against the reference and others."""
        own = self.placed.own
        rows = np.concatenate(
            [self.placed.rows[None], own.first(self.placed.draws), *self._controls]
        )
        columns = np.concatenate([self.reference[None], own.everything(), *self._controls])
        alone = [UNKNOWN] * len(self.controls)
        found = likenesses(
            rows,
            columns,
            own.everything(),
            units_a=np.array([self.units[0], *own.units, *alone], dtype=np.int64),
            units_b=np.array([self.units[1], *own.units, *alone], dtype=np.int64),
            units=own.units,
            channels=CHANNELS,
            weights=own.weights(),
        )
        score = np.where(found.prompts >= FEWEST_PROMPTS, found.score, np.nan)
        same = np.arange(1, len(rows))
        score[same, same] = np.nan  # a model and itself
        return Scored(score, len(own), len(self.controls))

    @property
    def score(self) -> float:
        """Of suspect and reference."""
        return float(self.scored().score[0, 0])

    @property
    def _controls(self) -> list[Rows]:
        return [c[None] for c in self.controls]


@dataclass(frozen=True, slots=True)
class Scored:
    """Likeness of suspect, models and controls to the reference, models and controls.

    ``score`` has shape (1 + models + controls, 1 + models + controls).
    """

    score: Floats
    models: int
    controls: int


def beside_of(
    texts: Mapping[Role, Texts],
    known: Known,
    controls: Sequence[Texts],
    names: tuple[str, str],
    rng: np.random.Generator,
) -> Beside | None:
    """Put both sides beside the library's models; None where they share too few of its prompts.

    None, too, where the answers of either side do not belong to their prompts.

    Parameters
    ----------
    texts
        Of the suspect and the reference.
    names
        How the library may know reference and suspect.
    rng
        For the tests that answers belong to their prompts.
    """
    if known.matched is None:
        return None
    theirs = texts["reference"]
    placed = place(texts["suspect"], known.matched.answered, rng, only=frozenset(theirs.prompts))
    if placed is None or not placed.fits:
        return None
    own = placed.own
    most = max(theirs.prompts.count(p) for p in own.prompts)
    reference, outputs = rows_of(theirs, own.prompts, most)
    if fit_of(reference, own, rng) > FIT_ALPHA:
        return None
    units = {m.name: int(u) for m, u in zip(own.models, own.units, strict=True)}
    return Beside(
        placed,
        reference,
        outputs,
        tuple(rows_of(c, own.prompts, placed.draws)[0] for c in controls),
        (units.get(names[1], UNKNOWN), units.get(names[0], UNKNOWN)),
    )


def matched_ratios(
    beside: Beside, known: Known, told: Told, other: Told, pairs: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Assessed]:
    """Every pair of hypotheses that a calibration of the same prompts speaks to."""
    ratios = None if known.matched is None else known.matched.ratios
    if ratios is None:
        return {}
    sizes, battery = (beside.prompts, beside.prompts), beside.placed.battery
    weighed = {
        pair: ratios.weigh(pair, beside.score, sizes, told, other=other, battery=battery)
        for pair in pairs
    }
    return {pair: found for pair, found in weighed.items() if found is not None}
