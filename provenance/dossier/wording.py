"""The only place where codes become sentences, and where fixed sentences stand.

Short and plain, to be read by a judge. A rejected null is named, with what else can cause it; a
null that was not rejected is never called true. What is called from here stands in `sentences`
(codes of a field), `labels` (what a label says) and `reasons` with its parts (reason codes).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from provenance.dossier import origin_reasons as _origin_reasons  # noqa: F401  registers codes
from provenance.dossier import strand_reasons as _strand_reasons  # noqa: F401  registers codes
from provenance.dossier.host_reasons import anchors_note, band_note
from provenance.dossier.labels import LABELS, says
from provenance.dossier.numbers import counted, percent, significant
from provenance.dossier.reasons import CAUSES, NOT_THE_SAME, codes, parameters, reason
from provenance.dossier.sentences import (
    ALTERNATIVES,
    ASSUMPTIONS,
    DEFAULT_ALTERNATIVES,
    DEFAULT_LIMITS,
    DEVIATIONS,
    EXACTNESS,
    HYPOTHESES,
    LIMITS,
    NULL_NAMES,
    NULLS,
    WHY_NOT,
    hypothesis,
    sentence,
)
from provenance.findings import Sensitivity, StudyDocument

__all__ = [
    "ALTERNATIVES",
    "ASSUMPTIONS",
    "CAUSES",
    "DEFAULT_ALTERNATIVES",
    "DEFAULT_LIMITS",
    "DEVIATIONS",
    "EXACTNESS",
    "HYPOTHESES",
    "LABELS",
    "LIMITS",
    "NOT_THE_SAME",
    "NULLS",
    "NULL_NAMES",
    "WHY_NOT",
    "anchors_note",
    "band_note",
    "codes",
    "hypothesis",
    "parameters",
    "reason",
    "says",
    "sentence",
    "spell",
]

VERIFY = (
    "With the evidence folder at hand, this command checks the chain of digests and computes the "
    "verdict again from the recorded answers:"
)
VERIFY_LIMIT = (
    "It shows that the evidence was not changed since it was recorded, and that the numbers here "
    "follow from it. It does not show that an endpoint sent these answers, and it does not replace "
    "keeping the folder safe. The root is not signed: who could replace the whole folder could "
    "compute a new one. Compare it with a copy that was kept elsewhere."
)
NOT_STATED = "not stated"
PICKED = (
    "Exploratory: these cells were chosen after looking at the answers. They show where the sides "
    "differ, not how sure that is; the tests above use all cells."
)
YARDSTICK = (
    "Two samples of one endpoint differ by chance too. The yardstick splits the reference into "
    "random halves and measures how far apart they are."
)
SENSITIVITY = (
    "Computed from the plan and a panel of models, some of which stand in for the reference in "
    "turn (the median is shown); the answers of neither side enter."
)
BAND_NAME = "the benign band"
# What is left where even known servings of the same weights do not differ as much.
NARROWER_CAUSES = "a system prompt or a serving unlike those of the band"
HOST_CAN_BE_THE_CAUSE = "The answers differ, but what the hosts change in anchors can explain it."
WITHHELD = (
    "The two deployments differ. The study does not decide whether the model differs or only how "
    "the hosts serve it.",
    "It is no evidence that another model answers, nor that the same one does. Each of these can "
    "cause the difference:",
)
ANCHORS = (
    "An anchor is a model that both hosts are trusted to serve alike. What the hosts change in it "
    "they may change in the suspect too. Distances are on one scale, at equal numbers of draws on "
    "the same cells; about 0 means no difference, and chance makes some negative."
)
ANCHORS_LIMIT = (
    "A host can serve an anchor otherwise on purpose, to excuse the suspect; this would show here "
    "as a large distance of the anchor. And one act of a host moves models with other favourite "
    "answers otherwise: the nearer an anchor's answers are to the suspect's, the more it says."
)
BAND = (
    "The benign band holds pairs of hosts that are known to serve the same weights. Each group of "
    "weights counts once, by its largest distance."
)
SHARES = "Bars show the share of each side's answers that fell into a category; figures are counts."


def power(sensitivity: Sequence[Sensitivity]) -> str | None:
    """What the plan could have seen, in one sentence; None where it was not computed."""
    seen = [s for s in sensitivity if s.minimum_detectable is not None]
    if not sensitivity:
        return None
    if not seen:
        return "The plan could have seen none of the alternatives that were looked at."
    seen.sort(key=lambda s: s.minimum_detectable or 0)
    first, last = seen[0], seen[-1]
    start = f"With power {percent(min(s.power for s in seen))} the plan could have seen"
    if len(sensitivity) == 1:
        return f"{start}: {first.alternative}, {first.effect_kind}, at least {detectable(first)}."
    # Names would mislead here: a member that is the reference itself cannot be seen at all.
    return (
        f"{start} {counted(len(seen), 'substitute')} of {len(sensitivity):,} in the panel, if the "
        f"reference were one of its other members: the {first.effect_kind}, from "
        f"{detectable(first)} to {detectable(last)}."
    )


def detectable(sensitivity: Sensitivity) -> str:
    """The smallest detectable effect; shares are rounded up, so that no more is claimed."""
    value = sensitivity.minimum_detectable
    if value is None:
        return "none"
    if sensitivity.effect_kind.startswith("share") and 0 < value <= 1:
        return f"{math.ceil(100 * value - 1e-9)}%"
    return significant(value)


def spell(document: StudyDocument) -> StudyDocument:
    """The document with its codes as sentences: reasons, limits, alternatives, deviations.

    Null hypotheses and assumptions stay codes, for programs; the renderers put them into words.

    Raises
    ------
    ValueError
        For a reason with an unknown code, or one that lacks a value.
    """
    note = power(document.sensitivity) or "What the plan could have seen was not computed."
    reasons = []
    for r in document.verdict.reasons:
        more = {"power_note": note} if r.code == "no_difference_found" else {}
        text = reason(r.code, {**more, **r.values}).text
        reasons.append(r.model_copy(update={"text": text}))
    propositions = tuple(
        p if p.why_not is None else p.model_copy(update={"why_not": sentence(WHY_NOT, p.why_not)})
        for p in document.propositions
    )
    anchors = tuple(
        a if a.why_not is None else a.model_copy(update={"why_not": sentence(WHY_NOT, a.why_not)})
        for a in document.anchors
    )
    return document.model_copy(
        update={
            "verdict": document.verdict.model_copy(update={"reasons": tuple(reasons)}),
            "propositions": propositions,
            "anchors": anchors,
            "limits": tuple(sentence(LIMITS, code) for code in document.limits),
            "alternatives": tuple(sentence(ALTERNATIVES, code) for code in document.alternatives),
            "deviations": tuple(sentence(DEVIATIONS, code) for code in document.deviations),
        }
    )
