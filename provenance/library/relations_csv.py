"""Labels of models as a table: a CSV with a column ``model`` and the keys of a relations file.

Columns: ``model``, and any of family, unit, maker, base, parent, same_weights_as, teachers,
released, kind, certainty, licence, source, note. Empty fields say nothing. ``teachers`` are
separated by semicolons; ``none`` says that no model's outputs were used. Columns of other names
are an error: a misspelt one would be silence about every model.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from provenance.errors import SettingsError

COLUMNS = (
    *("model", "family", "unit", "maker", "base", "parent", "same_weights_as", "teachers"),
    *("released", "kind", "certainty", "licence", "source", "note"),
)


def read_csv(path: Path) -> dict[str, dict[str, Any]]:
    """The table ``models`` of a relations file.

    Raises
    ------
    SettingsError
        If the columns are not those above, or a model stands twice.
    """
    models: dict[str, dict[str, Any]] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        names = reader.fieldnames or []
        strange = [n for n in names if n not in COLUMNS]
        if "model" not in names or strange:
            raise SettingsError(
                f"{path}: expected a column model and any of {', '.join(COLUMNS[1:])}; found "
                f"{', '.join(strange) or 'no column model'}"
            )
        try:
            for row in reader:
                if None in row:
                    raise SettingsError(f"{path}, line {reader.line_num}: more fields than columns")
                model = row.pop("model")
                if model in models:
                    raise SettingsError(f"{path}, line {reader.line_num}: {model} is there twice")
                found: dict[str, Any] = {k: v for k, v in row.items() if k and v}
                if "teachers" in found:
                    named = [t.strip() for t in found["teachers"].split(";")]
                    found["teachers"] = [] if named == ["none"] else [t for t in named if t]
                models[model] = found
        except csv.Error as error:
            raise SettingsError(f"{path}, line {reader.line_num}: {error}") from None
    return models
