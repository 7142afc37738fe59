"""`fused_test` on categories for many studies at once: what 200,000 studies a row need.

The four statistics in matrix form: with E the equality of two draws of a cell, w 1 or one over the
pooled count, z the centred labels and V their covariance under relabelling, the local terms are
(z'(E·w)z − Σ z w(1 − 2 share) − Σ (E·w)·V)/sd, the directed ones (Σ z h)². `agrees` holds them
against `fused_test` on the same relabellings; every chunk of the benchmark does so.

Studies are dropped in two stages, after 39 and 199 relabellings, at so many exceedances that a
p-value of .05 (`DOWN_TO_05`) or .01 (`DOWN_TO_01`) is dropped with a probability below 6e-5, which
no rate here can show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from _null_studies import Chunk
from numpy.typing import NDArray

from provenance.stats.fused import combine, fused_test, normal_scores
from provenance.stats.layout import CellDraws, Layout
from provenance.stats.permutation import TIE, NullSample, PermutationNull, Statistic

# Relabellings of each stage, and the most exceedances with which a study goes on.
DOWN_TO_05 = ((39, 9), (199, 24), (999, 999))
DOWN_TO_01 = ((39, 4), (199, 9), (999, 999))
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Units:
    """Draws by unit (block, or cell without blocks), the valid ones first in each.

    codes, label, valid have shape (studies, units, size); ``cells`` cells have equally many units.
    """

    codes: NDArray[np.intp]
    label: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    cells: int

    @classmethod
    def of(cls, chunk: Chunk) -> Units:
        """Arrange a chunk; units of one side are not valid, as `comparable` drops them."""
        shape = chunk.shape
        size = 1 + shape.ratio if shape.blocked else shape.n
        wide = (len(chunk.codes), -1, size)
        codes, valid = chunk.codes.reshape(wide), chunk.kept.reshape(wide)
        label = np.broadcast_to(shape.suspect, chunk.codes.shape).reshape(wide) & valid
        mine = label.sum(axis=2, keepdims=True)
        valid = valid & (mine > 0) & (mine < valid.sum(axis=2, keepdims=True))
        order = np.argsort(~valid, axis=2, kind="stable")
        codes, label, valid = (np.take_along_axis(a, order, axis=2) for a in (codes, label, valid))
        return cls(codes, label & valid, valid, shape.cells)

    def some(self, chosen: NDArray[np.intp]) -> Units:
        """These studies."""
        return Units(self.codes[chosen], self.label[chosen], self.valid[chosen], self.cells)

    def relabelled(self, rng: np.random.Generator, rows: int) -> NDArray[np.bool_]:
        """Random relabellings within units, shape (studies, rows, units, size)."""
        studies, units, size = self.codes.shape
        # 30 random bits above the label: a tie of two draws of a unit has probability 1e-9.
        keys = rng.integers(0, 2**30, (studies, rows, units, size), dtype=np.uint32)
        keys <<= np.uint32(1)
        keys |= self.label[:, None].astype(np.uint32)
        keys |= np.where(self.valid, 0, 2**32 - 2).astype(np.uint32)[:, None]
        keys.sort(axis=3)
        return (keys & np.uint32(1)).astype(np.bool_)

    def statistics(self, labels: NDArray[np.bool_]) -> Floats:
        """The four of `parts.CATEGORICAL` for labels (studies, rows, units, size)."""
        studies, units, size = self.codes.shape
        by_cell = (studies, self.cells, -1)
        codes, valid = self.codes.reshape(by_cell), self.valid.reshape(by_cell)
        n = codes.shape[2]
        counted = self.valid.sum(axis=2)
        mine = self.label.sum(axis=2)
        share = mine / np.maximum(counted, 1)
        spread = mine * (counted - mine) / np.maximum(counted * (counted - 1), 1)
        share, spread, inverse_size = (
            np.repeat(a, size, axis=1).reshape(by_cell)
            for a in (share, spread, 1 / np.maximum(counted, 1))
        )
        unit = np.repeat(np.arange(units), size).reshape(self.cells, n)
        together = (unit[:, :, None] == unit[:, None]) & valid[:, :, None] & valid[:, :, :, None]
        equal = (
            (codes[..., None] == codes[:, :, None]) & valid[:, :, None] & valid[..., None]
        ) * 1.0
        pooled = np.maximum(equal.sum(axis=3), 1)
        moved = (np.eye(n) * valid[..., None] - together * inverse_size[..., None]) * spread[
            ..., None
        ]
        by_category = equal @ moved @ equal
        z = np.where(
            self.valid[:, None], labels - (mine / np.maximum(counted, 1))[:, None, :, None], 0
        )
        z = z.reshape(studies, -1, self.cells, n).transpose(0, 2, 1, 3)
        total = valid.sum(axis=2)
        found = []
        for weight in (np.ones_like(pooled), 1 / pooled):
            scale = np.where(valid, weight / pooled, 0)
            variance = 2 * np.einsum("sci,scj,scij->sc", scale, scale, by_category**2)
            inverse = _inverse_root(variance, total.astype(float) ** 2)
            kernel = equal * weight[..., None]
            local = ((z @ kernel) * z).sum(axis=3) - np.einsum(
                "scri,sci->scr", z, weight * (1 - 2 * share)
            )
            local -= (kernel * moved).sum(axis=(2, 3))[..., None]
            found.append((local * inverse[..., None]).sum(axis=1))
        distinct = np.where(valid, 1 / pooled, 0).sum(axis=2)[..., None]
        frequency = pooled / np.maximum(total, 1)[..., None]
        for h in (
            np.log(frequency),
            np.log1p(0.1 * (1 / (np.maximum(distinct, 1) * frequency) - 1)),
        ):
            h = np.where(valid, h, 0)
            centred = np.where(valid, h - ((together @ h[..., None])[..., 0] * inverse_size), 0)
            variance = (spread * centred**2).sum(axis=(1, 2))
            inverse = _inverse_root(variance, (h**2).sum(axis=(1, 2)))
            found.append((np.einsum("scri,sci->sr", z, h) * inverse[:, None]) ** 2)
        return np.stack(found, axis=2)


def p_values(
    rng: np.random.Generator, chunk: Chunk, stages: Sequence[tuple[int, int]] = DOWN_TO_05
) -> Floats:
    """P-value of every study; of those dropped early, one above the stages' level."""
    units = Units.of(chunk)
    left = np.arange(len(chunk.codes))
    p = np.ones(len(left))
    for resamples, keep in stages:
        if not len(left):
            break
        part = units.some(left)
        p[left] = _fused(part, part.relabelled(rng, resamples))
        left = left[p[left] * (resamples + 1) - 1 <= keep + 0.5]
    return p


