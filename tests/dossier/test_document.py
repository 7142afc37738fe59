from __future__ import annotations

from collections.abc import Callable

import pytest

from provenance.dossier import decision
from provenance.dossier.blocks import Bars, Heading, Paragraph, Table, Verdict
from provenance.dossier.document import build
from provenance.findings import StudyDocument

Make = Callable[[str], StudyDocument]


def headings(document: StudyDocument) -> list[str]:
    return [b.text for b in build(document).blocks if isinstance(b, Heading) and b.level == 1]


def test_sections_come_in_order(make: Make) -> None:
    assert headings(make("different")) == [
        "What this says, and what it does not say",
        "Findings",
        "Likelihood ratios",
        "Where the two sides differ most",
        "Families of probes",
        "Yardstick: the reference against itself",
        "What the plan could have seen",
        "Coverage and failures",
        "The two endpoints",
        "Design and settings",
        "Usage",
        "Limits",
        "Deviations from the plan",
        "How to verify",
        "Declaration",
        "All cells",
    ]


def test_the_verdict_comes_first_and_every_row_fits_its_columns(document: StudyDocument) -> None:
    blocks = build(document).blocks
    assert isinstance(blocks[0], Verdict)
    for block in blocks:
        if isinstance(block, Table):
            assert {len(row) for row in block.rows} <= {len(block.columns)}
        if isinstance(block, Bars):
            assert all(0 <= bar.share <= 1 for g in block.groups for bar in g.bars)


def test_figures_are_bounded_and_every_cell_is_listed(make: Make) -> None:
    blocks = build(make("many_cells")).blocks
    cells = [b for b in blocks if isinstance(b, Heading) and b.level == 2]
    assert len(cells) == 6
    table = next(b for b in blocks if isinstance(b, Table) and b.caption.startswith("All cells"))
    assert len(table.rows) == 60


def test_counts_of_a_figure_add_up(make: Make) -> None:
    bars = next(b for b in build(make("different")).blocks if isinstance(b, Bars))
    for side in (0, 1):
        counts = [int(g.bars[side].value.split("/")[0]) for g in bars.groups]
        assert sum(counts) == 18


def test_answers_that_never_repeat_are_not_drawn_as_bars(make: Make) -> None:
    blocks = build(make("different")).blocks
    place = next(
        i for i, b in enumerate(blocks) if isinstance(b, Heading) and b.text == "haiku-en-1"
    )
    assert not any(isinstance(b, Bars) for b in blocks[place : place + 3])
    said = [b.text for b in blocks[place : place + 4] if isinstance(b, Paragraph)]
    assert said == [
        "No answer was given twice (6 answers of the reference, 6 answers of the suspect)."
    ]


def test_cells_are_ordered_by_more_than_chance(make: Make) -> None:
    found = decision.most_different(make("inconclusive"), 6)
    assert [c.id for c in found] == ["animal-zh-1/pirate", "number-en-1", "haiku-en-1"]


def test_the_cell_that_the_reason_names_comes_first(make: Make) -> None:
    assert decision.most_different(make("different"), 1)[0].id == "number-en-1"


def test_most_visible_category(make: Make) -> None:
    cell = make("different").cells[0]
    assert decision.most_visible(cell) == ("7", 11, 4)


def test_p_falls_back_on_findings_and_families(make: Make) -> None:
    document = make("different")
    verdict = document.verdict.model_copy(update={"reasons": ()})
    silent = document.model_copy(update={"verdict": verdict})
    assert decision.decision(silent).p == pytest.approx(0.0009)
    assert decision.decision(silent.model_copy(update={"findings": ()})).p == pytest.approx(0.0009)
    nothing = silent.model_copy(update={"findings": (), "families": ()})
    assert decision.decision(nothing).p is None


def test_permutation_floor_is_stated(make: Make) -> None:
    notes = [b.text for b in build(make("different")).blocks if isinstance(b, Paragraph)]
    assert (
        "The smallest p-value that sampling of permutations can give is 0.0001 (9,999 random "
        "permutations)."
    ) in notes
