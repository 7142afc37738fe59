"""What decided: the numbers of the headline, read from the study document for all renderers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provenance.dossier import wording
from provenance.dossier.blocks import Tone
from provenance.dossier.numbers import counted, interval, p_value, percent, signed
from provenance.findings import CellCounts, Finding, Proposition, StudyDocument

TONES: dict[str, Tone] = {
    "different": "alert",
    "supported": "alert",
    "none_of_these": "alert",
    "inconclusive": "caution",
    "not_supported": "caution",
    "consistent": "calm",
    "known": "calm",
}
OTHER = "…other"
EMPTY = "(empty answer)"


@dataclass(frozen=True, slots=True)
class Decision:
    """The p-value that decided (None where nothing was tested), its level and correction."""

    p: float | None
    alpha: float | None
    families: int | None
    tests: int | None
    pairs: int | None
    null: str

    @property
    def p_text(self) -> str:
        """``p = 0.0004 (Holm, 9 families)``."""
        if self.p is None:
            return "no p-value: nothing could be tested"
        if self.pairs is not None:
            return f"p = {p_value(self.p, self.alpha)} (sequential, {counted(self.pairs, 'pair')})"
        tests = self.tests or self.families or 0
        name = "families" if tests == self.families else "tests"
        holm = f" (Holm, {tests} {name})" if tests > 1 else ""
        return f"p = {p_value(self.p, self.alpha)}{holm}"

    @property
    def alpha_text(self) -> str:
        """``α 0.01``."""
        return f"α {self.alpha:g}" if self.alpha is not None else "α unknown"


def decision(document: StudyDocument) -> Decision:
    """From the reason of the verdict where it has the number, else from the findings."""
    tested = [f for f in document.families if f.p_adjusted is not None]
    family_p = min((f.p_adjusted for f in tested if f.p_adjusted is not None), default=None)
    finding_p = min(
        (p for f in document.findings if (p := _deciding_p(f, document)) is not None), default=None
    )
    values = _reason_values(document)
    p = _number(values.get("p"))
    alpha = _number(values.get("alpha")) or _number(document.settings.get("alpha"))
    families, pairs = values.get("families"), values.get("pairs")
    return Decision(
        p=p if p is not None else finding_p if finding_p is not None else family_p,
        alpha=alpha,
        families=families if isinstance(families, int) else len(tested) or None,
        pairs=pairs if isinstance(pairs, int) else None,
        tests=sum(
            f.p_adjusted is not None and bool(f.speaks_to) and not f.exploratory
            for f in document.findings
        )
        or None,
        null=document.verdict.null,
    )


def sentence(document: StudyDocument) -> str:
    """The verdict in one sentence."""
    null = wording.sentence(wording.NULL_NAMES, document.verdict.null).replace("_", " ")
    label = document.verdict.label
    if document.question == "identify":
        return _identified(document)
    if document.question == "attribute":
        return _attributed(document)
    if label == "different":
        also = rejected_band(document)
        null += f" and {wording.BAND_NAME} {also}" if also else ""
        causes = wording.NARROWER_CAUSES if also else wording.CAUSES
        return f"Rejects {null}. Cause not determined: {causes} can cause this."
    if label == "inconclusive":
        if withheld(document):
            return wording.HOST_CAN_BE_THE_CAUSE
        if any(r.code == "no_difference_found" for r in document.verdict.reasons):
            return f"No difference found. {wording.NOT_THE_SAME}"
        return "The study does not decide whether the two endpoints differ."
    if label == "consistent":
        delta, panel = document.verdict.delta, document.verdict.panel
        return f"Consistent within {percent(delta)} against the panel {panel or 'unknown'}."
    return wording.LABELS[label]


def withheld(document: StudyDocument) -> bool:
    """Whether anchors took a rejection back."""
    return any(r.code == "anchors_shift_alike" for r in document.verdict.reasons)


def rejected_band(document: StudyDocument) -> str | None:
    """Name of the benign band that is rejected too."""
    for reason in document.verdict.reasons:
        if reason.code == "beyond_benign_band":
            return str(reason.values["band"])
    return None


def _identified(document: StudyDocument) -> str:
    label = document.verdict.label
    inside = [c.name for c in document.candidates if c.in_set]
    if label == "known" and inside:
        more = f" and {len(inside) - 3:,} more" if len(inside) > 3 else ""
        return f"Not excluded: {', '.join(inside[:3])}{more}. Every other model was rejected."
    if label == "none_of_these":
        return "None of the models in the library: each was rejected."
    return "The library does not settle which model this is."


def _attributed(document: StudyDocument) -> str:
    ratios = [p for p in document.propositions if p.assessed and p.log10_lr is not None]
    best = max(ratios, key=lambda p: p.log10_lr or 0.0, default=None)
    if document.verdict.label == "supported" and best is not None:
        pair = f"{wording.hypothesis(best.hypothesis)}, against {wording.hypothesis(best.against)}"
        return f"Supported: {pair}."
    if document.verdict.label == "not_supported":
        against = " and ".join(wording.hypothesis(p.hypothesis) for p in ratios)
        return f"Not supported: the texts speak against {against}."
    return "The texts do not settle where the suspect comes from."


def could_have_seen(document: StudyDocument) -> str | None:
    """The planned power in one sentence."""
    return wording.power(document.sensitivity)


def numbers(document: StudyDocument) -> str:
    """``p = 0.0004 (Holm, 9 families); α 0.01``, or the likelihood ratio where that decided."""
    if document.verdict.label in ("supported", "not_supported"):
        ratios = [p for p in document.propositions if p.assessed and p.log10_lr is not None]
        if ratios:
            return "; ".join(likelihood_ratio(p) for p in ratios)
    decided = decision(document)
    return f"{decided.p_text}; {decided.alpha_text}"


def likelihood_ratio(p: Proposition) -> str:
    """One ratio with its pair and its bounds, in one line."""
    pair = f"{wording.hypothesis(p.hypothesis)} against {wording.hypothesis(p.against)}"
    bounds = interval((p.bound_low, p.bound_high))
    return f"log₁₀ LR = {signed(p.log10_lr, 3)} for {pair} (bounds {bounds})"


def coverage(document: StudyDocument) -> str:
    """``Coverage 118/120``."""
    return f"Coverage {document.coverage.completed:,}/{document.coverage.planned:,}"


def requests(document: StudyDocument) -> str:
    """``120 requests``."""
    return counted(document.usage.requests, "request")


def most_different(document: StudyDocument, limit: int) -> list[CellCounts]:
    """Cells in which the sides differ most, the most different first.

    Ordered by the total variation distance less what chance alone gives at these sample sizes
    (half the sum over categories of the expected absolute difference of two shares, normal
    approximation): otherwise cells whose answers never repeat would always lead. An order for
    display, not a test. The cell that a reason names comes first.
    """
    differing = [c for c in document.cells if c.difference and c.n_reference and c.n_suspect]
    named = _reason_values(document).get("cell")

    def order(cell: CellCounts) -> tuple[bool, float, int, str]:
        excess = (cell.difference or 0) - _by_chance(cell)
        return cell.id != named, -excess, -(cell.n_reference + cell.n_suspect), cell.id

    return sorted(differing, key=order)[:limit]


def most_visible(cell: CellCounts) -> tuple[str, int, int] | None:
    """The category of a cell whose shares differ most, with its counts a side."""
    names = [c for c in (*cell.reference, *cell.suspect) if c != OTHER]
    if not names:
        return None

    def gap(name: str) -> float:
        reference = cell.reference.get(name, 0) / max(1, cell.n_reference)
        return abs(reference - cell.suspect.get(name, 0) / max(1, cell.n_suspect))

    name = max(dict.fromkeys(names), key=gap)
    return name, cell.reference.get(name, 0), cell.suspect.get(name, 0)


def _by_chance(cell: CellCounts) -> float:
    n, m = cell.n_reference, cell.n_suspect
    total = 0.0
    for category in {*cell.reference, *cell.suspect}:
        p = min(1.0, (cell.reference.get(category, 0) + cell.suspect.get(category, 0)) / (n + m))
        total += math.sqrt(2 / math.pi * p * (1 - p) * (1 / n + 1 / m))
    return total / 2


def _reason_values(document: StudyDocument) -> Mapping[str, Any]:
    for reason in document.verdict.reasons:
        if reason.code in (
            "rejects_same_deployment",
            "rejects_sequentially",
            "no_difference_found",
        ):
            return reason.values
    return {}


def _deciding_p(finding: Finding, document: StudyDocument) -> float | None:
    spoken = finding.speaks_to or ((finding.null,) if finding.null else ())
    if document.verdict.null not in spoken or finding.exploratory:
        return None
    if finding.exactness == "descriptive":
        return None
    return finding.p_adjusted if finding.p_adjusted is not None else finding.p_value


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
