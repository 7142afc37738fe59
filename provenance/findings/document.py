"""The study document itself: every field of ``study.json``, in order."""

from __future__ import annotations

from typing import Any

from provenance.findings.asked import BatteryRef, Declaration, Side
from provenance.findings.hosts import AnchorPair, BenignBand, Other
from provenance.findings.library import Candidate, ClosedSet, Habit, LibraryMap, Population
from provenance.findings.recorded import Coverage, EvidenceRef, FailureCount, UsageTotal
from provenance.findings.tested import (
    CellCounts,
    Family,
    Finding,
    Sensitivity,
    SubstituteShare,
    Yardstick,
)
from provenance.findings.verdict import Verdict
from provenance.findings.weighed import Proposition
from provenance.transcript import Frozen

# 1: first version.
SCHEMA_VERSION = 1


class StudyDocument(Frozen):
    """The whole study, as written to ``study.json`` and printed by ``--json``."""

    schema_version: int = SCHEMA_VERSION
    tool_version: str
    created_utc: str
    question: str
    declaration: Declaration = Declaration()
    reference: Side
    suspect: Side
    battery: BatteryRef
    plan_digest: str
    settings: dict[str, Any]
    environment: dict[str, str]
    seed: int
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    propositions: tuple[Proposition, ...] = ()
    cells: tuple[CellCounts, ...] = ()
    families: tuple[Family, ...] = ()
    yardstick: Yardstick | None = None
    sensitivity: tuple[Sensitivity, ...] = ()
    substitutes: tuple[SubstituteShare, ...] = ()
    others: tuple[Other, ...] = ()
    anchors: tuple[AnchorPair, ...] = ()
    band: BenignBand | None = None
    population: Population | None = None
    candidates: tuple[Candidate, ...] = ()
    closed_set: ClosedSet | None = None
    habits: tuple[Habit, ...] = ()
    map: LibraryMap | None = None
    coverage: Coverage
    failures: tuple[FailureCount, ...] = ()
    usage: UsageTotal
    alternatives: tuple[str, ...] = ()
    deviations: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    evidence: EvidenceRef
