"""The study document as a neutral document: what is said, in which order, whatever the format."""

from __future__ import annotations

from datetime import UTC, datetime

from provenance.dossier.blocks import Block, Dossier
from provenance.dossier.numbers import instant
from provenance.dossier.sections import (
    cells,
    closed,
    findings,
    hosts,
    origin,
    record,
    substitutes,
    verdict,
)
from provenance.findings import StudyDocument

_TITLES = {
    "compare": "Comparison of two language-model endpoints",
    "attribute": "Attribution of a language model",
    "identify": "Identification of a language model",
}
# What only a comparison of two sides has.
_OF_COMPARISONS = (
    cells.figures,
    findings.families,
    findings.yardstick,
    findings.sensitivity,
    cells.every_cell,
)
_SECTIONS = (
    verdict.headline,
    verdict.meaning,
    origin.candidates,
    closed.closed,
    findings.findings,
    findings.propositions,
    origin.habits,
    origin.figures,
    origin.population,
    cells.figures,
    findings.families,
    findings.yardstick,
    substitutes.substitutes,
    hosts.anchors,
    hosts.band,
    findings.sensitivity,
    record.coverage,
    record.endpoints,
    record.settings,
    record.usage,
    record.limits,
    record.verify,
    record.declaration,
    cells.every_cell,
)


def build(document: StudyDocument) -> Dossier:
    """Lay out a study document."""
    blocks: list[Block] = []
    for section in _SECTIONS:
        if section in _OF_COMPARISONS and document.question in ("identify", "attribute"):
            continue
        blocks += section(document)
    reference, suspect = record.label(document.reference), record.label(document.suspect)
    root = document.evidence.root
    return Dossier(
        title=_TITLES.get(document.question, "Study of a language-model endpoint"),
        subtitle=f"{suspect} against {reference}",
        created=_created(document),
        footer=f"Evidence root {root[:16]}…" if root else "Evidence root unknown",
        blocks=tuple(blocks),
    )


def _created(document: StudyDocument) -> datetime:
    """The time on the title; a document whose time cannot be read gets the epoch."""
    try:
        return instant(document.created_utc)
    except ValueError:
        return datetime(1970, 1, 1, tzinfo=UTC)
