"""The draws of a two-sample comparison as arrays, cell by cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class CellDraws:
    """The draws of one cell, both sides pooled.

    Attributes
    ----------
    categories
        Category codes, shape (n,), non-negative. Codes mean nothing outside their cell.
    texts
        The answers, n of them, or () where only categories matter.
    suspect
        Whether a draw came from the suspect, shape (n,), as realised.
    block
        The realised block of each draw, shape (n,); None: the sides were assigned without blocks,
        so that labels are permuted within the whole cell.
    values
        Numbers measured of each draw, shape (n, d): a score, or log probabilities of d tokens;
        NaN where one was not reported. None: nothing was measured.
    scores
        One number a draw, shape (n,), that a model which the sides do not choose gives its text;
        None: none was computed.
    """

    categories: NDArray[np.intp]
    texts: tuple[str, ...]
    suspect: NDArray[np.bool_]
    block: NDArray[np.intp] | None
    values: NDArray[np.float64] | None = None
    scores: NDArray[np.float64] | None = None

    @property
    def n(self) -> int:
        """Draws of both sides."""
        return len(self.suspect)

    @property
    def n_suspect(self) -> int:
        """Draws of the suspect."""
        return int(np.count_nonzero(self.suspect))

    @property
    def n_reference(self) -> int:
        """Draws of the reference."""
        return self.n - self.n_suspect

    def take(self, index: NDArray[np.intp]) -> CellDraws:
        """The draws at these positions, in this order."""
        return CellDraws(
            categories=self.categories[index],
            texts=tuple(self.texts[i] for i in index) if self.texts else (),
            suspect=self.suspect[index],
            block=None if self.block is None else self.block[index],
            values=None if self.values is None else self.values[index],
            scores=None if self.scores is None else self.scores[index],
        )


def validated(cells: Sequence[CellDraws]) -> list[CellDraws]:
    """The cells as arrays of the right types.

    Raises
    ------
    ValueError
        If there is no cell, or lengths within a cell disagree, or a code is negative.
    """
    if not cells:
        raise ValueError("expected at least one cell, found none")
    checked = []
    for i, cell in enumerate(cells):
        suspect = np.asarray(cell.suspect)
        categories = np.asarray(cell.categories)
        if suspect.ndim != 1 or suspect.dtype != np.bool_:
            raise ValueError(
                f"cell {i}: expected one boolean label a draw, found {suspect.dtype} of shape "
                f"{suspect.shape}"
            )
        if categories.shape != suspect.shape or not (
            np.issubdtype(categories.dtype, np.integer) or categories.size == 0
        ):
            raise ValueError(
                f"cell {i}: expected {suspect.size} integer categories, found {categories.dtype} "
                f"of shape {categories.shape}"
            )
        if categories.size and int(categories.min()) < 0:
            raise ValueError(f"cell {i}: expected category codes from 0, found a negative one")
        if cell.texts and len(cell.texts) != suspect.size:
            raise ValueError(
                f"cell {i}: expected {suspect.size} texts or none, found {len(cell.texts)}"
            )
        block = None if cell.block is None else np.asarray(cell.block)
        if block is not None and block.shape != suspect.shape:
            raise ValueError(
                f"cell {i}: expected {suspect.size} block numbers, found shape {block.shape}"
            )
        values = None if cell.values is None else np.asarray(cell.values, dtype=np.float64)
        if values is not None and (values.ndim != 2 or len(values) != suspect.size):
            raise ValueError(
                f"cell {i}: expected a row of values for each of {suspect.size} draws, found "
                f"shape {values.shape}"
            )
        scores = None if cell.scores is None else np.asarray(cell.scores, dtype=np.float64)
        if scores is not None and scores.shape != suspect.shape:
            raise ValueError(
                f"cell {i}: expected {suspect.size} scores, found shape {scores.shape}"
            )
        checked.append(
            CellDraws(
                categories.astype(np.intp),
                tuple(cell.texts),
                suspect,
                None if block is None else block.astype(np.intp),
                values,
                scores,
            )
        )
    return checked


def comparable(cells: Sequence[CellDraws]) -> list[CellDraws]:
    """Drop blocks that hold one side only, then cells that do.

    Permuting labels never changes which blocks hold both sides, so this is the same choice
    under every relabelling.
    """
    kept = []
    for cell in cells:
        if cell.block is not None and cell.n:
            _, unit = np.unique(cell.block, return_inverse=True)
            size = np.bincount(unit)
            suspects = np.bincount(unit, weights=cell.suspect)
            cell = cell.take(np.flatnonzero(((suspects > 0) & (suspects < size))[unit]))
        if 0 < cell.n_suspect < cell.n:
            kept.append(cell)
    return kept


def first_appearance(values: NDArray[np.intp]) -> NDArray[np.intp]:
    """Codes 0, 1, 2, … in the order of first appearance: what the codes were called is gone."""
    if not values.size:
        return values.astype(np.intp)
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first)).astype(np.intp)[inverse]


def counts(cell: CellDraws) -> NDArray[np.intp]:
    """Contingency table of a cell, shape (2, k): reference, then suspect."""
    k = int(cell.categories.max()) + 1 if cell.n else 0
    reference = np.bincount(cell.categories[~cell.suspect], minlength=k)
    suspect = np.bincount(cell.categories[cell.suspect], minlength=k)
    return np.vstack([reference, suspect]).astype(np.intp)


@dataclass(frozen=True, slots=True)
class Layout:
    """All draws in one row, and the units within which labels are permuted.

    A unit is a block, or a whole cell where there are no blocks.

    Attributes
    ----------
    suspect
        Realised labels, shape (n,), cell after cell.
    edges
        Draws of cell c are ``edges[c]:edges[c + 1]``; shape (cells + 1,).
    unit
        Unit of each draw, shape (n,).
    share
        Share of suspect draws in the unit of each draw, shape (n,).
    groups
        Units of one size together: arrays of positions, each of shape (units, size).
    """

    suspect: NDArray[np.bool_]
    edges: NDArray[np.intp]
    unit: NDArray[np.intp]
    share: NDArray[np.float64]
    groups: tuple[NDArray[np.intp], ...]

    @classmethod
    def of(cls, cells: Sequence[CellDraws]) -> Layout:
        """Lay out cells that were passed through `validated` and `comparable`."""
        suspect = np.concatenate([c.suspect for c in cells])
        edges = np.concatenate([[0], np.cumsum([c.n for c in cells])]).astype(np.intp)
        units, offset = [], 0
        for cell in cells:
            local = (
                np.zeros(cell.n, dtype=np.intp)
                if cell.block is None
                else first_appearance(cell.block)
            )
            units.append(local + offset)
            offset += int(local.max()) + 1
        unit = np.concatenate(units)
        sizes = np.bincount(unit)
        share = np.bincount(unit, weights=suspect) / sizes
        by_unit = np.argsort(unit, kind="stable")
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        groups = []
        for size in np.unique(sizes):
            chosen = starts[sizes == size]
            groups.append(by_unit[chosen[:, None] + np.arange(size)])
        return cls(suspect, edges, unit, share[unit], tuple(groups))

    @property
    def n(self) -> int:
        """Draws."""
        return len(self.suspect)

    @property
    def cells(self) -> int:
        """Cells."""
        return len(self.edges) - 1

    def centred(self, labels: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Labels (b, n) minus the suspect share of their unit: sums to zero in every unit."""
        return labels - self.share
