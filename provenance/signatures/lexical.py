"""Lexical habits against a population: which words a model uses more than models do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from provenance.errors import UsageError
from provenance.signatures.base import Counts, Floats, Hashed
from provenance.signatures.document import Document, Source


@dataclass(frozen=True)
class WordTable:
    """How often a population uses each word: the prior of `log_odds`.

    Attributes
    ----------
    words
        Distinct words in lower case.
    counts
        Positive; in how many places the population used each.
    other
        Places with words outside the table.
    """

    words: tuple[str, ...]
    counts: tuple[float, ...]
    other: float

    def __post_init__(self) -> None:
        if not self.words or len(self.words) != len(self.counts):
            raise UsageError(
                f"a word table needs one count a word, found {len(self.words)} words and "
                f"{len(self.counts)} counts"
            )
        if len(set(self.words)) != len(self.words) or min(self.counts) <= 0 or self.other < 0:
            raise UsageError("a word table needs distinct words with positive counts")

    @classmethod
    def of(cls, texts: Iterable[Source], *, words: int = 5_000) -> WordTable:
        """The table of a population's texts: its ``words`` most frequent.

        Memory grows with the distinct words met, capped by dropping the rarest beyond a million.
        Take as many texts from each model, or the table is of the model that wrote most.
        """
        found: Counter[str] = Counter()
        for text in texts:
            found.update(Document.of(text).words)
            if len(found) > 1_000_000:
                found = Counter(dict(found.most_common(500_000)))
        # Ties by the word itself, so that the order of the texts does not matter.
        kept = sorted(found.items(), key=lambda item: (-item[1], item[0]))[:words]
        if not kept:
            raise UsageError("a word table needs texts with words; found none")
        total = float(found.total())
        counts = tuple(float(n) for _, n in kept)
        return cls(tuple(word for word, _ in kept), counts, total - sum(counts))

    @cached_property
    def columns(self) -> dict[str, int]:
        """Column of each word; the column after the last is for other words."""
        return {word: i for i, word in enumerate(self.words)}


def lexical(table: WordTable) -> Hashed:
    """The signature of a table: counts of its words, and of all other words in the last column.

    Sees: a model's favourite words ("delve", "testament", "tapestry") and those that it avoids.

    Removed by: word substitution, paraphrase, another language; re-formatting changes nothing.
    Topic enters where prompts of suspect and population differ: centre on a population that
    answered the same prompts.

    Bundles hold mean counts; `log_odds` turns a bundle's sums into z-scores.

    Source: Monroe, Colaresi & Quinn (2008), "Fightin' Words", Political Analysis 16.
    """
    columns, last = table.columns, len(table.words)

    def count(document: Document) -> Counts:
        found: Counter[int] = Counter()
        for word, times in Counter(document.words).items():
            found[columns.get(word, last)] += times
        at = np.array(sorted(found), dtype=np.int64)
        return Counts(at, np.array([found[int(i)] for i in at], dtype=np.float64))

    return Hashed("lexical", 1, count, last + 1, (*table.words, "other words"))


def log_odds(
    counts: NDArray[np.floating[Any]], table: WordTable, *, prior: float = 10_000.0
) -> Floats:
    """z-score of each word's log-odds in a bundle against the population.

    δ_w = logit((y_w + α_w)/(n + α₀)) − logit(p_w) with α_w = α₀ p_w and p the population's shares,
    divided by √(1/(y_w + α_w) + 1/(c_w + α_w)), c the population's counts.

    Parameters
    ----------
    counts
        Words of the bundle in the columns of `lexical`, the other words last; shape
        (words + 1,) or (bundles, words + 1).
    table
        The population.
    prior
        α₀: how many words of the population's usage are added to each bundle.

    Returns
    -------
    ndarray
        Same shape without the column of other words. Descriptive: words of one text are not
        independent, so these are no z-scores in the sense of a test.
    """
    base = np.array([*table.counts, table.other + 1.0])
    share = base / base.sum()
    observed = np.asarray(counts, dtype=np.float64) + prior * share
    total = observed.sum(axis=-1, keepdims=True)
    delta = np.log(observed / (total - observed)) - np.log(share / (1.0 - share))
    spread = np.sqrt(1.0 / observed + 1.0 / (base + prior * share))
    return np.asarray((delta / spread)[..., :-1], dtype=np.float64)
