"""The tests of ``same_deployment``: one fused exact test a family, Holm over families."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from provenance.attribution.observations import Observations
from provenance.attribution.verdict import PANEL
from provenance.stats.fused import KERNELS, FusedResult, fused_test
from provenance.stats.layout import CellDraws
from provenance.stats.multiplicity import holm, resamples_needed
from provenance.stats.parts import CATEGORICAL, FIRST_TOKEN, LIKELIHOOD
from provenance.stats.permutation import PermutationNull

# Families whose answers are longer than this (median of both sides pooled, in characters) are
# also compared as texts. Shorter ones are their category: text kernels would only add noise.
_TEXT_FROM = 24


@dataclass(frozen=True, slots=True)
class Equality:
    """Outcome over all families.

    Attributes
    ----------
    results
        Per family, the fused test.
    adjusted
        Per family, Holm's adjusted p-value; also of the panel test where there is one.
    resamples
        Relabellings of each test that was not enumerated.
    kernels
        Per family, the kernels that were fused.
    """

    results: Mapping[str, FusedResult]
    adjusted: Mapping[str, float]
    kernels: Mapping[str, tuple[str, ...]]
    resamples: int

    def with_panel(self, p_value: float) -> Equality:
        """The same with the panel test as a further hypothesis."""
        names = [*self.results, PANEL]
        adjusted = holm([*(r.p_value for r in self.results.values()), p_value])
        return replace(self, adjusted={n: float(p) for n, p in zip(names, adjusted, strict=True)})


def equality(
    families: Mapping[str, Sequence[CellDraws]],
    *,
    alpha: float,
    minimum_resamples: int,
    seed: int,
    beside: int = 0,
) -> Equality:
    """Test every family and adjust for their number.

    Null hypothesis: within each block (within each cell, for recordings) the answers of the two
    sides are exchangeable, as they are if both are independent draws of one distribution. The
    family-wise error over the families is at most ``alpha`` (Holm 1979).

    Parameters
    ----------
    families
        Cells by family, in the order of the battery.
    minimum_resamples
        Relabellings, at least; more where ``alpha`` and the number of families ask for it.
    beside
        Hypotheses that will share the decision with the families.
    seed
        Of the relabellings. The k-th family uses the stream (seed, 1, k), so that the answers of
        one change no other.
    """
    resamples = max(minimum_resamples, resamples_needed(alpha, max(1, len(families) + beside)))
    results, kernels = {}, {}
    for number, (family, cells) in enumerate(families.items()):
        kernels[family] = _kernels(cells)
        null = PermutationNull(np.random.default_rng([seed, 1, number]), resamples=resamples)
        results[family] = fused_test(cells, null=null, kernels=kernels[family])
    adjusted = holm([result.p_value for result in results.values()])
    return Equality(
        results=results,
        adjusted={f: float(p) for f, p in zip(results, adjusted, strict=True)},
        kernels=kernels,
        resamples=resamples,
    )


def draws_by_family(observations: Observations) -> dict[str, list[CellDraws]]:
    """The used cells of each family as arrays."""
    return {f: [c.draws for c in cells] for f, cells in observations.families().items()}


def reads_texts(cells: Sequence[CellDraws]) -> bool:
    """Whether the test of a family compares texts too; both sides pooled, labels unseen."""
    lengths = [len(text) for cell in cells for text in cell.texts]
    return bool(lengths) and median(lengths) > _TEXT_FROM


def _kernels(cells: Sequence[CellDraws]) -> tuple[str, ...]:
    """Chosen from the pooled answers, labels unseen, so that the test stays exact."""
    kernels = KERNELS if reads_texts(cells) else CATEGORICAL
    if any(cell.values is not None for cell in cells):
        kernels = (*kernels, FIRST_TOKEN)
    if any(cell.scores is not None and np.isfinite(cell.scores).all() for cell in cells):
        kernels = (*kernels, LIKELIHOOD)
    return kernels
