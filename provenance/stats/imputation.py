"""What if the draws that are missing would have made the sides look alike?

A test conditions on success. Where failures differ between the sides, a rejection counts only if
it survives filling the gaps in the way that speaks most against it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from provenance.stats.layout import CellDraws, validated


def rates_differ(failed_reference: int, reference: int, failed_suspect: int, suspect: int) -> float:
    """Fisher's exact test that the sides fail at one rate; two-sided.

    Parameters
    ----------
    failed_reference, failed_suspect
        Failures of each side.
    reference, suspect
        Attempts of each side, failures included.

    Returns
    -------
    float
        P-value in (0, 1]; 1 if a side was not asked.

    Raises
    ------
    ValueError
        If a side has more failures than attempts, or negative numbers.
    """
    if not (0 <= failed_reference <= reference and 0 <= failed_suspect <= suspect):
        raise ValueError("expected 0 ≤ failures ≤ attempts on each side")
    if reference == 0 or suspect == 0:
        return 1.0
    from scipy.stats import fisher_exact

    table = np.array(
        [
            [failed_reference, reference - failed_reference],
            [failed_suspect, suspect - failed_suspect],
        ]
    )
    return float(min(1.0, max(fisher_exact(table).pvalue, np.finfo(float).tiny)))


def impute(cell: CellDraws, missing_reference: int, missing_suspect: int) -> CellDraws:
    """Fill missing draws with copies of the cell's draws that bring the sides together.

    Greedy: each missing draw copies the category of which its side holds the smallest share
    compared with the other side (its text and numbers with it). A draw whose partner stands
    alone in its block joins that block; the rest form blocks of their own, one draw a side as far
    as they reach. Conservative in the simulations of the tests, not by a proof: among all fillings
    the one with the largest p-value is not searched for.

    Parameters
    ----------
    cell
        The draws obtained; draws whose partner failed may be left in.
    missing_reference, missing_suspect
        Draws to fill in on each side.

    Returns
    -------
    CellDraws
        Unchanged if the cell holds no draw: there is nothing to copy.

    Raises
    ------
    ValueError
        For negative numbers.
    """
    if missing_reference < 0 or missing_suspect < 0:
        raise ValueError("expected numbers of missing draws from 0")
    (cell,) = validated([cell])
    if cell.n == 0 or missing_reference + missing_suspect == 0:
        return cell
    k = int(cell.categories.max()) + 1
    tables = np.zeros((2, k))
    np.add.at(tables, (cell.suspect.astype(np.intp), cell.categories), 1.0)
    planned = tables.sum(axis=1) + np.array([missing_reference, missing_suspect])
    gaps = [missing_reference, missing_suspect]
    source: list[int] = []
    side: list[int] = []
    while sum(gaps):
        filling = int(gaps[1] > gaps[0])
        category = _largest_deficit(tables, planned, filling)
        tables[filling, category] += 1
        gaps[filling] -= 1
        side.append(filling)
        source.append(_example(cell, category, 1 - filling))
    added = np.array(side, dtype=np.bool_)
    copies = np.array(source, dtype=np.intp)
    return CellDraws(
        categories=np.concatenate([cell.categories, cell.categories[copies]]),
        texts=cell.texts + tuple(cell.texts[i] for i in source) if cell.texts else (),
        suspect=np.concatenate([cell.suspect, added]),
        block=None if cell.block is None else _blocks(cell.block, cell.suspect, added),
        values=None if cell.values is None else np.vstack([cell.values, cell.values[copies]]),
        scores=None if cell.scores is None else np.concatenate([cell.scores, cell.scores[copies]]),
    )


def _largest_deficit(
    tables: NDArray[np.float64], planned: NDArray[np.float64], filling: int
) -> int:
    """Category that the side to fill lacks most, against the other side's shares."""
    other = 1 - filling
    held = tables[other].sum()
    target = tables[other] / held if held else tables[filling] / tables[filling].sum()
    return int(np.argmax(target * planned[filling] - tables[filling]))


def _example(cell: CellDraws, category: int, preferred: int) -> int:
    here = np.flatnonzero(cell.categories == category)
    of_side = here[cell.suspect[here] == bool(preferred)]
    return int((of_side if len(of_side) else here)[0])


def _blocks(
    block: NDArray[np.intp], suspect: NDArray[np.bool_], added: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """Blocks of the draws and of the added ones: lonely partners first, then new blocks."""
    fresh = int(block.max()) + 1
    lonely: dict[bool, list[int]] = {False: [], True: []}
    for b in np.unique(block):
        held = suspect[block == b]
        if held.all() or not held.any():
            # A block that holds only suspects waits for reference draws, and the reverse.
            lonely[not bool(held[0])].append(int(b))
    opened = {False: 0, True: 0}
    joined = []
    for label in added.tolist():
        if lonely[label]:
            joined.append(lonely[label].pop(0))
        else:
            joined.append(fresh + opened[label])
            opened[label] += 1
    return np.concatenate([block, np.array(joined, dtype=np.intp)])
