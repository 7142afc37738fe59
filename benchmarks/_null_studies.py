"""Simulated studies for the table of false alarms: many at once, as arrays.

Every probability table, answer, failure and copy of a chunk of studies is drawn in one call; a
study is then a slice. Answers are categories; texts, scores and log probabilities are drawn given
the category, so that every instrument reads the same studies.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from provenance.stats.layout import CellDraws

CATEGORIES = 30
# Another model's words: the suspect's answers move by so many categories.
OTHER_WORDS = 6
# The answer of a suspect that always says the same: the longest.
ONE = CATEGORIES + OTHER_WORDS - 1
_VARIANTS = 16


@dataclass(frozen=True)
class Shape:
    """How the studies of a row are drawn.

    Attributes
    ----------
    model
        peaked, flat, zipf, binary, or mixed: peaked, flat and zipf in turn.
    draws, ratio
        Suspect draws a cell, and reference draws to each of them.
    blocked
        Whether ``ratio`` reference draws and one suspect draw stand in a block.
    uneven
        Cell c loses c % 3 of its suspect draws, and their reference draws.
    sizes
        Reference and suspect draws of each cell in turn, where they are fewer; (): all.
    restart
        In the first three quarters of the blocks the reference has one draw a block, whatever it
        would have answered; then all its draws, and both sides answer from other tables.
    drift
        Answers move to other tables over the study, for both sides alike; without blocks the
        suspect is asked when the reference is done.
    fail, fail_on_content
        Failure rates of the sides; with the second, thrice that and for the commonest answer only.
    cache
        Share of the suspect's draws that repeat the one before.
    sticky
        Each side's requests are answered by one of two replicas; the next request goes to the same
        one with this probability. 0: one replica.
    """

    model: str = "mixed"
    cells: int = 4
    draws: int = 4
    ratio: int = 1
    blocked: bool = False
    uneven: bool = False
    sizes: tuple[tuple[int, int], ...] = ()
    restart: bool = False
    drift: bool = False
    fail: tuple[float, float] = (0.0, 0.0)
    fail_on_content: bool = False
    cache: float = 0.0
    sticky: float = 0.0

    @property
    def n(self) -> int:
        """Draws a cell."""
        return self.draws * (1 + self.ratio)

    @property
    def suspect(self) -> NDArray[np.bool_]:
        """Labels of a cell's draws: block after block, the suspect's last in each."""
        return np.tile(np.arange(1 + self.ratio) == self.ratio, self.draws)

    @property
    def block(self) -> NDArray[np.intp]:
        """Block of a cell's draws."""
        return np.repeat(np.arange(self.draws), 1 + self.ratio)


@dataclass(frozen=True)
class Chunk:
    """Studies of one shape: codes and kept, shape (studies, cells, n)."""

    shape: Shape
    codes: NDArray[np.intp]
    kept: NDArray[np.bool_]

    def study(self, i: int, reads: str = "categories", rng: object = None) -> list[CellDraws]:
        """One study as the library takes it; ``reads`` as `Instrument.reads`."""
        label, block = self.shape.suspect, self.shape.block
        cells = []
        for codes, kept in zip(self.codes[i], self.kept[i], strict=True):
            drawn = codes[kept]
            cells.append(
                CellDraws(
                    drawn,
                    texts_of(drawn, rng) if reads == "texts" else (),
                    label[kept],
                    block[kept] if self.shape.blocked else None,
                    values_of(drawn, reads, rng) if reads in ("score", "logprobs") else None,
                )
            )
        return cells

    def sequences(self, i: int, *, suspect: bool) -> list[NDArray[np.intp]]:
        """Answers of a side in time, cell by cell."""
        mine = self.shape.suspect == suspect
        return [c[k & mine] for c, k in zip(self.codes[i], self.kept[i], strict=True)]

    def failed(self, *, suspect: bool) -> NDArray[np.intp]:
        """Failures of a side, study by study."""
        mine = self.shape.suspect == suspect
        return (~self.kept[:, :, mine]).sum(axis=(1, 2))

    def asked(self, *, suspect: bool) -> int:
        """Requests of a side in one study."""
        return int((self.shape.suspect == suspect).sum()) * self.shape.cells


def tables(rng: np.random.Generator, model: str, studies: int, cells: int) -> NDArray[np.float64]:
    """Random answer tables, shape (studies, cells, `CATEGORIES`)."""
    p = np.zeros((studies, cells, CATEGORIES))
    for c in range(cells):
        kind = ("peaked", "flat", "zipf")[c % 3] if model == "mixed" else model
        if kind == "peaked":
            p[:, c, :12] = rng.dirichlet(np.full(12, 0.08), size=studies) + 1e-12
        elif kind == "flat":
            p[:, c, :12] = rng.dirichlet(np.full(12, 3.0), size=studies)
        elif kind == "binary":
            p[:, c, 0] = rng.uniform(0.03, 0.97, size=studies)
            p[:, c, 1] = 1 - p[:, c, 0]
        else:
            weights = 1 / np.arange(1, CATEGORIES + 1) ** 1.3
            p[:, c] = rng.permuted(np.tile(weights, (studies, 1)), axis=1)
    return p / p.sum(axis=2, keepdims=True)


def drawn(rng: np.random.Generator, p: NDArray[np.float64], n: int) -> NDArray[np.intp]:
    """``n`` draws of every table, shape (…, n)."""
    cumulated = np.cumsum(p, axis=-1)
    u = rng.random((*p.shape[:-1], n)) * cumulated[..., -1:]
    return (u[..., None] >= cumulated[..., None, :]).sum(axis=-1).astype(np.intp)


