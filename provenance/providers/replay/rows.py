"""The normal form of a recording: rows of (model, cell, sample, output), whatever the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provenance.canonical import clean_text
from provenance.errors import UsageError

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


@dataclass(frozen=True, slots=True)
class Row:
    """One recorded answer; ``output`` None where the recording has none."""

    model: str | None
    cell: str
    sample: int | str
    output: str | None
    where: str
    extra: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def find_columns(names: list[str], where: str) -> dict[str, str]:
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
            raise UsageError(
                f"{where}: no column {COLUMNS[key][0]!r}; expected model, prompt_id, sample, "
                f"output (optional: prompt, started_utc), found {', '.join(names[:12]) or 'none'}"
            )
    return found


def make_row(values: Mapping[str, Any], columns: Mapping[str, str], where: str, number: int) -> Row:
    """A row from the values of one line.

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
    sample = values.get(columns.get("sample", ""), number)
    if isinstance(sample, float) and sample.is_integer():
        sample = int(sample)
    if isinstance(sample, bool) or not isinstance(sample, int | str):
        raise UsageError(f"{where}: sample is {sample!r}, expected a whole number")
    model = values.get(columns.get("model", ""))
    extra = {
        key: clean_text(str(values[columns[key]]))
        for key in OPTIONAL
        if key in columns and values.get(columns[key]) is not None
    }
    cleaned = None if output is None else clean_text(output)
    notes = () if cleaned == output else ("lone surrogates were replaced",)
    return Row(
        model=None if model is None else str(model),
        cell=clean_text(str(cell)),
        sample=sample,
        output=cleaned,
        where=where,
        extra=extra,
        notes=notes,
    )


def place(path: Path, line: int) -> str:
    """File and line, for messages."""
    return f"{path.name}, line {line}"
