"""Figures as inline SVG: no script, no outside reference, readable by a screen reader.

Widths are shares of the page and type keeps its size, so that a figure reads alike on a phone and
on paper. The sides differ in fill as well as in colour; every bar and mark has its figure beside
it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from provenance.dossier.blocks import LABEL, Bars, Dots, Mark, Tick
from provenance.dossier.text import for_html, visible

# In pixels; a line of a label, a bar, the gap between groups.
_LINE = 17
_BAR = 12
_ROW = 18
_GAP = 9
# The longest bar leaves room for "reference 1,234/1,234 = >99%" on a phone.
_LONGEST = 42.0
_COLUMNS = 38


def bars(figure: Bars, key: str) -> str:
    """Groups of bars under each other; ``key`` makes the ids unique in the page."""
    parts: list[str] = []
    y = 0.0
    for group in figure.groups:
        lines = _lines(visible(group.label, LABEL))
        parts += _label(lines, y)
        y += _LINE * len(lines)
        for bar in group.bars:
            width = _LONGEST * bar.share
            side = f"{bar.side} " if len(group.bars) > 1 else ""
            if width > 0:
                parts.append(
                    f'<rect class="{bar.side}" x="1" y="{y + 5:g}" width="{max(width, 0.5):.2f}%" '
                    f'height="{_BAR}"/>'
                )
            parts.append(
                f'<text x="{width:.2f}%" dx="9" y="{y + 15:g}">{side}{for_html(bar.value)}</text>'
            )
            y += _ROW
        y += _GAP
    return _svg(parts, y, figure.caption, figure.alt, key)


def dots(figure: Dots, key: str) -> str:
    """A row a mark, an axis below, and a dashed line where a value is compared with."""
    parts: list[str] = []
    y = 6.0
    if figure.line is not None:
        parts.append(_text(figure.line, y + 8))
        y += _LINE
    top = y
    for mark in figure.marks:
        lines = _lines(f"{visible(mark.label, LABEL)}: {mark.value}")
        parts += _label(lines, y)
        y += _LINE * len(lines)
        parts.append(f'<line class="track" x1="2%" x2="98%" y1="{y + 11:g}" y2="{y + 11:g}"/>')
        parts += _mark(mark, y + 11)
        y += _ROW + _GAP
    if figure.line is not None:
        x = _x(figure.line.place)
        line = f'<line class="compared" x1="{x}" x2="{x}" y1="{top:g}" y2="{y:g}"/>'
        parts.insert(1, line)
    for tick in figure.ticks:
        x = _x(tick.place)
        parts.append(f'<line class="track" x1="{x}" x2="{x}" y1="{y - 4:g}" y2="{y:g}"/>')
        parts.append(_text(tick, y + 13))
    return _svg(parts, y + 16, figure.caption, figure.alt, key)


def _svg(parts: list[str], height: float, title: str, alt: str, key: str) -> str:
    inner = "\n".join(parts)
    return (
        f'<svg width="100%" height="{height:g}" role="img" aria-labelledby="{key}t {key}d">\n'
        f'<title id="{key}t">{for_html(title)}</title>\n'
        f'<desc id="{key}d">{for_html(alt)}</desc>\n{inner}\n</svg>'
    )


def _mark(mark: Mark, y: float) -> Iterator[str]:
    if mark.place is None:
        return
    x = _x(mark.place)
    if mark.filled:
        # A percentage cannot stand in a path, but a nested svg can begin at one.
        shape = '<path class="filled" d="M0-7 7 0 0 7-7 0Z"/>'
        yield f'<svg class="mark" x="{x}" y="{y:g}">{shape}</svg>'
    else:
        yield f'<circle class="open" cx="{x}" cy="{y:g}" r="5"/>'


def _x(place: float) -> str:
    """Marks at the ends of the axis stay inside the figure."""
    return f"{2 + 96 * place:.2f}%"


def _text(tick: Tick, y: float) -> str:
    anchor = "start" if tick.place < 0.1 else "end" if tick.place > 0.9 else "middle"
    return (
        f'<text class="tick" x="{_x(tick.place)}" y="{y:g}" text-anchor="{anchor}">'
        f"{for_html(tick.label)}</text>"
    )


def _label(lines: list[str], y: float) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f'<text class="name" x="0" y="{y + 13 + _LINE * number:g}">{for_html(line)}</text>'


def _lines(label: str) -> list[str]:
    """A visible label in lines that fit a phone; SVG does not wrap them by itself."""
    lines, line, columns = [], "", 0
    for character in label:
        width = 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if columns + width > _COLUMNS:
            # At the last space if there is one, else within the word.
            kept, space, rest = line.rpartition(" ")
            lines.append(kept if space else line)
            line = rest if space else ""
            columns = len(line) + sum(unicodedata.east_asian_width(c) in "WF" for c in line)
        line += character
        columns += width
    return [*lines, line]
