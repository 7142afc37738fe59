"""A sequential two-sample test by betting on swaps: it may be looked at after every pair.

Each pair takes one reference draw X and one suspect draw Y of a cell, neither used before. Before
they are seen a bet is made from the past: s(x, y), antisymmetric and in [−1, 1]. Wealth is
multiplied by 1 + λs(X, Y), 0 < λ < 1.

Why the chance of a false alarm is at most α. Let F be what was seen before the pair: earlier pairs
and draws that are never paired. Bet, λ, and which cell comes next are functions of F. Under the
null hypothesis (X, Y) and (Y, X) have the same law given F, so E[s(X, Y) | F] = E[s(Y, X) | F] =
−E[s(X, Y) | F] = 0: the expected factor is 1. Factors are positive, so the wealth of each strategy
is a nonnegative martingale that starts at 1, and so is any average of them with weights fixed
beforehand. By Ville's inequality (1939) the chance that it ever reaches 1/α is at most α, however
often one looks and whenever one stops; 1/(highest wealth so far) is an anytime-valid p-value.
(Shekhar & Ramdas 2023, arXiv:2112.09162; Pandeva et al. 2024.)

The condition on (X, Y) given F holds if all draws of a cell, both sides', are exchangeable: the
pairs are disjoint and F holds other draws only. It holds too if answers drift and the draws of one
block, which F may hold in part, are exchangeable among themselves given the other blocks.

Plugging estimated reference probabilities into a likelihood ratio is not this: there the estimate
is part of the claim, and the false alarms are many. Here estimates only choose the bet.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

FRACTIONS = (0.2, 0.5, 0.9)
SHARES = (0.1, 0.4, 1.0)
# Past draws that a prior guess is worth.
_PRIOR = 2.0

Category = Hashable
Table = Mapping[Any, float]


@dataclass(slots=True)
class SwapBetting:
    """Wealth of a gambler who bets that suspect and reference differ.

    Null hypothesis: within each cell the draws are exchangeable across the sides (independent
    draws of one distribution suffice), and which pairs are made does not look at their answers.
    Cells may differ; drift is harmless where X and Y are taken at the same time in random order.
    Unit: a pair of draws. Estimand: none. What breaks it: draws of a side that depend on each
    other (caches), failures that depend on content, drift between the sides of a pair. Proof: the
    head of this module.

    Strategies are mixed by averaging their wealth: *known*, one a substitute of the panel and
    share ε in `SHARES` (the suspect's share of y is (1 − ε)·p + ε·r), with half of the weight
    together; *learnt* (the shares of both sides so far in the cell) and *rare* (the suspect gives
    rarer answers) with the rest; each with the fractions λ of `FRACTIONS`. The bet on a pair is
    s = (p(x)q(y) − p(y)q(x)) / (p(x)q(y) + p(y)q(x)), which grows fastest if p and q were the
    true shares.

    Parameters
    ----------
    panel
        Per substitute, cell → answer table (counts); fixed before the first pair.

    Attributes
    ----------
    pairs
        Pairs so far.
    log_wealth
        Natural logarithm of the wealth now.
    log_highest
        Of the highest wealth so far: 1/that is an anytime-valid p-value.
    """

    panel: Sequence[Mapping[Any, Table]] = ()
    pairs: int = 0
    log_wealth: float = 0.0
    log_highest: float = 0.0
    _logs: NDArray[np.float64] = field(init=False, repr=False)
    _weights: NDArray[np.float64] = field(init=False, repr=False)
    _past: dict[Hashable, tuple[Counter[Category], Counter[Category]]] = field(
        init=False, repr=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        known = len(self.panel) * len(SHARES)
        others = 0.25 if known else 0.5
        kinds = np.array([others, others, *(0.5 / known for _ in range(known))])
        self._weights = np.repeat(kinds[:, None] / len(FRACTIONS), len(FRACTIONS), axis=1)
        self._logs = np.zeros_like(self._weights)

    @property
    def e_value(self) -> float:
        """Wealth now: an e-value for the null at any stopping time."""
        return math.exp(min(self.log_wealth, 700.0))

    @property
    def p_value(self) -> float:
        """1/highest wealth, in (0, 1]: valid at any stopping time."""
        return math.exp(-max(0.0, self.log_highest))

    def learn(
        self,
        cell: Hashable,
        reference: Iterable[Category] = (),
        suspect: Iterable[Category] = (),
    ) -> None:
        """Look at draws that are never paired."""
        known = self._counts(cell)
        known[0].update(reference)
        known[1].update(suspect)

    def bet(self, cell: Hashable, x: Category, y: Category) -> float:
        """Settle the bet on one pair, then learn from it; returns the wealth's logarithm.

        Parameters
        ----------
        x, y
            Answers of reference and suspect, neither seen before by `bet` or `learn`.
        """
        self.pairs += 1
        if x != y:  # else every bet pays nothing
            bets = self._bets(cell, x, y)
            self._logs += np.log1p(bets[:, None] * np.array(FRACTIONS))
            top = float(self._logs.max())
            self.log_wealth = top + math.log(
                float((self._weights * np.exp(self._logs - top)).sum())
            )
            self.log_highest = max(self.log_highest, self.log_wealth)
        reference, suspect = self._counts(cell)
        reference[x] += 1
        suspect[y] += 1
        return self.log_wealth

    def _bets(self, cell: Hashable, x: Category, y: Category) -> NDArray[np.float64]:
        reference, suspect = self._counts(cell)
        pooled = reference + suspect
        # Share of a pair's two answers before it is seen; what is new shares one place.
        total, places = pooled.total(), len(pooled) + 1

        def before(answer: Category) -> float:
            return float((pooled[answer] + 1 / places) / (total + 1))

        def share(counts: Table, size: float, answer: Category) -> float:
            return float((counts.get(answer, 0) + _PRIOR * before(answer)) / (size + _PRIOR))

        n, m = reference.total(), suspect.total()
        p = share(reference, n, x), share(reference, n, y)
        bets = [
            _swap(p, (share(suspect, m, x), share(suspect, m, y))),
            _swap((before(x), before(y)), (1.0, 1.0)),
        ]
        for member in self.panel:
            table = member.get(cell)
            size = sum(table.values()) if table else 0
            if not table or not size:
                bets += [0.0] * len(SHARES)
                continue
            r = share(table, size, x), share(table, size, y)
            bets += [
                _swap(p, ((1 - e) * p[0] + e * r[0], (1 - e) * p[1] + e * r[1])) for e in SHARES
            ]
        return np.array(bets)

    def _counts(self, cell: Hashable) -> tuple[Counter[Category], Counter[Category]]:
        return self._past.setdefault(cell, (Counter(), Counter()))


def _swap(p: tuple[float, float], q: tuple[float, float]) -> float:
    """The bet for (x, y) from their shares (at x, at y) on both sides; antisymmetric."""
    straight, swapped = p[0] * q[1], p[1] * q[0]
    return (straight - swapped) / (straight + swapped)
