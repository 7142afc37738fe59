"""Anchors and the benign band: what hosts change in one model."""

from __future__ import annotations

from provenance.dossier import wording
from provenance.dossier.blocks import Block, Column, Heading, Paragraph, Table
from provenance.dossier.numbers import UNKNOWN, count, significant
from provenance.findings import Finding, StudyDocument

_NONE = "–"
_MOST_GROUPS = 40


def anchors(document: StudyDocument) -> list[Block]:
    """Each anchor beside the suspect; nothing where none was named."""
    if not document.anchors:
        return []
    found = _finding(document, "anchors")
    suspect = (
        f"{document.suspect.label} (suspect)",
        document.reference.label,
        _NONE if found is None else significant(found.statistic),
        f"{document.coverage.reference:,} / {document.coverage.suspect:,}",
        "",
    )
    rows = [
        (
            anchor.suspect.label,
            anchor.reference.label,
            _NONE if anchor.distance is None else significant(anchor.distance),
            f"{anchor.n_reference:,} / {anchor.n_suspect:,}",
            "" if anchor.used else wording.sentence(wording.WHY_NOT, anchor.why_not or UNKNOWN),
        )
        for anchor in document.anchors
    ]
    columns = (
        Column("On the suspect's host", "text", 2),
        Column("On the reference's host", "text", 2),
        Column("Distance", "number", 0),
        Column("Draws", "number", 0),
        Column("Left out", "text", 1.4),
    )
    blocks: list[Block] = [
        Heading("Anchors: what the hosts change in other models"),
        Paragraph(wording.ANCHORS),
        Table("The suspect, then each anchor.", columns, (suspect, *rows)),
    ]
    if found is not None:
        blocks.append(Paragraph(wording.anchors_note(found)))
    return [*blocks, Paragraph(wording.ANCHORS_LIMIT, small=True)]


def band(document: StudyDocument) -> list[Block]:
    """The groups of the band beside the suspect; nothing where no band was named."""
    held = document.band
    if held is None:
        return []
    found = _finding(document, "benign_band")
    groups = sorted(held.groups, key=lambda g: (-g.distance, g.weights))
    rows = [(g.weights, count(g.pairs), significant(g.distance)) for g in groups[:_MOST_GROUPS]]
    if len(groups) > _MOST_GROUPS:
        rows.append((f"{len(groups) - _MOST_GROUPS:,} groups more", "", "smaller"))
    if found is not None:
        rows.insert(0, ("this study", "", significant(found.effect)))
    columns = (
        Column("Weights", "text", 3),
        Column("Pairs", "number", 0),
        Column("Largest distance", "number", 0),
    )
    blocks: list[Block] = [
        Heading(f"The benign band {held.name}"),
        Paragraph(wording.BAND),
        Paragraph(wording.band_note(held, found)),
    ]
    if rows:
        blocks.append(Table("This study, then each group of weights.", columns, tuple(rows)))
    return blocks


def _finding(document: StudyDocument, name: str) -> Finding | None:
    return next((f for f in document.findings if f.name == name), None)
