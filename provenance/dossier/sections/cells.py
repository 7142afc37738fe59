"""The cells: a figure of those that differ most, and a table of all."""

from __future__ import annotations

from typing import Literal

from provenance.dossier import decision, wording
from provenance.dossier.blocks import (
    LABEL,
    Bar,
    BarGroup,
    Bars,
    Block,
    Column,
    Heading,
    Paragraph,
    Quote,
    Table,
)
from provenance.dossier.numbers import counted, share, significant
from provenance.dossier.text import clip
from provenance.findings import CellCounts, StudyDocument

MOST_FIGURES = 6
MOST_CATEGORIES = 5
MOST_ROWS = 120


def figures(document: StudyDocument) -> list[Block]:
    """Paired bars for the cells that differ most, the most different first."""
    blocks: list[Block] = [Heading("Where the two sides differ most")]
    chosen = decision.most_different(document, MOST_FIGURES)
    if not chosen:
        return [*blocks, Paragraph("No cell shows a difference, or none was answered by both.")]
    blocks += [Paragraph(wording.PICKED), Paragraph(wording.SHARES, small=True)]
    for cell in chosen:
        blocks += _cell(cell)
    return blocks


def every_cell(document: StudyDocument) -> list[Block]:
    """All cells in the order of the battery."""
    if not document.cells:
        return []
    columns = (
        Column("Cell", "code", 2),
        Column("Draws ref. / sus.", "number", 0),
        Column("Difference", "number", 0),
        Column("Most frequent, reference", "code", 2),
        Column("Most frequent, suspect", "code", 2),
    )
    rows = tuple(
        (
            c.id,
            f"{c.n_reference:,} / {c.n_suspect:,}",
            "–" if c.difference is None else significant(c.difference),
            _top(c.reference, c.n_reference),
            _top(c.suspect, c.n_suspect),
        )
        for c in document.cells[:MOST_ROWS]
    )
    caption = (
        "All cells, exploratory: no cell decides by itself. The difference is the total variation "
        "distance: descriptive, and larger than zero by chance in small samples."
    )
    blocks: list[Block] = [Heading("All cells"), Table(caption, columns, rows)]
    rest = len(document.cells) - MOST_ROWS
    if rest > 0:
        blocks.append(Paragraph(f"{counted(rest, 'more cell')} in study.json.", small=True))
    return blocks


def shown(category: str) -> str:
    """A category as it is printed; an empty one is named."""
    return category if category.strip() else decision.EMPTY


def _cell(cell: CellCounts) -> list[Block]:
    blocks: list[Block] = [Heading(cell.id, level=2, code=True)]
    if cell.prompt:
        blocks.append(Quote("Prompt", cell.prompt))
    if _all_distinct(cell):
        n = counted(cell.n_reference, "answer")
        m = counted(cell.n_suspect, "answer")
        blocks.append(
            Paragraph(f"No answer was given twice ({n} of the reference, {m} of the suspect).")
        )
    else:
        blocks.append(_bars(cell))
    if cell.reading != "text":
        return blocks
    sides = [side for side in ("reference", "suspect") if side in cell.examples]
    return [*blocks, *(Quote(f"An answer of the {s}", cell.examples[s]) for s in sides)]


def _all_distinct(cell: CellCounts) -> bool:
    counts = [
        n for side in (cell.reference, cell.suspect) for c, n in side.items() if c != decision.OTHER
    ]
    shared = set(cell.reference) & set(cell.suspect) - {decision.OTHER}
    return max(counts, default=1) == 1 and not shared and len(counts) > 2


def _bars(cell: CellCounts) -> Bars:
    names = [c for c in dict.fromkeys((*cell.reference, *cell.suspect)) if c != decision.OTHER]
    names.sort(key=lambda c: -max(_share(cell, "reference", c), _share(cell, "suspect", c)))
    top = names[:MOST_CATEGORIES]
    groups = [_group(cell, shown(c), cell.reference.get(c, 0), cell.suspect.get(c, 0)) for c in top]
    rest = [n - sum(counts.get(c, 0) for c in top) for n, counts in _sides(cell)]
    if any(r > 0 for r in rest):
        groups.append(_group(cell, "(all other answers)", max(0, rest[0]), max(0, rest[1])))
    alt = "; ".join(
        f"{clip(g.label, LABEL)}: {', '.join(f'{b.side} {b.value}' for b in g.bars)}"
        for g in groups
    )
    difference = significant(cell.difference)
    caption = (
        f"{counted(cell.n_reference, 'answer')} of the reference, "
        f"{counted(cell.n_suspect, 'answer')} of the suspect, read as {cell.reading}; "
        f"total variation distance {difference}."
    )
    return Bars(caption, alt, tuple(groups))


def _sides(cell: CellCounts) -> tuple[tuple[int, dict[str, int]], tuple[int, dict[str, int]]]:
    return (cell.n_reference, cell.reference), (cell.n_suspect, cell.suspect)


def _share(cell: CellCounts, side: Literal["reference", "suspect"], category: str) -> float:
    n, counts = _sides(cell)[side == "suspect"]
    return counts.get(category, 0) / max(1, n)


def _group(cell: CellCounts, label: str, reference: int, suspect: int) -> BarGroup:
    def bar(side: Literal["reference", "suspect"], part: int, whole: int) -> Bar:
        length = min(1.0, part / whole) if whole else 0.0
        return Bar(side, length, f"{part:,}/{whole:,} = {share(part, whole)}")

    bars = (bar("reference", reference, cell.n_reference), bar("suspect", suspect, cell.n_suspect))
    return BarGroup(label, bars)


def _top(counts: dict[str, int], n: int) -> str:
    if not counts:
        return "–"
    category, part = max(counts.items(), key=lambda item: item[1])
    return f"{clip(shown(category), LABEL)} ({share(part, n)})"
