"""Where texts come from: candidates, the population behind the numbers, habits, map and tree."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from statistics import quantiles
from typing import Literal

from provenance.dossier.blocks import (
    Block,
    Column,
    Heading,
    Line,
    Paragraph,
    Plot,
    Quote,
    Spot,
    Table,
)
from provenance.dossier.numbers import (
    UNKNOWN,
    count,
    counted,
    interval,
    left_open,
    p_value,
    percent,
    signed,
)
from provenance.dossier.numbers import significant as rounded
from provenance.dossier.origin_reasons import NEW_MAKERS, WHOLLY, sizes_of
from provenance.dossier.text import visible
from provenance.findings import Candidate, FalseInclusion, LibraryMap, Population, StudyDocument

MOST = 20
_FAR = 3.0
# Where every model is compared so, prompt by prompt, no format is unlike.
_LIMITED = "; the ratio is 10 at most there"
_CANDIDATES = (
    Column("Model", "code", 2),
    Column("Family", "code", 1.2),
    Column("Outputs", "number", 0),
    Column("p", "number", 0),
    Column("In the set", "text", 0),
    Column("View", "text", 0),
    Column("log₁₀ LR", "number", 0),
    Column("Interval", "number", 0),
)
_VIEWS = {"raw": "as is", "canonical": "plain"}
_NAMES = 21  # columns of a leaf's label
_HEADS = (14, 10, 17, 7)  # of these, columns of a name's beginning: tried in this order
_ROOM = (0.32, 0.05)  # that a name takes on a map
_COLUMN, _HEIGHT = 0.01, 0.03  # of a name on paper: a column's width, half a line's height
_PHONE = 0.026  # a column's width on the narrowest page
_LEAF = 0.4  # where the leaves of a tree stand


def candidates(document: StudyDocument) -> list[Block]:
    """The models of the library, those that cannot be excluded first."""
    if not document.candidates or document.population is None:
        return []
    shown = document.candidates[:MOST]
    alpha = document.population.alpha
    by_bundles = document.population.comparison != "same_prompts"
    rows = tuple(_candidate(c, alpha) for c in shown)
    caption = (
        "Models of the library. p: of the null hypothesis that the suspect's outputs are this "
        f"model's, each at α = {alpha:g}. LR: this model against a model of another maker; * at a "
        "bound of the calibration. View: plain where formats are unlike, and texts are compared "
        f"without case, Markdown and spacing{_LIMITED if by_bundles else ''}."
    )
    blocks: list[Block] = [Heading("Models of the library"), Table(caption, _CANDIDATES, rows)]
    rest = len(document.candidates) - len(shown)
    if rest > 0:
        blocks.append(Paragraph(f"{rest:,} more in study.json.", small=True))
    return blocks


def _candidate(c: Candidate, alpha: float) -> tuple[str, ...]:
    return (
        c.name if c.version is None else f"{c.name} ({c.version})",
        c.family or UNKNOWN,
        count(c.outputs),
        UNKNOWN if c.p_value is None else p_value(c.p_value, alpha),
        "yes" if c.in_set else "no",
        _VIEWS[c.view],
        "–" if c.log10_lr is None else signed(c.log10_lr, 3) + ("*" if c.clipped else ""),
        "–" if c.sensitivity_interval is None else interval(c.sensitivity_interval),
    )


def population(document: StudyDocument) -> list[Block]:
    """What the numbers rest on, and what a maker outside the library would see."""
    p = document.population
    if p is None:
        return []
    columns = (Column("", "text", 1), Column("", "code", 2.4))
    rows = (
        ("Library", f"{p.name}: {counted(p.models, 'model')} of {counted(p.units, 'unit')}"),
        ("Library digest", p.digest),
        ("Space", p.space),
        ("Calibration", p.calibration or "none"),
        ("Sources", "; ".join(p.sources) or "not stated"),
        ("Genre of the suspect's prompts", p.genre or "not stated"),
        ("Genres of the library", ", ".join(p.genres) or "not stated"),
        ("Languages of the calibration", ", ".join(p.languages) or "any"),
        ("Ratios that its pairs support", _bounds(p)),
        ("Outputs of the suspect compared", count(p.suspect_outputs)),
        ("Bundles behind the p-values", count(p.calibration_bundles)),
    )
    blocks: list[Block] = [
        Heading("The population"),
        Table("What the suspect was held against.", columns, rows, header=False),
        Paragraph(_compared(p, document.question)),
    ]
    f = p.false_inclusion
    if f is not None:
        blocks.append(
            Paragraph(
                f"Makers outside the library: with each unit left out in turn"
                f"{WHOLLY if f.unseen else ''} ({f.units:,} units, {f.bundles:,} bundles), a "
                "bundle of a model that the library did not hold got a set that was not empty in "
                f"{percent(f.rate)} of cases, averaged over units{_over_bundles(f)}."
                f"{left_open(f.upper, f.units)} A bundle got a set of {rounded(f.mean_size)} "
                "models on average, empty ones counted."
                f"{sizes_of(f.by_outputs, f.rate, margins=f.margins)}"
                f"{'' if f.unseen or p.comparison == 'same_prompts' else NEW_MAKERS}"
            )
        )
    elif document.question == "identify" and (not p.genres or p.genre in p.genres):
        blocks.append(
            Paragraph(
                "How often a maker outside the library gets a set that is not empty could not be "
                "measured: without one of its units the library holds too few bundles."
            )
        )
    return blocks


def _over_bundles(f: FalseInclusion) -> str:
    if f.bundle_rate is None:
        return ""
    return f", and in {percent(f.bundle_rate)} of all bundles, where large makers weigh more"


def _bounds(p: Population) -> str:
    if p.ratio_bounds is None:
        return "none for this case"
    low, high = p.ratio_bounds
    return f"from 1/{10**-low:,.0f} to {10**high:,.0f}: they cannot exceed that"


_HOW = {
    "other_prompts": "on other prompts than those that were enrolled of the models",
    "other_sessions": (
        "on the same prompts, recorded in other sessions than those that were enrolled"
    ),
    "same_prompts": (
        "prompt by prompt with the models' answers to the same prompts, each less the mean answer "
        "of models of other units"
    ),
}


def _compared(p: Population, question: str) -> str:
    how = _HOW[p.comparison]
    coverage = (
        f"If the suspect is a model of the library, the set holds it with probability at least "
        f"{percent(1 - p.alpha)}, on average over models and over the outputs that stand in for "
        "it: one library can be some points off."
        if p.decidable
        else "These are too few bundles to exclude any model at this level."
    )
    if question == "attribute":
        rests = counted(p.calibration_bundles, "unrelated model")
        coverage = f"The likeness is ranked among {rests}."
    elif p.genres and p.genre not in p.genres:
        coverage = "Nothing was tested: the library's bundles are of other genres than the suspect."
    if question == "identify" and p.decidable and p.coverage == "per_model":
        coverage += " For models with bundles enough of their own it holds for each of them."
    together = (
        "One ratio a pair of hypotheses, from one calibration in one view; likeness, changes and "
        "ratios are read from the same texts and are never multiplied."
    )
    return f"The suspect was compared {how}. {coverage} {together}"


def habits(document: StudyDocument) -> list[Block]:
    """Habits that the suspect shares with a candidate and few others have."""
    if not document.habits:
        return []
    columns = (
        Column("Habit", "text", 2),
        Column("Suspect", "number", 0),
        Column("Model", "number", 0),
        Column("Others", "number", 0),
        Column("Others below", "number", 0),
        Column("Unit", "text", 1),
    )
    model = document.habits[0].model
    rows = tuple(
        (
            h.name,
            rounded(h.suspect),
            rounded(h.of_model),
            rounded(h.population),
            percent(h.share_below),
            h.unit,
        )
        for h in document.habits
    )
    caption = (
        f"Habits in which the suspect and {model} lie on the same side of the other models of the "
        "library. Chosen after looking: they show what a likeness looks like, not how strong it is."
    )
    blocks: list[Block] = [Heading("Habits behind the likeness"), Table(caption, columns, rows)]
    blocks += [Quote(f"Suspect, {h.name}", h.quote) for h in document.habits if h.quote]
    return blocks


def figures(document: StudyDocument) -> list[Block]:
    """Map and tree of the suspect's neighbourhood."""
    found = document.map
    if found is None or len(found.points) < 3:
        return []
    return [Heading("Map and tree"), *plots(found)]


