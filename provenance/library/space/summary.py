"""What is kept of a bundle of outputs in a space: how many, their mean, their spread."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from provenance.errors import UsageError
from provenance.library.space.numbers import Floats
from provenance.library.space.space import Space
from provenance.signatures.document import Source

__all__ = ["Summary"]


@dataclass(frozen=True, slots=True)
class Summary:
    """One bundle.

    Attributes
    ----------
    n
        Outputs.
    mean, variance
        Shape (d,); the variance is that of one output, unbiased, zero where n < 2.
    space
        Digest of the space.
    """

    n: int
    mean: Floats
    variance: Floats
    space: str

    @classmethod
    def of(cls, space: Space, texts: Iterable[Source]) -> Summary:
        """Of texts or completions.

        Raises
        ------
        UsageError
            If there is none.
        """
        return cls.of_rows(space.rows(texts), space.digest)

    @classmethod
    def of_rows(cls, rows: Floats, space: str) -> Summary:
        """Of rows, shape (n, d), in the space of this digest; raises as `of`."""
        if not len(rows):
            raise UsageError("a bundle without outputs has no summary")
        variance = rows.var(axis=0, ddof=1) if len(rows) > 1 else np.zeros(rows.shape[1])
        return cls(len(rows), rows.mean(axis=0), variance, space)
