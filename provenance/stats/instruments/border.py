"""Border inputs: cells whose two favourite answers are nearly tied.

A small change of a model moves the answer to a prompt on which it was undecided, and no other. So
cells are weighed by how nearly their two commonest answers tie, and only the balance between those
two answers is scored. At temperature 0 a cell whose answers all agree has weight 0; one whose
answers flip (batches, hardware) is on the border. Weighing cells is learning, and there are two
ways to keep the p-value exact:

- `border` learns from the pooled draws without their labels: the weights are the same under every
  relabelling, and no draw is spent.
- `border_halves` learns from one half of the reference's draws and tests on the other half. It is
  the way where a stored reference is searched for border inputs before the suspect is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from provenance.stats.instruments._engine import InstrumentResult, permuted
from provenance.stats.layout import CellDraws, Layout, comparable, validated
from provenance.stats.parts import directed_by_cell
from provenance.stats.permutation import PermutationNull, Statistic


@dataclass(frozen=True, slots=True)
class Border:
    """The two commonest answers of a cell, and how nearly they tie.

    Attributes
    ----------
    first, second
        Category codes; −1 where there is none.
    tie
        In [0, 1]: 1 for equal counts of two answers that are all there is, 0 for one answer.
    """

    first: int
    second: int
    tie: float


def border(cells: Sequence[CellDraws], *, null: PermutationNull) -> InstrumentResult:
    """Test the balance of the two commonest answers in cells where they nearly tie.

    Null hypothesis: within each unit (block, or cell without blocks) the draws are exchangeable
    across the sides. Sampling: independent draws of one distribution a cell suffice. Unit: a
    draw. Estimand: the sum over cells of tie·(difference of the sides in P(first) − P(second))²,
    each in units of its variance under relabelling. Two-sided. The two answers and the tie of a
    cell are functions of the pooled draws (`found_border`), so that finding them again in each
    relabelling would find the same: labels are permuted within cells and blocks; exact.

    Source: border inputs of Chauvin et al. 2025 (log probability tracking, arXiv:2512.03816,
    §6), there found on the reference; the pooled form is derived here. What breaks it: draws of
    a side that depend on each other, drift that blocks do not share, failures that depend on
    content. Blind to answers beyond the two commonest.

    Parameters
    ----------
    cells
        Categories are read.
    null
        How relabellings are drawn, and whether to stop early.

    Raises
    ------
    ValueError
        If there is no cell or arrays do not fit together.
    """

    def build(draws: list[CellDraws], layout: Layout) -> Statistic:
        return _statistic(draws, [found_border(c.categories) for c in draws], layout)

    return permuted(validated(cells), null, build)


def border_halves(cells: Sequence[CellDraws], *, null: PermutationNull) -> InstrumentResult:
    """Test as `border` does, the border found on half of the reference's draws.

    In each cell a random half of the reference's draws, rounded down, is only learnt from; the
    rest stands against the suspect's. A cell without draws to learn from is weighed by its other
    cells' mean tie and by the pooled answers of the tested draws.

    Null hypothesis, sampling, unit: as `border`, for the tested draws given those learnt from.
    Estimand: as `border`, with answers and ties of the reference. Exact, because what is learnt
    depends on no tested draw. Source: sample splitting, Cox 1975 (Biometrika 62:441).

    What breaks it: as `border`; further, a reference that changed between its halves. Blocks
    with one reference draw leave nothing to learn from: then use `border`.

    Parameters
    ----------
    cells
        Categories are read.
    null
        How relabellings are drawn, and whether to stop early. Its generator also splits.

    Returns
    -------
    InstrumentResult
        Its ``n_reference`` counts the draws learnt from too.

    Raises
    ------
    ValueError
        If there is no cell or arrays do not fit together.
    """
    tested, learnt, references = [], [], 0
    for cell in comparable(validated(cells)):
        half = _learning_half(cell, null.rng)
        rest = np.setdiff1d(np.arange(cell.n), half)
        kept = comparable([cell.take(rest)])
        if kept:
            # The border travels with the draws: `permuted` reorders them.
            learnt.append(found_border(cell.categories[half]))
            tested.append(replace(kept[0], texts=(), values=None, scores=None))
            references += len(half) + kept[0].n_reference
    ties = [b.tie for b in learnt if b.first >= 0]
    usual = float(np.mean(ties)) if ties else 1.0

    def build(draws: list[CellDraws], layout: Layout) -> Statistic:
        borders = [
            b if b.first >= 0 else replace(found_border(c.categories), tie=usual)
            for b, c in zip(learnt, draws, strict=True)
        ]
        return _statistic(draws, borders, layout)

    return replace(permuted(tested, null, build), n_reference=references)


def found_border(categories: NDArray[np.intp]) -> Border:
    """The two commonest answers among draws, ties by code, and how nearly they tie.

    The tie is 2·(count of the second) over all draws: 1 at an even split of two answers; it
    falls with a gap between the two and with whatever falls to third answers.

    Parameters
    ----------
    categories
        Codes, shape (n,).
    """
    if not len(categories):
        return Border(-1, -1, 0.0)
    codes, counted = np.unique(categories, return_counts=True)
    order = np.argsort(-counted, kind="stable")
    first = int(codes[order[0]])
    if len(codes) == 1:
        return Border(first, -1, 0.0)
    return Border(first, int(codes[order[1]]), 2 * float(counted[order[1]]) / len(categories))


def border_inputs(cells: Sequence[CellDraws], keep: int) -> list[int]:
    """Cells whose reference draws lie nearest the border: for choosing probes beforehand.

    Parameters
    ----------
    cells
        Cells with draws of the reference; draws of a suspect are not looked at. Draws used here
        are used up: test on others.
    keep
        Cells wanted, at most; those without a second answer are never chosen.

    Returns
    -------
    list of int
        Positions in ``cells``, nearest first.
    """
    ties = [found_border(c.categories[~c.suspect]).tie for c in validated(cells)]
    order = sorted(range(len(ties)), key=lambda i: -ties[i])
    return [i for i in order if ties[i] > 0][:keep]


def _learning_half(cell: CellDraws, rng: np.random.Generator) -> NDArray[np.intp]:
    """Half of the reference draws; of each block in turn, so that few blocks lose their partner."""
    block = np.zeros(cell.n, dtype=np.intp) if cell.block is None else cell.block
    chosen = []
    for unit in np.unique(block):
        here = np.flatnonzero((block == unit) & ~cell.suspect)
        chosen.append(rng.permutation(here)[: len(here) // 2])
    return np.concatenate(chosen).astype(np.intp)


def _statistic(draws: list[CellDraws], borders: Sequence[Border], layout: Layout) -> Statistic:
    scores = np.zeros(layout.n)
    weights = np.zeros(layout.cells)
    for i, (cell, found) in enumerate(zip(draws, borders, strict=True)):
        here = slice(layout.edges[i], layout.edges[i + 1])
        scores[here] = (cell.categories == found.first) * 1.0 - (cell.categories == found.second)
        weights[i] = found.tie
    part = directed_by_cell(scores, layout, weights)

    def statistic(labels: NDArray[np.bool_]) -> NDArray[np.float64]:
        return part(layout.centred(labels))[:, None]

    return statistic