def plots(found: LibraryMap) -> list[Plot]:
    """The map, and the tree where models were joined."""
    return [_map(found), _tree(found)] if found.merges else [_map(found)]


def _map(found: LibraryMap) -> Plot:
    xs, ys = _near([p.x for p in found.points]), _near([p.y for p in found.points])
    far = sum(
        (p.x, p.y) != place for p, place in zip(found.points, zip(xs, ys, strict=True), strict=True)
    )
    names = _short([p.name for p in found.points])
    places = [(_within(x, xs), _within(y, ys)) for x, y in zip(xs, ys, strict=True)]
    spots: list[Spot] = []
    # The suspect comes first, then the models that it is most like: they get the room there is.
    for p, name, (x, y) in zip(found.points, names, places, strict=True):
        named = p.role != "library" or (_free(x, y, spots) and not _hides(x, y, name, places))
        mark: Literal["open", "filled"] = "open" if p.role == "library" else "filled"
        spots.append(Spot(x, y, name if named else "", mark))
    suspect = next((p for p in found.points if p.role == "suspect"), None)
    first = suspect or found.points[0]
    nearest = sorted(
        (p for p in found.points if p is not first),
        key=lambda p: (p.x - first.x) ** 2 + (p.y - first.y) ** 2,
    )[:3]
    which = "of the library" if suspect is None else "near the suspect"
    caption = (
        f"{counted(len(found.points), 'model')} {which}, on the two directions in which "
        f"they differ most ({percent(found.explained)} of their spread). Axes have no unit; a "
        f"small distance on this map is no evidence.{_at_the_edge(far)}"
    )
    alt = f"Nearest to {first.name} on the map: {', '.join(p.name for p in nearest)}."
    return Plot(caption, alt, (), tuple(spots), height=0.55)


