"""Recordings in files: which files, which model, which draws.

To add a format: a module with `models` and `read`, and its suffix in `FORMATS`.
"""

from __future__ import annotations

import difflib
import glob
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from provenance.errors import UsageError
from provenance.evidence.draws import draw_digest
from provenance.evidence.store import is_store
from provenance.providers.replay import delimited, jsonl, parquet
from provenance.providers.replay.rows import RecordedCell, Row
from provenance.transcript import Completion, Exchange, Failure

FORMATS = {".parquet": parquet, ".jsonl": jsonl, ".ndjson": jsonl, ".csv": delimited}
_LISTED = 20


class FileRecording:
    """One model's rows of some files.

    Parameters
    ----------
    text
        A file, a folder, a glob, or several of them with commas between.
    model
        Whose rows; None if the files hold only one model's.

    Raises
    ------
    UsageError
        If there is no recording, a row cannot be read, or it is not clear which model is meant.
    """

    battery_digest: str | None = None
    root: str | None = None

    def __init__(self, text: str, model: str | None) -> None:
        self._text = text
        files = _files(text)
        try:
            wanted = _which(text, files, model)
            rows = [row for file in files for row in _format(file).read(file, wanted)]
        except OSError as error:
            raise UsageError(f"cannot read {error.filename or text}: {error.strerror}") from None
        self._rows = _grouped(rows)
        self.cells = {cell: _cell(cell, found) for cell, found in self._rows.items()}
        times = [row.extra.get("started_utc") for found in self._rows.values() for row in found]
        self.times: Sequence[str] | None = [t for t in times if t is not None]
        if len(self.times) < len(times):
            self.times = None

    def digests(self) -> frozenset[str]:
        """Which draws these are."""
        found = set()
        for cell, rows in self._rows.items():
            for draw in range(len(rows)):
                exchange = self.exchange(cell, draw)
                sent, answered = (
                    hashlib.sha256(b).hexdigest() for b in (exchange.request, exchange.response)
                )
                found.add(draw_digest(cell, exchange.started_utc, sent, answered))
        return frozenset(found)

    def exchange(self, cell: str, draw: int) -> Exchange:
        """One recorded answer, as it stands in its file."""
        row = self._rows[cell][draw]
        asked = {"replay": self._text, "prompt_id": cell, "sample": row.sample, "draw": draw}
        answered = {"sample": row.sample, "output": row.output, **row.extra}
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
        return Exchange(
            request=json.dumps(asked).encode(),
            response=json.dumps(answered, ensure_ascii=False).encode(),
            outcome=outcome,
            started_utc=row.extra.get("started_utc"),
            elapsed_s=None,
        )


def model_of(text: str, model: str | None) -> str | None:
    """The model whose rows `FileRecording` gives; None where the files name none."""
    try:
        return _which(text, _files(text), model)
    except OSError as error:
        raise UsageError(f"cannot read {error.filename or text}: {error.strerror}") from None


def _files(text: str) -> list[Path]:
    """The files that a PATH names, each once."""
    # A name that exists is taken as it is, commas, brackets and all.
    parts = [text] if os.path.exists(text) else [p.strip() for p in text.split(",") if p.strip()]
    files: list[Path] = []
    for part in parts:
        if os.path.isdir(part):
            if is_store(Path(part)):
                raise UsageError(f"{part} is a store: name it alone, not among files")
            inside = sorted(Path(part).iterdir())
            found = [p for p in inside if _format(p) and not p.name.startswith(".")]
        elif os.path.isfile(part):
            found = [Path(part)]
        else:
            found = [Path(p) for p in sorted(glob.glob(part, recursive=True)) if os.path.isfile(p)]
        if not found:
            raise UsageError(
                f"no recording at {part[:300]}: expected a store, or files ending in "
                f"{', '.join(FORMATS)}"
            )
        files += found
    for file in files:
        if _format(file) is None:
            raise UsageError(f"{file}: expected one of {', '.join(FORMATS)}")
    return list({os.path.realpath(file): file for file in files}.values())


def _format(path: Path) -> Any:
    return FORMATS.get(path.suffix.lower())


def _which(text: str, files: Sequence[Path], model: str | None) -> str | None:
    """The model to read; None if the files name none."""
    places: dict[str | None, str] = {}
    for file in files:
        places = {**_format(file).models(file), **places}
    if not places:
        raise UsageError(f"{text} holds no rows")
    nameless = places.pop(None, None)
    if not places:
        return None  # no column for it: whatever the user calls it, there is only this one
    if nameless is not None:
        name, place = next(iter(places.items()))
        raise UsageError(
            f"{nameless}: names no model, where {place} names {name!r}; give every row its model"
        )
    names = sorted(name for name in places if name is not None)
    listed = ", ".join(names[:_LISTED])
    if len(names) > _LISTED:
        listed += f" and {len(names) - _LISTED} more"
    if model is None:
        if len(names) > 1:
            raise UsageError(f"{text} holds {len(names)} models: add ,model=NAME ({listed})")
        return names[0]
    if model not in places:
        close = difflib.get_close_matches(model, names, 5, 0.4)
        raise UsageError(f"{text} has no model {model!r}; it has {', '.join(close) or listed}")
    return model


def _grouped(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows by cell, ordered by sample.

    The same row in two files is one draw that was exported twice. Twice in one file, or with
    another output, it is a mistake that would change the number of independent draws.
    """
    grouped: dict[str, list[Row]] = {}
    seen: dict[tuple[str, int | str], Row] = {}
    for row in rows:
        if row.sample is not None:
            earlier = seen.setdefault((row.cell, row.sample), row)
            if earlier is not row:
                if earlier.path != row.path and earlier.output == row.output:
                    continue
                same = "a copy is not" if earlier.output == row.output else "one of them is not"
                raise UsageError(
                    f"prompt_id {row.cell!r}, sample {row.sample!r} is there twice "
                    f"({earlier.where}; {row.where}): {same} another draw; give every draw its "
                    "own sample number"
                )
        found = grouped.setdefault(row.cell, [])
        if found and (found[0].sample is None) != (row.sample is None):
            raise UsageError(
                f"prompt_id {row.cell!r} has rows with and without a sample number "
                f"({found[0].where}; {row.where}): number all of them or none"
            )
        found.append(row)
    for found in grouped.values():
        found.sort(key=lambda r: (isinstance(r.sample, str), 0 if r.sample is None else r.sample))
    return grouped


def _cell(cell: str, rows: Sequence[Row]) -> RecordedCell:
    prompts = {row.extra["prompt"]: row.where for row in rows if "prompt" in row.extra}
    if len(prompts) > 1:
        places = "; ".join(list(prompts.values())[:2])
        raise UsageError(
            f"different prompts under the prompt_id {cell!r} ({places}): give each prompt an id "
            "of its own"
        )
    return RecordedCell(cell, next(iter(prompts), None), len(rows))
