"""Canonical JSON (RFC 8785) and SHA-256 digests over it."""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785

_MAX_SAFE_INTEGER = 2**53 - 1


def canonical_json(value: Any) -> bytes:
    """``value`` as canonical JSON (RFC 8785).

    Raises
    ------
    ValueError
        For NaN, infinities, lone surrogates and integers beyond 2**53, none of which RFC 8785
        can express. Callers normalise first (`normalise`).
    """
    return rfc8785.dumps(value)


def digest(value: Any) -> str:
    """Hexadecimal SHA-256 of `canonical_json`."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def clean_text(text: str) -> str:
    """``text`` with lone surrogates replaced by U+FFFD, so that it can be written as UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def normalise(value: Any, *, depth: int = 0, limit: int = 32) -> Any:
    """Make parsed JSON from a server fit for `canonical_json`.

    Lone surrogates become U+FFFD, integers beyond 2**53 become strings, NaN and infinities
    become null, and what nests deeper than ``limit`` becomes the string ``"…"``. The raw bytes
    are kept elsewhere, by digest, so nothing is lost.
    """
    if depth > limit:
        return "…"
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) <= _MAX_SAFE_INTEGER else str(value)
    if isinstance(value, float):
        return value if value == value and value not in (float("inf"), float("-inf")) else None
    if isinstance(value, dict):
        return {
            clean_text(str(k)): normalise(v, depth=depth + 1, limit=limit) for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [normalise(v, depth=depth + 1, limit=limit) for v in value]
    raise TypeError(f"not a JSON value: {type(value).__name__}")
