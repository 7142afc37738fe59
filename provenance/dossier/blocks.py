"""The neutral document that all renderers share: plain blocks, no markup.

Every string may come from an endpoint. A renderer escapes all of them; what is quoted from an
endpoint stands in a `Code`, a `Quote` or a column of the kind ``code``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

# How many characters of an endpoint's words every format shows; study.json holds the rest.
LABEL = 60
CELL = 300
QUOTE = 600

Tone = Literal["alert", "caution", "calm"]
ColumnKind = Literal["text", "code", "number"]


@dataclass(frozen=True, slots=True)
class Heading:
    """A section (level 1) or a part of one (level 2); ``code`` sets it as quoted text."""

    text: str
    level: int = 1
    code: bool = False


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Prose; ``small`` for notes."""

    text: str
    small: bool = False


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The large sentence, the line with its numbers, and how it looks."""

    label: str
    sentence: str
    facts: tuple[str, ...]
    tone: Tone


@dataclass(frozen=True, slots=True)
class Column:
    """A table column: ``width`` is its share of the line, 0 as wide as its content."""

    title: str
    kind: ColumnKind = "text"
    width: float = 1


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns that repeat on every page; ``header`` False hides the column titles."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    header: bool = True


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: ``share`` of full length in [0, 1], ``value`` as printed beside it."""

    side: Literal["reference", "suspect", "neutral"]
    share: float
    value: str


@dataclass(frozen=True, slots=True)
class BarGroup:
    """Bars that stand together under one label."""

    label: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar chart; ``alt`` says in words what it shows."""

    caption: str
    alt: str
    groups: tuple[BarGroup, ...]
    code: bool = True


@dataclass(frozen=True, slots=True)
class Tick:
    """A value of an axis: ``place`` in [0, 1] from left to right."""

    place: float
    label: str


@dataclass(frozen=True, slots=True)
class Mark:
    """One row of a dot plot: ``place`` in [0, 1], or None where there is no value.

    ``filled`` marks are drawn as filled diamonds, the others as open circles.
    """

    label: str
    place: float | None
    value: str
    filled: bool


@dataclass(frozen=True, slots=True)
class Dots:
    """A dot plot over one axis; ``line`` is a value to compare with, as long as all rows."""

    caption: str
    alt: str
    marks: tuple[Mark, ...]
    ticks: tuple[Tick, ...]
    line: Tick | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A polyline in the unit square, from bottom left to top right; ``style`` parts lines."""

    label: str
    places: tuple[tuple[float, float], ...]
    style: Literal["solid", "dashed", "dotted"] = "solid"
    side: Literal["reference", "suspect", "neutral"] = "neutral"


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in the unit square: a mark, a label to its right, or a label alone."""

    x: float
    y: float
    label: str
    mark: Literal["open", "filled", "none"] = "open"


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines and labelled places over two axes; ``alt`` says in words what it shows.

    ``height`` is a share of the width. Axes without ticks and titles are not drawn.
    """

    caption: str
    alt: str
    lines: tuple[Line, ...]
    spots: tuple[Spot, ...] = ()
    x_title: str = ""
    y_title: str = ""
    x_ticks: tuple[Tick, ...] = ()
    y_ticks: tuple[Tick, ...] = ()
    height: float = 0.6


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of a prompt or an answer, with who said them."""

    who: str
    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """A line to type or a digest."""

    text: str


Block = Heading | Paragraph | Bullets | Verdict | Table | Bars | Dots | Plot | Quote | Code


@dataclass(frozen=True, slots=True)
class Dossier:
    """The whole document."""

    title: str
    subtitle: str
    created: datetime
    footer: str
    blocks: tuple[Block, ...]
