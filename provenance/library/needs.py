"""How much must be asked to see how little: shares that plans of a battery detect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

from provenance.battery import Cell
from provenance.errors import UsageError
from provenance.library.panel import Panel
from provenance.library.sensitivity import planned_sensitivity

__all__ = ["Row", "draws_needed", "row"]

MOST_DRAWS = 2_000  # a cell and side, beyond which nobody asks


@dataclass(frozen=True, slots=True)
class Row:
    """One plan.

    Attributes
    ----------
    factor
        Times the battery's own draws.
    requests
        A side.
    tokens
        Visible tokens that a side may answer with, at most.
    shares
        Smallest detectable share of each substitute; None where not even all of it is seen.
    """

    factor: float
    requests: int
    tokens: int
    shares: dict[str, float | None]

    @property
    def middle(self) -> float | None:
        """Median over the substitutes; None where half of them are not seen at all."""
        ordered = sorted(2.0 if s is None else s for s in self.shares.values())
        found = median(ordered) if ordered else 2.0
        return found if found <= 1 else None

    @property
    def unseen(self) -> int:
        """Substitutes that are not seen even where they answer everything."""
        return sum(s is None for s in self.shares.values())


def row(cells: Sequence[Cell], factor: float, *, alpha: float, panel: Panel) -> Row:
    """What ``factor`` times the battery's draws on both sides would see, with power `POWER`.

    Raises
    ------
    UsageError
        If the panel was measured on none of these cells.
    """
    draws = [max(1, ceil(cell.draws * factor)) for cell in cells]
    found = planned_sensitivity(cells, draws, draws, alpha=alpha, panel=panel)
    if not found:
        raise UsageError(
            f"the panel {panel.name!r} holds no answers to these cells, so nothing can be said "
            "about their power: name another with --panel, or measure one with `provenance "
            "library add --panel`"
        )
    return Row(
        factor=factor,
        requests=sum(draws),
        tokens=sum(n * c.max_visible_tokens for n, c in zip(draws, cells, strict=True)),
        shares={s.alternative: s.minimum_detectable for s in found},
    )


def draws_needed(
    cells: Sequence[Cell],
    share: float,
    *,
    alpha: float,
    panel: Panel,
    substitute: str | None = None,
) -> Iterator[Row]:
    """Rows of a search for the smallest plan that sees ``share``; the last one does, if any does.

    Parameters
    ----------
    share
        Of requests that a substitute answers.
    substitute
        See this one; None: the median of the panel.

    Yields
    ------
    Row
        Doubled until it is seen or a cell would have more than `MOST_DRAWS` draws, then halved
        between the last two, thrice.

    Raises
    ------
    UsageError
        For a substitute that is not in the panel.
    """

    def seen(found: Row) -> bool:
        if substitute is not None and substitute not in found.shares:
            known = ", ".join(list(found.shares)[:8])
            raise UsageError(f"no substitute {substitute!r} was measured here; there are {known}")
        value = found.middle if substitute is None else found.shares[substitute]
        return value is not None and value <= share

    largest = MOST_DRAWS / max(cell.draws for cell in cells)
    low, high = 0.0, 1.0
    while True:
        found = row(cells, high, alpha=alpha, panel=panel)
        yield found
        if seen(found):
            break
        if high >= largest:
            return
        low, high = high, min(2 * high, largest)
    best = found
    for _ in range(3 if low else 0):
        middle = (low + high) / 2
        found = row(cells, middle, alpha=alpha, panel=panel)
        yield found
        if seen(found):
            high, best = middle, found
        else:
            low = middle
    if best is not found:
        yield best
