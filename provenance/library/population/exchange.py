"""Profiles as one file, to share without texts.

A row a profile: the columns of `profiles.schema`, what is known of the bundle (``about``, JSON),
the model's labels (``label``, JSON) and the digests of the prompts. The file's metadata names its
format. Whoever receives it needs the space too (``spaces/DIGEST.npz``) to put outputs of his own
beside them.

Sketches of single answers (`population.answers`) go along only if they are asked for: three columns
more, in the rows of one space. Whoever has a text can tell from them whether it is one of these.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from provenance.battery import explain
from provenance.errors import EvidenceError, TamperedEvidence, UsageError
from provenance.evidence.files import file_digest
from provenance.library.population import answers, profiles
from provenance.library.population.library import Library
from provenance.library.population.profiles import Profiles
from provenance.library.population.records import Bundle
from provenance.library.population.table import write_table
from provenance.library.relations import Relation

FORMAT = b"1"
_KEY = b"provenance.profiles"
_PART = 256  # profiles in memory at a time


@dataclass(frozen=True, slots=True)
class Shared:
    """What was written or read.

    Attributes
    ----------
    sha256
        Of the file.
    profiles, models
        How many.
    spaces
        Digests of the spaces.
    """

    sha256: str
    profiles: int
    models: int
    spaces: tuple[str, ...]


def is_shared(path: Path) -> bool:
    """Whether a file holds shared profiles."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if path.suffix.lower() != ".parquet" or not path.is_file():
            return False
        return _KEY in (pq.read_schema(path).metadata or {})
    except (OSError, ValueError, pa.ArrowException):
        return False


def export(
    library: Library,
    path: Path,
    *,
    models: Iterable[str] | None = None,
    space: str | None = None,
    sketched: bool = False,
) -> Shared:
    """Write profiles, without texts, to one file; those of every space where none is named.

    ``sketched``: with the sketches of answers that the library keeps.

    Raises
    ------
    UsageError
        If there is none, or the file is there already.
    TamperedEvidence
        If one is not what was stored.
    """
    import pyarrow as pa

    if path.suffix.lower() != ".parquet":
        raise UsageError(f"profiles are written as a .parquet file, not {path}")
    if path.exists():
        raise UsageError(f"{path} is there already: choose another --out")
    wanted = list(models) if models is not None else None
    spaces: list[str | None] = [space] if space is not None else [*library.spaces()] or [None]
    parts = [library.profiles(s, models=wanted, check=True) for s in spaces]
    kept = answers.load(library, parts[0].bundles) if sketched else {}
    tables = [
        table
        for found in parts
        for table in _tables(library, found, kept if found is parts[0] else {})
    ]
    table = pa.concat_tables(tables).replace_schema_metadata({_KEY: FORMAT})
    write_table(path, table)
    return Shared(
        file_digest(path),
        sum(map(len, parts)),
        len({model for found in parts for model in found.of_models()}),
        tuple(found.space for found in parts),
    )


def _tables(
    library: Library, found: Profiles, kept: Mapping[str, answers.Answers]
) -> Iterator[Any]:
    import pyarrow as pa

    relations, prompts = library.relations(), library.prompts_of(found.bundles)
    schema = _schema()
    for first in range(0, len(found), _PART):
        rows = []
        for row in range(first, min(first + _PART, len(found))):
            bundle = found.bundles[row]
            label = relations.of(bundle.model, bundle.version) or Relation()
            about = bundle.model_copy(update={"has_texts": False})
            rows.append(
                {
                    **profiles.row_of(profiles.profile_at(found, row), bundle),
                    "about": about.model_dump_json(),
                    "prompts": sorted(prompts[bundle.id]),
                    "label": label.model_dump_json(exclude_unset=True),
                    **_sketches(kept.get(bundle.id)),
                }
            )
        yield pa.Table.from_pylist(rows, schema=schema)


