"""What the rows of the table of false alarms run: studies drawn, and read by one test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import _fused_batch
import _null_peers as peers
import numpy as np
from _null_studies import Shape, draw, drawn, tables, values_of, with_cache
from _whole_way import Way, diagnosed, rejects, timed_observations
from numpy.typing import NDArray

from provenance.attribution.order import examine_order
from provenance.stats.contrasts import Excess, PairedDraws, excess_over
from provenance.stats.fused import fused_test
from provenance.stats.imputation import rates_differ
from provenance.stats.instruments import INSTRUMENTS
from provenance.stats.layout import CellDraws
from provenance.stats.multiplicity import holm
from provenance.stats.parts import FIRST_TOKEN, LIKELIHOOD, TEXT
from provenance.stats.permutation import PermutationNull
from provenance.stats.ranks import conformal_rank, distances_at_equal_n
from provenance.stats.sequential import SwapBetting
from provenance.stats.serial import serial_test
from provenance.stats.substitutes import foreign_share, panel_test, share_limits
from provenance.stats.switch import switch_test

LEVELS = (0.05, 0.01, 0.001)
Rejections = NDArray[np.float64]


def at_levels(p: NDArray[np.float64], levels: int = len(LEVELS)) -> Rejections:
    """Rejections of p-values; levels beyond the first ``levels`` are not tested."""
    found = (p[:, None] <= np.array(LEVELS) + 1e-12).astype(np.float64)
    found[:, levels:] = np.nan
    return found


def run_batch(
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


def run_direct(
    kernels: tuple[str, ...], shape: Shape, rng: np.random.Generator, n: int, alt: bool
) -> Rejections:
    """`fused_test` itself, 199 relabellings."""
    chunk = draw(rng, shape, n, changed="words" if alt else "")
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


def run_holm(shape: Shape, rng: np.random.Generator, n: int, alt: bool) -> Rejections:
    """Three families of a study, adjusted."""
    chunk = draw(rng, shape, n, dilute=1.0 if alt else 0.0)
    found = np.empty(n)
    for i in range(n):
        cells = chunk.study(i)
        null = PermutationNull(rng, 399, exact_limit=150)
        families = [fused_test(cells[k::3], null=null).p_value for k in range(3)]
        found[i] = holm(families).min()
    return at_levels(found, 2)


# What the suspect becomes for the power of instruments that another model's words hardly move.
EFFECTS = {
    "rarity": "scattered",
    "border": "tipped",
    "border_halves": "tipped",
    "length": "one",
    "first_difference": "one",
}


def run_instrument(
    name: str, shape: Shape, rng: np.random.Generator, n: int, alt: bool
) -> Rejections:
    """Besag–Clifford at the tenth exceedance: reaches .001 and stops most nulls early."""
    chunk = draw(rng, shape, n, changed=EFFECTS.get(name, "words") if alt else "")
    test, reads = INSTRUMENTS[name].test, INSTRUMENTS[name].reads
    null = PermutationNull(rng, 999, exact_limit=150, stop_at=10)
    return at_levels(
        np.array([test(chunk.study(i, reads, rng), null=null).p_value for i in range(n)])
    )


def run_panel(shape: Shape, rng: np.random.Generator, n: int, alt: bool) -> Rejections:
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


def run_share(side: str, rng: np.random.Generator, n: int, alt: bool) -> Rejections:
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


def run_foreign(true: float, rng: np.random.Generator, n: int, alt: bool) -> Rejections:
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


def run_sequential(
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


def run_serial(kind: str, shape: Shape, rng: np.random.Generator, n: int, alt: bool) -> Rejections:
    if alt:
        changed = {"repeat": with_cache(shape, 0.4), "drift": replace(shape, drift=True)}
        shape = changed[kind]
    chunk = draw(rng, shape, n)
    null = PermutationNull(rng, 199)
    results = [serial_test(chunk.sequences(i, suspect=True), null=null) for i in range(n)]
    return at_levels(np.array([getattr(r, f"p_{kind}") for r in results]), 2)


def run_order(shape: Shape, rng: np.random.Generator, n: int, alt: bool) -> Rejections:
    """What a study says of copies: both sides, categories and texts, adjusted for all four."""
    chunk = draw(rng, with_cache(shape, 0.4) if alt else shape, n)
    rules = {"minimum_resamples": 499, "serial_alpha": 0.01}
    found = np.empty(n)
    for i in range(n):
        seed = int(rng.integers(2**31))
        order = examine_order(timed_observations(chunk, i, rng), rules=rules, seed=seed)
        found[i] = min(p for p, _ in order.repeats.values())
    return at_levels(found, 2)


def run_switch(shape: Shape, rng: np.random.Generator, n: int, alt: bool) -> Rejections:
    """At which moment did the suspect change: half of its draws come from elsewhere."""
    chunk = draw(rng, shape, n)
    codes = chunk.codes[:, :, shape.suspect]
    if alt:
        other = drawn(rng, tables(rng, shape.model, n, shape.cells), codes.shape[2])
        codes = np.where(np.arange(codes.shape[2]) < codes.shape[2] // 2, codes, other)
    times = [np.arange(codes.shape[2]) * 1.0] * shape.cells
    return at_levels(
        np.array([switch_test(list(c), times, resamples=199, rng=rng).p_value for c in codes]), 2
    )


def run_anchored(
    test: Callable[[list[PairedDraws], int], Excess],
    cells: int,
    rng: np.random.Generator,
    n: int,
    alt: bool,
) -> Rejections:
    """A suspect and two anchors on two hosts that answer alike; 4 draws a side and cell."""
    pairs, draws = 3, 4
    p = tables(rng, "mixed", n, cells * pairs).reshape(n, cells, pairs, -1)
    codes = drawn(rng, np.repeat(p, 2, axis=2), draws)
    if alt:  # the suspect, or both anchors, are another model on the second host
        q = drawn(rng, tables(rng, "mixed", n, cells * pairs).reshape(p.shape), draws)
        changed = [0] if test is excess_over else [1, 2]
        for pair in changed:
            codes[:, :, 2 * pair + 1] = q[:, :, pair]
    side = np.repeat(np.arange(2 * pairs), draws)
    codes = codes.reshape(n, cells, -1)
    found = np.empty(n)
    for i in range(n):
        studied = [
            PairedDraws((c[:, None] == c[None]) * 1.0, side // 2, side % 2 == 1) for c in codes[i]
        ]
        found[i] = test(studied, pairs).p_value
    return at_levels(found)


def run_band(rng: np.random.Generator, n: int, alt: bool) -> Rejections:
    """Rank of a benign pair's distance among those of 19 known ones, each of other numbers."""
    known, cells = 19, 2
    p = tables(rng, "mixed", n * (known + 1), cells).reshape(n, known + 1, cells, -1)
    codes = drawn(rng, np.repeat(p, 2, axis=2), 6).reshape(n, known + 1, cells, 2, 6)
    if alt:
        other = drawn(rng, tables(rng, "mixed", n, cells), 6)
        codes[:, 0, :, 1] = other
    counts = (codes[..., None] == np.arange(p.shape[-1])).sum(axis=-2)
    found = np.empty(n)
    for i in range(n):
        distances = distances_at_equal_n([list(pair) for pair in counts[i]], rng)
        found[i] = conformal_rank(distances[0], distances[1:], alpha=0.05).p_value
    return at_levels(found, 1)


