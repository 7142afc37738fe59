"""Sketches of answers: what two answers to one prompt are compared by where no text is kept.

Runs of words and of the skeleton, counted in the canonical view (a re-formatted answer has nearly
the sketch of the original), as log(1 + count), each channel a row of length 1. A channel is added
up with random signs into 256 numbers, one signed byte each: a *count sketch* (Charikar, Chen &
Farach-Colton 2002), whose inner products estimate those of the rows with a standard error of about
1/16 for one answer; over n prompts it is 1/√n of that. Nothing is fitted, so sketches of two
libraries can be compared.

A sketch holds no text, and whoever has a text can tell whether it is that one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from provenance.library.space import VIEWS
from provenance.signatures import blocks, identity, named
from provenance.signatures.document import Source

if TYPE_CHECKING:
    from provenance.signatures.weighting import Matrix, Sparse

__all__ = ["CHANNELS", "DIMENSIONS", "scheme", "sketches"]

Sketches = NDArray[np.int8]
VERSION = 1
_WIDTH = 256
_NAMES = ("word_ngrams", "skeleton")
# Place of each channel in a sketch.
CHANNELS = tuple(slice(i * _WIDTH, (i + 1) * _WIDTH) for i in range(len(_NAMES)))
DIMENSIONS = _WIDTH * len(_NAMES)
_SCALE = 256.0  # of a number, before it is rounded to a byte: eight spreads are kept
_SIGN = np.uint64(40)
_START = 0xD1B54A32D192ED03


def scheme() -> str:
    """SHA-256 over everything that a sketch hangs on; those of two schemes are not comparable."""
    said = f"sketch/{VERSION}:{_WIDTH} {identity(named(*_NAMES), VIEWS['canonical'])}"
    return hashlib.sha256(said.encode("utf-8")).hexdigest()


def sketches(texts: Iterable[Source]) -> Sketches:
    """Sketches of texts, shape (texts, `DIMENSIONS`); a text without a word has zeros."""
    made = [
        np.concatenate([_sketched(block[name], i) for i, name in enumerate(_NAMES)], axis=1)
        for block in blocks(named(*_NAMES), texts, view=VIEWS["canonical"])
    ]
    return np.concatenate(made) if made else np.zeros((0, DIMENSIONS), dtype=np.int8)


def _sketched(rows: Matrix, channel: int) -> Sketches:
    counts = cast("Sparse", rows)  # hashed signatures give no other
    n = counts.shape[0]
    row = np.repeat(np.arange(n), np.diff(counts.indptr))
    values = np.log1p(counts.data)
    length = np.sqrt(np.bincount(row, values**2, minlength=n))
    hashed = _mixed(counts.indices.astype(np.uint64), channel)
    sign = np.where((hashed >> _SIGN) & np.uint64(1), 1.0, -1.0)
    place = row * _WIDTH + (hashed % np.uint64(_WIDTH)).astype(np.int64)
    summed = np.bincount(place, values * sign, minlength=n * _WIDTH).reshape(n, _WIDTH)
    scaled = summed / np.maximum(length, 1e-9)[:, None] * _SCALE
    found: Sketches = np.clip(np.rint(scaled), -127, 127).astype(np.int8)
    return found


def _mixed(columns: NDArray[np.uint64], channel: int) -> NDArray[np.uint64]:
    """The finishing steps of SplitMix64 (Steele, Lea & Flood 2014), another start a channel."""
    start = np.uint64((channel + 1) * _START % (1 << 64))
    z = columns * np.uint64(0x9E3779B97F4A7C15) + start
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
