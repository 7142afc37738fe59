"""A calibration: what scores of one kind are worth, for which cases, and how far that reaches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from provenance.attribution.calibration.assessed import Assessed
from provenance.attribution.calibration.curves import Curves
from provenance.attribution.calibration.fit import fit_line, resampled_lines
from provenance.attribution.calibration.metrics import (
    cllr,
    cllr_floor,
    cllr_min,
    misleading,
    upper_limit,
)
from provenance.attribution.calibration.pairs import (
    Pairs,
    effective_different,
    effective_same,
)
from provenance.attribution.calibration.scope import WORTHLESS, Across, Case, Scope
from provenance.canonical import digest
from provenance.errors import SettingsError, UsageError
from provenance.findings import KnownPairs
from provenance.transcript import Frozen

__all__ = [
    "Across",
    "Assessed",
    "Calibration",
    "Case",
    "Grade",
    "Scope",
    "shuffled_control",
    "tested",
    "validated",
]

Floats = NDArray[np.float64]
RESAMPLES = 200
FEW_UNITS = 20  # below, leave-one-out extremes enter the sensitivity interval
FEWEST_UNITS = 6
_LEVEL = (2.5, 97.5)


class Grade(Frozen):
    """The fit for one number of outputs a bundle.

    ``lines`` are (intercept, slope) of resampled units, for the sensitivity interval.
    ``n_same``, ``n_different``: effective numbers of pairs, which bound the ratios. ``cllr`` and
    the rest are cross-validated by units, on clipped ratios; None where that was not possible.
    """

    outputs: int = Field(ge=1)
    intercept: float
    slope: float = Field(ge=0)
    lines: tuple[tuple[float, float], ...]
    n_same: float = Field(gt=0)
    n_different: float = Field(gt=0)
    pairs_same: int
    pairs_different: int
    cllr: float | None = None
    cllr_min: float | None = None
    floor: float
    misleading_above_1: float | None = None
    misleading_above_10: float | None = None
    misleading_above_100: float | None = None
    misleading_upper_1: float | None = None
    misleading_upper_10: float | None = None
    misleading_upper_100: float | None = None
    curves: Curves | None = None

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest log10 ratio that the pairs support."""
        return -float(np.log10(self.n_same + 1)), float(np.log10(self.n_different + 1))

    def known_pairs(self, units: int) -> KnownPairs | None:
        """How often ratios misled on known pairs; None where none could be tested."""
        above, upper = self.misleading_above_1, self.misleading_upper_1
        if self.cllr is None or self.curves is None or above is None or upper is None:
            return None
        below = self.curves.below_one
        return KnownPairs(
            outputs=self.outputs,
            units=units,
            same_below_1=below,
            same_below_1_upper=upper_limit(below, self.n_same),
            different_above_1=above,
            different_above_1_upper=upper,
            cllr=self.cllr,
            cllr_floor=self.floor,
        )


