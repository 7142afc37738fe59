"""The outputs of a library's models, read once for fitting and calibrating.

Models are told apart by the kind of prompts that they answered, too (`kinds_of`): outputs of two
genres differ whoever wrote them, and pairs across genres would make every figure look better than
it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from provenance.errors import UsageError
from provenance.library.parts import PARTS
from provenance.library.population import Bundle, Library
from provenance.library.relations import Relations
from provenance.library.space import Formats, Labelled, Training, read

__all__ = ["Population", "Progress", "gather", "kinds_of"]

MOST = 500  # outputs of a model that are read: more would crowd out the others
FEWEST_OUTPUTS = 20  # of a model, to take part
_SAMPLED = 20  # outputs of a model that its language is told by

Codes = NDArray[np.int64]


class Progress(Protocol):
    """Told a step, or how far it is: done, total, and the model's name."""

    def __call__(self, step: str, done: int | None = None, total: int = 0, name: str = "") -> None:
        """Show it."""


@dataclass(frozen=True, slots=True)
class Population:
    """Outputs of many models, read once.

    Attributes
    ----------
    training
        All outputs as `library.space.read` gives them.
    parts
        Shape (outputs,): the part of each output's prompt.
    characters
        Shape (outputs,): length of each text.
    models, units
        Names, in the order of the codes of ``training``.
    labels
        What is known of the models.
    bundles
        Ids of the bundles that the outputs come from.
    sources
        Where the texts come from, with their terms.
    samples
        Some texts of each model, to tell their language by.
    kinds
        Of each model's prompts. A model that answered two kinds stands here twice.
    formats
        Shape (outputs, classes + 1): see `library.population.Profile`.
    """

    training: Training
    parts: Codes
    characters: Codes
    models: tuple[str, ...]
    units: tuple[str, ...]
    labels: Relations
    bundles: tuple[str, ...]
    sources: tuple[str, ...]
    samples: tuple[tuple[str, ...], ...]
    kinds: tuple[str, ...]
    formats: Codes

    @property
    def unit_names(self) -> tuple[str, ...]:
        """The different units."""
        return tuple(sorted(set(self.units)))


def gather(
    library: Library,
    *,
    relations: Relations | None = None,
    bundles: Sequence[Bundle] | None = None,
    view: str = "raw",
    genre: str = "",
    most: int = MOST,
    rng: np.random.Generator,
    say: Progress | None = None,
) -> Population:
    """Read the outputs of a library, at most ``most`` of a model, drawn at random.

    Parameters
    ----------
    relations
        Labels over those of the library.
    bundles
        Of these only; those without texts count nothing.
    view
        "raw" or "canonical".
    genre
        Of bundles that do not state theirs.

    Raises
    ------
    UsageError
        If too few models or units are left.
    """
    labels = _labels(library, relations)
    found = [b for b in (library.bundles() if bundles is None else bundles) if b.has_texts]
    kind_of = kinds_of(library, found, genre)
    grouped: dict[str, list[Bundle]] = {}
    for bundle in found:
        # Told apart by a character that no name holds.
        grouped.setdefault(f"{bundle.name}\t{kind_of[bundle.id]}", []).append(bundle)
    if not any(sum(b.outputs for b in own) >= FEWEST_OUTPUTS for own in grouped.values()):
        raise UsageError(
            f"no model of {library.path} has {FEWEST_OUTPUTS} outputs whose texts are here: there "
            "is nothing to calibrate on"
        )
    parts: list[int] = []
    formats: list[list[int]] = []
    kept: list[str] = []
    samples: list[tuple[str, ...]] = []

    def documents() -> Iterator[Labelled]:
        for number, (key, own) in enumerate(sorted(grouped.items())):
            name = own[0].name
            if say is not None:
                say("reading", number + 1, len(grouped), name)
            read_ = [o for b in own for o in library.outputs(b) if o.output.strip()]
            if len(read_) < FEWEST_OUTPUTS:
                continue
            if len(read_) > most:
                # In the order of storage: neighbours stay neighbours, and none is taken twice.
                chosen = np.sort(rng.choice(len(read_), most, replace=False))
                read_ = [read_[i] for i in chosen]
            unit = labels.unit_of(name)
            kept.append(key)
            samples.append(tuple(o.output for o in read_[:: -(-len(read_) // _SAMPLED)]))
            for output in read_:
                parts.append(int(output.prompt_digest, 16) % PARTS)
                laid_out = Formats.of([output.output])
                formats.append([*laid_out.having, len(output.output)])
                yield Labelled(key, unit, output.prompt_digest, output.output)

    training = read(documents(), view=view)
    return Population(
        training=training,
        parts=np.array(parts, dtype=np.int64),
        characters=np.array(formats, dtype=np.int64)[:, -1],
        models=tuple(grouped[m][0].name for m in kept),
        units=tuple(labels.unit_of(grouped[m][0].name) for m in kept),
        labels=labels,
        bundles=tuple(b.id for m in kept for b in grouped[m]),
        sources=tuple(sorted({f"{b.source} ({b.licence})" for m in kept for b in grouped[m]})),
        samples=tuple(samples),
        kinds=tuple(m.partition("\t")[2] for m in kept),
        formats=np.array(formats, dtype=np.int64),
    )


def kinds_of(library: Library, bundles: Sequence[Bundle], genre: str = "") -> dict[str, str]:
    """The kind of prompts that each bundle answers, by its id.

    It is the genre where one is stated. Others are of one kind with the first bundle that shares
    half of the prompts of the smaller of the two, and the kind is called by its source; where all
    are of one kind, it has no name.
    """
    unnamed = [b for b in bundles if not (b.genre or genre)]
    prompts = library.prompts_of(unnamed) if unnamed else {}
    found = {b.id: b.genre or genre for b in bundles}
    kinds: list[tuple[str, frozenset[str]]] = []
    for bundle in unnamed:
        own = prompts.get(bundle.id, frozenset())
        same = (k for k, first in kinds if 2 * len(own & first) >= min(len(own), len(first)))
        kind = next(same, None)
        if kind is None:
            known = {k for k, _ in kinds}
            kind = bundle.source if bundle.source not in known else f"{bundle.source} {len(kinds)}"
            kinds.append((kind, own))
        found[bundle.id] = kind
    return dict.fromkeys(found, "") if len(kinds) == 1 and len(unnamed) == len(found) else found


def _labels(library: Library, relations: Relations | None) -> Relations:
    own = library.relations()
    return own if relations is None else Relations(models={**own.models, **relations.models})
