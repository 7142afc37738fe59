"""Several tests behind one decision."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def holm(p_values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Holm's adjusted p-values.

    Rejecting where the adjusted value is at most α keeps the chance of any false rejection at
    most α, whatever the dependence between the tests (Holm 1979).

    Parameters
    ----------
    p_values
        Shape (m,), in (0, 1].

    Returns
    -------
    ndarray
        Shape (m,), in the order given, in (0, 1].

    Raises
    ------
    ValueError
        If a p-value lies outside (0, 1].
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not ((p > 0) & (p <= 1)).all():
        raise ValueError("expected p-values in (0, 1], in one row")
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def resamples_needed(alpha: float, hypotheses: int) -> int:
    """Smallest B with B + 1 ≥ m/α: with fewer, Holm over m permutation tests cannot reject.

    Raises
    ------
    ValueError
        If α is not in (0, 1) or there is no hypothesis.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"expected alpha in (0, 1), found {alpha}")
    if hypotheses < 1:
        raise ValueError(f"expected at least one hypothesis, found {hypotheses}")
    # Without the slack 3/.01 rounds up to 300.00000000000006.
    return max(1, math.ceil(hypotheses / alpha - 1e-9) - 1)
