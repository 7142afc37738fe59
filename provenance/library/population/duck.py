"""DuckDB over Parquet files: connections that hold no table and see nothing else."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenance.errors import EvidenceError

if TYPE_CHECKING:
    import pyarrow as pa

MEMORY = "256MB"
_GLOB = re.compile(r"[*?\[]")
ROWS = 4096


@cache
def _instance(process: int) -> Any:
    """The DuckDB of a process: to start one takes ten times as long as a query of ours.

    Its own for each process, since a forked one holds another's locks and none of its threads.
    """
    import duckdb

    return duckdb.connect(
        ":memory:",
        config={
            "memory_limit": MEMORY,
            "threads": 2,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": True,
        },
    )


@contextmanager
def connected() -> Iterator[Any]:
    """A connection that fetches no extension and keeps to `MEMORY` bytes, all of them together."""
    connection = _instance(os.getpid()).cursor()
    try:
        yield connection
    finally:
        connection.close()


def select(files: Sequence[Path], sql: str, values: Mapping[str, Any] | None = None) -> pa.Table:
    """The result of a query over Parquet files.

    Parameters
    ----------
    files
        At least one; all of one schema.
    sql
        A SELECT that reads ``FROM rows``.
    values
        Of its ``$name`` parameters.

    Raises
    ------
    EvidenceError
        If a file cannot be read.
    FileNotFoundError
        If one is gone, as when another process has just merged it into a larger one.
    """
    import duckdb

    with connected() as connection:
        try:
            relation = connection.sql(
                "WITH rows AS (SELECT * FROM read_parquet($files, hive_partitioning=false, "
                f"union_by_name=true)) {sql}",
                params={"files": [_literal(f) for f in files], **(values or {})},
            )
            return relation.to_arrow_table()
        except duckdb.Error as error:
            gone = next((f for f in files if not f.is_file()), None)
            if gone is not None:
                raise FileNotFoundError(gone) from None
            first = (str(error).splitlines() or ["unreadable"])[0]
            raise EvidenceError(f"cannot read {files[0].parent}: {first[:300]}") from None


def _literal(path: Path) -> str:
    """A path that stands for itself: read_parquet takes ``*``, ``?`` and ``[`` for patterns."""
    return _GLOB.sub(lambda found: f"[{found[0]}]", path.as_posix())
