"""Quantities of a plan, as people read them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from provenance.dossier.numbers import count, usd

if TYPE_CHECKING:
    from provenance.sampling.budget import Price
    from provenance.sampling.prepare import Estimate


THINKING = (
    "Thinking is not counted here: two pilot requests a side, at the start of the study, learn "
    "whether a model thinks. --budget-usd is a hard stop either way."
)


def duration(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def tokens(low: int | None, high: int | None) -> str:
    """``1,200 to 9,100``, as far as it is known."""
    if high is None:
        return "unknown"
    return count(high) if low in (None, high) else f"{count(low)} to {count(high)}"


def dollars(low: float | None, high: float | None) -> str:
    """``$0.01 to $0.30``; a missing price says what to do."""
    if high is None:
        return "unknown (no price for a model: --prices FILE)"
    if high == 0:
        return "$0.00"
    return usd(high) if low is None or usd(low) == usd(high) else f"{usd(low)} to {usd(high)}"


def span(low: float | None, high: float | None) -> str:
    """``10 s to 2 min``."""
    if high is None:
        return "unknown"
    if low is None or duration(low) == duration(high):
        return duration(high)
    return f"{duration(low)} to {duration(high)}"


def rates(price: Price | None) -> str:
    """``$0.15 in, $0.60 out per million tokens (as of 2026-11-04)``."""
    if price is None:
        return "unknown: --prices FILE"
    shown = " in, ".join(f"${rate:,.2f}" for rate in (price.input, price.output))
    return f"{shown} out per million tokens (as of {price.as_of})"


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` columns."""
    return textwrap.wrap(text, max(40, width))


def estimate_rows(estimate: Estimate) -> list[tuple[str, str]]:
    """What a plan takes, as (name, text)."""
    return [
        ("Requests", f"{estimate.requests:,}"),
        ("Tokens", tokens(estimate.tokens_low, estimate.tokens_high)),
        ("Cost", dollars(estimate.usd_low, estimate.usd_high)),
        ("Time", span(estimate.seconds_low, estimate.seconds_high)),
    ]


def columns(rows: Sequence[Sequence[str]], indent: str = "  ") -> list[str]:
    """Rows aligned to the left, two spaces apart."""
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        indent
        + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