class Calibration(Frozen):
    """Ratios for one pair of hypotheses.

    ``name`` and ``population`` are for people; ``sources`` lists texts with their licences;
    ``units`` the groups that were kept apart in validation. ``across``: tests on genres that were
    left out; a calibration of several genres speaks to any genre only if each of them `holds`.
    """

    format: Literal[1] = 1
    name: str
    hypothesis: str
    against: str
    scope: Scope
    population: str
    sources: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    folds: int
    grades: tuple[Grade, ...]
    control_cllr: float | None = None
    across: tuple[Across, ...] = ()

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        sizes = [g.outputs for g in self.grades]
        if not sizes or sizes != sorted(set(sizes)):
            raise ValueError("grades need ascending numbers of outputs, at least one")
        return self

    @property
    def digest(self) -> str:
        """SHA-256 over all of it."""
        return digest(self.model_dump(mode="json"))

    @classmethod
    def fit(
        cls,
        pairs: Mapping[int, Pairs],
        *,
        name: str,
        hypothesis: str,
        against: str,
        scope: Scope,
        population: str,
        rng: np.random.Generator,
        folds: Mapping[int, int] | None = None,
        sources: Sequence[str] = (),
        units: Sequence[str] = (),
        across: Sequence[Across] = (),
    ) -> Calibration:
        """Fit one grade a number of outputs.

        Parameters
        ----------
        pairs
            By the number of outputs of each bundle.
        folds
            Fold of each unit, fixed before scores are seen; None: drawn into three.
        rng
            Draws folds and units.

        Raises
        ------
        UsageError
            If a grade has fewer than `FEWEST_UNITS` units.
        """
        every = np.unique(np.concatenate([p.units for p in pairs.values()]))
        if folds is None:
            drawn = rng.permutation(every)
            folds = {int(u): i % 3 for i, u in enumerate(drawn)}
        grades = [_grade(outputs, pairs[outputs], folds, rng) for outputs in sorted(pairs)]
        largest = pairs[max(pairs)]
        return cls(
            name=name,
            hypothesis=hypothesis,
            against=against,
            scope=scope,
            population=population,
            sources=tuple(sources),
            units=tuple(units),
            folds=len(set(folds.values())),
            grades=tuple(grades),
            control_cllr=shuffled_control(largest, folds, rng),
            across=tuple(across),
        )

    @classmethod
    def read(cls, content: bytes | str, name: str = "the calibration") -> Calibration:
        """Read JSON.

        Raises
        ------
        SettingsError
            If it is no calibration.
        """
        from pydantic import ValidationError

        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise SettingsError(f"{name} is no calibration: {where}: {first['msg']}") from None

    def assess(self, score: float, case: Case) -> Assessed:
        """The ratio of a case, or why there is none."""
        why_not = self.scope.covers(case)
        below = [g for g in self.grades if g.outputs <= case.outputs]
        # What could not be tested on units that took no part in the fit gives no ratio.
        grade = next((g for g in reversed(below) if g.cllr is not None), None)
        if why_not is None and grade is None and below:
            why_not = (
                "The calibration holds too few units to be tested on some that took no part in the "
                "fit: it gives no ratio."
            )
        if why_not is None and grade is None:
            why_not = (
                f"The calibration begins at {self.grades[0].outputs} outputs a side; here "
                f"{case.outputs} can be compared."
            )
        if why_not is None and grade is not None:
            why_not = _worthless(grade)
        if why_not is None and not np.isfinite(score):
            why_not = "There is no score."
        if why_not is not None or grade is None:
            return Assessed(
                None, None, None, False, self.name, self.population, None, None, why_not
            )
        low, high = grade.bounds
        raw = grade.intercept + grade.slope * score
        others = np.array([a + b * score for a, b in grade.lines] or [raw])
        ends = np.percentile(others, _LEVEL)
        if len(self.units) < FEW_UNITS:
            ends = np.array([others.min(), others.max()])
        # Lines of the resamples may all lie to one side of the fit.
        ends = np.clip([min(ends[0], raw), max(ends[1], raw)], low, high)
        return Assessed(
            log10_lr=float(np.clip(raw, low, high)),
            interval=(float(ends[0]), float(ends[1])),
            bounds=(low, high),
            clipped=not low <= raw <= high,
            calibration=self.name,
            population=self.population,
            n_same=grade.n_same,
            n_different=grade.n_different,
            why_not=None,
            known_pairs=grade.known_pairs(len(self.units)),
        )

    def summary(self) -> list[dict[str, Any]]:
        """One row a grade, for tables."""
        return [
            {k: v for k, v in g.model_dump().items() if k not in ("lines", "curves")}
            | {"bounds": g.bounds, "same_below_1": None if g.curves is None else g.curves.below_one}
            for g in self.grades
        ]


def _worthless(grade: Grade) -> str | None:
    """A calibration whose ratios cost as much as saying nothing gives none."""
    if grade.cllr is None or grade.cllr <= WORTHLESS:
        return None
    return (
        f"On models that took no part in the fit, ratios of this calibration cost {grade.cllr:.2f} "
        "bits; saying nothing costs 1."
    )


