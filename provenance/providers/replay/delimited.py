"""CSV: commas, a header line, UTF-8. An empty output is an empty answer, not a missing one."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from provenance.errors import UsageError
from provenance.providers.replay.rows import OPTIONAL, Row, find_columns, make_row, model_name


def models(path: Path) -> dict[str | None, str]:
    """Names of the models in a file, each with the first place where it stands."""
    found: dict[str | None, str] = {}
    for values, columns, where, _ in _lines(path):
        found.setdefault(model_name(values.get(columns.get("model", "")), where), where)
    return found


def read(path: Path, model: str | None) -> Iterator[Row]:
    """Rows of one file; of one model only, if ``model`` is given.

    Raises
    ------
    UsageError
        Naming the line at fault.
    """
    for values, columns, where, damaged in _lines(path):
        if model is None or model_name(values.get(columns.get("model", "")), where) == model:
            yield make_row(values, columns, path, where, damaged=damaged)


def _lines(path: Path) -> Iterator[tuple[dict[str, Any], dict[str, str], str, bool]]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    # Bytes that are not UTF-8 come as lone surrogates, so that they can be told and replaced.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, strict=True)
        number = 0
        try:
            header = next(reader, [])
            columns = find_columns(header, path.name)
            empty_is_none = {columns[key] for key in ("model", *OPTIONAL) if key in columns}
            number = reader.line_num
            for fields in reader:
                where, number = f"{path.name}, line {number + 1}", reader.line_num
                if not fields:
                    continue
                if len(fields) != len(header):
                    raise UsageError(
                        f"{where}: {len(fields)} fields, expected {len(header)} as in the header; "
                        "put quotes around text that holds commas or line ends"
                    )
                texts = [_utf8(text) for text in fields]
                values = {
                    name: None if text == "" and name in empty_is_none else text
                    for name, text in zip(header, texts, strict=True)
                }
                yield values, columns, where, texts != fields
        except csv.Error as error:
            raise UsageError(f"{path.name}, line {number + 1}: {error}") from None


def _utf8(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return text
