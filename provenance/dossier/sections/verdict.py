"""The verdict, what it says and what it does not say."""

from __future__ import annotations

from provenance.dossier import decision, wording
from provenance.dossier.blocks import Block, Bullets, Heading, Paragraph, Verdict
from provenance.dossier.numbers import counted, percent
from provenance.findings import StudyDocument


def headline(document: StudyDocument) -> list[Block]:
    """The large sentence with its numbers."""
    verdict = document.verdict
    facts = [_null(document), decision.numbers(document)]
    if verdict.delta is not None and verdict.panel is not None:
        facts.append(f"Share δ = {percent(verdict.delta)}; panel: {verdict.panel}")
    facts.append(f"{decision.coverage(document)} planned draws · {decision.requests(document)}")
    return [
        Verdict(
            label=verdict.label.replace("_", " ").upper(),
            sentence=decision.sentence(document),
            facts=tuple(facts),
            tone=decision.TONES[verdict.label],
        )
    ]


def meaning(document: StudyDocument) -> list[Block]:
    """Reasons, and every other cause that the document names."""
    verdict = document.verdict
    says, says_not = wording.says(verdict.label, verdict.null)
    if decision.withheld(document):
        says, says_not = wording.WITHHELD
    blocks: list[Block] = [Heading("What this says, and what it does not say"), Paragraph(says)]
    if verdict.reasons:
        blocks.append(Bullets(tuple(r.text for r in verdict.reasons)))
    power = decision.could_have_seen(document)
    said = any(r.code == "no_difference_found" for r in verdict.reasons)
    if power is not None and not said and verdict.label in ("inconclusive", "consistent"):
        blocks.append(Paragraph(power))
    causes = document.alternatives or wording.DEFAULT_ALTERNATIVES
    blocks.append(Paragraph(says_not))
    blocks.append(Bullets(tuple(wording.sentence(wording.ALTERNATIVES, c) for c in causes)))
    if verdict.not_excluded:
        names = ", ".join(verdict.not_excluded)
        models = counted(len(verdict.not_excluded), "model")
        blocks.append(
            Paragraph(
                f"Not excluded, because the battery cannot tell them apart ({models}): {names}"
            )
        )
    return blocks


def _null(document: StudyDocument) -> str:
    null = wording.sentence(wording.NULLS, document.verdict.null)
    return f"Null hypothesis: {null}"
