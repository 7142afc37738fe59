"""The statistics that `fused_test` fuses, as functions of unit-centred labels.

z (b, n) are b rows of labels minus the suspect share of their unit. Under relabelling
Cov(z) = v·(I − 11'/m) within a unit of m draws, with v = s(m − s)/(m(m − 1)) for s suspect
draws; hence the mean and (to leading order) the deviation of z'Kz that centre and weigh a cell.
Every statistic is of the order of 1 in units of its deviation, so that differences of 1e-8 are
rounding.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from provenance.stats import kernels as k
from provenance.stats.grams import Gram, hamming_gram, ngram_gram
from provenance.stats.layout import CellDraws, Layout

CATEGORICAL = ("same", "balanced", "rarity", "rare")
TEXT = ("hamming", "ngram", "length", "typicality", "style")
# Read numbers that came beside the answers; a study that has none never runs them.
FIRST_TOKEN, LIKELIHOOD = "first_token", "likelihood"
MEASURED = (FIRST_TOKEN, LIKELIHOOD)
STYLE_DIMENSIONS = 96

Columns = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def assemble(
    cells: Sequence[CellDraws], layout: Layout, names: Sequence[str]
) -> tuple[Columns, Columns]:
    """Functions from centred labels (b, n) to statistics (b, k) and to cell terms (b, cells).

    Parameters
    ----------
    cells
        Draws sorted by category within each cell, categories coded 0, 1, 2, …
    names
        Statistics, in the order of the columns.
    """
    parts: list[Columns] = []
    order: list[str] = []
    own: Columns | None = None
    if set(names) & set(TEXT):
        textual, own = _textual(cells, layout, names)
        parts += textual.values()
        order += textual
    if set(names) & set(CATEGORICAL):
        four, terms = _categorical(cells, layout)
        parts.append(four)
        order += CATEGORICAL
        own = own or terms
    if FIRST_TOKEN in names:
        parts.append(first_token(cells, layout))
        order.append(FIRST_TOKEN)
    if LIKELIHOOD in names:
        parts.append(directed(standard_scores([c.scores for c in cells], layout), layout))
        order.append(LIKELIHOOD)
    chosen = [order.index(name) for name in names]

    def statistics(z: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack([part(z) for part in parts])[:, chosen]

    def nothing(z: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.zeros((len(z), layout.cells))

    return statistics, own or nothing


def category_scores(pooled: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores of the categories for "rarity" and "rare", from pooled counts (…, k).

    Categories that were not seen (count 0) get 0.
    """
    seen = pooled > 0
    frequency = np.where(seen, pooled, 1) / np.maximum(pooled.sum(axis=-1, keepdims=True), 1)
    distinct = np.maximum(seen.sum(axis=-1, keepdims=True), 1)
    rarity, rare = scores_of(frequency, distinct)
    return np.where(seen, rarity, 0.0), np.where(seen, rare, 0.0)


