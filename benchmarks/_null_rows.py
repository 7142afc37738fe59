"""The rows of the table of false alarms: what is simulated, and which test reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import _fused_batch
import _null_peers as peers
import numpy as np
from _null_studies import Chunk, Shape, draw, drawn, tables, values_of, with_cache
from _whole_way import Way, diagnosed, rejects
from numpy.typing import NDArray

from provenance.stats.fused import fused_test
from provenance.stats.imputation import rates_differ
from provenance.stats.instruments import INSTRUMENTS
from provenance.stats.layout import CellDraws
from provenance.stats.multiplicity import holm
from provenance.stats.parts import CATEGORICAL, FIRST_TOKEN, LIKELIHOOD, TEXT
from provenance.stats.permutation import PermutationNull
from provenance.stats.sequential import SwapBetting
from provenance.stats.serial import serial_test
from provenance.stats.substitutes import foreign_share, panel_test, share_limits

LEVELS = (0.05, 0.01, 0.001)
SETTLES, MANY = 20_000, 200_000
Rejections = NDArray[np.float64]
Run = Callable[[np.random.Generator, int, bool], Rejections]


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes
    ----------
    run
        (generator, studies, alternative) → rejections, shape (studies, levels), NaN where a level
        is not tested; stress rows give (rejects, diagnosed, different).
    group
        valid, peer or stress.
    runs
        Studies, unless the command says otherwise.
    rest
        What runs after the first `SETTLES` studies; None: the same.
    """

    name: str
    run: Run
    group: str = "valid"
    runs: int = SETTLES
    rest: Run | None = None


def at_levels(p: NDArray[np.float64], levels: int = len(LEVELS)) -> Rejections:
    """Rejections of p-values; levels beyond the first ``levels`` are not tested."""
    found = (p[:, None] <= np.array(LEVELS) + 1e-12).astype(np.float64)
    found[:, levels:] = np.nan
    return found


def _batch(
    shape: Shape, effect: float, at_05: bool, rng: np.random.Generator, n: int, alt: bool
) -> Rejections:
    chunk = draw(rng, shape, n, dilute=effect if alt else 0.0)
    if not _fused_batch.agrees(rng, chunk, 1):
        raise AssertionError(f"fused_test and its batch differ on {shape}")
    stages = _fused_batch.DOWN_TO_05 if at_05 else _fused_batch.DOWN_TO_01
    found = at_levels(_fused_batch.p_values(rng, chunk, stages))
    if not at_05:
        found[:, 0] = np.nan
    return found


def _direct(
    kernels: tuple[str, ...], shape: Shape, rng: np.random.Generator, n: int, alt: bool
) -> Rejections:
    """`fused_test` itself, 199 relabellings."""
    chunk = draw(rng, shape, n, other_words=1.0 if alt else 0.0)
    reads = "texts" if set(kernels) & set(TEXT) else "categories"
    found = np.empty(n)
    for i in range(n):
        cells = chunk.study(i, reads, rng)
        if FIRST_TOKEN in kernels or LIKELIHOOD in kernels:
            cells = [_measured(cell, rng) for cell in cells]
        null = PermutationNull(rng, 199, exact_limit=150)
        found[i] = fused_test(cells, null=null, kernels=kernels).p_value
    return at_levels(found, 2)


def _measured(cell: CellDraws, rng: np.random.Generator) -> CellDraws:
    scores = values_of(cell.categories, "score", rng)[:, 0]
    return replace(cell, values=values_of(cell.categories, "logprobs", rng), scores=scores)


def _holm(shape: Shape, rng: np.random.Generator, n: int, alt: bool) -> Rejections:
    """Three families of a study, adjusted."""
    chunk = draw(rng, shape, n, dilute=0.9 if alt else 0.0)
    found = np.empty(n)
    for i in range(n):
        cells = chunk.study(i)
        null = PermutationNull(rng, 399, exact_limit=150)
        families = [fused_test(cells[k::3], null=null).p_value for k in range(3)]
        found[i] = holm(families).min()
    return at_levels(found, 2)


def _instrument(name: str, shape: Shape, rng: np.random.Generator, n: int, alt: bool) -> Rejections:
    """Besag–Clifford at the tenth exceedance: reaches .001 and stops most nulls early."""
    chunk = draw(rng, shape, n, other_words=1.0 if alt else 0.0)
    test, reads = INSTRUMENTS[name].test, INSTRUMENTS[name].reads
    null = PermutationNull(rng, 999, exact_limit=150, stop_at=10)
    return at_levels(
        np.array([test(chunk.study(i, reads, rng), null=null).p_value for i in range(n)])
    )


