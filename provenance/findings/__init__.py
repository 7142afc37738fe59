"""The study document: the frozen types behind ``study.json``.

Everything that a reader of a study may see is here; every renderer works from it alone. Unknown
is None, never NaN. ``provenance/study.schema.json`` is generated from `StudyDocument`; a test
keeps the two equal. Import from this package; where a type stands:

asked      the sides, the questions, who asked
verdict    the label and its reasons
tested     tests and measures; cells, families, planned sensitivity, shares of substitutes
weighed    likelihood ratios
hosts      further endpoints, anchors, the benign band
library    candidates, population, habits, map: what `identify` and `attribute` find in a library
recorded   coverage, failures, usage, the transcript
document   `StudyDocument`, which holds them all
"""

from __future__ import annotations

from provenance.findings.asked import BatteryRef, Declaration, Side
from provenance.findings.document import SCHEMA_VERSION, StudyDocument
from provenance.findings.hosts import AnchorPair, BandGroup, BenignBand, Other
from provenance.findings.library import (
    Candidate,
    ClosedMember,
    ClosedSet,
    ClosedTests,
    FalseInclusion,
    Habit,
    LibraryMap,
    MapPoint,
    Merge,
    Population,
)
from provenance.findings.recorded import Coverage, EvidenceRef, FailureCount, UsageTotal
from provenance.findings.tested import (
    CellCounts,
    Exactness,
    Family,
    Finding,
    Sensitivity,
    SubstituteShare,
    Yardstick,
)
from provenance.findings.verdict import Label, Reason, Verdict
from provenance.findings.weighed import EffectiveUnits, KnownPairs, Proposition

__all__ = [
    "SCHEMA_VERSION",
    "AnchorPair",
    "BandGroup",
    "BatteryRef",
    "BenignBand",
    "Candidate",
    "CellCounts",
    "ClosedMember",
    "ClosedSet",
    "ClosedTests",
    "Coverage",
    "Declaration",
    "EffectiveUnits",
    "EvidenceRef",
    "Exactness",
    "FailureCount",
    "FalseInclusion",
    "Family",
    "Finding",
    "Habit",
    "KnownPairs",
    "Label",
    "LibraryMap",
    "MapPoint",
    "Merge",
    "Other",
    "Population",
    "Proposition",
    "Reason",
    "Sensitivity",
    "Side",
    "StudyDocument",
    "SubstituteShare",
    "UsageTotal",
    "Verdict",
    "Yardstick",
]
