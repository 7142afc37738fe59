"""Do a side's answers depend on each other or on time? Examined before any verdict.

Only for sides whose used records all carry the time of their request: the sample number of a
recording names a draw, not a moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from provenance.attribution.equality import draws_by_family, reads_texts
from provenance.attribution.observations import CellObservations, Observations, codes
from provenance.findings import Finding
from provenance.stats.multiplicity import holm
from provenance.stats.permutation import PermutationNull
from provenance.stats.serial import SerialResult, duplicate_share, repeated_ids, serial_test
from provenance.transcript import ROLES, Role

_METHOD = "Order of a side's answers permuted within cell; Holm over the two sides"


@dataclass(frozen=True, slots=True)
class Order:
    """Outcome per side.

    Attributes
    ----------
    repeats, drift
        Per side whose order means something, the p-value adjusted over those sides, and the
        estimated share of copies.
    findings
        For the study document.
    """

    repeats: Mapping[Role, tuple[float, float]]
    drift: Mapping[Role, float]
    findings: tuple[Finding, ...]


def examine_order(observations: Observations, *, rules: Mapping[str, Any], seed: int) -> Order:
    """Run the serial tests of both sides.

    Null hypothesis: the answers of a side to one cell are exchangeable in time. What is compared
    is the category of an answer; for repeats also its text, in families whose texts the tests of
    equality compare: a cache copies texts that a coarse reading puts in one category anyway. Then
    the p-value of repeats is twice the smaller of the two.
    """
    descriptive = tuple(f for role in ROLES if (f := _duplicates(observations, role)) is not None)
    timed = [role for role in ROLES if is_timed(observations, role)]
    if not timed:
        return Order({}, {}, descriptive)
    outcomes: dict[Role, SerialResult] = {}
    for role in timed:
        outcomes[role] = _tested(
            observations, role, resamples=int(rules["minimum_resamples"]), seed=seed
        )
    adjusted = holm([outcomes[role].p_repeat for role in timed])
    drifted = holm([outcomes[role].p_drift for role in timed])
    repeats = {
        role: (float(p), outcomes[role].excess_repeats or 0.0)
        for role, p in zip(timed, adjusted, strict=True)
    }
    drift = {role: float(p) for role, p in zip(timed, drifted, strict=True)}
    alpha = float(rules["serial_alpha"])
    as_texts = bool(_compared_as_texts(observations))
    found = []
    for i, role in enumerate(timed):
        outcome = outcomes[role]
        found.append(
            _finding(
                f"repeats/{role}",
                "no_serial_dependence",
                (outcome.p_repeat, float(adjusted[i])),
                (outcome, role),
                alpha,
                effect=outcome.excess_repeats,
                estimand="share of answers that copy the one before them",
                method=f"{_METHOD}; texts beside categories, twice the smaller p-value"
                if as_texts
                else _METHOD,
            )
        )
        found.append(
            _finding(
                f"drift/{role}",
                "no_drift",
                (outcome.p_drift, float(drifted[i])),
                (outcome, role),
                alpha,
            )
        )
    return Order(repeats, drift, (*found, *descriptive))


def is_timed(observations: Observations, role: Role) -> bool:
    """Whether every used draw of a side carries the time of its request."""
    records = [r for cell in observations.used() for r in cell.records if r.role == role]
    return bool(records) and all(r.started_utc for r in records)


def sequence(
    cell: CellObservations, role: Role, *, texts: bool = False
) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Codes of one side's categories, or texts, in the order of their requests."""
    rows = [
        (record.started_utc or "", record.slot, answer)
        for record, answer in zip(
            cell.records, cell.texts if texts else cell.categories, strict=True
        )
        if record.role == role
    ]
    return codes(answer for _, _, answer in sorted(rows))


def _tested(observations: Observations, role: Role, *, resamples: int, seed: int) -> SerialResult:
    """The serial tests of one side; what is said of repeats is what stands out more."""
    stream = [seed, 2, ROLES.index(role)]
    null = PermutationNull(np.random.default_rng(stream), resamples=resamples)
    found = serial_test([sequence(c, role) for c in observations.used()], null=null)
    as_texts = _compared_as_texts(observations)
    if not as_texts:
        return found
    null = PermutationNull(np.random.default_rng([*stream, 1]), resamples=resamples)
    copies = serial_test([sequence(c, role, texts=True) for c in as_texts], null=null)
    clearer = copies if copies.p_repeat < found.p_repeat else found
    return replace(
        clearer,
        p_repeat=min(1.0, 2 * clearer.p_repeat),
        p_drift=found.p_drift,
        sequences=found.sequences,
        draws=found.draws,
    )


def _compared_as_texts(observations: Observations) -> list[CellObservations]:
    """Cells of families whose texts the tests of equality compare."""
    draws = draws_by_family(observations)
    return [
        cell
        for family, cells in observations.families().items()
        if reads_texts(draws[family])
        for cell in cells
    ]


def _finding(
    name: str,
    null: str,
    p_values: tuple[float, float],
    outcome: tuple[SerialResult, Role],
    alpha: float,
    *,
    effect: float | None = None,
    estimand: str | None = None,
    method: str = _METHOD,
) -> Finding:
    serial, role = outcome
    return Finding(
        name=name,
        speaks_to=(),
        p_value=p_values[0],
        p_adjusted=p_values[1],
        alpha=alpha,
        effect=effect,
        estimand=estimand,
        null=null,
        exactness="exact",
        assumptions=("known_reading",),
        n_reference=serial.draws if role == "reference" else None,
        n_suspect=serial.draws if role == "suspect" else None,
        method=method,
        citation="Phipson & Smyth 2010",
        values={
            "adjacent_repeats": serial.repeats,
            "expected_repeats": serial.expected_repeats,
            "longest_run": serial.longest_run,
        },
    )


def _duplicates(observations: Observations, role: Role) -> Finding | None:
    """Exact copies among long texts, and response ids seen twice: descriptive."""
    records, shares, total = [], [], 0
    for cell in observations.used():
        texts: Sequence[str] = [
            t for r, t in zip(cell.records, cell.texts, strict=True) if r.role == role
        ]
        # Copies are what temperature 0 gives.
        cold = cell.cell.decoding.get("temperature") == 0
        share = None if cold else duplicate_share(texts)
        if share is not None:
            shares.append(share)
            total += len(texts)
        records += [r for r in cell.records if r.role == role]
    ids = repeated_ids(r.completion.response_id for r in records if r.completion is not None)
    if not shares and not ids:
        return None
    return Finding(
        name=f"copies/{role}",
        effect=float(np.mean(shares)) if shares else None,
        estimand="share of long answers that copy another answer to the same cell exactly",
        exactness="descriptive",
        n_reference=total if role == "reference" else None,
        n_suspect=total if role == "suspect" else None,
        method="Exact comparison of answers of 80 characters and more; response ids seen twice",
        values={"repeated_response_ids": ids},
    )
