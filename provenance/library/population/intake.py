"""Taking recordings into a library: which models, with which labels, one after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from provenance.battery import explain
from provenance.errors import UsageError
from provenance.library.population import sources
from provenance.library.population.library import Library, Progress
from provenance.library.population.records import Bundle
from provenance.library.population.sources import Source, Stated
from provenance.library.relations import Relation, Relations

EVERY = "*"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be added.

    Attributes
    ----------
    name
        Of the model; `EVERY` or None: each model of the sources under its own name.
    sources
        Recordings.
    stated
        What the user says of them.
    relations
        Labels; those of models that are added are stored.
    label
        Labels for the one model that ``name`` names, over ``relations``.
    prompts
        A file with the words of prompts (`sources.load_prompts`).
    side
        Of a store: reference or suspect.
    """

    name: str | None
    sources: Sequence[str]
    version: str = ""
    stated: Stated = field(default_factory=Stated)
    relations: Relations | None = None
    label: Mapping[str, Any] = field(default_factory=dict)
    prompts: Path | None = None
    side: str | None = None


def take_in(library: Library, wanted: Wanted, *, progress: Progress | None = None) -> list[Bundle]:
    """Add every model of the sources; what was added, or was there already.

    Raises
    ------
    UsageError
        If one name is given to several models, or labels to none.
    """
    found = [m for text in wanted.sources for m in sources.models(_sided(wanted, text))]
    every = wanted.name in (None, EVERY)
    if every and wanted.label:
        raise UsageError(
            f"--{next(iter(wanted.label))} belongs to one model: name it, or give --relations FILE"
        )
    if not every:
        crowded = [s for s in found if sum(o.path == s.path for o in found) > 1]
        if crowded:
            raise UsageError(
                f"{crowded[0].path} holds several models ({', '.join(s.name for s in crowded[:5])}"
                f"{', …' if len(crowded) > 5 else ''}): choose one, replay:PATH,model=NAME, or add "
                "all under their own names with --all-models"
            )
    label = _label(wanted)
    added = []
    words: dict[str, dict[str, str]] = {}
    for number, source in enumerate(found):
        name = source.name if every or wanted.name is None else wanted.name
        if progress is not None:
            progress(number, len(found), name)
        if wanted.prompts is not None and source.path not in words:
            words[source.path] = sources.load_prompts(wanted.prompts, Path(source.path).stem)
        recorded = sources.read(source, wanted.stated, prompts=words.get(source.path))
        added.append(library.add(name, recorded, version=wanted.version, label=label))
    if wanted.relations is not None:
        names = {b.model for b in added} | {b.name for b in added}
        there = wanted.relations.restricted(names).models
        library.label({k: v for k, v in there.items() if label is None or k != added[0].name})
    if found and progress is not None:
        progress(len(found), len(found), "")
    return added


def _sided(wanted: Wanted, text: str) -> Source:
    found = sources.find(text)
    return Source(found.path, wanted.side) if wanted.side is not None else found


def _label(wanted: Wanted) -> Relation | None:
    """The label of the one model: what the flags say over what the file says."""
    if not wanted.label:
        return None
    try:
        own = Relation.model_validate(dict(wanted.label))
    except ValidationError as error:
        raise UsageError(f"labels: {explain(error)}") from None
    said = None
    if wanted.relations is not None and wanted.name is not None:
        said = wanted.relations.of(wanted.name, wanted.version)
    return own if said is None else own.over(said)
