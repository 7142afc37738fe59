"""``replay:PATH[,model=NAME]``: recorded completions, one file a format.

PATH is a file (``.parquet``, ``.jsonl``, ``.csv``), a folder of such files, a glob, several of
them with commas between, or a store of ours. Columns: ``model, prompt_id, sample, output``;
``prompt`` and ``started_utc`` may be there. ``sample`` names a draw, not a time.

To add a format: a module that yields `rows.Row`, and its suffix in `tables`.
"""

from __future__ import annotations

import difflib
import glob
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from provenance.endpoint import Endpoint
from provenance.errors import UsageError
from provenance.evidence.store import is_store
from provenance.providers.replay import stores, tables
from provenance.providers.replay.rows import Row
from provenance.transcript import Completion, Exchange, Failure, Record, Request


@dataclass(frozen=True, slots=True)
class RecordedCell:
    """What a recording holds of one prompt."""

    prompt_id: str
    prompt: str | None
    draws: int


class ReplayProvider:
    """See the module. The recording is read when it is first needed.

    Raises
    ------
    UsageError
        If there is no recording, or it is not clear which model of it is meant.
    """

    host: str | None = None
    concurrency = 256

    def __init__(self, endpoint: Endpoint, *, environment: Mapping[str, str]) -> None:
        self.endpoint = endpoint
        self._path = Path(endpoint.model)
        self._rows: dict[str, list[Row]] | None = None
        self._records: dict[str, list[Record]] = {}

    @property
    def ordered(self) -> bool:
        """Whether every row carries the time of its request."""
        self.load()
        rows = [row for cell in (self._rows or {}).values() for row in cell]
        return bool(rows) and all("started_utc" in row.extra for row in rows)

    async def open(self) -> None:
        """Read the recording."""
        self.load()

    async def aclose(self) -> None:
        """Nothing to close."""

    def load(self) -> None:
        """Read the recording; the second time does nothing."""
        if self._rows is not None:
            return
        if is_store(self._path):
            self._rows = self._from_store()
        else:
            self._rows = _grouped(self._from_files())

    def recorded_cells(self) -> dict[str, RecordedCell]:
        """Prompt ids with their prompt and number of draws, in the order of the recording."""
        self.load()
        return {
            cell: RecordedCell(
                cell,
                next((r.extra["prompt"] for r in rows if "prompt" in r.extra), None),
                len(rows),
            )
            for cell, rows in (self._rows or {}).items()
        }

    def draws(self, cell: str) -> int:
        """How many draws of a cell were recorded."""
        self.load()
        return len((self._rows or {}).get(cell, ()))

    @property
    def source_battery_digest(self) -> str | None:
        """Digest of the battery behind a store; None for files."""
        return stores.battery_digest(self._path) if is_store(self._path) else None

    @property
    def recorded_utc_range(self) -> tuple[str, str] | None:
        """First and last time of the recording, if every row has one."""
        if not self.ordered:
            return None
        times = [r.extra["started_utc"] for rows in (self._rows or {}).values() for r in rows]
        return min(times), max(times)

    async def draw(self, request: Request) -> Exchange:
        """The recorded draw, as it was."""
        self.load()
        asked = json.dumps(
            {"replay": self.endpoint.model, "prompt_id": request.cell, "draw": request.draw}
        ).encode()
        rows = (self._rows or {}).get(request.cell, [])
        if request.draw >= len(rows):
            missing = Failure(kind="missing", message=f"{len(rows)} draws were recorded")
            return Exchange(asked, b"", missing, None, None)
        if self._records:
            record = self._records[request.cell][request.draw]
            outcome = record.completion or record.failure
            assert outcome is not None
            return Exchange(
                request=asked,
                response=stores.response(self._path, record),
                outcome=outcome,
                started_utc=record.started_utc,
                elapsed_s=record.elapsed_s,
                first_byte_s=record.first_byte_s,
                status=record.status,
                headers=dict(record.headers),
            )
        return _exchange(asked, rows[request.draw])

    def _from_store(self) -> dict[str, list[Row]]:
        grouped: dict[str, list[Row]] = {}
        for record in stores.read_side(self._path, self.endpoint.option("model")):
            if record.completion is None:
                continue
            times = {"started_utc": record.started_utc} if record.started_utc else {}
            row = Row(None, record.cell, record.draw, record.completion.text, "", times)
            grouped.setdefault(record.cell, []).append(row)
            self._records.setdefault(record.cell, []).append(record)
        return grouped

    def _from_files(self) -> list[Row]:
        files = _files(self.endpoint.model)
        wanted = self.endpoint.option("model")
        if wanted is None:
            names = {name for file in files for name in tables.models_in(file)}
            if len(names) > 1:
                listed = sorted(str(n) for n in names)
                more = f" and {len(listed) - 20} more" if len(listed) > 20 else ""
                raise UsageError(
                    f"{self.endpoint.model} holds {len(names)} models: add ,model=NAME "
                    f"({', '.join(listed[:20])}{more})"
                )
        rows = [row for file in files for row in tables.read_rows(file, wanted)]
        if not rows and wanted is not None:
            known = {str(n) for file in files for n in tables.models_in(file)}
            close = difflib.get_close_matches(wanted, known, 5, 0.4) or sorted(known)[:10]
            raise UsageError(
                f"{self.endpoint.model} has no model {wanted!r}; it has {', '.join(close)}"
            )
        if not rows:
            raise UsageError(f"{self.endpoint.model} holds no rows")
        return rows


