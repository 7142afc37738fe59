"""A table in a folder of Parquet parts: appended to in one move, merged when there are many."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenance.errors import EvidenceError
from provenance.evidence.files import written_whole
from provenance.library.population import duck

if TYPE_CHECKING:
    import pyarrow as pa

_MOST = 32  # parts before the small ones are merged
_SMALL = 8 << 20  # bytes
_TRIES = 5


class Table:
    """One table.

    Parameters
    ----------
    folder
        Of its parts; made when something is first written.
    schema
        Makes its Arrow schema (called late: Arrow is slow to import).
    """

    def __init__(self, folder: Path, schema: Callable[[], pa.Schema]) -> None:
        self._folder = folder
        self._schema = schema

    @property
    def files(self) -> list[Path]:
        """Its parts, the oldest first."""
        return sorted(self._folder.glob("*.parquet"))

    def has(self, column: str) -> bool:
        """Whether the newest part has a column; parts of an older version may lack it."""
        import pyarrow.parquet as pq

        files = self.files
        return bool(files) and column in pq.read_schema(files[-1]).names

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows as one part. The caller holds the library's lock.

        Raises
        ------
        EvidenceError
            If the disk does not take it.
        """
        import pyarrow as pa

        if rows:
            self.append_table(pa.Table.from_pylist([dict(r) for r in rows], schema=self._schema()))

    def append_table(self, table: pa.Table) -> None:
        """The same for an Arrow table of the schema."""
        write_table(self._next(), table)
        files = self.files
        if len(files) > _MOST:
            self._merge(files)

    def select(self, sql: str, values: Mapping[str, Any] | None = None) -> pa.Table | None:
        """Result of a query ``… FROM rows …``; None while nothing was written."""
        for attempt in range(_TRIES):
            files = self.files
            if not files:
                return None
            try:
                return duck.select(files, sql, values)
            except FileNotFoundError:
                # A writer merged parts between the listing and the reading.
                if attempt == _TRIES - 1:
                    raise EvidenceError(f"{self._folder} changes while it is read") from None
        return None

    def _next(self) -> Path:
        # The time orders the parts; the rest keeps two of one moment apart.
        return self._folder / f"{time.time_ns():020d}-{secrets.token_hex(4)}.parquet"

    def _merge(self, files: Sequence[Path]) -> None:
        small = [f for f in files if f.stat().st_size < _SMALL]
        if len(small) < 2:
            return
        merged = duck.select(small, "SELECT * FROM rows")
        write_table(self._next(), _fitted(merged, self._schema()))
        # Killed here, a row stands twice; every reader takes one row a key.
        for file in small:
            file.unlink(missing_ok=True)


def _fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """With the columns of a schema; those that older parts do not have are empty."""
    import pyarrow as pa

    for name in schema.names:
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(table.num_rows, schema.field(name).type))
    return table.select(schema.names).cast(schema)


def write_table(path: Path, table: pa.Table) -> None:
    """Write a Parquet file whole or not at all, and force it to the disk.

    Raises
    ------
    EvidenceError
        If the disk does not take it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with written_whole(path) as file:
            pq.write_table(table, file, compression="zstd")
    except pa.ArrowException as error:
        raise EvidenceError(f"cannot write {path}: {error}") from None
