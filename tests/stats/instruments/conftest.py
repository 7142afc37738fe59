"""Cells of every ugly shape, drawn for any instrument."""

import numpy as np
import pytest

from provenance.stats.layout import CellDraws

# Reference draws, suspect draws, blocks, exponents of a Zipf law (large: peaked, 0: flat).
SHAPES = {
    "2 + 2 draws": [(2, 2, False, 1.0)] * 6,
    "peaked": [(5, 5, False, 4.0)] * 5,
    "flat": [(4, 4, False, 0.0)] * 4,
    "unequal": [(7, 2, False, 1.0), (2, 5, False, 1.0), (1, 3, False, 1.0)] * 2,
    "blocks": [(6, 3, True, 1.0)] * 4,
}
CATEGORIES = 12


def text(code, rng):
    """Answers of one category begin alike, and are longer the larger the code."""
    words = [f"w{(code * 5 + i) % 17}" for i in rng.integers(0, 3, 3 + code)]
    return f"{'abcd'[code % 4]} {' '.join(words)}"


def draw(rng, shape, reads, *, effect=0.0):
    """Cells of a named shape; with ``effect`` that share of suspect draws is category-shifted."""
    cells = []
    for n, m, blocked, exponent in SHAPES[shape]:
        p = 1 / np.arange(1, CATEGORIES + 1) ** exponent
        codes = rng.choice(CATEGORIES, n + m, p=p / p.sum())
        labels = np.repeat([False, True], [n, m])
        moved = labels & (rng.random(n + m) < effect)
        codes = np.where(moved, CATEGORIES - 1 - codes // 4, codes)
        values = None
        if reads == "score":
            # Few distinct scores: ties are the rule.
            values = -np.round(np.log1p(codes) + rng.integers(0, 2, n + m))[:, None]
        elif reads == "logprobs":
            values = -0.1 * codes[:, None] - rng.exponential(0.2, (n + m, 4)) - 0.5
            values[rng.random(values.shape) < 0.1] = np.nan
        cells.append(
            CellDraws(
                codes.astype(np.intp),
                tuple(text(c, rng) for c in codes) if reads == "texts" else (),
                labels,
                np.concatenate([np.arange(n) // 2, np.arange(m)]) if blocked else None,
                values,
            )
        )
    return cells


def alternative(rng, name):
    """The difference that an instrument is for, where it is blind to the plain one by design.

    "rarity" looks for rare answers: a peaked reference, a suspect that spreads. "border_halves"
    needs reference draws to learn from: a stored reference whose two favourites nearly tie, a
    suspect that has settled for one.
    """
    cells = []
    for _ in range(6):
        if name == "rarity":
            n, m, p, q = 6, 6, _zipf(2.0), _zipf(0.3)
        else:
            n, m, p, q = 20, 4, np.array([0.5, 0.4, 0.1]), np.array([0.1, 0.8, 0.1])
        codes = np.concatenate([rng.choice(len(p), n, p=p), rng.choice(len(q), m, p=q)])
        cells.append(CellDraws(codes.astype(np.intp), (), np.arange(n + m) >= n, None))
    return cells


def _zipf(exponent):
    p = 1 / np.arange(1, CATEGORIES + 1) ** exponent
    return p / p.sum()


@pytest.fixture(params=sorted(SHAPES))
def shape(request):
    return request.param
