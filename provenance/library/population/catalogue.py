"""What is known of bundles and models without their texts: two tables."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from provenance.battery import explain
from provenance.errors import EvidenceError, SettingsError
from provenance.library.population.records import Bundle
from provenance.library.population.table import Table
from provenance.library.relations import Relation, Relations

if TYPE_CHECKING:
    import pyarrow as pa


class Catalogue:
    """Bundles, the digests of their prompts, and labels of models.

    Writing is for one process at a time: the library holds the lock.
    """

    def __init__(self, library: Path, name: str) -> None:
        self._path = library
        self._name = name
        self._bundles = Table(library / "catalogue", _bundle_schema)
        self._labels = Table(library / "labels", _label_schema)

    def bundles(
        self,
        *,
        model: str | None = None,
        version: str | None = None,
        battery: str | None = None,
        id: str | None = None,
    ) -> list[Bundle]:
        """By model, version, date; narrowed by whatever is given."""
        found = self._bundles.select(
            """
            SELECT * EXCLUDE (added, prompt_digests) FROM rows
            WHERE ($model IS NULL OR model = $model)
              AND ($version IS NULL OR version = $version)
              AND ($battery IS NULL OR battery = $battery)
              AND ($id IS NULL OR id = $id)
            QUALIFY row_number() OVER (PARTITION BY id ORDER BY has_texts DESC, added DESC) = 1
            ORDER BY model, version, date_utc, id
            """,
            {"model": model, "version": version, "battery": battery, "id": id},
        )
        try:
            rows = [] if found is None else found.to_pylist()
            # A part that was written before a column existed holds nothing there.
            known = [{k: v for k, v in row.items() if v is not None} for row in rows]
            return [Bundle.model_validate(row) for row in known]
        except ValidationError as error:
            raise EvidenceError(f"the catalogue of {self._path}: {explain(error)}") from None

    def prompts(self, ids: Collection[str]) -> dict[str, frozenset[str]]:
        """Digests of the prompts of some bundles, by bundle."""
        found = self._bundles.select(
            "SELECT id, prompt_digests FROM rows WHERE id IN (SELECT unnest($ids))",
            {"ids": list(ids)},
        )
        rows = [] if found is None else found.to_pylist()
        return {r["id"]: frozenset(r["prompt_digests"]) for r in rows}

    def all_prompts(self) -> frozenset[str]:
        """Digests of the prompts of all bundles."""
        found = self._bundles.select("SELECT DISTINCT unnest(prompt_digests) AS prompt FROM rows")
        return frozenset() if found is None else frozenset(found.column("prompt").to_pylist())

    def add(self, bundles: Sequence[tuple[Bundle, Collection[str]]]) -> None:
        """Write bundles with the digests of their prompts."""
        now = time.time_ns()
        self._bundles.append(
            [
                {**bundle.model_dump(), "prompt_digests": sorted(prompts), "added": now}
                for bundle, prompts in bundles
            ]
        )

    def relations(self) -> Relations:
        """All labels, the latest of each model."""
        found = self._labels.select(
            """
            SELECT key, label FROM rows
            QUALIFY row_number() OVER (PARTITION BY key ORDER BY added DESC) = 1 ORDER BY key
            """
        )
        rows = [] if found is None else found.to_pylist()
        try:
            labels = {r["key"]: Relation.model_validate_json(r["label"]) for r in rows}
            return Relations(name=self._name, models=labels)
        except ValidationError as error:
            raise EvidenceError(f"the labels of {self._path}: {explain(error)}") from None

    def label(self, labels: Mapping[str, Relation]) -> int:
        """Write labels over those that are there; how many changed.

        Raises
        ------
        SettingsError
            If they contradict the others.
        """
        known = self.relations().models
        try:
            Relations(models={**known, **labels})
        except ValidationError as error:
            raise SettingsError(f"labels: {explain(error)}") from None
        now = time.time_ns()
        changed = {k: v for k, v in labels.items() if known.get(k) != v}
        self._labels.append(
            [
                {"key": key, "label": label.model_dump_json(exclude_unset=True), "added": now}
                for key, label in changed.items()
            ]
        )
        return len(changed)


def _bundle_schema() -> pa.Schema:
    import pyarrow as pa

    text, number, names = pa.string(), pa.int64(), pa.list_(pa.string())
    return pa.schema(
        [
            *((n, text) for n in ("id", "model", "version", "session", "host", "date_utc")),
            *((n, text) for n in ("battery", "battery_name")),
            *((n, number) for n in ("prompts", "outputs", "tokens")),
            *((n, names) for n in ("served", "fingerprints")),
            *((n, text) for n in ("source", "licence", "genre", "digest")),
            ("has_texts", pa.bool_()),
            ("prompt_digests", names),
            ("added", number),
        ]
    )


def _label_schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema([("key", pa.string()), ("label", pa.string()), ("added", pa.int64())])