def _panel(shape: Shape, rng: np.random.Generator, n: int, alt: bool) -> Rejections:
    """Three substitutes of 100 draws a cell; the second was not measured in the first cell."""
    chunk = draw(rng, shape, n)
    others = drawn(rng, tables(rng, shape.model, n, 3 * shape.cells), 100 + shape.n)
    others = others.reshape(n, 3, shape.cells, -1)
    if alt:
        turned = (rng.random(chunk.codes.shape) < 0.8) & shape.suspect
        chunk = replace(chunk, codes=np.where(turned, others[:, 0, :, 100:], chunk.codes))
    found = np.empty(n)
    for i in range(n):
        panel = [
            [
                None if (k, c) == (1, 0) else np.bincount(others[i, k, c, :100]).astype(float)
                for c in range(shape.cells)
            ]
            for k in range(3)
        ]
        null = PermutationNull(rng, 199, exact_limit=150)
        found[i] = panel_test(chunk.study(i), panel, null=null).p_value
    return at_levels(found, 2)


def _share(side: str, rng: np.random.Generator, n: int, alt: bool) -> Rejections:
    """A limit misses the true share .1; for the power it lies on the right side of one half."""
    true = (0.0 if side == "upper" else 1.0) if alt else 0.1
    p, q = (tables(rng, "mixed", n, 3) for _ in range(2))
    reference, suspect = drawn(rng, p, 20), drawn(rng, p, 20)
    suspect = np.where(rng.random(suspect.shape) < true, drawn(rng, q, 20), suspect)
    substitute = drawn(rng, q, 40)
    found = np.full((n, len(LEVELS)), 0.0)
    found[:, 2] = np.nan
    for i in range(n):
        seed = int(rng.integers(2**31))
        for column, alpha in enumerate(LEVELS[:2]):
            limits = share_limits(
                list(reference[i]),
                list(suspect[i]),
                list(substitute[i]),
                alpha=alpha,
                rng=np.random.default_rng(seed),
                resamples=199,
            )
            if side == "upper":
                hit = limits.upper < (0.5 if alt else true - 1e-9)
            else:
                hit = limits.lower > (0.0 if alt else true + 1e-9)
            found[i, column] = hit
            if not hit:
                break  # the limits of one seed are wider at a smaller level
    return found


def _foreign(true: float, rng: np.random.Generator, n: int, alt: bool) -> Rejections:
    """The lower limit of what anything else answers lies above the true share."""
    share = 0.9 if alt else true
    p, q = (tables(rng, "mixed", n, 4) for _ in range(2))
    reference, suspect = drawn(rng, p, 16), drawn(rng, p, 16)
    suspect = np.where(rng.random(suspect.shape) < share, drawn(rng, q, 16), suspect)
    found = np.full((n, len(LEVELS)), 0.0)
    found[:, 2] = np.nan
    for i in range(n):
        seed = int(rng.integers(2**31))
        for column, alpha in enumerate(LEVELS[:2]):
            limit = foreign_share(
                list(reference[i]),
                list(suspect[i]),
                alpha=alpha,
                rng=np.random.default_rng(seed),
                resamples=199,
            )
            found[i, column] = limit > (true if not alt else 0.0)
            if not found[i, column]:
                break
    return found


def _sequential(
    shape: Shape, panel: bool, taught: int, rng: np.random.Generator, n: int, alt: bool
) -> Rejections:
    """Highest wealth of swap betting over a stream that is looked at after every pair."""
    chunk = draw(rng, shape, n)
    size = 100 + shape.n + taught
    others = drawn(rng, tables(rng, shape.model, n, shape.cells), size)
    if alt:
        turned = (rng.random(chunk.codes.shape) < 0.8) & shape.suspect
        others_here = others[:, :, 100 : 100 + shape.n]
        chunk = replace(chunk, codes=np.where(turned, others_here, chunk.codes))
    suspect = shape.suspect
    found = np.empty(n)
    for i in range(n):
        members = []
        if panel:
            rows = [np.bincount(o[:100]) for o in others[i]]
            members = [{c: {k: int(v) for k, v in enumerate(r) if v} for c, r in enumerate(rows)}]
        betting = SwapBetting(members)
        x, y = chunk.codes[i][:, ~suspect].tolist(), chunk.codes[i][:, suspect].tolist()
        spare = taught if shape.ratio == 1 else 0
        for c in range(shape.cells):
            betting.learn(c, x[c][:spare])
        for k in range(spare, len(y[0])):
            for c in range(shape.cells):
                betting.bet(c, x[c][k], y[c][k])
        found[i] = betting.p_value
    return at_levels(found)