_fisher = lru_cache(maxsize=100_000)(rates_differ)


def run_rates(shape: Shape, rng: np.random.Generator, n: int, alt: bool) -> Rejections:
    chunk = draw(rng, replace(shape, fail=(0.1, 0.5)) if alt else shape, n)
    lost = [chunk.failed(suspect=s).tolist() for s in (False, True)]
    asked = [chunk.asked(suspect=s) for s in (False, True)]
    return at_levels(
        np.array([_fisher(a, asked[0], b, asked[1]) for a, b in zip(*lost, strict=True)])
    )


def run_whole(shape: Shape, rng: np.random.Generator, n: int, alt: bool) -> Rejections:
    """Labels permuted within blocks, then everything: the label is ``different``."""
    way = Way(texts=True, sequential=True, permute=not alt)
    chunk = draw(rng, shape, n, changed="words" if alt else "")
    found = np.full((n, len(LEVELS)), np.nan)
    for i in range(n):
        for column, document in enumerate(way.documents(rng, chunk, i).values()):
            found[i, column] = document is not None and document.verdict.label == "different"
    return found


def run_stress(shape: Shape, rng: np.random.Generator, n: int, alt: bool) -> Rejections:
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


def run_met(
    shape: Shape, timeouts: float, rng: np.random.Generator, n: int, alt: bool
) -> Rejections:
    """``timeouts`` is the suspect's failure rate on every second prompt, whatever it answers."""
    chunk = draw(rng, shape, n, changed="words" if alt else "")
    lost = (rng.random(chunk.kept.shape) < timeouts) & shape.suspect
    lost &= (np.arange(shape.cells) % 2 == 1)[:, None]
    return at_levels(peers.met(rng, replace(chunk, kept=chunk.kept & ~lost)))


def run_ranks(m: int, rng: np.random.Generator, n: int, alt: bool) -> Rejections:
    value = peers.rank_test(rng, n, 100, m, 0.8 if alt else 0.0)
    return (value[:, None] >= np.array([peers.CRAMER_VON_MISES[a] for a in LEVELS])) * 1.0


def run_plug_in(m: int, rng: np.random.Generator, n: int, alt: bool) -> Rejections:
    return at_levels(peers.plug_in_betting(rng, n, m, 0.3 if alt else 0.0))
