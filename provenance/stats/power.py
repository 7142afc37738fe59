"""What a plan can see, before anything is asked of the suspect.

Replicates of the planned draws are simulated from assumed distributions; the categorical
statistic of `fused_test` is computed from their counts and held against the threshold that the
same plan has when both sides are the reference. Power so computed belongs to the plan and the
assumed distributions, never to an outcome.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.stats.fused import Moments, combine
from provenance.stats.simulated import Sums, simulated_statistics

GRID = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0)
NULL_REPLICATES = 3_000
REPLICATES = 400
# Beyond this tail probability the threshold is extrapolated.
TAIL = 0.05


@dataclass(frozen=True, slots=True)
class PlannedPower:
    """Power of a plan against assumed suspects, by simulation.

    Made by `plan_power`; use `at` and `minimum_detectable_dilution`.

    Attributes
    ----------
    alpha
        Level of the decision; Holm over families, and the panel test where there is a panel,
        rejects at least one at ``alpha`` divided by their number.
    thresholds, null
        Of the fused statistic, by family; and of its parts under the null.
    panel, panel_threshold
        Per cell the shares of each substitute, shape (substitutes, k), and the threshold of their
        largest standardised score; empty and infinite without a panel.
    """

    reference: tuple[NDArray[np.float64], ...]
    n_reference: tuple[int, ...]
    n_suspect: tuple[int, ...]
    family: tuple[Hashable, ...]
    alpha: float
    thresholds: NDArray[np.float64]
    null: tuple[Moments, ...]
    rng: np.random.Generator
    panel: tuple[NDArray[np.float64], ...] = ()
    panel_threshold: float = np.inf

    def at(self, suspect: Sequence[NDArray[np.float64]], *, replicates: int = REPLICATES) -> float:
        """Probability that a family or the panel test rejects if the suspect answers like this.

        Parameters
        ----------
        suspect
            Per cell, probabilities over the same categories as the reference's.
        """
        suspect = _distributions(suspect)
        _same_shapes(self.reference, suspect)
        rejects = np.zeros(replicates, dtype=np.bool_)
        sums = Sums.none(replicates, self.panel)
        for members, null, threshold in zip(
            _members(self.family), self.null, self.thresholds, strict=True
        ):
            changed = [c for c in members if not np.array_equal(self.reference[c], suspect[c])]
            if not changed and not self.panel:
                continue
            values, towards = self._simulate(members, suspect, replicates)
            sums = sums.plus(towards)
            if changed:
                rejects |= combine(null.scores(values)) >= threshold
        if self.panel:
            rejects |= sums.largest() >= self.panel_threshold
        return float(rejects.mean())

    def minimum_detectable_dilution(
        self,
        substitute: Sequence[NDArray[np.float64]],
        *,
        power: float = 0.8,
        grid: Sequence[float] = GRID,
        replicates: int = REPLICATES,
    ) -> float | None:
        """Smallest share ε of requests answered by a substitute that is seen with this power.

        Parameters
        ----------
        substitute
            Per cell, probabilities over the same categories as the reference's.
        grid
            Shares tried, ascending; the answer is interpolated between the two around ``power``.

        Returns
        -------
        float or None
            None if even the largest share is not seen with this power.
        """
        substitute = _distributions(substitute)
        _same_shapes(self.reference, substitute)
        seen: dict[int, float] = {}

        def at(i: int) -> float:
            if i not in seen:
                mixed = [
                    (1 - grid[i]) * p + grid[i] * q
                    for p, q in zip(self.reference, substitute, strict=True)
                ]
                seen[i] = self.at(mixed, replicates=replicates)
            return seen[i]

        low, high = -1, len(grid) - 1
        if at(high) < power:
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if at(middle) >= power else (middle, high)
        if low < 0:
            return float(grid[high])
        share = (power - at(low)) / (at(high) - at(low))
        return float(grid[low] + share * (grid[high] - grid[low]))

    def _simulate(
        self, members: Sequence[int], suspect: Sequence[NDArray[np.float64]], replicates: int
    ) -> tuple[NDArray[np.float64], Sums]:
        return simulated_statistics(
            [self.reference[c] for c in members],
            [suspect[c] for c in members],
            [self.n_reference[c] for c in members],
            [self.n_suspect[c] for c in members],
            replicates,
            self.rng,
            [self.panel[c] for c in members] if self.panel else [],
        )


def plan_power(
    reference: Sequence[NDArray[np.float64]],
    n_reference: Sequence[int],
    n_suspect: Sequence[int],
    *,
    alpha: float,
    rng: np.random.Generator,
    families: Sequence[Hashable] | None = None,
    panel: Sequence[Sequence[NDArray[np.float64]]] = (),
    replicates: int = NULL_REPLICATES,
) -> PlannedPower:
    """Simulate a plan's thresholds; the object returned answers for any number of suspects.

    Parameters
    ----------
    reference
        Per cell, probabilities over categories (assumed, or smoothed from pilot draws).
    n_reference, n_suspect
        Draws planned per cell, at least one a side.
    alpha
        Level of the decision.
    families
        Family of each cell, by name or number; None: one family. Holm over them is accounted for
        by α/families, at which its first rejection happens.
    panel
        Per substitute and cell, probabilities over the same categories: the panel test
        (`provenance.stats.substitutes.panel_test`) is then one more hypothesis of Holm's.
    replicates
        Simulated plans behind each threshold. Tails beyond 5% are extrapolated with the
        exponential that the mean excess gives.

    Notes
    -----
    The threshold is unconditional (over samples), that of `fused_test` conditional (over
    relabellings of one sample). They agree where a family has tens of draws a side; where it
    has a handful, a permutation test cannot reach small p-values and the power is overstated.
    Blocks are ignored. With blocks of one a side, fewer than about ten of them in a cell and
    eight cells in a family, the power against dilutions above a half is overstated too (planned
    .8, real .6 to .8), because the swaps of so few pairs share what makes the sides differ.
    """
    reference = _distributions(reference)
    cells = len(reference)
    if len(n_reference) != cells or len(n_suspect) != cells:
        raise ValueError(f"expected numbers of draws for {cells} cells")
    if min(*n_reference, *n_suspect) < 1:
        raise ValueError("expected at least one draw a side in every cell")
    if not 0 < alpha < 1:
        raise ValueError(f"expected alpha in (0, 1), found {alpha}")
    family: tuple[Hashable, ...] = (0,) * cells if families is None else tuple(families)
    if len(family) != cells:
        raise ValueError(f"expected a family for each of {cells} cells, found {len(family)}")
    members = _members(family)
    for table in panel:
        _same_shapes(reference, _distributions(table))
    tables = tuple(np.array([t[c] for t in panel]) for c in range(cells)) if panel else ()
    level = alpha / (len(members) + bool(panel))
    sums = Sums.none(replicates, tables)
    null: list[Moments] = []
    thresholds: list[float] = []
    for cell_numbers in members:
        rows, towards = simulated_statistics(
            [reference[c] for c in cell_numbers],
            [reference[c] for c in cell_numbers],
            [n_reference[c] for c in cell_numbers],
            [n_suspect[c] for c in cell_numbers],
            replicates,
            rng,
            [tables[c] for c in cell_numbers] if tables else [],
        )
        sums = sums.plus(towards)
        null.append(Moments.of(rows))
        thresholds.append(_threshold(combine(null[-1].scores(rows)), level))
    return PlannedPower(
        reference=tuple(reference),
        n_reference=tuple(n_reference),
        n_suspect=tuple(n_suspect),
        family=family,
        alpha=alpha,
        thresholds=np.array(thresholds),
        null=tuple(null),
        rng=rng,
        panel=tables,
        panel_threshold=_threshold(sums.largest(), level) if tables else np.inf,
    )


def power_at(
    reference: Sequence[NDArray[np.float64]],
    suspect: Sequence[NDArray[np.float64]],
    n_reference: Sequence[int],
    n_suspect: Sequence[int],
    *,
    alpha: float,
    rng: np.random.Generator,
    families: Sequence[Hashable] | None = None,
) -> float:
    """Power of a plan against one suspect; see `plan_power` and `PlannedPower.at`."""
    plan = plan_power(
        reference,
        n_reference,
        n_suspect,
        alpha=alpha,
        rng=rng,
        families=families,
    )
    return plan.at(suspect)


def minimum_detectable_dilution(
    reference: Sequence[NDArray[np.float64]],
    substitute: Sequence[NDArray[np.float64]],
    n_reference: Sequence[int],
    n_suspect: Sequence[int],
    *,
    alpha: float,
    rng: np.random.Generator,
    power: float = 0.8,
    families: Sequence[Hashable] | None = None,
    grid: Sequence[float] = GRID,
) -> float | None:
    """Smallest dilution seen; see `plan_power` and `PlannedPower.minimum_detectable_dilution`.

    For several substitutes make the plan once.
    """
    plan = plan_power(
        reference,
        n_reference,
        n_suspect,
        alpha=alpha,
        rng=rng,
        families=families,
    )
    return plan.minimum_detectable_dilution(substitute, power=power, grid=grid)


def _distributions(cells: Sequence[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    if not len(cells):
        raise ValueError("expected at least one cell, found none")
    checked = []
    for i, cell in enumerate(cells):
        p = np.asarray(cell, dtype=np.float64)
        if p.ndim != 1 or not len(p) or not (p >= 0).all() or abs(p.sum() - 1) > 1e-6:
            raise ValueError(f"cell {i}: expected probabilities that sum to 1")
        checked.append(p / p.sum())
    return checked


def _same_shapes(
    reference: Sequence[NDArray[np.float64]], other: Sequence[NDArray[np.float64]]
) -> None:
    if [len(p) for p in reference] != [len(q) for q in other]:
        raise ValueError("expected the same cells and categories as the reference's")


def _members(family: Sequence[Hashable]) -> list[list[int]]:
    """Cells of each family, in the order in which families first appear."""
    grouped: dict[Hashable, list[int]] = {}
    for cell, name in enumerate(family):
        grouped.setdefault(name, []).append(cell)
    return list(grouped.values())


def _threshold(values: NDArray[np.float64], level: float) -> float:
    if level >= TAIL:
        return float(np.quantile(values, 1 - level))
    start = float(np.quantile(values, 1 - TAIL))
    excess = float((values[values >= start] - start).mean())
    if excess <= 0:
        # Nothing varies under the null: any value above it would be seen.
        return start + 1e-9
    return start + excess * float(np.log(TAIL / level))
