"""A plot in characters, for Markdown that is read as plain text."""

from __future__ import annotations

from itertools import pairwise

from provenance.dossier.blocks import LABEL, Line, Plot
from provenance.dossier.text import visible

WIDTH = 72
_ROOM = 28  # for labels that begin near the right end
_PENS = {"solid": "·", "dashed": "-", "dotted": ":"}
_MARKS = {"open": "○", "filled": "◆", "none": ""}


def draw(figure: Plot) -> list[str]:
    """Lines of text; every label stands on the canvas or, where there is no room, under it."""
    height = max(6, round(WIDTH * figure.height / 2))
    grid = [[" "] * (WIDTH + _ROOM) for _ in range(height)]

    def at(x: float, y: float) -> tuple[int, int]:
        return (
            min(WIDTH - 1, max(0, round(x * (WIDTH - 1)))),
            min(height - 1, max(0, round((1 - y) * (height - 1)))),
        )

    for line in figure.lines:
        _polyline(grid, [at(x, y) for x, y in line.places], line)
    below: list[str] = []
    # Marks first, so that no label hides one.
    places = [(spot, *at(spot.x, spot.y)) for spot in figure.spots]
    for spot, column, row in places:
        if mark := _MARKS[spot.mark]:
            grid[row][column] = mark
    for spot, column, row in places:
        label = visible(spot.label, LABEL)
        start = column + (1 if spot.mark == "none" else 2)
        room = grid[row][start : start + len(label)]
        # Wide characters would shift what stands to their right.
        if label and label.isascii() and len(room) == len(label) and set(room) <= {" ", "·"}:
            grid[row][start : start + len(label)] = label
        elif label:
            below.append(f"{_MARKS[spot.mark]} {label}".strip())
    lines = ["".join(row).rstrip() for row in grid]
    for name, title, ticks in (
        ("→", figure.x_title, figure.x_ticks),
        ("↑", figure.y_title, figure.y_ticks),
    ):
        if title or ticks:
            lines.append(f"{name} {visible(title)} {'  '.join(visible(t.label) for t in ticks)}")
    lines += [
        f"{_PENS[line.style] * 3} {visible(line.label)}" for line in figure.lines if line.label
    ]
    return lines + ([f"Without room above: {'; '.join(below)}"] if below else [])


def _polyline(grid: list[list[str]], places: list[tuple[int, int]], line: Line) -> None:
    for (x0, y0), (x1, y1) in pairwise(places):
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        for i in range(steps + 1):
            column, row = round(x0 + (x1 - x0) * i / steps), round(y0 + (y1 - y0) * i / steps)
            grid[row][column] = _PENS[line.style]
