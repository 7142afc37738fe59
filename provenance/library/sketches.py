"""Sketches of answers: what two answers to one prompt are compared by where no text is kept.

Five channels, read in the canonical view (a re-formatted answer has nearly the sketch of the
original). Runs of words and of the skeleton, and how answers open and close, are counted as
log(1 + count), rows of length 1, and added up with random signs into 256 numbers, one signed byte
each: a *count sketch* (Charikar, Chen & Farach-Colton 2002), whose inner products estimate those of
the rows with a standard error of about 1/16 for one answer; over n prompts it is 1/√n of that.
Function words and reasoning moves are listed, and kept as they are measured, in bytes. Nothing is
fitted, so sketches of two libraries can be compared.

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

__all__ = ["CHANNELS", "COUNTED", "DIMENSIONS", "scheme", "sketches"]

Sketches = NDArray[np.int8]
VERSION = 2  # 2: openings and closings
_WIDTH = 256
_TOPICAL = ("word_ngrams", "skeleton")
_NAMES = (*_TOPICAL, "openings_closings")
_LISTED = ("function_words", "reasoning")
_WIDTHS = (*(_WIDTH for _ in _NAMES), *(s.width for s in named(*_LISTED)))
DIMENSIONS = sum(_WIDTHS)
# Place of each channel in a sketch.
CHANNELS = tuple(
    slice(sum(_WIDTHS[:i]), sum(_WIDTHS[: i + 1])) for i in range(len(_NAMES) + len(_LISTED))
)
# The channels that hold what an answer is about.
COUNTED = slice(0, CHANNELS[len(_TOPICAL) - 1].stop)
_SCALE = 256.0  # of a number, before it is rounded to a byte: eight spreads are kept
_LISTED_SCALE = 18.0  # of a measure, all of which are below 7
_SIGN = np.uint64(40)
_START = 0xD1B54A32D192ED03


def scheme() -> str:
    """SHA-256 over everything that a sketch hangs on; those of two schemes are not comparable."""
    read = identity(named(*_NAMES, *_LISTED), VIEWS["canonical"])
    said = f"sketch/{VERSION}:{_WIDTH}:{_SCALE:g}:{_LISTED_SCALE:g} {read}"
    return hashlib.sha256(said.encode("utf-8")).hexdigest()


def sketches(texts: Iterable[Source]) -> Sketches:
    """Sketches of texts, shape (texts, `DIMENSIONS`); a text without a word has zeros in most."""
    made = [
        np.concatenate(
            [
                *(_sketched(block[name], i) for i, name in enumerate(_NAMES)),
                *(_bytes(np.asarray(block[name]) * _LISTED_SCALE) for name in _LISTED),
            ],
            axis=1,
        )
        for block in blocks(named(*_NAMES, *_LISTED), texts, view=VIEWS["canonical"])
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
    return _bytes(summed / np.maximum(length, 1e-9)[:, None] * _SCALE)


def _bytes(values: NDArray[np.float64]) -> Sketches:
    found: Sketches = np.clip(np.rint(values), -127, 127).astype(np.int8)
    return found


def _mixed(columns: NDArray[np.uint64], channel: int) -> NDArray[np.uint64]:
    """The finishing steps of SplitMix64 (Steele, Lea & Flood 2014), another start a channel."""
    start = np.uint64((channel + 1) * _START % (1 << 64))
    z = columns * np.uint64(0x9E3779B97F4A7C15) + start
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
