"""Which model of the library it would be, if it is one of them."""

from __future__ import annotations

from provenance.dossier import wording
from provenance.dossier.blocks import Block, Column, Heading, Paragraph, Table
from provenance.dossier.numbers import UNKNOWN, count, counted, percent
from provenance.findings import ClosedSet, ClosedTests, StudyDocument

_COLUMNS = (Column("Place", "number", 0), Column("Model", "code", 2), Column("Family", "code", 1.2))

_NAMED = 5


def closed(document: StudyDocument) -> list[Block]:
    """The order of a closed set, and how often such an order was right."""
    found = document.closed_set
    if found is None:
        return []
    blocks: list[Block] = [Heading("If it is one of these models")]
    if not found.first:
        why = wording.sentence(wording.WHY_NOT, found.why_not or "")
        return [*blocks, Paragraph(f"No order is given. {why}")]
    rows = tuple(
        (str(i + 1), member.name, member.family or UNKNOWN) for i, member in enumerate(found.first)
    )
    caption = (
        f"Which of {counted(found.models, 'model')} of the library the suspect's "
        f"{counted(found.outputs, 'output')} fit best, in order."
    )
    blocks.append(Table(caption, _COLUMNS, rows))
    if found.missing:
        blocks.append(Paragraph(_missing(found)))
    if found.tests is not None:
        blocks.append(Paragraph(tests(found.tests)))
    if at_odds := _at_odds(document):
        blocks.append(Paragraph(at_odds))
    blocks.append(
        Paragraph(
            "The order takes for granted that the suspect is one of these models, each as likely "
            "as the others beforehand. Whether it is one of them is what the p-values are about; "
            "a model outside the library has a first place here, too. The tests are of the "
            "recordings that the models are known by: another host or date can cost places.",
            small=True,
        )
    )
    return blocks


def tests(t: ClosedTests) -> str:
    """How often such an order was right."""
    said = (
        "Tested on other prompts, with half of the outputs to learn from, on "
        f"{counted(t.bundles, 'bundle')} of {counted(t.outputs, 'output')} (several a model, and "
        "they overlap): the true model came first in "
        f"{_share(t.first, t.bundles)}, among the first three in "
        f"{_share(t.first_three, t.bundles)}; one of its family came first in "
        f"{_share(t.family, t.bundles)}."
    )
    if not t.as_far_ahead:
        return f"{said} In none of them did the first place lead by as much an output as here."
    return (
        f"{said} Of known bundles whose first place led by at least as much an output, it was the "
        f"true model in {count(t.as_far_ahead_first)} of {count(t.as_far_ahead)}. A model outside "
        "the library can lead as far."
    )


def _missing(found: ClosedSet) -> str:
    names = ", ".join(found.missing[:_NAMED])
    more = f" and {len(found.missing) - _NAMED:,} more" if len(found.missing) > _NAMED else ""
    return (
        f"Not among these, though in the library: {names}{more}. They were added since this was "
        "learnt, or have too few outputs."
    )


def _at_odds(document: StudyDocument) -> str:
    """That the set excludes the first place but not all models, as a sentence; else empty."""
    found, inside = document.closed_set, [c for c in document.candidates if c.in_set]
    if found is None or not found.first or not inside or document.population is None:
        return ""
    first = found.first[0].name
    excluded = any(
        first == (f"{c.name}@{c.version}" if c.version else c.name) and not c.in_set
        for c in document.candidates
    )
    if not excluded:
        return ""
    return (
        f"The set excludes {first}, which comes first here. A set misses the true model in a share "
        f"of up to {document.population.alpha:g}, and an order can err: between the two only more "
        "outputs decide."
    )


def line(document: StudyDocument) -> str | None:
    """The same in a few words, for a terminal; None where there is no order."""
    found = document.closed_set
    if found is None or not found.first:
        return None
    names = [member.name for member in found.first[:3]]
    said = f"If it is one of these {found.models:,} models: {names[0]} fits best"
    said += f", then {' and '.join(names[1:])}" if names[1:] else ""
    if found.missing:
        said += f" ({counted(len(found.missing), 'model')} of the library not among them)"
    said += "."
    if found.tests is not None:
        t = found.tests
        said += (
            f" Of known bundles of {counted(t.outputs, 'output')}, as recorded, the first place "
            f"was right in {percent(t.first / t.bundles)}."
        )
    at_odds = _at_odds(document)
    return f"{said} {at_odds}" if at_odds else said


def _share(n: int, of: int) -> str:
    return f"{count(n)} ({percent(n / of)})"
