"""What all instruments share: their result, and the way from cells to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.stats.layout import CellDraws, Layout, comparable, validated
from provenance.stats.permutation import PermutationNull, Statistic


@dataclass(frozen=True, slots=True)
class InstrumentResult:
    """Outcome of an instrument.

    Attributes
    ----------
    statistic, p_value
        P-value in (0, 1]; large statistics speak against the null. Without a comparable cell the
        statistic is 0 and the p-value 1.
    null
        The statistic under relabelling, shape (rows,), for a plot or another look.
    exact
        Whether every relabelling was enumerated. (The p-value is valid either way.)
    stopped
        Whether drawing ended early, at the Besag–Clifford number of exceedances.
    n_reference, n_suspect
        Draws used: those in units that hold both sides.
    """

    statistic: float
    p_value: float
    null: NDArray[np.float64]
    exact: bool
    stopped: bool
    n_reference: int
    n_suspect: int


Build = Callable[[list[CellDraws], Layout], Statistic]


def permuted(cells: Sequence[CellDraws], null: PermutationNull, build: Build) -> InstrumentResult:
    """Permute labels within units for the statistic that ``build`` makes of pooled draws.

    Parameters
    ----------
    cells
        Passed through `validated` or one of the checks below. Blocks and cells of one side are
        dropped, and draws sorted by category in each cell.
    build
        From draws and their layout to a statistic. It must not look at ``suspect``, except for
        how many suspect draws a unit has.
    """
    kept = [c.take(np.argsort(c.categories, kind="stable")) for c in comparable(cells)]
    if not kept:
        return InstrumentResult(0.0, 1.0, np.zeros(1), True, False, 0, 0)
    layout = Layout.of(kept)
    found = null.upper_tail(layout, build(kept, layout))
    suspects = int(layout.suspect.sum())
    return InstrumentResult(
        found.statistic,
        found.p_value,
        found.null,
        found.exact,
        found.stopped,
        layout.n - suspects,
        suspects,
    )


def with_texts(cells: Sequence[CellDraws]) -> list[CellDraws]:
    """The cells, if every draw has a text.

    Raises
    ------
    ValueError
        If not, or if the arrays do not fit together.
    """
    checked = validated(cells)
    for i, cell in enumerate(checked):
        if cell.n and not cell.texts:
            raise ValueError(f"cell {i}: expected a text for each of {cell.n} draws, found none")
    return checked


def with_values(cells: Sequence[CellDraws], *, columns: int | None = None) -> list[CellDraws]:
    """The cells that have draws, if every draw has values.

    Parameters
    ----------
    columns
        Values that each draw must have; None: one or more.

    Raises
    ------
    ValueError
        If values are missing or of another number, or the arrays do not fit together.
    """
    kept = [cell for cell in validated(cells) if cell.n]
    for cell in kept:
        width = values_of(cell).shape[1]
        if width < 1 or (columns is not None and width != columns):
            raise ValueError(f"expected {columns or 'one or more'} value(s) a draw, found {width}")
    return kept


def values_of(cell: CellDraws) -> NDArray[np.float64]:
    """The values of a cell that must have some, shape (n, d)."""
    if cell.values is None:
        raise ValueError(f"expected values for each of {cell.n} draws, found none")
    return cell.values


def category_sums(
    draws: Sequence[CellDraws], layout: Layout
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Where each category of each cell starts in the layout, its cell, its pooled count.

    The draws must be sorted by category, as `permuted` does. ``np.add.reduceat(labels, starts,
    axis=1)`` then gives the suspect counts of all categories.
    """
    starts, cell_of, pooled = [], [], []
    for i, cell in enumerate(draws):
        _, first, counted = np.unique(cell.categories, return_index=True, return_counts=True)
        starts.append(layout.edges[i] + first)
        cell_of.append(np.full(len(first), i))
        pooled.append(counted)
    return (
        np.concatenate(starts).astype(np.intp),
        np.concatenate(cell_of).astype(np.intp),
        np.concatenate(pooled).astype(np.intp),
    )
