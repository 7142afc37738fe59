"""Weights rounded in blocks as llama.cpp's K-quants do, in numpy.

The package gguf makes none of them, and prebuilt llama.cpp with its quantiser needs a newer C
library than many machines have. The scheme is that of the K-quants: sub-blocks of 32 (16 at 3 and
6 bits) weights with a scale, and below 6 bits (but 3) a minimum, which are themselves rounded to 6
bits (8 at 6) against the largest of their super-block; the scale is searched for the least squared
error. Two things differ. Super-blocks have 192 weights, not 256, for the rows of this model have
576: llama.cpp falls back to other kinds there, here every matrix is rounded alike. And squared
errors are not weighed by importance. So a rung is named by its bits, not "Q4_K".
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import local_models
import numpy as np
from numpy.typing import NDArray

BITS = (6, 5, 4, 3, 2)
_SUPER = 192
_SHRINK = np.linspace(0.7, 1.1, 9)
Weights = NDArray[np.float32]


def block_rounded(source: Path, bits: int, out: Path) -> Path:
    """A GGUF file as F16 whose matrices have at most 2**bits values a sub-block."""
    import gguf

    return local_models._derived(
        source,
        out,
        f"blocks of {bits} bits",
        gguf.GGMLQuantizationType.F16,
        lambda weights: rounded(weights, bits),
    )


def rounded(weights: Weights, bits: int) -> Weights:
    """Nearest values of the format, in the shape of ``weights``.

    Raises
    ------
    ValueError
        If rows are no multiple of 192 long.
    """
    if weights.shape[-1] % _SUPER:
        raise ValueError(f"expected rows of a multiple of {_SUPER}, found {weights.shape[-1]}")
    symmetric = bits in (3, 6)
    size = 16 if symmetric else 32
    out = np.empty_like(weights).reshape(-1, _SUPER)
    rows = weights.reshape(-1, _SUPER)
    for start in range(0, len(rows), 20_000):
        part = rows[start : start + 20_000].reshape(-1, _SUPER // size, size)
        made = _signed(part, bits) if symmetric else _with_minimum(part, bits)
        out[start : start + 20_000] = made.reshape(-1, _SUPER)
    return out.reshape(weights.shape)


def _signed(blocks: Weights, bits: int) -> Weights:
    """x ≈ d·q, q in −2**(bits−1) … 2**(bits−1)−1."""
    top = 2 ** (bits - 1)
    at = np.abs(blocks).argmax(axis=2)[..., None]
    largest = np.take_along_axis(blocks, at, axis=2)
    return _best(
        blocks,
        lambda shrink: _levels(shrink * largest / -top, 8 if bits == 6 else 6, signed=True),
        np.zeros_like(largest),
        (-top, top - 1),
    )


def _with_minimum(blocks: Weights, bits: int) -> Weights:
    """x ≈ d·q − m, q in 0 … 2**bits−1, m ≥ 0."""
    top = 2**bits - 1
    low = np.minimum(blocks.min(axis=2, keepdims=True), 0)
    high = np.maximum(blocks.max(axis=2, keepdims=True), 0)
    minimum = -_levels(-low, 6, signed=False)
    return _best(
        blocks,
        lambda shrink: _levels(shrink * (high - low) / top, 6, signed=False),
        minimum,
        (0, top),
    )


def _best(
    blocks: Weights,
    scale_of: Callable[[np.float32], Weights],
    minimum: Weights,
    limits: tuple[int, int],
) -> Weights:
    """The scale of each sub-block with the least squared error."""
    best, least = np.zeros_like(blocks), np.full(blocks.shape[:2], np.inf, dtype=np.float32)
    for shrink in _SHRINK.astype(np.float32):
        scale = scale_of(shrink)
        step = np.where(scale == 0, 1, scale)
        made = scale * np.clip(np.rint((blocks - minimum) / step), *limits) + minimum
        error = ((made - blocks) ** 2).sum(axis=2)
        better = error < least
        best[better], least[better] = made[better], error[better]
    return best


def _levels(values: Weights, bits: int, *, signed: bool) -> Weights:
    """Values of a super-block rounded to so many bits against the largest of them, in F16."""
    top = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
    unit = np.abs(values).max(axis=1, keepdims=True) / top
    unit = unit.astype(np.float16).astype(np.float32)
    return np.rint(values / np.where(unit == 0, 1, unit)) * unit
