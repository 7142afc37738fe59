"""Figures as inline SVG: no script, no outside reference, readable by a screen reader.

Widths are shares of the page and type keeps its size, so that a figure reads alike on a phone and
on paper. The sides differ in fill as well as in colour; every bar and mark has its figure beside
it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from provenance.dossier.blocks import LABEL, Bars, Dots, Line, Mark, Plot, Spot, Tick
from provenance.dossier.text import for_html, visible

# In pixels; a line of a label, a bar, the gap between groups.
_LINE = 17
_BAR = 12
_ROW = 18
_GAP = 9
# The longest bar leaves room for "reference 1,234/1,234 = >99%" on a phone.
_LONGEST = 42.0
_COLUMNS = 38
# A plot: pixels of a square's height, and the share of the width left for the labels of its axis.
_PLOT = 520
_LEFT = 9


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


def plot(figure: Plot, key: str) -> str:
    """Lines in a frame that stretches with the page; words and marks keep their size."""
    height = round(_PLOT * figure.height)
    top = 8.0
    parts: list[str] = []
    for tick in figure.y_ticks:
        y = top + height * (1 - tick.place)
        parts.append(f'<line class="track" x1="{_LEFT}%" x2="98%" y1="{y:g}" y2="{y:g}"/>')
        parts.append(
            f'<text class="tick" x="{_LEFT - 1}%" y="{y + 4:g}" text-anchor="end">'
            f"{for_html(tick.label)}</text>"
        )
    for tick in figure.x_ticks:
        x = _plot_x(figure, tick.place)
        parts.append(f'<line class="track" x1="{x}" x2="{x}" y1="{top:g}" y2="{top + height:g}"/>')
        parts.append(
            f'<text class="tick" x="{x}" y="{top + height + 15:g}" text-anchor="middle">'
            f"{for_html(tick.label)}</text>"
        )
    # A percentage cannot stand in a polyline, but a nested svg can stretch its own units.
    left = _LEFT if figure.y_ticks else 2
    frame = "".join(_line(line) for line in figure.lines)
    parts.append(
        f'<svg x="{left}%" y="{top:g}" width="{98 - left}%" height="{height}" '
        f'viewBox="0 0 1000 1000" preserveAspectRatio="none">{frame}</svg>'
    )
    for spot in figure.spots:
        parts += _spot(figure, spot, top + height * (1 - spot.y))
    y = top + height + (18 if figure.x_ticks else 0)
    for title in (
        figure.x_title and f"→ {figure.x_title}",
        figure.y_title and f"↑ {figure.y_title}",
    ):
        if title:
            parts.append(f'<text class="tick" x="{left}%" y="{y + 13:g}">{for_html(title)}</text>')
            y += _LINE
    for line in figure.lines:
        if line.label:
            parts.append(
                f'<line class="{line.side} line {line.style}" x1="{left}%" x2="{left + 6}%" '
                f'y1="{y + 9:g}" y2="{y + 9:g}"/>'
                f'<text x="{left + 7}%" y="{y + 13:g}">{for_html(line.label)}</text>'
            )
            y += _LINE
    return _svg(parts, y + 6, figure.caption, figure.alt, key)


def _line(line: Line) -> str:
    places = " ".join(f"{1000 * x:.1f},{1000 * (1 - y):.1f}" for x, y in line.places)
    return (
        f'<polyline class="{line.side} line {line.style}" points="{places}" '
        'vector-effect="non-scaling-stroke"/>'
    )


def _spot(figure: Plot, spot: Spot, y: float) -> Iterator[str]:
    x = _plot_x(figure, spot.x)
    if spot.mark == "filled":
        shape = '<path class="filled" d="M0-7 7 0 0 7-7 0Z"/>'
        yield f'<svg class="mark" x="{x}" y="{y:g}">{shape}</svg>'
    elif spot.mark == "open":
        yield f'<circle class="open" cx="{x}" cy="{y:g}" r="4"/>'
    if spot.label:
        room = 3 if spot.mark == "none" else 9
        # At the right end there is no room for a label to the right.
        turn = ' text-anchor="end"' if spot.x > 0.9 and spot.mark != "none" else ""
        side = -room if turn else room
        yield (
            f'<text class="name" x="{x}" dx="{side}" y="{y + 4:g}"{turn}>'
            f"{for_html(visible(spot.label, LABEL))}</text>"
        )


def _plot_x(figure: Plot, place: float) -> str:
    left = _LEFT if figure.y_ticks else 2
    return f"{left + (98 - left) * place:.2f}%"


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
