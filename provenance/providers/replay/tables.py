"""Rows of Parquet, JSONL and CSV files. Parquet is read one row group at a time."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from provenance.errors import UsageError
from provenance.providers.replay.rows import Row, find_columns, make_row, place

SUFFIXES = (".parquet", ".jsonl", ".ndjson", ".csv")


def read_rows(path: Path, model: str | None) -> Iterator[Row]:
    """Rows of one file; of one model only, if ``model`` is given.

    Raises
    ------
    UsageError
        If the file cannot be read, naming the line at fault.
    """
    try:
        if path.suffix == ".parquet":
            yield from _parquet(path, model)
        elif path.suffix == ".csv":
            yield from _csv(path, model)
        else:
            yield from _jsonl(path, model)
    except OSError as error:
        raise UsageError(f"cannot read the recording {path}: {error.strerror or error}") from None


def models_in(path: Path) -> set[str | None]:
    """Names of the models in a file."""
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        file = _open_parquet(path)
        columns = find_columns(list(file.schema_arrow.names), path.name)
        if "model" not in columns:
            return {None}
        table = pq.read_table(path, columns=[columns["model"]])
        return {None if v is None else str(v) for v in table.column(0).unique().to_pylist()}
    return {row.model for row in read_rows(path, None)}


def _open_parquet(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise UsageError(f"{path} is not a Parquet file: {error}") from None


def _parquet(path: Path, model: str | None) -> Iterator[Row]:
    file = _open_parquet(path)
    columns = find_columns(list(file.schema_arrow.names), path.name)
    number = 0
    for batch in file.iter_batches(columns=sorted(set(columns.values())), batch_size=4096):
        for values in batch.to_pylist():
            number += 1
            if model is not None and "model" in columns and values[columns["model"]] != model:
                continue
            for key in ("started_utc",):
                if key in columns and hasattr(values[columns[key]], "isoformat"):
                    values[columns[key]] = values[columns[key]].isoformat()
            yield make_row(values, columns, f"{path.name}, row {number}", number)


def _jsonl(path: Path, model: str | None) -> Iterator[Row]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            where = place(path, number)
            if not line.strip():
                continue
            try:
                values = json.loads(line.decode("utf-8", "replace"))
            except (ValueError, RecursionError):
                raise UsageError(f"{where}: not JSON; remove or mend the line") from None
            if not isinstance(values, dict):
                raise UsageError(f"{where}: expected a JSON object")
            columns = find_columns(list(values), where)
            if model is not None and str(values.get("model")) != model and "model" in values:
                continue
            yield make_row(values, columns, where, number)


def _csv(path: Path, model: str | None) -> Iterator[Row]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.DictReader(file)
        columns = find_columns(list(reader.fieldnames or []), path.name)
        try:
            for values in reader:
                if model is not None and "model" in columns and values["model"] != model:
                    continue
                where = place(path, reader.line_num)
                sample = values.get(columns.get("sample", ""))
                if sample is not None and sample.lstrip("-").isdigit():
                    values = {**values, columns["sample"]: int(sample)}
                yield make_row(values, columns, where, reader.line_num)
        except csv.Error as error:
            raise UsageError(f"{place(path, reader.line_num)}: {error}") from None
