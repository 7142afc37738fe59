"""What two dozen answers say of a model's distribution: a draw from what it may be, cell by cell.

A table of counts taken for the distribution itself overstates how far two models lie apart, most of
all where an answer was given by one of them alone, and most of all in the cells that were chosen
for looking different. A posterior does neither: given the tables it is right on average, whatever
was chosen by looking at them. The prior of a cell is the Dirichlet around the mean of all members;
how tightly they lie around it (κ) is learnt from all of them, and its own prior from all cells
(empirical Bayes: Robbins 1956; the mixing weights by EM). Answers that no member gave have the
probability that Good and Turing give them.

It is wrong where members are not exchangeable: a quantised copy lies nearer to its original than
two draws of one prior do. `library.promised` corrects that, pair by pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.library.panel import Member

# A member is worth so many answers of the mean of all of them.
KAPPAS = np.geomspace(0.5, 500.0, 12)
PLACES = 36  # categories that a table keeps; the rest is one
_STEPS = 30

Shares = NDArray[np.float64]
Counts = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Smoothed:
    """Per cell: the counts of members over the same places, and a draw of each one's shares.

    The last place is all that has none of its own. A member that was not measured on a cell is
    not in it.
    """

    counts: Mapping[str, Mapping[str, Counts]]
    shares: Mapping[str, Mapping[str, Shares]]


def smoothed(cells: Sequence[str], members: Sequence[Member], rng: np.random.Generator) -> Smoothed:
    """Draw every member's distributions from what its tables leave open.

    Parameters
    ----------
    cells
        Ids; those that nobody was measured on are left out.
    members
        All that tell how models differ.
    """
    tables = {cell: _tables(cell, members) for cell in cells}
    tables = {cell: found for cell, found in tables.items() if found}
    priors = {cell: _mean(list(found.values())) for cell, found in tables.items()}
    fits = {cell: _fits(list(found.values())) for cell, found in tables.items()}
    weights = _mixed(np.array([fits[cell] for cell in tables]))
    shares: dict[str, dict[str, Shares]] = {}
    for cell, found in tables.items():
        likely = weights * np.exp(fits[cell] - fits[cell].max())
        kappa = float(rng.choice(KAPPAS, p=likely / likely.sum()))
        shares[cell] = {
            name: _draw(kappa * priors[cell] + counts, rng) for name, counts in found.items()
        }
    return Smoothed(counts=tables, shares=shares)


def _tables(cell: str, members: Sequence[Member]) -> dict[str, Counts]:
    measured = {m.name: m.cells[cell] for m in members if sum(m.cells.get(cell, {}).values())}
    total: dict[str, float] = {}
    for table in measured.values():
        n = sum(table.values())
        for answer, count in table.items():
            total[answer] = total.get(answer, 0.0) + count / n
    places = sorted(total, key=lambda a: (-total[a], a))[: PLACES - 1]
    found = {}
    for name, table in measured.items():
        row = [float(table.get(answer, 0)) for answer in places]
        found[name] = np.array([*row, sum(table.values()) - sum(row)])
    return found


def _mean(tables: Sequence[Counts]) -> Shares:
    """Mean of the members' shares, with room for answers that nobody gave."""
    pooled = np.sum(tables, axis=0)
    unseen = max(0.5, float((pooled == 1).sum())) / (pooled.sum() + 1)
    mean = np.mean([t / t.sum() for t in tables], axis=0) * (1 - unseen)
    mean[-1] += unseen
    # Every place can come: a prior of 0 would be a certainty.
    mean += 1e-4
    return np.asarray(mean / mean.sum())


def _fits(tables: Sequence[Counts]) -> NDArray[np.float64]:
    """Log likelihood of each of `KAPPAS`: Dirichlet-multinomial, members independent.

    Each around the mean of the others: around a mean that holds it, it would seem nearer.
    """
    from scipy.special import gammaln  # slow to import, and a plan comes before anything is asked

    fits = np.zeros(len(KAPPAS))
    for i, counts in enumerate(tables):
        others = [*tables[:i], *tables[i + 1 :]]
        if others:
            alpha = KAPPAS[:, None] * _mean(others)  # (κ, places)
            fits += gammaln(KAPPAS) - gammaln(KAPPAS + counts.sum())
            fits += (gammaln(alpha + counts) - gammaln(alpha)).sum(axis=1)
    return fits


def _mixed(fits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of `KAPPAS` over cells (rows), by EM from equal ones."""
    likely = np.exp(fits - fits.max(axis=1, keepdims=True))
    weights = np.full(len(KAPPAS), 1 / len(KAPPAS))
    for _ in range(_STEPS):
        posterior = likely * weights
        weights = (posterior / posterior.sum(axis=1, keepdims=True)).mean(axis=0)
    return np.asarray(weights)


def _draw(alpha: NDArray[np.float64], rng: np.random.Generator) -> Shares:
    gammas = rng.standard_gamma(alpha)
    return np.asarray(gammas / gammas.sum())
