"""What a person sees at the end of a study: a few lines, safe to print in any terminal."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from provenance.dossier import decision, failures, wording
from provenance.dossier.numbers import count, counted, share, usd
from provenance.dossier.sections import closed, record
from provenance.dossier.text import for_terminal
from provenance.findings import StudyDocument

_COLORS = {"alert": "1;31", "caution": "1;33", "calm": "1;32"}
_MOST_REASONS = 8


def summary(document: StudyDocument, *, width: int, color: bool, dossier: Path | None) -> str:
    """The verdict in a few lines, none wider than ``width`` columns but the path.

    Parameters
    ----------
    width
        Columns of the terminal; less than 40 counts as 40.
    color
        Whether the label is coloured with ANSI escapes. Nothing else ever holds an escape.
    dossier
        The file to name in the last line.
    """
    width = max(40, width)
    label = document.verdict.label
    lines = [_first(document, width)]
    if label == "different":
        null = wording.sentence(wording.NULL_NAMES, document.verdict.null).replace("_", " ")
        band = decision.rejected_band(document)
        null += f"; {wording.BAND_NAME} {band}" if band else ""
        lines += _wrap(f"Rejects: {null}.  Cause not determined.", width)
        lines += _wrap(decision.numbers(document), width)
        lines += _visible_in(document, width)
        others = [r for r in document.verdict.reasons if r.code != "rejects_same_deployment"]
    else:
        others = [r for r in document.verdict.reasons if r.code != "no_difference_found"]
        lines += _wrap(decision.sentence(document), width)
        if label in ("supported", "not_supported") or decision.decision(document).p is not None:
            lines += _wrap(decision.numbers(document), width)
        silent = [r for r in others if r.code == "nothing_answered"]
        power = decision.could_have_seen(document)
        if power is not None and not silent:
            lines += _wrap(power, width)
        # Where a side said nothing, why it did is all there is to say.
        others = silent or others
    for reason in others[:_MOST_REASONS]:
        lines += _wrap(f"· {reason.text}", width, hanging=2)
    if len(others) > _MOST_REASONS:
        lines.append(f"· {counted(len(others) - _MOST_REASONS, 'more reason')} in the dossier")
    if said := closed.line(document):
        lines += _wrap(f"· {said}", width, hanging=2)
    for failed in failures.lines(document):
        lines += _wrap(f"· {failed}", width, hanging=2)
    if any(r.code == "nothing_answered" for r in others):
        lines += _wrap(failures.AGAIN, width)
    lines += _wrap(_cost(document), width)
    if color:
        name = label.replace("_", " ").upper()
        tone = _COLORS[decision.TONES[label]]
        lines[0] = lines[0].replace(name, f"\x1b[{tone}m{name}\x1b[0m", 1)
    if dossier is not None:
        lines.append(for_terminal(str(dossier), 4096))
    return "\n".join(lines)


def columns(text: str) -> int:
    """How many terminal columns ``text`` takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _first(document: StudyDocument, width: int) -> str:
    name = document.verdict.label.replace("_", " ").upper()
    room = (width - len(name) - 9) // 2
    suspect, reference = record.label(document.suspect), record.label(document.reference)
    # What one side leaves free, the other may use.
    free = max(0, room - columns(for_terminal(reference)))
    suspect = _cut(suspect, room + free)
    reference = _cut(reference, 2 * room - columns(suspect))
    return f"{name}   {suspect}  vs  {reference}"


def _visible_in(document: StudyDocument, width: int) -> list[str]:
    cells = decision.most_different(document, 1)
    found = decision.most_visible(cells[0]) if cells else None
    if found is None:
        return []
    cell, (category, n, m) = cells[0], found
    room = max(8, (width - 60) // 3)
    shown = _cut(category if category.strip() else decision.EMPTY, room)
    reference = f"reference {shown}: {share(n, cell.n_reference)}"
    suspect = f"suspect {shown}: {share(m, cell.n_suspect)}"
    place = width - 18 - columns(reference) - columns(suspect) - 6
    line = f"Most visible in: {_cut(cell.id, max(16, place))}   {reference}   {suspect}"
    return [line] if columns(line) <= width else _wrap(line, width)


def _cost(document: StudyDocument) -> str:
    tokens = document.usage.tokens
    parts = [
        decision.coverage(document),
        decision.requests(document),
        f"{count(tokens)} tokens" if tokens is not None else "tokens unknown",
        usd(document.usage.usd) if document.usage.usd is not None else "cost unknown",
    ]
    return " · ".join(parts)


def _cut(text: str, width: int) -> str:
    """Safe text in at most ``width`` columns."""
    shown = for_terminal(text, 4 * max(1, width))
    if columns(shown) <= width:
        return shown
    kept = ""
    for character in shown:
        if columns(kept + character) > width - 1:
            break
        kept += character
    return kept + "…"


def _wrap(text: str, width: int, *, hanging: int = 0) -> list[str]:
    """Lines of at most ``width`` columns; words that are longer are broken."""
    lines, line = [], ""
    for word in for_terminal(text, 1200).split(" "):
        candidate = f"{line} {word}" if line else word
        if columns(candidate) <= width:
            line = candidate
            continue
        if line:
            lines.append(line)
        line = " " * hanging + word
        while columns(line) > width:
            cut = _head(line, width)
            lines.append(cut)
            line = " " * hanging + line[len(cut) :]
    return [*lines, line] if line.strip() else lines


def _head(text: str, width: int) -> str:
    """The longest beginning that takes at most ``width`` columns."""
    used = 0
    for place, character in enumerate(text):
        used += columns(character)
        if used > width:
            return text[:place]
    return text