def _grade(outputs: int, pairs: Pairs, folds: Mapping[int, int], rng: np.random.Generator) -> Grade:
    units = pairs.units
    if len(units) < FEWEST_UNITS:
        raise UsageError(
            f"a calibration needs {FEWEST_UNITS} units or more, found {len(units)} at {outputs} "
            "outputs: add models of other makers"
        )
    line = fit_line(pairs)
    assert line is not None  # Pairs hold both kinds
    n_same, n_different = effective_same(pairs), effective_different(pairs)
    lines = resampled_lines(pairs, rng=rng, times=RESAMPLES, extremes_below=FEW_UNITS)
    values: dict[str, Any] = {}
    tested = validated(pairs, folds)
    if tested is not None:
        same, different = tested
        values = {
            "cllr": cllr(same, different),
            "cllr_min": cllr_min(same, different),
            "curves": Curves.of(same, different),
        }
        for limit, above in ((1, 0.0), (10, 1.0), (100, 2.0 - 1e-9)):
            found = misleading(different, above, n_different)
            values[f"misleading_above_{limit}"] = found.rate
            values[f"misleading_upper_{limit}"] = found.upper
    return Grade(
        outputs=outputs,
        intercept=line.intercept,
        slope=line.slope,
        lines=tuple((found.intercept, found.slope) for found in lines),
        n_same=n_same,
        n_different=n_different,
        pairs_same=int(pairs.first.sum()),
        pairs_different=int((~pairs.first).sum()),
        floor=cllr_floor(n_same, n_different),
        **values,
    )


def validated(pairs: Pairs, folds: Mapping[int, int]) -> tuple[Floats, Floats] | None:
    """Clipped log10 ratios of pairs whose units took no part in the fit.

    Each fold's pairs (both sides in it) get the line and the bounds of the pairs among the other
    folds' units.

    Returns
    -------
    same, different
        None where no fold can be left out.
    """
    same, different = [], []
    for inside, ratios in tested(pairs, folds):
        same.append(ratios[pairs.first[inside]])
        different.append(ratios[~pairs.first[inside]])
    if not same or not sum(map(len, same)) or not sum(map(len, different)):
        return None
    return np.concatenate(same), np.concatenate(different)


def tested(pairs: Pairs, folds: Mapping[int, int]) -> Iterator[tuple[NDArray[np.bool_], Floats]]:
    """Of each fold of `validated` that can be left out: which pairs it holds, and their ratios."""
    fold = np.full(int(pairs.units.max()) + 1, -1)
    for unit, number in folds.items():
        if unit < len(fold):
            fold[unit] = number
    for number in sorted(set(folds.values())):
        inside = (fold[pairs.units_a] == number) & (fold[pairs.units_b] == number)
        outside = (fold[pairs.units_a] != number) & (fold[pairs.units_b] != number)
        if not inside.any() or not pairs.first[outside].any() or pairs.first[outside].all():
            continue
        rest = pairs.only(outside)
        line = fit_line(rest)
        if line is None:
            continue
        low = -np.log10(effective_same(rest) + 1)
        high = np.log10(effective_different(rest) + 1)
        yield inside, np.clip(line.ratios(pairs.scores[inside]), low, high)


def shuffled_control(
    pairs: Pairs, folds: Mapping[int, int], rng: np.random.Generator, times: int = 5
) -> float | None:
    """Cllr of the whole way when labels are shuffled: about 1 or more, or something leaks.

    Labels are shuffled as blocks: the pairs of two units (or within one) keep their labels
    together, and whole blocks trade labels with others.
    """
    low = np.minimum(pairs.units_a, pairs.units_b)
    high = np.maximum(pairs.units_a, pairs.units_b)
    block = np.unique(low * (int(high.max()) + 1) + high, return_inverse=True)[1]
    share = np.bincount(block, pairs.first) / np.bincount(block)
    found = []
    for _ in range(times):
        traded = rng.permutation(share)
        first = rng.random(len(pairs)) < traded[block]
        if not first.any() or first.all():
            continue
        tested = validated(Pairs(pairs.scores, first, pairs.units_a, pairs.units_b), folds)
        if tested is not None:
            found.append(cllr(*tested))
    return float(np.mean(found)) if found else None