def _free(x: float, y: float, spots: list[Spot]) -> bool:
    """Whether a name has room beside its spot; the tree names everyone."""
    return all(not s.label or abs(s.x - x) > _ROOM[0] or abs(s.y - y) > _ROOM[1] for s in spots)


def _hides(x: float, y: float, name: str, places: list[tuple[float, float]]) -> bool:
    """Whether the name would lie over another model's mark, or run over the edge."""
    end = x + _COLUMN * _columns(name)
    return x + _PHONE * _columns(name) > 1 or any(
        x < other < end and abs(height - y) < _HEIGHT for other, height in places
    )


def _tree(found: LibraryMap) -> Plot:
    leaves = len(found.points)
    order = _order(found)
    y = {leaf: 1 - (i + 0.5) / leaves for i, leaf in enumerate(order)}
    top = max((m.height for m in found.merges), default=1.0) or 1.0
    x = dict.fromkeys(range(leaves), _LEAF)
    lines, spots = [], []
    for i, merge in enumerate(found.merges):
        here = _LEAF * (1 - merge.height / top)
        lines.append(
            Line(
                "",
                (
                    (x[merge.left], y[merge.left]),
                    (here, y[merge.left]),
                    (here, y[merge.right]),
                    (x[merge.right], y[merge.right]),
                ),
            )
        )
        x[leaves + i], y[leaves + i] = here, (y[merge.left] + y[merge.right]) / 2
        if merge.support is not None and i < len(found.merges) - 1:
            spots.append(Spot(here, y[leaves + i], f"{100 * merge.support:.0f}", "none"))
    names = _short([p.name for p in found.points])
    for leaf, (point, name) in enumerate(zip(found.points, names, strict=True)):
        mark = "none" if point.role == "library" else "filled"
        spots.append(Spot(_LEAF + 0.01, y[leaf], name, mark))  # type: ignore[arg-type]
    caption = (
        "The same models joined by average distance. Figures: in how many of 100 resamplings of "
        "the prompts the same group forms. A tree of likeness, not of descent."
    )
    best = max((m.support for m in found.merges[:-1] if m.support is not None), default=None)
    alt = (
        f"Tree of {leaves} models; the best supported group within it stands in "
        f"{percent(best)} of resamplings."
        if best is not None
        else f"Tree of {leaves} models."
    )
    return Plot(caption, alt, tuple(lines), tuple(spots), height=max(0.3, 0.034 * leaves))


def _short(names: Sequence[str]) -> list[str]:
    """What fits beside a leaf, on a phone too; the whole name stands in the table of candidates.

    Cut in the middle: versions differ at the end, makers at the beginning. Where that would make
    two names alike, elsewhere.
    """
    cut = [[_cut(visible(name, 200), head) for name in names] for head in _HEADS]
    return [next((s[i] for s in cut if s.count(s[i]) == 1), cut[0][i]) for i in range(len(names))]


def _cut(shown: str, most: int) -> str:
    """The name, or ``most`` columns of its head and what else fits of its tail."""
    if _columns(shown) <= _NAMES:
        return shown
    head, tail = "", ""
    for character in shown:
        if _columns(head + character) > most:
            break
        head += character
    for character in reversed(shown):
        if _columns(head + tail + character) >= _NAMES:
            break
        tail = character + tail
    return f"{head}…{tail}"


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _order(found: LibraryMap) -> list[int]:
    """Leaves so that no lines cross."""
    leaves = len(found.points)
    members: list[list[int]] = [[i] for i in range(leaves)]
    for merge in found.merges:
        members.append([*members[merge.left], *members[merge.right]])
    return members[-1]


def _near(values: list[float]) -> list[float]:
    """No further from the middle half than `_FAR` times its width: one far model hides no other."""
    first, _, third = quantiles(values, n=4, method="inclusive")
    reach = _FAR * (third - first)
    return [min(max(v, first - reach), third + reach) for v in values] if reach else values


def _at_the_edge(far: int) -> str:
    if far == 1:
        return " 1 model lies beyond the edge at which it is drawn."
    return f" {far:,} models lie beyond the edges at which they are drawn." if far else ""


def _within(value: float, values: list[float]) -> float:
    low, high = min(values), max(values)
    return 0.05 + 0.8 * (value - low) / (high - low) if high > low else 0.5