def _sketches(found: answers.Answers | None) -> dict[str, Any]:
    if found is None:
        return {}
    return {
        "answers_prompts": list(found.prompts),
        "answers_sketches": found.sketches.tobytes(),
        "answers_digest": found.digest,
    }


def _answers(path: Path, rows: Sequence[Mapping[str, Any]]) -> list[answers.Answers]:
    return [
        answers.read(
            path,
            {
                "bundle": row["bundle"],
                "prompts": row["answers_prompts"],
                "sketches": row["answers_sketches"],
                "digest": row["answers_digest"],
            },
        )
        for row in rows
        if row.get("answers_digest") is not None
    ]


def take(library: Library, path: Path) -> Shared:
    """Add shared profiles to a library.

    Raises
    ------
    UsageError
        If it is of a format that this version does not know.
    TamperedEvidence
        If a profile, or the sketches of a bundle, do not have their digest.
    EvidenceError
        If a row is not what this tool writes.
    """
    import pyarrow.parquet as pq

    if not is_shared(path):
        raise UsageError(f"{path} holds no shared profiles (`provenance library export`)")
    version = (pq.read_schema(path).metadata or {}).get(_KEY)
    if version != FORMAT:
        raise UsageError(f"{path} has format {version!r}, expected {FORMAT!r}: update this tool")
    table = profiles.read_file(path)
    vectors = [name for name in _VECTORS if name in table.column_names]
    rows: list[dict[str, Any]] = table.drop_columns(vectors).to_pylist()
    bundles, labels = _about(path, rows)
    made = []
    for space in dict.fromkeys(r["space"] for r in rows):
        if not re.fullmatch(r"[0-9a-f]{64}", str(space)):
            raise EvidenceError(f"{path}: {str(space)[:80]!r} is no digest of a space")
        known = {b.id: b for b in bundles}
        mask = [r["space"] == space for r in rows]
        found = profiles.from_table(space, table.filter(mask), known, parts=True)
        for row, digest in enumerate(found.digests):
            profile = profiles.profile_at(found, row)
            if profile.digest != digest:
                raise TamperedEvidence(
                    f"{path}: the profile of {found.bundles[row].model} is not what was exported"
                )
            made.append(profile)
    # What this library says of a model stays.
    own = library.relations().models
    library.label({k: v for k, v in labels.items() if k not in own})
    prompts = {r["bundle"]: r["prompts"] for r in rows}
    kept = _answers(path, rows)
    library.add_foreign([(b, prompts[b.id]) for b in bundles], made)
    if kept:
        answers.add(library, kept)
    spaces = tuple(sorted({p.space for p in made}))
    return Shared(
        file_digest(path), len(made), len({(b.model, b.version) for b in bundles}), spaces
    )


_VECTORS = ("mean", "variance", "part_n", "part_mean", "part_variance", "formats")


def _about(path: Path, rows: list[dict[str, Any]]) -> tuple[list[Bundle], dict[str, Relation]]:
    bundles, labels = {}, {}
    try:
        for row in rows:
            bundle = Bundle.model_validate(json.loads(row["about"]))
            bundles[bundle.id] = bundle
            if bundle.id != row["bundle"]:
                raise EvidenceError(f"{path}: a profile names another bundle than it describes")
            label = Relation.model_validate(json.loads(row["label"]))
            if label != Relation():
                labels[bundle.name] = label
    except ValidationError as error:
        raise EvidenceError(f"{path}: {explain(error)}") from None
    except (KeyError, ValueError) as error:
        raise EvidenceError(f"{path} is not what this tool writes: {error}") from None
    return list(bundles.values()), labels


def _schema() -> Any:
    import pyarrow as pa

    return pa.schema(
        [
            *profiles.schema(),
            ("about", pa.string()),
            ("label", pa.string()),
            ("prompts", pa.list_(pa.string())),
            ("answers_prompts", pa.list_(pa.string())),
            ("answers_sketches", pa.large_binary()),
            ("answers_digest", pa.string()),
        ]
    )
