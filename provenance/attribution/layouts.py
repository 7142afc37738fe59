"""Which pairs of bundles are laid out so unlike that they are not compared as they stand.

The rule, and what it is for: `provenance.library.space.formats.mismatch`. Here it is applied to
every pair of two lists at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from provenance.library.space.formats import EXPECTED, OFTEN, SELDOM, Formats

__all__ = ["CANONICAL", "MOST_UNLIKE", "RAW", "unlike"]

RAW, CANONICAL = "raw", "canonical"
# log10 of the largest ratio of two texts of unlike format, in the canonical view: one of them may
# have been re-formatted, and calibrations hold no such pair. Of known pairs whose suspect was,
# .7% of other makers had a ratio above 10 without this limit (`benchmarks/attribution.py`).
MOST_UNLIKE = 1.0


def unlike(a: Sequence[Formats | None], b: Sequence[Formats | None]) -> NDArray[np.bool_]:
    """`mismatch` of every pair, shape (len(a), len(b)); False where a format is not known."""
    n, share = _shares(a)
    m, other = _shares(b)
    high = np.maximum(share[:, None, :], other[None, :, :])
    low = np.minimum(share[:, None, :], other[None, :, :])
    # Outputs of the side that has the class less often.
    fewer = np.where(share[:, None, :] > other[None, :, :], m[None, :, None], n[:, None, None])
    strange: NDArray[np.bool_] = (high >= OFTEN) & (low < SELDOM * high)
    strange &= fewer * high >= EXPECTED
    return np.asarray(strange.any(axis=-1), dtype=bool)


def _shares(bundles: Sequence[Formats | None]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    known = next((f for f in bundles if f is not None), None)
    width = 0 if known is None else len(known.having)
    n = np.array([0 if f is None else f.n for f in bundles], dtype=np.float64)
    having = [np.full(width, np.nan) if f is None else f.having for f in bundles]
    table = np.array(having, dtype=np.float64).reshape(len(bundles), width)
    return n, table / np.maximum(1, n)[:, None]
