"""Weights of columns, fitted on rows that the caller names and passed on as data.

Nothing is fitted behind the reader's back: whoever fits says on which models and prompts, and keeps
those apart from what is tested.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from provenance.errors import UsageError
from provenance.signatures.base import Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    Sparse: TypeAlias = csr_array[np.float64, tuple[int, int]]
    Matrix: TypeAlias = Sparse | Floats


class Weighting(Protocol):
    """From rows to weighted rows; linear memory, row by row."""

    def apply(self, rows: Matrix) -> Matrix:
        """Weighted rows, shape (documents, columns kept)."""
        ...


@dataclass(frozen=True, slots=True)
class LogTfIdf:
    """log(1 + count) × idf on the kept columns, each row scaled to length 1.

    Attributes
    ----------
    columns
        Kept columns, ascending; shape (k,).
    idf
        Their weights, log((1 + D)/(1 + d)) + 1; shape (k,).
    """

    columns: NDArray[np.int64]
    idf: Floats

    @classmethod
    def fitted(cls, parts: Iterable[Sparse], *, keep: int = 60_000) -> LogTfIdf:
        """Weights from the rows of a population; ``keep`` columns that most documents have.

        Raises
        ------
        UsageError
            If there is no row, or no column.
        """
        documents, present = 0, None
        for part in parts:
            documents += part.shape[0]
            found = np.bincount(part.indices, minlength=part.shape[1])
            present = found if present is None else present + found
        if present is None or not present.any():
            raise UsageError("idf weights need rows that are not empty; found none")
        # Ties at the border are broken by the column, so that the order of rows does not matter.
        ranked = np.lexsort((np.arange(len(present)), -present))[:keep]
        columns = np.sort(ranked[present[ranked] > 0])
        idf = np.log((1.0 + documents) / (1.0 + present[columns])) + 1.0
        return cls(columns.astype(np.int64), idf)

    def apply(self, rows: Matrix) -> Matrix:
        """Weighted rows, shape (documents, k), sparse; an empty row stays empty."""
        from scipy.sparse import csr_array

        if isinstance(rows, np.ndarray):
            raise UsageError("LogTfIdf weighs hashed counts; found named values: use Standardised")
        place = np.searchsorted(self.columns, rows.indices)
        place[place == len(self.columns)] = 0
        kept = self.columns[place] == rows.indices
        data = np.where(kept, np.log1p(rows.data) * self.idf[place], 0.0)
        row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
        length = np.sqrt(np.bincount(row, weights=data**2, minlength=rows.shape[0]))
        data = data / np.maximum(length, 1e-12)[row]
        made: Sparse = csr_array(
            (data[kept], place[kept], np.concatenate([[0], np.cumsum(kept)])[rows.indptr]),
            shape=(rows.shape[0], len(self.columns)),
        )
        return made


@dataclass(frozen=True, slots=True)
class Standardised:
    """(value − mean)/sd, clipped; columns without spread become 0.

    Attributes
    ----------
    mean, sd
        Of the population; shape (width,).
    clip
        Largest absolute value: one strange document must not carry a bundle.
    """

    mean: Floats
    sd: Floats
    clip: float = 6.0

    @classmethod
    def fitted(cls, parts: Iterable[Floats], *, clip: float = 6.0) -> Standardised:
        """Mean and standard deviation of a population's rows.

        Raises
        ------
        UsageError
            If there are fewer than two rows.
        """
        n, mean, squares = 0, np.zeros(0), np.zeros(0)
        for part in parts:
            # Chan's update, so that large values of little spread keep their digits.
            m, centre = part.shape[0], part.mean(axis=0)
            spread = np.square(part - centre).sum(axis=0)
            if n == 0:
                n, mean, squares = m, centre, spread
                continue
            gap = centre - mean
            squares = squares + spread + gap**2 * (n * m / (n + m))
            mean = mean + gap * (m / (n + m))
            n += m
        if n < 2:
            raise UsageError(f"standardising needs at least two rows; found {n}")
        return cls(mean, np.sqrt(squares / (n - 1)), clip)

    def apply(self, rows: Matrix) -> Matrix:
        """Standardised rows, same shape."""
        if not isinstance(rows, np.ndarray):
            raise UsageError("Standardised weighs named values; found hashed counts: use LogTfIdf")
        known = self.sd > 1e-12
        scaled = (rows - self.mean) / np.where(known, self.sd, 1.0)
        return np.clip(np.where(known, scaled, 0.0), -self.clip, self.clip)
