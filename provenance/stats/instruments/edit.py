"""Edit distance between answers: within the sides, and across them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from provenance.stats.instruments._engine import InstrumentResult, permuted, with_texts
from provenance.stats.kernels import padded_points
from provenance.stats.layout import CellDraws, Layout, comparable
from provenance.stats.permutation import PermutationNull, Statistic
from provenance.stats.quadratic import Similarity, mean_discrepancy

# Characters read of a text: three machine words of 64 positions.
EDIT_CHARACTERS = 192
# Draws of one cell: all pairs are compared, about 40 µs a pair of full length.
EDIT_DRAWS = 2_048
# Characters that have a code of their own in a cell; rarer ones are unlike everything.
_ALPHABET = 1_024
# Pairs compared at a time, so that the working arrays stay in the processor's cache.
_PAIRS = 16_384

Word = NDArray[np.uint64]


def edit(cells: Sequence[CellDraws], *, null: PermutationNull) -> InstrumentResult:
    """Test whether answers of one side are nearer to each other than to the other side's.

    Null hypothesis: within each unit (block, or cell without blocks) the draws are exchangeable
    across the sides. Sampling: independent draws of one distribution a cell suffice. Unit: a
    draw. Estimand: the mean over cells of 2·E d(X, Y) − E d(X, X') − E d(Y, Y'), with d the edit
    distance (insertions, deletions, substitutions of characters) over the longer length; an
    energy distance without the guarantee that it is 0 only for equal laws, as d is not of
    negative type. Two-sided. Labels are permuted within cells and blocks; exact. Source: Székely
    & Rizzo 2013; distances by the bit-parallel algorithm of Myers 1999 (J. ACM 46:395).

    What breaks it: draws of a side that depend on each other, drift that blocks do not share,
    failures that depend on content.

    Parameters
    ----------
    cells
        Texts are read, up to `EDIT_CHARACTERS`; `EDIT_DRAWS` draws a cell at most.
    null
        How relabellings are drawn, and whether to stop early.

    Raises
    ------
    ValueError
        If a cell has no texts, or too many draws.
    """
    checked = with_texts(cells)
    for cell in comparable(checked):
        if cell.n > EDIT_DRAWS:
            raise ValueError(
                f"expected at most {EDIT_DRAWS} draws in a cell, found {cell.n}: compare a "
                "random part of them, or use hamming or ngram"
            )
    return permuted(checked, null, _statistic)


def _statistic(draws: list[CellDraws], layout: Layout) -> Statistic:
    return mean_discrepancy(
        [Similarity.of_matrix(-edit_distances(cell.texts)) for cell in draws], layout
    )


def edit_distances(texts: Sequence[str]) -> NDArray[np.float64]:
    """Edit distance of all pairs over the longer length, shape (n, n), in [0, 1].

    Two empty texts have distance 0. Beyond the `_ALPHABET` commonest characters of the texts a
    character is unlike every other, itself included.
    """
    numbers: dict[str, int] = {}
    which = [numbers.setdefault(t[:EDIT_CHARACTERS], len(numbers)) for t in texts]
    chosen = list(numbers)
    size = len(chosen)
    lengths = np.array([len(t) for t in chosen], dtype=np.intp)
    codes, masks = _coded(chosen)
    first, second = np.triu_indices(size, 1)
    distances = np.zeros((size, size))
    for start in range(0, len(first), _PAIRS):
        a, b = first[start : start + _PAIRS], second[start : start + _PAIRS]
        longer = np.maximum(np.maximum(lengths[a], lengths[b]), 1)
        distances[a, b] = _compare(masks, lengths, codes, a, b) / longer
    distances += distances.T
    return np.asarray(distances[np.ix_(which, which)])


def _coded(texts: Sequence[str]) -> tuple[NDArray[np.intp], Word]:
    """Character codes (n, length), 0 for rare ones, and where each code stands in each text.

    The second, of shape (words, n, codes), has a bit for each position.
    """
    points = padded_points(texts, EDIT_CHARACTERS)
    n, width = points.shape
    inside = np.arange(width) < np.array([len(t) for t in texts])[:, None]
    letters, times = np.unique(points[inside], return_counts=True)
    common = np.sort(letters[np.argsort(-times, kind="stable")[:_ALPHABET]])
    codes = np.zeros((n, width), dtype=np.intp)
    if len(common):
        place = np.minimum(np.searchsorted(common, points), len(common) - 1)
        codes = np.where(inside & (common[place] == points), place + 1, 0)
    masks = np.zeros((max(1, -(-width // 64)), n, len(common) + 1), dtype=np.uint64)
    for position in range(width):
        masks[position // 64, np.arange(n), codes[:, position]] |= np.uint64(1 << position % 64)
    masks[:, :, 0] = 0
    return codes, masks


def _compare(
    masks: Word,
    lengths: NDArray[np.intp],
    codes: NDArray[np.intp],
    a: NDArray[np.intp],
    b: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Edit distances of the texts a from the texts b, all pairs in step.

    Column by column of b the differences along a are kept as bits: where the distance grows
    (``up``) and where it falls (``down``). ``carry_up`` and ``carry_down`` hand the change along
    b from one word of a to the next; at the last character of a it changes the distance.
    """
    one = np.uint64(1)
    words = max(1, -(-int(lengths[a].max()) // 64))
    up = np.full((words, len(a)), np.iinfo(np.uint64).max)
    down = np.zeros_like(up)
    distance = lengths[a].astype(np.int64)
    last_word, last_bit = np.divmod(np.maximum(lengths[a] - 1, 0), 64)
    last_bit = last_bit.astype(np.uint64)
    for column in range(int(lengths[b].max())):
        active = column < lengths[b]
        letter = codes[b, column]
        carry_up, carry_down = np.ones(len(a), dtype=np.uint64), np.zeros(len(a), dtype=np.uint64)
        for word in range(words):
            equal = masks[word, a, letter]
            v = equal | down[word]
            equal |= carry_down
            h = (((equal & up[word]) + up[word]) ^ up[word]) | equal
            grows = down[word] | ~(h | up[word])
            falls = up[word] & h
            here = active & (last_word == word)
            change = ((grows >> last_bit) & one).astype(np.int64)
            change -= ((falls >> last_bit) & one).astype(np.int64)
            distance += np.where(here, change, 0)
            next_up, next_down = grows >> np.uint64(63), falls >> np.uint64(63)
            grows = (grows << one) | carry_up
            falls = (falls << one) | carry_down
            up[word] = falls | ~(v | grows)
            down[word] = grows & v
            carry_up, carry_down = next_up, next_down
    # An empty a has no last character: its distance is the length of b.
    return np.where(lengths[a] == 0, lengths[b], distance).astype(np.float64)