def _files(text: str) -> list[Path]:
    """The files that a PATH names."""
    parts = [text] if Path(text).exists() else [part for part in text.split(",") if part]
    files: list[Path] = []
    for part in parts:
        path = Path(part)
        if path.is_dir():
            found = sorted(p for p in path.iterdir() if p.suffix in tables.SUFFIXES)
        elif path.is_file():
            found = [path]
        else:
            found = sorted(Path(name) for name in glob.glob(part) if os.path.isfile(name))
        if not found:
            raise UsageError(
                f"no recording at {part}: expected a store, or files ending in "
                f"{', '.join(tables.SUFFIXES)}"
            )
        files += found
    for file in files:
        if file.suffix not in tables.SUFFIXES:
            raise UsageError(f"{file}: expected one of {', '.join(tables.SUFFIXES)}")
    return files


def _grouped(rows: list[Row]) -> dict[str, list[Row]]:
    """Rows by cell, ordered by sample."""
    grouped: dict[str, list[Row]] = {}
    seen: dict[tuple[str, int | str], Row] = {}
    for row in rows:
        earlier = seen.setdefault((row.cell, row.sample), row)
        if earlier is not row:
            raise UsageError(
                f"prompt_id {row.cell!r}, sample {row.sample!r} is there twice ({earlier.where}; "
                f"{row.where}): a copy is not another draw; give every draw its own sample number"
            )
        grouped.setdefault(row.cell, []).append(row)
    for cell in grouped.values():
        cell.sort(key=lambda r: (isinstance(r.sample, str), r.sample))
    return grouped


def _exchange(asked: bytes, row: Row) -> Exchange:
    response = json.dumps(
        {"sample": row.sample, "output": row.output, **row.extra}, ensure_ascii=False
    ).encode()
    outcome: Completion | Failure
    if row.output is None:
        outcome = Failure(kind="missing", message=f"{row.where}: the output is null")
    else:
        outcome = Completion(
            text=row.output,
            finish_reason=row.extra.get("finish_reason"),
            served_model=row.extra.get("served_model"),
            system_fingerprint=row.extra.get("system_fingerprint"),
            notes=row.notes,
        )
    return Exchange(asked, response, outcome, row.extra.get("started_utc"), None)
