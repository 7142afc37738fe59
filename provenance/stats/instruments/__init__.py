"""Instruments: one two-sample test a file, all with one signature and one null engine.

To add one: write ``provenance/stats/instruments/<name>.py`` with a check of the input, a
statistic of labels and the public test, whose docstring says null, sampling assumption, unit,
estimand, source and what breaks it; list it in `INSTRUMENTS`. The contract suite in
``tests/stats/instruments/test_contract.py`` and ``benchmarks/false_alarms.py`` then run it.

What an instrument is given is in `CellDraws`: categories, texts or values of each draw. Its
statistic must be a function of the labels and of the draws without their labels; what is learnt
from labelled draws must come from draws that it is not given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Protocol

from provenance.stats.instruments._engine import InstrumentResult
from provenance.stats.instruments.border import border, border_halves
from provenance.stats.instruments.edit import edit
from provenance.stats.instruments.first_difference import first_difference
from provenance.stats.instruments.first_token import first_token
from provenance.stats.instruments.hamming import hamming, hamming_published
from provenance.stats.instruments.length import length
from provenance.stats.instruments.likelihood import likelihood
from provenance.stats.instruments.likelihood_ratio import likelihood_ratio
from provenance.stats.instruments.ngram import ngram
from provenance.stats.instruments.prefix import prefix
from provenance.stats.instruments.rank_uniformity import rank_uniformity
from provenance.stats.instruments.rarity import rarity
from provenance.stats.instruments.total_variation import total_variation
from provenance.stats.layout import CellDraws
from provenance.stats.permutation import PermutationNull

__all__ = [
    "INSTRUMENTS",
    "Instrument",
    "InstrumentResult",
    "border",
    "border_halves",
    "edit",
    "first_difference",
    "first_token",
    "hamming",
    "hamming_published",
    "length",
    "likelihood",
    "likelihood_ratio",
    "ngram",
    "prefix",
    "rank_uniformity",
    "rarity",
    "total_variation",
]


class InstrumentTest(Protocol):
    """The signature of an instrument."""

    def __call__(self, cells: Sequence[CellDraws], *, null: PermutationNull) -> InstrumentResult:
        """Test that the draws are exchangeable across the sides within units."""
        ...


@dataclass(frozen=True, slots=True)
class Instrument:
    """An instrument and what holds for it.

    Attributes
    ----------
    test
        The public function.
    reads
        What of a cell it looks at; "score" and "logprobs" are its values.
    symmetric
        Whether exchanging the sides changes nothing.
    """

    test: InstrumentTest
    reads: Literal["categories", "texts", "score", "logprobs"]
    symmetric: bool = True


INSTRUMENTS: Mapping[str, Instrument] = MappingProxyType(
    {
        "likelihood_ratio": Instrument(likelihood_ratio, "categories"),
        "total_variation": Instrument(total_variation, "categories"),
        "rarity": Instrument(rarity, "categories"),
        "border": Instrument(border, "categories"),
        "border_halves": Instrument(border_halves, "categories", symmetric=False),
        "hamming": Instrument(hamming, "texts"),
        "hamming_published": Instrument(hamming_published, "texts"),
        "ngram": Instrument(ngram, "texts"),
        "prefix": Instrument(prefix, "texts"),
        "edit": Instrument(edit, "texts"),
        "length": Instrument(length, "texts"),
        "first_difference": Instrument(first_difference, "texts"),
        "rank_uniformity": Instrument(rank_uniformity, "score", symmetric=False),
        "likelihood": Instrument(likelihood, "score"),
        "first_token": Instrument(first_token, "logprobs"),
    }
)
