"""Sketches of a library's answers, prompt by prompt: ``answers/`` of a library.

Profiles forget which answer was to which prompt; these keep it, so that a suspect that answered the
same prompts can be compared prompt by prompt. No text is in them (`provenance.library.sketches`).
At most `MOST_PROMPTS` prompts and `MOST_DRAWS` draws a prompt of a bundle are kept, chosen by
digests alone: the same prompts in every bundle, and draws in an order that hangs on nothing that
neighbouring draws share.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from provenance.errors import EvidenceError, TamperedEvidence
from provenance.library.population.library import Library
from provenance.library.population.lock import locked
from provenance.library.population.records import Bundle, Output
from provenance.library.population.table import Table
from provenance.library.sketches import DIMENSIONS, scheme, sketches

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MOST_DRAWS", "MOST_PROMPTS", "Answers", "add", "chosen", "load", "make", "read"]

MOST_PROMPTS = 128
MOST_DRAWS = 4
_BATCH = 64  # bundles between two writings

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Answers:
    """Sketches of one bundle's answers.

    Attributes
    ----------
    bundle
        Its id.
    prompts
        Digest of each answer's prompt; draws of one prompt stand together.
    sketches
        Shape (answers, `DIMENSIONS`).
    """

    bundle: str
    prompts: tuple[str, ...]
    sketches: NDArray[np.int8]

    @property
    def digest(self) -> str:
        """SHA-256 over all of it and the scheme."""
        head = [scheme(), self.bundle, list(self.prompts), *self.sketches.shape]
        made = hashlib.sha256(json.dumps(head).encode("ascii"))
        made.update(np.ascontiguousarray(self.sketches).tobytes())
        return made.hexdigest()


def chosen(asked: Sequence[str]) -> list[int]:
    """Which of some answers are kept, by the digests of their prompts; see the module."""
    places: dict[str, list[int]] = {}
    for place, prompt in enumerate(asked):
        places.setdefault(prompt, []).append(place)
    found: list[int] = []
    for prompt in sorted(places)[:MOST_PROMPTS]:
        own = places[prompt]
        order = sorted(range(len(own)), key=lambda draw: _rank(prompt, draw))
        found += [own[draw] for draw in order[:MOST_DRAWS]]
    return found


def _rank(prompt: str, draw: int) -> bytes:
    return hashlib.sha256(f"{prompt}:{draw}".encode("ascii")).digest()


def make(
    library: Library,
    *,
    bundles: Sequence[Bundle] | None = None,
    progress: Progress | None = None,
) -> int:
    """Make the sketches that are missing; how many bundles got theirs.

    Parameters
    ----------
    bundles
        Of these; None: of all whose texts are here.
    """
    done = _done(library)
    wanted = library.bundles() if bundles is None else bundles
    missing = [b for b in wanted if b.has_texts and b.id not in done]
    waiting: list[dict[str, Any]] = []
    for number, bundle in enumerate(missing):
        if progress is not None:
            progress(number, len(missing), bundle.model)
        waiting.append(_row(_made(bundle, library.outputs(bundle))))
        if len(waiting) == _BATCH or number == len(missing) - 1:
            with locked(library.path):
                _table(library).append(waiting)
            waiting = []
    if missing and progress is not None:
        progress(len(missing), len(missing), "")
    return len(missing)


def add(library: Library, made: Iterable[Answers]) -> int:
    """Take over sketches, as from another library; how many bundles had none."""
    with locked(library.path):
        done = _done(library)
        rows = [_row(a) for a in made if a.bundle not in done]
        _table(library).append(rows)
    return len(rows)


def load(library: Library, bundles: Iterable[Bundle]) -> dict[str, Answers]:
    """Sketches of some bundles, by bundle; those that have none are missing.

    Raises
    ------
    TamperedEvidence
        If they are not what was stored.
    EvidenceError
        If a row is not what this tool writes.
    """
    table = _table(library).select(
        "SELECT * FROM rows WHERE bundle IN (SELECT unnest($bundles))",
        {"bundles": [b.id for b in bundles]},
    )
    rows = [] if table is None else table.to_pylist()
    return {str(row["bundle"]): read(library.path, row) for row in rows}


def _made(bundle: Bundle, outputs: Iterable[Output]) -> Answers:
    # All are read, and so checked, before one is used. An empty answer is like nothing.
    held = [o for o in list(outputs) if o.output.strip()]
    kept = [held[i] for i in chosen([o.prompt_digest for o in held])]
    return Answers(
        bundle.id,
        tuple(o.prompt_digest for o in kept),
        sketches([o.output for o in kept]),
    )


def _done(library: Library) -> set[str]:
    table = _table(library).select("SELECT bundle FROM rows")
    return set() if table is None else set(table.column("bundle").to_pylist())


def outdated(library: Library) -> bool:
    """Whether it keeps sketches, and only such as another version made: these are not compared."""
    kept = list((library.path / "answers").glob("scheme=*"))
    return bool(kept) and not any(p.name == f"scheme={scheme()}" for p in kept)


def _table(library: Library) -> Table:
    return Table(library.path / "answers" / f"scheme={scheme()}", _schema)


def _row(answers: Answers) -> dict[str, Any]:
    return {
        "bundle": answers.bundle,
        "prompts": list(answers.prompts),
        "sketches": answers.sketches.tobytes(),
        "digest": answers.digest,
    }


def read(where: object, row: Mapping[str, Any]) -> Answers:
    """Sketches from a row of a table, checked; ``where`` is named if they are not whole."""
    prompts, content = tuple(row["prompts"]), row["sketches"]
    if len(content) != len(prompts) * DIMENSIONS:
        raise EvidenceError(
            f"the sketches of {row['bundle']} in {where} are {len(content)} bytes, expected "
            f"{len(prompts)} × {DIMENSIONS}: another version of this tool made them; calibrate the "
            "library that they are of with this one, and export it again"
        )
    found = Answers(
        str(row["bundle"]),
        prompts,
        np.frombuffer(content, dtype=np.int8).reshape(len(prompts), DIMENSIONS),
    )
    if found.digest != row["digest"]:
        raise TamperedEvidence(
            f"the sketches of bundle {found.bundle} in {where} are not what was stored"
        )
    return found


def _schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        [
            ("bundle", pa.string()),
            ("prompts", pa.list_(pa.string())),
            ("sketches", pa.large_binary()),
            ("digest", pa.string()),
        ]
    )
