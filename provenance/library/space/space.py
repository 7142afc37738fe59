"""A space: from texts to coordinates in which outputs of one model lie together.

Fitted on the outputs of many models and then frozen: a digest names it, a file holds it, and rows
of two spaces are never compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from provenance.library.arrays import bytes_of, digest_of, packed, restored
from provenance.library.space.channels import Channel, Finish, Small, measured
from provenance.library.space.numbers import Floats
from provenance.library.space.views import VIEWS
from provenance.signatures import blocks, identity, named
from provenance.signatures.document import Source

__all__ = ["HASHED", "NAMED", "UNUSUAL", "Space"]

FORMAT = 2
UNUSUAL = 1.2
HASHED = ("skeleton", "word_ngrams", "line_types", "openings_closings")
NAMED = ("function_words", "format_habits", "stance", "length", "reasoning", "script")


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """See the module. Make one with `fitting.fit`, or `load` one.

    Attributes
    ----------
    view
        "raw" or "canonical".
    channels
        By the name of the hashed signature.
    finish
        Turns their coordinates, with the named measures after them.
    between, within
        Shape (d,): variance between models, and of one output within a model, both measured on
        models that the directions were not fitted on.
    about
        Who it was fitted on: models, units, documents, sources, licences.
    unusual
        How much it counts in a score that two bundles are alike in an unusual place
        (`same_source.scores`).
    """

    view: str
    channels: dict[str, Channel]
    finish: Finish
    between: Floats
    within: Floats
    about: dict[str, Any]
    unusual: float = UNUSUAL

    @property
    def dimensions(self) -> int:
        """d, the length of a row."""
        return int(self.finish.turn.shape[1])

    @property
    def signatures(self) -> str:
        """Names, versions and view of the signatures that it reads."""
        return identity(named(*self.channels, *NAMED), VIEWS[self.view])

    @property
    def digest(self) -> str:
        """SHA-256 over every number of it."""
        return digest_of(_head(self), _arrays(self))

    def rows(self, texts: Iterable[Source]) -> Floats:
        """Coordinates of texts or completions, shape (n, d); memory is bounded by d."""
        signatures = named(*self.channels, *NAMED)
        made = [self._block(block) for block in blocks(signatures, texts, view=VIEWS[self.view])]
        if not made:
            return np.zeros((0, self.dimensions))
        return np.concatenate(made)

    def _block(self, block: dict[str, Any]) -> Floats:
        parts = [channel.apply(block[name]) for name, channel in self.channels.items()]
        parts += [measured(np.asarray(block[name])) for name in NAMED]
        return self.finish.apply(np.concatenate(parts, axis=1).astype(np.float32))

    def save(self, path: Path) -> None:
        """Write it to one file, the same bytes for the same space."""
        path.write_bytes(self.to_bytes())

    def to_bytes(self) -> bytes:
        """The file's bytes: a zip of arrays, without pickles or dates."""
        return packed(_head(self), _arrays(self))

    @classmethod
    def load(cls, path: Path) -> Space:
        """Read a file.

        Raises
        ------
        UsageError
            If it is missing, or was made by signatures of another version.
        EvidenceError
            If it is no space.
        """
        return cls.from_bytes(bytes_of(path, "space"), str(path))

    @classmethod
    def from_bytes(cls, content: bytes, name: str = "the space") -> Space:
        """Read back `to_bytes`; raises as `load`."""
        return restored(content, _assembled, what="space", name=name)


def _assembled(head: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Space:
    if head["format"] != FORMAT:
        raise ValueError(f"format {head['format']}, expected {FORMAT}")
    view = head["view"]
    if view not in VIEWS:
        raise ValueError(f"an unknown view {view!r}")
    space = Space(
        view=view,
        channels={
            name: Channel(
                arrays[f"{name}.columns"],
                arrays[f"{name}.weights"],
                # Stored in half the size; computed with in float32.
                arrays[f"{name}.projection"].astype(np.float32),
            )
            for name in head["channels"]
        },
        finish=Finish(*(arrays[f"finish.{part}"] for part in Finish.__slots__)),
        between=arrays["between"],
        within=arrays["within"],
        about=head["about"],
        unusual=float(head.get("unusual", UNUSUAL)),
    )
    _check(space)
    return space


def _check(space: Space) -> None:
    d = space.dimensions
    wide = sum(c.projection.shape[1] for c in space.channels.values())
    wide += sum(s.width for s in named(*NAMED))
    if space.finish.turn.shape[0] != wide or space.finish.centre.shape != (wide,):
        raise ValueError(f"{space.finish.turn.shape[0]} coordinates instead of {wide}")
    if not 0 <= space.unusual <= 10:
        raise ValueError(f"a weight of the unusual of {space.unusual}")
    if space.between.shape != (d,) or space.within.shape != (d,):
        raise ValueError("variances of another number of dimensions")
    for name, values in _arrays(space).items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(f"{name} holds numbers that are not finite")


def _head(space: Space) -> str:
    content = {
        "format": FORMAT,
        "view": space.view,
        "signatures": space.signatures,
        "channels": list(space.channels),
        "about": space.about,
        # Not written where it is the usual one: so spaces made before it could be another keep
        # their digest.
        **({} if space.unusual == UNUSUAL else {"unusual": space.unusual}),
    }
    return json.dumps(content, ensure_ascii=True, sort_keys=True)


def _arrays(space: Space) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {"between": space.between, "within": space.within}
    for name, channel in space.channels.items():
        found[f"{name}.columns"] = channel.columns
        found[f"{name}.weights"] = channel.weights
        found[f"{name}.projection"] = channel.projection.astype(np.float16)
    for part in Finish.__slots__:
        found[f"finish.{part}"] = getattr(space.finish, part)
    return found


def halved(values: Small) -> Small:
    """As a file gives it back."""
    made: Small = values.astype(np.float16).astype(np.float32)
    return made
