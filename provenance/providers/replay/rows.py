"""The normal form of a recording: rows of (model, cell, sample, output), whatever the file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from provenance.canonical import clean_text
from provenance.errors import UsageError
from provenance.transcript import Exchange

# Names that a column may have; the first is the documented one.
COLUMNS = {
    "model": ("model",),
    "cell": ("prompt_id", "cell"),
    "sample": ("sample", "draw"),
    "output": ("output",),
}
OPTIONAL = {
    "prompt": ("prompt",),
    "started_utc": ("started_utc", "timestamp"),
    "finish_reason": ("finish_reason",),
    "served_model": ("served_model",),
    "system_fingerprint": ("system_fingerprint",),
}
_DIGITS = re.compile(r"-?[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Row:
    """One recorded answer.

    Attributes
    ----------
    sample
        Its number; None where the file numbers nothing and the order of the rows does.
    output
        None where the recording has none.
    path, where
        The file, and the place in it for messages.
    extra
        The `OPTIONAL` fields that are there.
    notes
        What was lost when the text was read.
    """

    model: str | None
    cell: str
    sample: int | str | None
    output: str | None
    path: Path
    where: str
    extra: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordedCell:
    """What a recording holds of one prompt."""

    prompt_id: str
    prompt: str | None
    draws: int


class Recording(Protocol):
    """What was recorded of one model, read and checked."""

    @property
    def cells(self) -> Mapping[str, RecordedCell]:
        """By prompt id, in the order of the recording."""

    @property
    def times(self) -> Sequence[str] | None:
        """When each answer was asked for (ISO 8601, UTC); None if any answer has no time."""

    @property
    def battery_digest(self) -> str | None:
        """Of the battery that was asked; None if that is not known."""

    @property
    def root(self) -> str | None:
        """Of the evidence that holds it; None for files."""

    def digests(self) -> frozenset[str]:
        """Which draws these are (`evidence.draws`)."""

    def exchange(self, cell: str, draw: int) -> Exchange:
        """One of its answers; ``draw`` is below the number of draws of the cell."""


def find_columns(names: Sequence[str], where: str) -> dict[str, str]:
    """Column of each field that is there.

    Raises
    ------
    UsageError
        If a needed one is missing; ``model`` and ``sample`` may be.
    """
    found = {
        key: name
        for key, options in {**COLUMNS, **OPTIONAL}.items()
        for name in reversed(options)
        if name in names
    }
    for key in ("cell", "output"):
        if key not in found:
            columns = ", ".join(clean_text(str(n))[:40] for n in names[:12]) or "none"
            raise UsageError(
                f"{where}: no column {COLUMNS[key][0]!r}; expected model, prompt_id, sample, "
                f"output (optional: prompt, started_utc), found {columns}"
            )
    return found


def make_row(
    values: Mapping[str, Any],
    columns: Mapping[str, str],
    path: Path,
    where: str,
    *,
    damaged: bool = False,
) -> Row:
    """A row from the values of one line.

    Parameters
    ----------
    damaged
        Whether bytes that are not UTF-8 were replaced to read it.

    Raises
    ------
    UsageError
        Naming the place, if a value is not of its kind.
    """
    output = values.get(columns["output"])
    if output is not None and not isinstance(output, str):
        raise UsageError(f"{where}: output is {type(output).__name__}, expected a string")
    cell = values.get(columns["cell"])
    if cell is None:
        raise UsageError(f"{where}: no prompt_id")
    notes: tuple[str, ...] = ("bytes that are not UTF-8 were replaced",) if damaged else ()
    cleaned = None if output is None else clean_text(output)
    if cleaned != output:
        notes += ("lone surrogates were replaced",)
    return Row(
        model=model_name(values.get(columns.get("model", "")), where),
        cell=_scalar(cell, "prompt_id", where),
        sample=_sample(values[columns["sample"]], where)
        if columns.get("sample") in values
        else None,
        output=cleaned,
        path=path,
        where=where,
        extra={
            key: _moment(values[name], where)
            if key == "started_utc"
            else _scalar(values[name], name, where)
            for key, name in columns.items()
            if key in OPTIONAL and values.get(name) is not None
        },
        notes=notes,
    )


def model_name(value: Any, where: str) -> str | None:
    """The name of a model, None where there is none."""
    return None if value is None else _scalar(value, "model", where)


def _scalar(value: Any, name: str, where: str) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 3.0 is what becomes of 3 beside an empty field
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return clean_text(str(value))
    raise UsageError(f"{where}: {name} is {type(value).__name__}, expected a string")


def _sample(value: Any, where: str) -> int | str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise UsageError(f"{where}: sample is {str(value)[:40]!r}, expected a whole number")
    return clean_text(value) if isinstance(value, str) else value


def _moment(value: Any, where: str) -> str:
    """A time in UTC; one that names no zone is taken as UTC."""
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        zoned = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return zoned.astimezone(UTC).isoformat(timespec="microseconds")
    except (TypeError, ValueError, OverflowError):
        raise UsageError(
            f"{where}: the time is {str(value)[:40]!r}, expected ISO 8601 such as "
            "2026-11-23T12:00:00Z"
        ) from None
