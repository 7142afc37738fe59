"""The dossier as Markdown that also reads well as plain text."""

from __future__ import annotations

import re

from provenance.dossier import canvas
from provenance.dossier.blocks import (
    CELL,
    LABEL,
    QUOTE,
    Bars,
    Block,
    Bullets,
    Code,
    Column,
    Dots,
    Heading,
    Paragraph,
    Plot,
    Quote,
    Table,
    Tick,
    Verdict,
)
from provenance.dossier.document import build
from provenance.dossier.text import code_for_markdown, for_markdown, visible
from provenance.findings import StudyDocument

_FULL = 24
_AXIS = 61
_TICKS = re.compile(r"`+")


def render(document: StudyDocument) -> bytes:
    """UTF-8 Markdown (CommonMark with GitHub's tables)."""
    dossier = build(document)
    parts = [
        f"# {for_markdown(dossier.title)}",
        for_markdown(dossier.subtitle),
        f"{dossier.created:%Y-%m-%d %H:%M:%S} UTC · {for_markdown(dossier.footer)}",
    ]
    parts += [_block(block) for block in dossier.blocks]
    return ("\n\n".join(parts) + "\n").encode()


def _block(block: Block) -> str:
    match block:
        case Heading():
            return _heading(block)
        case Paragraph():
            return for_markdown(block.text)
        case Bullets():
            return "\n".join(f"- {for_markdown(item)}" for item in block.items)
        case Verdict():
            lines = [f"**{for_markdown(block.label)}.** {for_markdown(block.sentence)}"]
            lines += [for_markdown(fact) for fact in block.facts]
            return "\n>\n".join(f"> {line}" for line in lines)
        case Table():
            return _table(block)
        case Bars():
            return _bars(block)
        case Dots():
            return _dots(block)
        case Plot():
            return f"{_fenced(canvas.draw(block))}\n\n{for_markdown(block.caption)}"
        case Quote():
            return f"{for_markdown(block.who)}: {code_for_markdown(block.text, QUOTE)}"
        case Code():
            return _fenced([visible(block.text)])


def _heading(heading: Heading) -> str:
    text = code_for_markdown(heading.text, 100) if heading.code else for_markdown(heading.text)
    return f"{'#' * (heading.level + 1)} {text}"


def _table(table: Table) -> str:
    titles = [for_markdown(c.title) or " " for c in table.columns]
    rules = ["---:" if c.kind == "number" else "---" for c in table.columns]
    lines = [titles, rules]
    lines += [
        [_cell(value, column) for value, column in zip(row, table.columns, strict=True)]
        for row in table.rows
    ]
    rows = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{for_markdown(table.caption)}\n\n{rows}"


def _cell(value: str, column: Column) -> str:
    if column.kind == "code":
        return code_for_markdown(value, CELL, in_table=True)
    return for_markdown(value, 3 * CELL)


def _bars(bars: Bars) -> str:
    lines = []
    for group in bars.groups:
        lines.append(visible(group.label, LABEL))
        for bar in group.bars:
            length = round(_FULL * bar.share) or (1 if bar.share > 0 else 0)
            side = f"{bar.side:<9} " if len(group.bars) > 1 else ""
            lines.append(f"  {side}{'█' * length:<{_FULL}} {visible(bar.value)}")
    return f"{_fenced(lines)}\n\n{for_markdown(bars.caption)}"


def _dots(dots: Dots) -> str:
    """A line with the mark under each label; ┊ is the value that is compared with."""
    lines = []
    for mark in dots.marks:
        track = ["·"] * _AXIS
        if dots.line is not None:
            track[_column(dots.line.place)] = "┊"
        if mark.place is not None:
            track[_column(mark.place)] = "◆" if mark.filled else "○"
        lines += [f"{visible(mark.label, LABEL)}: {visible(mark.value)}", f"  {''.join(track)}"]
    lines.append(f"  {_axis(dots.ticks)}")
    if dots.line is not None:
        lines.append(f"  {_axis((Tick(dots.line.place, f'┊ {dots.line.label}'),))}")
    return f"{_fenced(lines)}\n\n{for_markdown(dots.caption)}"


def _column(place: float) -> int:
    return round(place * (_AXIS - 1))


def _axis(ticks: tuple[Tick, ...]) -> str:
    """The ticks' labels, each beginning at its place, or ending with the line."""
    line = ""
    for tick in ticks:
        label = visible(tick.label)
        start = min(_column(tick.place), _AXIS - len(label))
        line += " " * max(start - len(line), 1 if line else 0) + label
    return line


def _fenced(lines: list[str]) -> str:
    """A code block whose fence is longer than any run of backticks in it."""
    longest = max((len(run) for line in lines for run in _TICKS.findall(line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([fence + "text", *lines, fence])
