"""What a signature is: a function from one document to numbers, with a name and a version.

Two kinds. A `Hashed` signature counts things that nobody listed beforehand (n-grams) and gives
sparse counts over 2²² columns; a `Named` one measures things that were listed and gives one float
a name. Both are pure: the same document gives the same numbers in any process and on any machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from provenance.signatures.document import Document

# Columns of a hashed signature. At 60,000 distinct n-grams 1.4% share a column with another.
WIDTH = 1 << 22

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Counts:
    """Sparse counts of one document.

    Attributes
    ----------
    columns
        Ascending, without repeats, in [0, width).
    counts
        Positive; one a column.
    """

    columns: NDArray[np.int64]
    counts: Floats


class Signature(Protocol):
    """One family of habits.

    Attributes
    ----------
    name
        The key in the registry.
    version
        Raised whenever any document may get other numbers: profiles and calibrations of another
        version do not fit.
    width
        Number of columns.
    names
        What each column is, or None if columns are hashed.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def version(self) -> int: ...  # noqa: D102
    @property
    def width(self) -> int: ...  # noqa: D102
    @property
    def names(self) -> tuple[str, ...] | None: ...  # noqa: D102

    def read(self, document: Document) -> Counts | Floats:
        """The numbers of one document; finite, never raises, whatever the text."""
        ...


@dataclass(frozen=True, slots=True)
class Hashed:
    """A signature with sparse counts; ``names`` is set where the columns are a known list."""

    name: str
    version: int
    count: Callable[[Document], Counts]
    width: int = WIDTH
    names: tuple[str, ...] | None = None

    def read(self, document: Document) -> Counts:
        """Counts of the document."""
        return self.count(document)


@dataclass(frozen=True, slots=True)
class Named:
    """A signature with one float a name.

    ``measure`` gives the values in the order of ``names``.
    """

    name: str
    version: int
    names: tuple[str, ...]
    measure: Callable[[Document], Sequence[float]]

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.names)

    def read(self, document: Document) -> Floats:
        """Values of the document, shape (width,)."""
        return np.array(self.measure(document), dtype=np.float64)