def _serial(kind: str, shape: Shape, rng: np.random.Generator, n: int, alt: bool) -> Rejections:
    if alt:
        changed = {"repeat": with_cache(shape, 0.4), "drift": replace(shape, drift=True)}
        shape = changed[kind]
    chunk = draw(rng, shape, n)
    null = PermutationNull(rng, 199)
    results = [serial_test(chunk.sequences(i, suspect=True), null=null) for i in range(n)]
    return at_levels(np.array([getattr(r, f"p_{kind}") for r in results]), 2)


_fisher = lru_cache(maxsize=100_000)(rates_differ)


def _rates(shape: Shape, rng: np.random.Generator, n: int, alt: bool) -> Rejections:
    chunk = draw(rng, replace(shape, fail=(0.1, 0.5)) if alt else shape, n)
    lost = [chunk.failed(suspect=s).tolist() for s in (False, True)]
    asked = [chunk.asked(suspect=s) for s in (False, True)]
    return at_levels(
        np.array([_fisher(a, asked[0], b, asked[1]) for a, b in zip(*lost, strict=True)])
    )


def _whole(shape: Shape, rng: np.random.Generator, n: int, alt: bool) -> Rejections:
    """Labels permuted within blocks, then everything: the label is ``different``."""
    way = Way(texts=True, sequential=True, permute=not alt)
    chunk = draw(rng, shape, n, other_words=1.0 if alt else 0.0)
    found = np.full((n, len(LEVELS)), np.nan)
    for i in range(n):
        for column, document in enumerate(way.documents(rng, chunk, i).values()):
            found[i, column] = document is not None and document.verdict.label == "different"
    return found


def _stress(shape: Shape, rng: np.random.Generator, n: int, alt: bool) -> Rejections:
    del alt
    chunk = draw(rng, shape, n)
    found = np.zeros((n, 3))
    for i in range(n):
        document = Way().document(rng, chunk, i, 0.01)
        found[i] = (
            rejects(document, 0.01),
            diagnosed(document),
            document.verdict.label == "different",
        )
    return found


def _met(shape: Shape, timeouts: float, rng: np.random.Generator, n: int, alt: bool) -> Rejections:
    """``timeouts`` is the suspect's failure rate on every second prompt, whatever it answers."""
    chunk = draw(rng, shape, n, other_words=1.0 if alt else 0.0)
    lost = (rng.random(chunk.kept.shape) < timeouts) & shape.suspect
    lost &= (np.arange(shape.cells) % 2 == 1)[:, None]
    return at_levels(peers.met(rng, replace(chunk, kept=chunk.kept & ~lost)))


def _ranks(m: int, rng: np.random.Generator, n: int, alt: bool) -> Rejections:
    value = peers.rank_test(rng, n, 100, m, 0.8 if alt else 0.0)
    return (value[:, None] >= np.array([peers.CRAMER_VON_MISES[a] for a in LEVELS])) * 1.0


def _plug_in(m: int, rng: np.random.Generator, n: int, alt: bool) -> Rejections:
    return at_levels(peers.plug_in_betting(rng, n, m, 0.3 if alt else 0.0))


FUSED = {
    "3 + 3 draws": (Shape(draws=3), 0.9),
    "peaked": (Shape("peaked", draws=5, cells=3), 0.9),
    "flat": (Shape("flat", draws=6, cells=3), 1.0),
    "Zipf": (Shape("zipf", draws=5, cells=3), 1.0),
    "two answers": (Shape("binary", draws=6, cells=3), 1.0),
    "one cell, 8 + 8": (Shape("zipf", draws=8, cells=1), 1.0),
    "12 : 3 draws": (Shape(draws=3, ratio=4, cells=2), 1.0),
    "uneven cells": (Shape(draws=5, cells=3, uneven=True), 0.9),
    "blocks 1:1": (Shape(draws=4, blocked=True), 1.0),
    "blocks 3:1": (Shape(draws=2, ratio=3, blocked=True, cells=3), 1.0),
    "drift shared by blocks": (Shape(draws=4, blocked=True, drift=True), 1.0),
    "failures 5% and 25%": (Shape(draws=5, cells=3, fail=(0.05, 0.25)), 0.9),
    "failures, blocks": (Shape(draws=5, cells=3, blocked=True, fail=(0.05, 0.25)), 1.0),
}
SMALL = {
    "2 + 2 draws": Shape(draws=2, cells=5),
    "6 : 2, blocks": Shape(draws=2, ratio=3, cells=4, blocked=True),
    "peaked, 8 + 8": Shape("peaked", draws=8, cells=2),
}
SMALL_TEXTS = {
    "2 + 2 draws": Shape(draws=2, cells=3),
    "6 : 2, blocks": Shape(draws=2, ratio=3, cells=2, blocked=True),
    "peaked, 6 + 6": Shape("peaked", draws=6, cells=1),
}
MIXED, PAIRS = Shape(draws=5, blocked=True), Shape(draws=15)
STRESS = {
    "cache repeats 10%": Shape(cells=12, draws=10, blocked=True, cache=0.1),
    "cache repeats 30%": Shape(cells=12, draws=10, blocked=True, cache=0.3),
    "sticky routing, two models": Shape(cells=12, draws=10, blocked=True, sticky=0.95),
    "drift, not blocked": Shape(cells=12, draws=10, drift=True),
    "failures hang on content": Shape(
        cells=12, draws=10, blocked=True, fail=(0.0, 0.3), fail_on_content=True
    ),
}


