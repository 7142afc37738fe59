"""JSONL: one JSON object a line, in UTF-8. Read line by line, never whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from provenance.errors import UsageError
from provenance.providers.replay.rows import Row, find_columns, make_row, model_name


def models(path: Path) -> dict[str | None, str]:
    """Names of the models in a file, each with the first place where it stands."""
    found: dict[str | None, str] = {}
    for values, where, _ in _objects(path):
        found.setdefault(model_name(values.get("model"), where), where)
    return found


def read(path: Path, model: str | None) -> Iterator[Row]:
    """Rows of one file; of one model only, if ``model`` is given.

    Raises
    ------
    UsageError
        Naming the line at fault.
    """
    for values, where, damaged in _objects(path):
        if model is None or model_name(values.get("model"), where) == model:
            yield make_row(values, find_columns(list(values), where), path, where, damaged=damaged)


def _objects(path: Path) -> Iterator[tuple[dict[str, Any], str, bool]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            where = f"{path.name}, line {number}"
            if number == 1:
                if line.startswith((b"\xff\xfe", b"\xfe\xff")):
                    raise UsageError(f"{path} is UTF-16: save it as UTF-8")
                line = line.removeprefix(b"\xef\xbb\xbf")
            if not line.strip():
                continue
            damaged = False
            try:
                text = line.decode("utf-8")
            except UnicodeDecodeError:
                text, damaged = line.decode("utf-8", "replace"), True
            try:
                values = json.loads(text)
            except (ValueError, RecursionError):
                raise UsageError(f"{where}: not JSON; remove or mend the line") from None
            if not isinstance(values, dict):
                raise UsageError(f"{where}: expected a JSON object")
            yield values, where, damaged
