"""Numbers as a reader may take them: 99.995 % never prints as 100, a p-value never as 0, unknown
is "unknown"."""

from __future__ import annotations

import math
from datetime import UTC, datetime

UNKNOWN = "unknown"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def count(value: int | None) -> str:
    """``9,114``."""
    return UNKNOWN if value is None else f"{value:,}"


def counted(value: int, noun: str, plural: str | None = None) -> str:
    """``1 family``, ``9 families``."""
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def p_value(p: float | None, alpha: float | None = None) -> str:
    """A p-value with two significant digits, or as many as keep it on its side of ``alpha``.

    1 is printed only for 1, and nothing is printed as 0.
    """
    if p is None or math.isnan(p):
        return UNKNOWN
    for digits in range(2, 18):
        rounded = float(f"{p:.{digits - 1}e}")
        crossed = alpha is not None and (rounded <= alpha) != (p <= alpha)
        lost = alpha is not None and rounded == alpha != p
        if not crossed and not lost and (rounded < 1 or p >= 1):
            break
    return significant(rounded, digits)


def significant(value: float | None, digits: int = 2) -> str:
    """``value`` with at most ``digits`` significant digits, without trailing zeros."""
    if value is None or math.isnan(value):
        return UNKNOWN
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = int(exponent)
    if -5 <= power < 6:
        places = max(0, digits - 1 - power)
        text = f"{float(f'{value:.{digits - 1}e}'):,.{places}f}"
    else:
        text = mantissa
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if not -5 <= power < 6:
        text = f"{text} × 10{str(power).translate(_SUPERSCRIPT)}"
    return text.replace("-", "−")


def signed(value: float | None, digits: int = 2) -> str:
    """`significant` with a plus sign for what is above zero."""
    text = significant(value, digits)
    return f"+{text}" if value is not None and value > 0 else text


def interval(bounds: tuple[float | None, float | None] | None) -> str:
    """``0.02 to 0.11``; an open end says so."""
    if bounds is None or bounds == (None, None):
        return UNKNOWN
    low, high = bounds
    if high is None:
        return f"at least {significant(low)}"
    if low is None:
        return f"at most {significant(high)}"
    return f"{significant(low)} to {significant(high)}"


def share(part: int, whole: int) -> str:
    """A whole percentage; 0 % and 100 % only where nothing or everything is meant."""
    return percent(part / whole) if whole else "none"


def percent(value: float | None) -> str:
    """`share` of a ratio in [0, 1]."""
    if value is None or math.isnan(value):
        return UNKNOWN
    if value <= 0 or value >= 1:
        return f"{value:.0%}"
    rounded = round(100 * value)
    if rounded == 0:
        return "<1%"
    return ">99%" if rounded == 100 else f"{rounded}%"


def left_open(upper: float | None, units: int) -> str:
    """What a share that was measured on few units leaves open, as a sentence; "" if not known."""
    if upper is None or upper >= 1:
        return ""
    return f" On {counted(units, 'unit')} a share of up to {percent(upper)} is possible."


def usd(value: float | None) -> str:
    """``$0.03``; smaller than a cent says so."""
    if value is None:
        return UNKNOWN
    if 0 < value < 0.01:
        return "<$0.01"
    return f"${value:,.2f}"


def moment(text: str | None) -> str:
    """An ISO 8601 instant as ``2026-11-23 13:20:05 UTC``."""
    if text is None:
        return UNKNOWN
    try:
        return f"{instant(text):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return text


def instant(text: str) -> datetime:
    """An ISO 8601 instant; one without an offset counts as UTC.

    Raises
    ------
    ValueError
        If it is none.
    """
    parsed = datetime.fromisoformat(text)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
