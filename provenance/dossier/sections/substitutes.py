"""The members of the panel, and which share of the suspect's answers each may have given."""

from __future__ import annotations

from provenance.dossier.blocks import Block, Column, Heading, Paragraph, Table
from provenance.dossier.numbers import count, percent
from provenance.findings import StudyDocument

_COLUMNS = (
    Column("Substitute", "text", 3),
    Column("Cells", "number", 0),
    Column("At least", "number", 0),
    Column("At most", "number", 0),
    Column("Told apart", "text", 0),
)


def substitutes(document: StudyDocument) -> list[Block]:
    """Limits of the share of each substitute; nothing where none was looked at."""
    shares = sorted(document.substitutes, key=lambda s: (not s.parted, s.upper, s.name))
    if not shares:
        return []
    rows = tuple(
        (
            s.name,
            count(s.cells),
            percent(s.lower) if s.fits else "–",
            (percent(s.upper) if s.parted else "100%") if s.fits else "–",
            "yes" if s.parted else "no",
        )
        for s in shares
    )
    caption = (
        f"Shares that the answers do not reject, one-sided at α = {shares[0].alpha:g} each. Exact "
        "if the suspect mixes the reference's answers with those of this one substitute, as it was "
        "measured, in the same share everywhere."
    )
    note = (
        "–: no share fits, the suspect's answers are no mixture of the two. “Told apart”: the "
        "reference's own answers differ from the substitute's; where they do not, no share can be "
        "excluded. There is no upper limit for a substitute that is not here."
    )
    return [
        Heading("Which substitutes the answers allow"),
        Table(caption, _COLUMNS, rows),
        Paragraph(note, small=True),
    ]
