"""Stable hashes: from tokens to 64 bits, from runs of tokens to columns.

Python's own ``hash`` differs from process to process; these do not. Tokens are hashed by BLAKE2b,
n-grams of token hashes by a multiplicative mix in NumPy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from provenance.signatures.base import WIDTH, Counts

# A token is hashed by so many characters, so that the cache below stays within some 30 MB.
TOKEN_CHARACTERS = 96
_SHIFT = np.uint64(64 - (WIDTH.bit_length() - 1))
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_ORDER = 0xC2B2AE3D27D4EB4F
_FOLD = np.uint64(29)


@lru_cache(maxsize=1 << 17)
def token_hash(token: str) -> int:
    """64 bits of a token, from its first `TOKEN_CHARACTERS` characters."""
    raw = token[:TOKEN_CHARACTERS].encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), "little")


def hashes(tokens: Sequence[str]) -> NDArray[np.uint64]:
    """`token_hash` of each token."""
    return np.fromiter(map(token_hash, tokens), dtype=np.uint64, count=len(tokens))


def ngram_hashes(codes: NDArray[np.uint64], orders: Iterable[int]) -> NDArray[np.uint64]:
    """Hashes of all runs of ``codes`` whose length is in ``orders``; runs of two lengths differ.

    Parameters
    ----------
    codes
        Hashes or code points of a sequence.
    orders
        Lengths, from 1.

    Returns
    -------
    ndarray
        One hash a run, all orders after each other.
    """
    wanted = set(orders)
    parts: list[NDArray[np.uint64]] = []
    run = np.zeros(len(codes), dtype=np.uint64)
    for order in range(1, max(wanted, default=0) + 1):
        if len(codes) < order:
            break
        run = _mixed(run[: len(codes) - order + 1] ^ codes[order - 1 :])
        if order in wanted:
            parts.append(_mixed(run ^ np.uint64(_ORDER * order % (1 << 64))))
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint64)


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    multiplied = values * _MULTIPLIER
    return multiplied ^ (multiplied >> _FOLD)


def counted(hashed: NDArray[np.uint64]) -> Counts:
    """How often each column occurs; the column is the top 22 bits of a hash."""
    columns, counts = np.unique((hashed * _MULTIPLIER) >> _SHIFT, return_counts=True)
    return Counts(columns.astype(np.int64), counts.astype(np.float64))
