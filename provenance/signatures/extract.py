"""From completions to matrices and bundles, a block at a time.

    for block in blocks(DEFAULT, completions, view=CanonicalView()):
        block["skeleton"]                      # scipy CSR, one row a completion

    bundle(SIGNATURES["skeleton"], completions, weighting=idf)

A `Bundle` is what later stages keep of N completions: how many, the sum and the sum of squares of
their weighted rows. Mean and variance per document follow, and two bundles add up to the bundle of
both, so a library stores bundles of a session and adds what it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, cast

import numpy as np

from provenance.errors import UsageError
from provenance.signatures.base import Counts, Floats, Signature
from provenance.signatures.canonical_view import CanonicalView
from provenance.signatures.document import Document, Source
from provenance.signatures.weighting import Weighting

if TYPE_CHECKING:
    from provenance.signatures.weighting import Matrix, Sparse

# Documents held at once. A block of ordinary answers is some 10 MB for the default signatures.
BLOCK = 256


def blocks(
    signatures: Sequence[Signature],
    sources: Iterable[Source],
    *,
    view: CanonicalView | None = None,
    block: int = BLOCK,
) -> Iterator[dict[str, Matrix]]:
    """The rows of completions, a block at a time, in their order.

    Parameters
    ----------
    signatures
        Which; what they share of a document is computed once.
    sources
        Completions or bare texts; consumed as a stream.
    view
        The canonical view, or None for the text as it is.
    block
        Rows a block: memory is bounded by it and by the length that is read of a text.

    Yields
    ------
    dict
        Name of the signature to its rows: a CSR array of float64 for hashed columns, else an
        array, both of shape (rows, width).
    """
    waiting = iter(sources)
    while batch := list(islice(waiting, block)):
        rows: dict[str, list[Counts | Floats]] = {s.name: [] for s in signatures}
        for source in batch:
            document = Document.of(source)
            if view is not None:
                document = view.document(document)
            for signature in signatures:
                rows[signature.name].append(signature.read(document))
        yield {s.name: _stacked(rows[s.name], s.width) for s in signatures}


def matrix(
    signature: Signature, sources: Iterable[Source], *, view: CanonicalView | None = None
) -> Matrix:
    """All rows of one signature at once, shape (documents, width). For a stream, see `blocks`."""
    parts = [part[signature.name] for part in blocks((signature,), sources, view=view)]
    if not parts:
        return _stacked([signature.read(Document(""))], signature.width)[:0]
    named = [part for part in parts if isinstance(part, np.ndarray)]
    if named:
        return np.vstack(named)
    from scipy.sparse import vstack

    return cast("Sparse", vstack(cast("list[Sparse]", parts), format="csr"))


def _stacked(rows: Sequence[Counts | Floats], width: int) -> Matrix:
    sparse = [row for row in rows if isinstance(row, Counts)]
    if not sparse:
        return np.vstack([row for row in rows if not isinstance(row, Counts)])
    from scipy.sparse import csr_array

    ends = np.cumsum([0, *(len(row.columns) for row in sparse)])
    made: Sparse = csr_array(
        (
            np.concatenate([row.counts for row in sparse]),
            np.concatenate([row.columns for row in sparse]),
            ends,
        ),
        shape=(len(rows), width),
    )
    return made


@dataclass(frozen=True, slots=True)
class Bundle:
    """N completions of one signature, added up.

    Attributes
    ----------
    n
        Documents.
    total, squares
        Sums of the rows and of their squares, shape (1, width); sparse where the rows are.
    """

    n: int
    total: Matrix
    squares: Matrix

    def __add__(self, other: Bundle) -> Bundle:
        """The bundle of the documents of both."""
        if self.total.shape != other.total.shape:
            raise UsageError(
                f"bundles of {self.total.shape[1]} and {other.total.shape[1]} columns do not add "
                "up: use one signature and one weighting"
            )
        return Bundle(
            self.n + other.n,
            cast("Matrix", self.total + other.total),
            cast("Matrix", self.squares + other.squares),
        )

    @property
    def mean(self) -> Floats:
        """Mean row, shape (width,)."""
        return _dense(self.total) / self.n

    @property
    def variance(self) -> Floats:
        """Unbiased variance of a document in each column, shape (width,); NaN if n = 1.

        That of the mean is this over n: documents are independent given the model and its prompts.
        """
        if self.n < 2:
            return np.full(self.total.shape[1], np.nan)
        spread = _dense(self.squares) - self.n * self.mean**2
        return np.maximum(spread, 0.0) / (self.n - 1)


def bundle(
    signature: Signature,
    sources: Iterable[Source],
    *,
    view: CanonicalView | None = None,
    weighting: Weighting | None = None,
) -> Bundle:
    """The bundle of a stream of completions.

    Raises
    ------
    UsageError
        If there is no completion.
    """
    made = bundles((signature,), sources, view=view, weightings={signature.name: weighting})
    return made[signature.name]


def bundles(
    signatures: Sequence[Signature],
    sources: Iterable[Source],
    *,
    view: CanonicalView | None = None,
    weightings: Mapping[str, Weighting | None] | None = None,
) -> dict[str, Bundle]:
    """The bundle of a stream of completions for each signature, in one pass.

    Raises
    ------
    UsageError
        If there is no completion.
    """
    sums: dict[str, Bundle] = {}
    for part in blocks(signatures, sources, view=view):
        for name, rows in part.items():
            weighting = (weightings or {}).get(name)
            added = added_up(rows if weighting is None else weighting.apply(rows))
            sums[name] = sums[name] + added if name in sums else added
    if signatures and not sums:
        raise UsageError("a bundle needs at least one completion; found none")
    return sums


def added_up(rows: Matrix) -> Bundle:
    """The bundle of given rows, shape (documents, width)."""
    if isinstance(rows, np.ndarray):
        return Bundle(
            rows.shape[0], rows.sum(axis=0)[None, :], np.square(rows).sum(axis=0)[None, :]
        )
    from scipy.sparse import csr_array

    ones: Sparse = csr_array(np.ones((1, rows.shape[0])))
    return Bundle(rows.shape[0], ones @ rows, ones @ rows.multiply(rows).tocsr())


def _dense(row: Matrix) -> Floats:
    if isinstance(row, np.ndarray):
        return np.asarray(row[0], dtype=np.float64)
    return np.asarray(row.toarray()[0], dtype=np.float64)
