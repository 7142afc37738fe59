"""From what signatures count and measure to the inputs of a discriminant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from provenance.library.discriminant.net import Inputs
from provenance.library.space import Training
from provenance.library.space.channels import CLIP, columns_of, commonest, scaled, tells_apart

if TYPE_CHECKING:
    from provenance.library.discriminant.net import Sparse

__all__ = ["COLUMNS", "Columns", "Read"]

Small = NDArray[np.float32]
Codes = NDArray[np.int64]
# Of each hashed signature, those that most outputs have. All of this was chosen on a third of the
# prompts of one corpus, fitted on the rest: the first of 91 models is right for .284 of single
# outputs and .750 of bundles of ten; with the linear net alone .258 and .707 (.248 and .683 with
# twice the columns, all counting alike), with one network alone .259 and .683, with a regression on
# 150 directions a signature .217 and .654. No gain: naive Bayes added, a third network. Characters,
# instead of the skeleton's n-grams, were worse.
COLUMNS = {
    "skeleton": 20_000,
    "word_ngrams": 12_000,
    "line_types": 3_000,
    "openings_closings": 3_000,
}
MEASURES = 0.1  # scale of a measure, whose spread is 1, beside signatures whose rows have length 1
POWER = 0.25  # of how well a column tells models apart, by which it is multiplied


@dataclass(frozen=True, slots=True)
class Read:
    """One hashed signature: which columns are read, and what they are multiplied by.

    Attributes
    ----------
    columns
        Shape (k,), ascending.
    weights
        Shape (k,): idf, before a row gets length 1.
    scale
        Shape (k,): afterwards.
    """

    columns: Codes
    weights: Small
    scale: Small

    def of_kept(self, kept: Sparse) -> Sparse:
        """Rows of these columns, from their counts."""
        rows = scaled(kept, self.weights)
        rows.data = rows.data * self.scale[rows.indices]
        return rows


@dataclass(frozen=True, slots=True)
class Columns:
    """What all inputs are made by.

    Attributes
    ----------
    reads
        By the name of the hashed signature.
    centre, spread, scale
        Shape (m,): of the named measures.
    """

    reads: dict[str, Read]
    centre: Small
    spread: Small
    scale: Small

    @classmethod
    def fitted(cls, training: Training) -> Columns:
        """On the outputs of known models.

        A column counts by the fourth root of its variance between models over that within, less
        what chance gives: what does not part models is held down the more.
        """
        reads = {}
        for name, keep in COLUMNS.items():
            counts = training.counts[name]
            chosen, weights = commonest(counts, keep)
            scale = _scale(scaled(counts[:, chosen], weights), training.models)
            reads[name] = Read(training.columns[name][chosen], weights, scale)
        measures = training.measures
        centre, spread = measures.mean(axis=0), measures.std(axis=0)
        spread[spread < 1e-6] = 1.0
        made = cls(reads, centre, spread, np.ones(len(centre), np.float32))
        scale = _scale(made._measures(measures), training.models)
        return cls(reads, centre, spread, scale)

    def of(self, training: Training) -> Inputs:
        """Inputs of outputs that were read already."""
        rows = []
        for name, read in self.reads.items():
            place = np.searchsorted(training.columns[name], read.columns)
            rows.append(read.of_kept(training.counts[name][:, place]))
        return self._joined(rows, training.measures)

    def of_block(self, counts: dict[str, Any], measures: Small) -> Inputs:
        """Inputs of a block of outputs, as the signatures give it; ``measures`` as `measured`."""
        rows = [
            read.of_kept(columns_of(counts[name], read.columns))
            for name, read in self.reads.items()
        ]
        return self._joined(rows, measures)

    def _joined(self, rows: list[Sparse], measures: Small) -> Inputs:
        from scipy.sparse import csr_array, hstack

        return Inputs(csr_array(hstack(rows, format="csr")), self._measures(measures))

    def _measures(self, measures: Small) -> Small:
        standard = np.clip((measures - self.centre) / self.spread, -CLIP, CLIP)
        made: Small = (MEASURES * standard * self.scale).astype(np.float32)
        return made


def _scale(rows: Sparse | Small, models: Codes) -> Small:
    """What each column is multiplied by; rows keep their mean squared length."""
    scale = tells_apart(rows, models) ** POWER
    squares = np.asarray((rows * rows).mean(axis=0), dtype=np.float64).ravel()
    kept = squares.sum() / max(float((scale**2 * squares).sum()), 1e-12)
    made: Small = (scale * np.sqrt(kept)).astype(np.float32)
    return made
