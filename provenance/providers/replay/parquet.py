"""Parquet: only the columns that are needed, and only row groups that hold the model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from provenance.errors import UsageError
from provenance.providers.replay.rows import Row, find_columns, make_row, model_name

_BATCH = 4096


def models(path: Path) -> dict[str | None, str]:
    """Names of the models in a file, each with the first place where it stands."""
    import pyarrow as pa

    try:
        file, columns = _open(path)
        if "model" not in columns:
            return {None: path.name} if file.metadata.num_rows else {}
        found: dict[str | None, str] = {}
        for batch in file.iter_batches(columns=[columns["model"]]):
            for name in _values(batch.column(0).unique())[0]:
                found.setdefault(model_name(name, path.name), path.name)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from None
    return found


def read(path: Path, model: str | None) -> Iterator[Row]:
    """Rows of one file; of one model only, if ``model`` is given.

    Raises
    ------
    UsageError
        If it is no Parquet file, or naming the row at fault.
    """
    import pyarrow as pa

    try:
        file, columns = _open(path)
        wanted = model if "model" in columns else None
        first = 1
        for group in range(file.num_row_groups):
            if wanted is None or _holds(file, group, columns["model"], wanted):
                yield from _rows(path, file, group, columns, wanted, first)
            first += file.metadata.row_group(group).num_rows
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from None


def _open(path: Path) -> tuple[Any, dict[str, str]]:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    return file, find_columns(file.schema_arrow.names, path.name)


def _unreadable(path: Path, error: Exception) -> UsageError:
    first = (str(error).splitlines() or [type(error).__name__])[0]
    return UsageError(f"{path} cannot be read as Parquet: {first[:200]}")


def _holds(file: Any, group: int, column: str, model: str) -> bool:
    names = file.read_row_group(group, columns=[column]).column(0).unique()
    return any(name is not None and str(name) == model for name in _values(names)[0])


def _rows(
    path: Path, file: Any, group: int, columns: dict[str, str], model: str | None, first: int
) -> Iterator[Row]:
    import pyarrow as pa

    needed = sorted(set(columns.values()))
    for batch in file.iter_batches(batch_size=_BATCH, row_groups=[group], columns=needed):
        numbers = list(range(first, first + batch.num_rows))
        first += batch.num_rows
        if model is not None:
            names = _values(batch.column(columns["model"]))[0]
            keep = [i for i, name in enumerate(names) if name is not None and str(name) == model]
            batch, numbers = batch.take(pa.array(keep, pa.int64())), [numbers[i] for i in keep]
        read = [_values(batch.column(name)) for name in needed]
        for i, number in enumerate(numbers):
            values = {name: column[i] for name, (column, _) in zip(needed, read, strict=True)}
            damaged = any(i in places for _, places in read)
            yield make_row(values, columns, path, f"{path.name}, row {number}", damaged=damaged)


def _values(column: Any) -> tuple[list[Any], set[int]]:
    """A column as Python values, and where bytes that are not UTF-8 were replaced."""
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_timestamp(column.type):
        # Python has no nanoseconds.
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    try:
        values = column.to_pylist()
    except UnicodeDecodeError:  # Arrow reads strings without looking into them
        values = column.cast(pa.large_binary()).to_pylist()
    damaged = set()
    for i, value in enumerate(values):
        if isinstance(value, bytes):
            try:
                values[i] = value.decode("utf-8")
            except UnicodeDecodeError:
                values[i] = value.decode("utf-8", "replace")
                damaged.add(i)
    return values, damaged