def draw(
    rng: np.random.Generator,
    shape: Shape,
    studies: int,
    *,
    dilute: float = 0.0,
    changed: str = "",
) -> Chunk:
    """Draw studies; with the last two the sides differ.

    Parameters
    ----------
    dilute
        Share of the suspect's answers that come from other tables.
    changed
        What becomes of the suspect's answers: ``words`` another model's; ``one`` always `ONE`;
        ``scattered`` any; ``tipped`` nine in ten are the cell's second favourite.
    """
    p = tables(rng, shape.model, studies, shape.cells)
    codes = drawn(rng, p, shape.n)
    label, block = shape.suspect, shape.block
    if shape.drift or shape.sticky or shape.restart:
        later = drawn(rng, tables(rng, shape.model, studies, shape.cells), shape.n)
        codes = np.where(_elsewhere(rng, shape, codes.shape), later, codes)
    if dilute:
        q = drawn(rng, tables(rng, shape.model, studies, shape.cells), shape.n)
        codes = np.where((rng.random(codes.shape) < dilute) & label, q, codes)
    if changed:
        codes = np.where(label, _changed(rng, codes, p, changed), codes)
    if shape.cache:
        mine = np.flatnonzero(label)
        for before, now in itertools.pairwise(mine):
            copied = rng.random(codes.shape[:2]) < shape.cache
            codes[:, :, now] = np.where(copied, codes[:, :, before], codes[:, :, now])
    rate = np.where(label, shape.fail[1], shape.fail[0])
    if shape.fail_on_content:
        rate = 3 * rate * (codes == p.argmax(axis=2)[:, :, None])
    kept = rng.random(codes.shape) >= rate
    if shape.uneven:
        kept &= block < (shape.draws - np.arange(shape.cells) % 3)[:, None]
    if shape.sizes:
        rank = np.where(label, np.cumsum(label), np.cumsum(~label)) - 1
        most = np.array([shape.sizes[c % len(shape.sizes)] for c in range(shape.cells)])
        kept &= rank < np.where(label, most[:, 1:], most[:, :1])
    if shape.restart:
        first = np.tile(np.arange(1 + shape.ratio) == 0, shape.draws)
        kept &= label | first | _restarted(shape)
    return Chunk(shape, codes, kept)


def _changed(
    rng: np.random.Generator, codes: NDArray[np.intp], p: NDArray[np.float64], how: str
) -> NDArray[np.intp]:
    """What the suspect answers instead."""
    if how == "words":
        return codes + OTHER_WORDS
    if how == "one":
        return np.full_like(codes, ONE)
    if how == "scattered":
        return rng.integers(CATEGORIES, size=codes.shape)
    if how == "tipped":
        second = p.argsort(axis=2)[:, :, -2:-1]
        return np.where(rng.random(codes.shape) < 0.9, second, codes)
    raise ValueError(f"expected words, one, scattered or tipped, found {how!r}")


def _elsewhere(rng: np.random.Generator, shape: Shape, size: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which draws the other tables answer."""
    studies, cells, n = size
    if shape.sticky:
        # Rounds of all cells, as studies are asked: a request follows one of another cell.
        follows = rng.random((studies, 2, shape.draws * shape.ratio * cells)) < shape.sticky
        fresh = rng.random(follows.shape) < 0.5
        place = np.where(~follows, np.arange(follows.shape[2]), 0)
        place = np.maximum.accumulate(place, axis=2)
        state = np.take_along_axis(fresh, place, axis=2)
        found = np.zeros(size, dtype=np.bool_)
        for side in (0, 1):
            mine = np.flatnonzero(shape.suspect == bool(side))
            chain = state[:, side, : len(mine) * cells].reshape(studies, len(mine), cells)
            found[:, :, mine] = chain.transpose(0, 2, 1)
        return found
    if shape.restart:
        return np.broadcast_to(_restarted(shape), size)
    if shape.blocked:
        share = shape.block / shape.draws
    else:
        time = np.empty(n)
        for side in (False, True):
            mine = shape.suspect == side
            time[mine] = (side + np.linspace(0, 1, int(mine.sum()))) / 2
        share = time
    return np.asarray(rng.random(size) < share)


def _restarted(shape: Shape) -> NDArray[np.bool_]:
    return 4 * shape.block >= 3 * shape.draws


def _text(code: int, variant: int) -> str:
    words = " ".join(f"w{(code * 5 + (variant >> i) % 3) % 17}" for i in range(3 + code % 9))
    return f"{'abcdefg'[code % 7]} {words}"


_TEXTS = [[_text(c, v) for v in range(_VARIANTS)] for c in range(CATEGORIES + OTHER_WORDS)]


def texts_of(codes: NDArray[np.intp], rng: np.random.Generator) -> tuple[str, ...]:
    """Texts whose beginning, words and length depend on the category; 16 a category."""
    variants = rng.integers(_VARIANTS, size=len(codes))
    return tuple(_TEXTS[c][v] for c, v in zip(codes.tolist(), variants.tolist(), strict=True))


def values_of(codes: NDArray[np.intp], reads: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """Scores with many ties, or log probabilities of five tokens of which some are not listed."""
    if reads == "score":
        return np.round(-np.log1p(codes) - rng.exponential(0.3, len(codes)), 1)[:, None]
    values = -0.2 * codes[:, None] - rng.exponential(0.2, (len(codes), 5)) - 0.3
    # The first is always listed: what no draw lists is not compared.
    missing = rng.random(values.shape) < 0.1
    missing[:, 0] = False
    return np.where(missing, np.nan, values)


def with_cache(shape: Shape, cache: float) -> Shape:
    """The same shape, some draws copied."""
    return replace(shape, cache=cache)