def _fused(units: Units, labels: NDArray[np.bool_]) -> Floats:
    """P-values on these relabellings: normal scores, squares summed, ties counted."""
    rows = units.statistics(np.concatenate([units.label[:, None], labels], axis=1))
    studies, count, _ = rows.shape
    grain = TIE * np.maximum(1, np.abs(rows).max(axis=1))
    informative = ((rows.max(axis=1) - rows.min(axis=1)) > grain).any(axis=1)
    flat = rows.transpose(1, 0, 2).reshape(count, -1)
    scores = normal_scores(flat, flat).reshape(-1, 4)
    fused = combine(scores).reshape(count, studies)
    slack = TIE * np.maximum(1, fused.max(axis=0))
    exceeds = (fused[1:] >= fused[0] - slack).sum(axis=0)
    return np.where(informative, (1 + exceeds) / count, 1.0)


def _inverse_root(variance: Floats, scale: Floats) -> Floats:
    varies = variance > 1e-12 * np.maximum(scale, 1e-300)
    return np.where(varies, 1 / np.sqrt(np.where(varies, variance, 1)), 0)


class _Given(PermutationNull):
    """The null engine on relabellings that were drawn elsewhere."""

    def sample(self, layout: Layout, statistic: Statistic) -> NullSample:
        labels = self.given  # type: ignore[attr-defined]
        return NullSample(statistic(layout.suspect[None])[0], statistic(labels), exact=False)


def agrees(rng: np.random.Generator, chunk: Chunk, studies: int = 2, rows: int = 99) -> bool:
    """Whether `fused_test` has the same p-values on the same relabellings of the first studies."""
    units = Units.of(chunk).some(np.arange(studies))
    labels = units.relabelled(rng, rows)
    mine = _fused(units, labels)
    for s in range(studies):
        cells, columns = _as_cells(units, s, chunk.shape.blocked)
        null = _Given(rng)
        object.__setattr__(null, "given", labels[s].reshape(rows, -1)[:, columns])
        theirs = fused_test(cells, null=null).p_value if cells else 1.0
        if abs(theirs - mine[s]) > 1e-12:
            return False
    return True


def _as_cells(units: Units, s: int, blocked: bool) -> tuple[list[CellDraws], NDArray[np.intp]]:
    """A study's valid draws sorted by category, and where they stand in the flat labels."""
    number, size = units.codes.shape[1:]
    codes, label, valid = (a[s].ravel() for a in (units.codes, units.label, units.valid))
    unit = np.repeat(np.arange(number), size)
    cell_of = unit // (number // units.cells)
    cells, columns = [], []
    for c in range(units.cells):
        here = np.flatnonzero((cell_of == c) & valid)
        here = here[np.argsort(codes[here], kind="stable")]
        if len(here):
            block = unit[here] if blocked else None
            cells.append(CellDraws(codes[here], (), label[here], block))
            columns.append(here)
    return cells, np.concatenate(columns) if columns else np.array([], dtype=np.intp)