def scores_of(
    frequency: NDArray[np.float64], distinct: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same for categories that were seen: their shares of the pool, and how many there are."""
    return np.log(frequency), np.log1p(0.1 * (1 / (distinct * frequency) - 1))


def _unit_variance(layout: Layout) -> NDArray[np.float64]:
    """v of each draw's unit, shape (n,)."""
    size = np.bincount(layout.unit)[layout.unit]
    return layout.share * (1 - layout.share) * size / np.maximum(size - 1, 1)


def _inverse_root(variance: float, scale: float) -> float:
    """1/sd, or 0 for a cell that no relabelling changes."""
    return float(variance**-0.5) if variance > 1e-12 * max(scale, 1e-300) else 0.0


def _categorical(cells: Sequence[CellDraws], layout: Layout) -> tuple[Columns, Columns]:
    """The four of `CATEGORICAL` as columns, and the cell terms of the first."""
    spread = _unit_variance(layout)
    starts, weights, means, directions = [], [], [], []
    for i, cell in enumerate(cells):
        here = slice(layout.edges[i], layout.edges[i + 1])
        pooled = np.bincount(cell.categories).astype(np.float64)
        starts.append(layout.edges[i] + np.cumsum(pooled).astype(np.intp) - pooled.astype(np.intp))
        covariance = _covariance(cell.categories, layout.unit[here], spread[here])
        columns, expected = [], []
        for weight in (np.ones_like(pooled), 1 / pooled):
            variance = 2 * float((np.outer(weight, weight) * covariance**2).sum())
            inverse = _inverse_root(variance, float(len(cell.categories)) ** 2)
            columns.append(weight * inverse)
            expected.append(float(weight @ np.diag(covariance)) * inverse)
        weights.append(np.column_stack(columns))
        means.append(expected)
        directions.append(np.column_stack(category_scores(pooled)))
    first = np.concatenate(starts)
    weight = np.vstack(weights)
    direction = np.vstack(directions)
    sizes = np.diff(np.append(first, layout.n))
    direction = direction * _directed_scale(np.repeat(direction, sizes, axis=0), layout)
    mean = np.array(means)
    # Without its diagonal z'Kz drops sum z_i^2 w_i, which is linear in z: (1 - 2 share) z + const.
    # Blocks of a cell may differ in share, so this is taken by draw and not by category.
    diagonal = np.repeat(weight, sizes, axis=0) * (1 - 2 * layout.share)[:, None]
    by_cell = np.searchsorted(first, layout.edges[:-1])

    def sums(z: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.add.reduceat(z, first, axis=1)

    def four(z: NDArray[np.float64]) -> NDArray[np.float64]:
        u = sums(z)
        local = u**2 @ weight - z @ diagonal - mean.sum(axis=0)
        return np.hstack([local, (u @ direction) ** 2])

    def terms(z: NDArray[np.float64]) -> NDArray[np.float64]:
        squares = np.add.reduceat(sums(z) ** 2 * weight[:, 0], by_cell, axis=1)
        linear = np.add.reduceat(z * diagonal[:, 0], layout.edges[:-1], axis=1)
        value: NDArray[np.float64] = squares - linear - mean[:, 0]
        return value

    return four, terms


def _covariance(
    categories: NDArray[np.intp], unit: NDArray[np.intp], spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Covariance under relabelling of the category sums of z, shape (k, k)."""
    _, local = np.unique(unit, return_inverse=True)
    sizes = np.bincount(local)
    v = np.bincount(local, weights=spread) / sizes
    table = np.zeros((int(categories.max()) + 1, len(sizes)))
    np.add.at(table, (categories, local), 1.0)
    covariance: NDArray[np.float64] = np.diag(table @ v) - (table * (v / sizes)) @ table.T
    return covariance


def _textual(
    cells: Sequence[CellDraws], layout: Layout, names: Sequence[str]
) -> tuple[dict[str, Columns], Columns | None]:
    texts = [t for cell in cells for t in cell.texts]
    parts: dict[str, Columns] = {}
    own: Columns | None = None
    unit = layout.unit
    if "length" in names:
        parts["length"] = directed(k.log_length(texts), layout)
    if "hamming" in names:
        parts["hamming"], own = _local([hamming_gram(cell.texts) for cell in cells], layout)
    if {"ngram", "typicality", "style"} & set(names):
        counts = k.ngram_counts(texts)
        grams = [ngram_gram(counts[start:end]) for start, end in itertools.pairwise(layout.edges)]
        parts["ngram"], own = _local(grams, layout)
        typical = np.concatenate([gram.typicality() for gram in grams])
        parts["typicality"] = directed(typical, layout)
        if "style" in names:
            features = k.style_features(texts, counts, unit, STYLE_DIMENSIONS)
            parts["style"] = _common(features.astype(np.float64), layout)
    return parts, own


def _directed_scale(scores: NDArray[np.float64], layout: Layout) -> NDArray[np.float64]:
    """1/sd of z'h under relabelling for each column h of scores (n, k)."""
    centred = k.within(scores, layout.unit)
    variances = _unit_variance(layout) @ centred**2
    scales = (scores**2).sum(axis=0)
    return np.array([_inverse_root(*pair) for pair in zip(variances, scales, strict=True)])


def directed(scores: NDArray[np.float64], layout: Layout) -> Columns:
    """(Σ z·h)²/variance over all cells for scores h (n,): a shift of one sign everywhere adds up.

    Returns
    -------
    Columns
        Centred labels (b, n) to values (b,) of mean 1 under relabelling; 0 if nothing varies.
    """
    scores = scores * _directed_scale(scores[:, None], layout)[0]

    def part(z: NDArray[np.float64]) -> NDArray[np.float64]:
        value: NDArray[np.float64] = (z @ scores) ** 2
        return value

    return part


def directed_by_cell(
    scores: NDArray[np.float64], layout: Layout, weights: NDArray[np.float64] | None = None
) -> Columns:
    """As `directed`, for each cell alone, then summed: shifts of either sign add up.

    ``weights`` (cells,), labels unseen, multiply the terms of the cells.
    """
    centred = k.within(scores[:, None], layout.unit)[:, 0]
    variances = np.add.reduceat(_unit_variance(layout) * centred**2, layout.edges[:-1])
    totals = np.add.reduceat(scores**2, layout.edges[:-1])
    scales = np.array([_inverse_root(*p) for p in zip(variances, totals, strict=True)])
    if weights is not None:
        scales = scales * np.sqrt(weights)
    scores = scores * np.repeat(scales, np.diff(layout.edges))

    def part(z: NDArray[np.float64]) -> NDArray[np.float64]:
        value: NDArray[np.float64] = (
            np.add.reduceat(z * scores, layout.edges[:-1], axis=1) ** 2
        ).sum(axis=1)
        return value

    return part


def _common(features: NDArray[np.float64], layout: Layout) -> Columns:
    expected = float(_unit_variance(layout) @ (features**2).sum(axis=1))
    features = features * _inverse_root(expected, float((features**2).sum()))

    def part(z: NDArray[np.float64]) -> NDArray[np.float64]:
        value: NDArray[np.float64] = ((z @ features) ** 2).sum(axis=1)
        return value

    return part


def first_token(cells: Sequence[CellDraws], layout: Layout) -> Columns:
    """Squared differences of first-token log probabilities, summed over tokens and cells.

    In each cell every token's column is put in units of its deviation within units, labels
    unseen, and the sum has mean 1 under relabelling, so that a cell where servers agree to a
    thousandth of a nat weighs as much as one where they wobble. Cells without numbers, or with a
    draw that lists none, give nothing: which side withholds them must not pass for a difference.

    Returns
    -------
    Columns
        Centred labels (b, n) to values (b,).
    """
    spread = _unit_variance(layout)
    terms: list[tuple[slice, NDArray[np.float64]]] = []
    for i, cell in enumerate(cells):
        if cell.values is None or not np.isfinite(cell.values).any(axis=1).all():
            continue
        here = slice(layout.edges[i], layout.edges[i + 1])
        columns = k.within(k.listed(cell.values), layout.unit[here])
        variances = spread[here] @ columns**2
        scale = (k.listed(cell.values) ** 2).sum(axis=0)
        inverse = np.array([_inverse_root(*pair) for pair in zip(variances, scale, strict=True)])
        kept = inverse > 0
        if kept.any():
            terms.append((here, columns[:, kept] * inverse[kept] / np.sqrt(kept.sum())))

    def part(z: NDArray[np.float64]) -> NDArray[np.float64]:
        value = np.zeros(len(z))
        for here, columns in terms:
            value += ((z[:, here] @ columns) ** 2).sum(axis=1)
        return value

    return part


def standard_scores(
    scores: Sequence[NDArray[np.float64] | None], layout: Layout
) -> NDArray[np.float64]:
    """Scores within units, in units of their deviation in the cell, shape (n,); 0 where none is."""
    found = np.zeros(layout.n)
    for i, own in enumerate(scores):
        if own is None or not np.isfinite(own).all():
            continue
        here = slice(layout.edges[i], layout.edges[i + 1])
        centred = k.within(own[:, None], layout.unit[here])[:, 0]
        found[here] = centred * _inverse_root(float((centred**2).mean()), float((own**2).mean()))
    return found


def _local(grams: Sequence[Gram], layout: Layout) -> tuple[Columns, Columns]:
    spread = _unit_variance(layout)
    scaled, means = [], []
    linear = np.zeros(layout.n)
    for i, gram in enumerate(grams):
        here = slice(layout.edges[i], layout.edges[i + 1])
        centred = gram.centred(layout.unit[here])
        v = spread[here]
        inverse = _inverse_root(centred.variance(v), gram.scale())
        scaled.append(centred.times(inverse))
        means.append(float(v @ centred.diagonal()) * inverse)
        linear[here] = (1 - 2 * layout.share[here]) * gram.diagonal() * inverse
    mean = np.array(means)
    total = float(mean.sum())

    def part(z: NDArray[np.float64]) -> NDArray[np.float64]:
        value = -(z @ linear) - total
        for i, gram in enumerate(scaled):
            value += gram.form(z[:, layout.edges[i] : layout.edges[i + 1]])
        return value

    def terms(z: NDArray[np.float64]) -> NDArray[np.float64]:
        value = np.empty((len(z), layout.cells))
        for i, gram in enumerate(scaled):
            own = z[:, layout.edges[i] : layout.edges[i + 1]]
            value[:, i] = gram.form(own) - own @ linear[layout.edges[i] : layout.edges[i + 1]]
        return np.asarray(value - mean)

    return part, terms
