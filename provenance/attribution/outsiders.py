"""What a maker sees that is new to a library: to its models, and to what its space has learnt.

Leaving a unit out of the comparison alone says too little: the space has learnt what tells its
models from others, and a new maker's it has not. So when a library is calibrated, spaces are fitted
without each unit once more, and bundles of the unit are scored in them against what is left, as
`identify` would (`outsiders_fit`). Kept are the scores, which hang on no level; how often a set
would not be empty comes from them when a suspect is there (`inclusion`). Measured
(`benchmarks/margins.py`, α .05, 20 outputs, a space of one corpus): 31 models .86 where a space
that knows the unit gives .38, 44 models .09 where it gives .02.

Discriminants (`margins`) are not fitted anew: the models of the unit are left out of those that are
compared. With the weight that margins have it comes to the same (.38 and .37, .02 and .02, .43 and
.43).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.margins import Margins
from provenance.attribution.open_set import Tables
from provenance.errors import EvidenceError
from provenance.library.arrays import UNREADABLE, bytes_of, packed, unpacked
from provenance.library.parts import HELD_OUT
from provenance.library.population import Library

__all__ = ["FOLDER", "SUBSETS", "Outsiders"]

Codes = NDArray[np.int64]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
Small = NDArray[np.float32]
FOLDER = "outsiders"  # of a library
FORMAT = 1
# Held-out parts that a bundle is made of, by how many; the first stands in for a suspect.
SUBSETS = tuple(
    tuple(tuple(HELD_OUT[i] for i in chosen) for chosen in subsets)
    for subsets in (
        ((0,), (1,), (2,), (3,)),
        ((0, 1), (2, 3), (0, 2), (1, 3)),
        ((0, 1, 2), (1, 2, 3), (0, 2, 3), (0, 1, 3)),
        ((0, 1, 2, 3),),
    )
)
_SHARE = 0.5  # of a library's models that must have been measured


@dataclass(frozen=True, slots=True)
class Outsiders:
    """Scores of models of one kind of prompts in spaces that never saw their unit.

    Attributes
    ----------
    space
        Digest of the space that is used, which knows all units.
    kind
        Of the prompts: a genre, or empty.
    models
        Names.
    group
        Shape (models,): which of the fits lacks each.
    cross
        Shape (parts, subsets, models, models): of bundles of each, a row, on so many held-out parts
        of the prompts (`SUBSETS`), with as many outputs as stand in for a suspect, against what
        others have enrolled, in the space of its group. NaN in that group, and where either has too
        few outputs.
    own
        Shape (groups, parts, models): of what stands in for a suspect, the first subset, of each
        against its own, in the space of each group.
    """

    space: str
    kind: str
    models: tuple[str, ...]
    group: Codes
    cross: Small
    own: Small

    def covers(self, genre: str) -> bool:
        """Whether its models answered prompts of a suspect's genre."""
        return self.kind in ("", genre)

    def places(self, names: Sequence[str]) -> Codes | None:
        """Where each of a library's models is here, −1 where it is not.

        None where too few are known for the rest to stand for the library.
        """
        known = {name: i for i, name in enumerate(self.models)}
        found = np.array([known.get(name, -1) for name in names], dtype=np.int64)
        return found if len(found) and (found >= 0).mean() >= _SHARE else None

    def bundles(self, places: Codes, parts: int) -> Codes:
        """What is compared: shape (bundles, 2), which subset, and of which of the models.

        On other prompts than what stands in, where there are any: a suspect answered other prompts,
        too, and what is rare on one set of prompts hangs together.
        """
        known = np.flatnonzero(places >= 0)
        there = ~np.isnan(self.cross[parts - 1][:, places[known]]).all(axis=2)
        there[0] &= ~there[1:].any(axis=0)
        subsets, models = np.nonzero(there)
        return np.stack([subsets, known[models]], axis=1)

    def tables(
        self, places: Codes, bundles: Codes, parts: int, margins: Margins | None = None
    ) -> Tables:
        """Of bundles of some models, as `open_set.false_inclusion` takes them.

        Parameters
        ----------
        places
            As `places` gives them.
        bundles
            As `bundles` gives them, of models that are all known here.
        parts
            How many held-out parts of the prompts a bundle is made of.
        margins
            What parts the library's models, where that counts.
        """
        there = places >= 0
        subsets, models = bundles.T
        cross = np.full((len(bundles), len(places)), np.nan)
        at = np.ix_(np.arange(len(bundles)), np.flatnonzero(there))
        cross[at] = self.cross[parts - 1][subsets[:, None], places[models][:, None], places[there]]

        def without(outside: Flags) -> tuple[Floats, Floats]:
            left = self.group[places[np.flatnonzero(~outside & there)[0]]]
            own, found = np.full(len(places), np.nan), cross
            own[there] = self.own[left, parts - 1][places[there]]
            if margins is not None:
                added = np.array([margins.of_models(s, outside) for s in SUBSETS[parts - 1]])
                own = own + np.diagonal(added[0])
                found = cross + added[subsets, models]
            return found[:, outside], own[outside]

        return without

    def to_bytes(self) -> bytes:
        """The file's bytes: a zip of arrays, without pickles or dates."""
        head = {
            "format": FORMAT,
            "space": self.space,
            "kind": self.kind,
            "models": list(self.models),
        }
        arrays = {part: getattr(self, part) for part in ("group", "cross", "own")}
        return packed(json.dumps(head, ensure_ascii=True, sort_keys=True), arrays)

    @classmethod
    def from_bytes(cls, content: bytes, name: str = "the copy of the outsiders") -> Outsiders:
        """Read back `to_bytes`.

        Raises
        ------
        EvidenceError
            If it is something else.
        """
        try:
            head, arrays = unpacked(content)
            if head["format"] != FORMAT:
                raise ValueError(f"format {head['format']}, expected {FORMAT}")
            found = cls(
                str(head["space"]),
                str(head["kind"]),
                tuple(map(str, head["models"])),
                *(arrays[part] for part in ("group", "cross", "own")),
            )
            _check(found)
        except UNREADABLE as error:
            raise EvidenceError(f"{name} holds no scores of outsiders: {error}") from None
        return found

    def to_json(self) -> dict[str, str]:
        """As kept in the evidence of a study."""
        return {"file": base64.b64encode(self.to_bytes()).decode("ascii")}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Outsiders:
        """Read back `to_json`; raises as `from_bytes`."""
        try:
            file = base64.b64decode(content["file"])
        except (KeyError, TypeError, ValueError) as error:
            raise EvidenceError(f"the copy of the outsiders cannot be read: {error}") from None
        return cls.from_bytes(file)

    @classmethod
    def within(cls, library: Library, space: str, genre: str) -> tuple[Outsiders, ...]:
        """Those that a library keeps for a space and a genre; of all where it is empty."""
        paths = sorted((library.path / FOLDER).glob("*.npz"))
        every = (cls.from_bytes(bytes_of(p, "scores of outsiders"), str(p)) for p in paths)
        return tuple(o for o in every if o.space == space and (not genre or o.covers(genre)))


def _check(found: Outsiders) -> None:
    k, groups = len(found.models), len(found.own)
    if found.group.shape != (k,) or found.group.dtype.kind != "i":
        raise ValueError(f"groups of {found.group.shape} for {k} models")
    if k and (found.group.min() < 0 or found.group.max() >= groups):
        raise ValueError("a group without a fit")
    cross, own = (len(SUBSETS), len(SUBSETS[0]), k, k), (groups, len(SUBSETS), k)
    for values, shape in ((found.cross, cross), (found.own, own)):
        if values.shape != shape or values.dtype.kind != "f":
            raise ValueError(f"{values.shape} scores instead of {shape}")