def _rows() -> list[Row]:
    rows = [
        Row(
            f"fused, {name}",
            partial(_batch, shape, effect, True),
            runs=MANY,
            rest=partial(_batch, shape, effect, False),
        )
        for name, (shape, effect) in FUSED.items()
    ]
    few, wide = Shape(draws=3, cells=2, blocked=True), Shape(draws=1, ratio=2, cells=5)
    rows += [
        Row("fused text, blocks 1:1", partial(_direct, TEXT, few)),
        Row("fused text, 2 : 1 draws", partial(_direct, TEXT, wide)),
        Row(
            "fused with log probabilities and scores",
            partial(_direct, (*CATEGORICAL, FIRST_TOKEN, LIKELIHOOD), replace(few, draws=5)),
        ),
        Row("Holm over 3 families", partial(_holm, Shape(draws=5, cells=3))),
        Row("panel of 3", partial(_panel, replace(MIXED, draws=4))),
        Row("panel of 3, 12 : 3 draws", partial(_panel, Shape(draws=3, ratio=4, cells=3))),
        Row("upper limit of a substitute's share", partial(_share, "upper")),
        Row("lower limit of a substitute's share", partial(_share, "lower")),
        Row("share of anything else, none", partial(_foreign, 0.0)),
        Row("share of anything else, .1", partial(_foreign, 0.1)),
        Row("sequential, no panel", partial(_sequential, PAIRS, False, 0)),
        Row("sequential, panel", partial(_sequential, PAIRS, True, 0)),
        Row("sequential, unpaired draws learnt from", partial(_sequential, PAIRS, True, 5)),
        Row(
            "sequential, drift shared by blocks",
            partial(_sequential, replace(PAIRS, blocked=True, drift=True), True, 0),
        ),
        Row("repeats", partial(_serial, "repeat", Shape(cells=4, draws=8))),
        Row("drift", partial(_serial, "drift", Shape(cells=4, draws=8, blocked=True))),
        Row("failure rates (Fisher)", partial(_rates, Shape(cells=4, draws=8, fail=(0.1, 0.1)))),
    ]
    rows += [
        Row(f"{name}, {label}", partial(_instrument, name, shape))
        for name, instrument in INSTRUMENTS.items()
        for label, shape in (SMALL_TEXTS if instrument.reads == "texts" else SMALL).items()
    ]
    rows.append(
        Row(
            "whole pipeline, labels permuted",
            partial(_whole, Shape(cells=3, draws=6, blocked=True, drift=True, fail=(0.03, 0.06))),
        )
    )
    rows += [
        Row("MET as released", partial(_met, Shape(draws=4), 0.0), "peer"),
        Row("MET as released, time-outs", partial(_met, Shape(draws=25), 0.6), "peer", 2_000),
        *(Row(f"rank test, {m} reference draws", partial(_ranks, m), "peer") for m in (3, 5, 10)),
        *(Row(f"plug-in betting, {m} draws", partial(_plug_in, m), "peer") for m in (15, 25, 50)),
    ]
    rows += [Row(name, partial(_stress, shape), "stress", 1_000) for name, shape in STRESS.items()]
    return rows


ROWS = {row.name: row for row in _rows()}


def chunk_of(row: Row) -> int:
    """Studies in one call: enough to spread the cost, few enough for memory."""
    return 200 if row.group != "stress" else 50


__all__ = ["LEVELS", "MANY", "ROWS", "SETTLES", "Chunk", "Row", "chunk_of"]
