"""A discriminant: fitted, applied to texts, saved and loaded. Which, and why: see the package."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from provenance.library.arrays import bytes_of, digest_of, packed, restored
from provenance.library.discriminant.columns import Columns, Read
from provenance.library.discriminant.net import LINEAR, NETWORK, Inputs, Kept, Net
from provenance.library.parts import PARTS
from provenance.library.space import VIEWS, Training
from provenance.library.space.channels import measured
from provenance.library.space.space import NAMED
from provenance.signatures import blocks, identity, named
from provenance.signatures.document import Source

__all__ = ["NETWORKS", "Discriminant", "Standing", "Trials", "fit"]

FORMAT = 1
_MOST_NETS = 64
NETWORKS = 2  # a third one brings nothing
Small = NDArray[np.float32]
Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Trials:
    """How it did on bundles of known models, on prompts that a like one was not fitted on.

    Attributes
    ----------
    outputs
        Shape (bundles,): of each bundle.
    model
        Shape (bundles,): whose it was.
    rank
        Shape (bundles,): the place of that model, from 0.
    family
        Shape (bundles,): whether the first one was of its family.
    lead
        Shape (bundles,): log likelihood of the first over the second, nats.
    """

    outputs: Codes
    model: Codes
    rank: Codes
    family: NDArray[np.bool_]
    lead: Small

    def of_size(self, n: int) -> Trials:
        """The bundles of ``n`` outputs."""
        at = self.outputs == n
        return Trials(
            self.outputs[at], self.model[at], self.rank[at], self.family[at], self.lead[at]
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """Log likelihoods of the models' own outputs on the prompts that it was not fitted on.

    Attributes
    ----------
    n
        Shape (models, parts): outputs of each model on each part of the prompts.
    total
        Shape (models, parts, models): sums over them of the log likelihood under every model.
    """

    n: Codes
    total: Small


@dataclass(frozen=True, slots=True, eq=False)
class Discriminant:
    """See the package. Make one with `fit`, or `load` one.

    Attributes
    ----------
    view
        "raw" or "canonical".
    models, families
        Names, in the order of the columns of `logs`.
    columns
        What inputs are made by.
    nets
        The linear one, then the networks, which count together as much as it.
    tested
        None before it was tested.
    standing
        What its models' own outputs look like to it; None before it was tested.
    about
        What its file says besides: what it goes with, which cases it covers.
    """

    view: str
    models: tuple[str, ...]
    families: tuple[str, ...]
    columns: Columns
    nets: tuple[Kept, ...]
    about: dict[str, Any]
    tested: Trials | None = None
    standing: Standing | None = None

    @property
    def signatures(self) -> str:
        """Names, versions and view of the signatures that it reads."""
        return identity(named(*self.columns.reads, *NAMED), VIEWS[self.view])

    @property
    def digest(self) -> str:
        """SHA-256 over every number of it."""
        return digest_of(_head(self), _arrays(self))

    def logs(self, texts: Iterable[Source]) -> Floats:
        """log p(model | output) less a constant of the output, shape (outputs, models).

        Summed over outputs it is the log likelihood of each model, if outputs were independent:
        larger fits better, and it is no calibrated number.
        """
        return logs_of_each([self], texts)[0]

    def logs_of(self, training: Training) -> Floats:
        """The same of outputs that were read already."""
        return self._logs(self.columns.of(training))

    def _logs(self, rows: Inputs) -> Floats:
        linear, *networks = (kept.net() for kept in self.nets)
        found = linear.logs(rows)
        for net in networks:
            found += net.logs(rows) / len(networks)
        return found

    def with_tests(self, tested: Trials, standing: Standing) -> Discriminant:
        """The same, with how it did."""
        return replace(self, tested=tested, standing=standing)

    def to_bytes(self) -> bytes:
        """The file's bytes: a zip of arrays, without pickles or dates."""
        return packed(_head(self), _arrays(self))

    @classmethod
    def load(cls, path: Path) -> Discriminant:
        """Read a file.

        Raises
        ------
        UsageError
            If it is missing, or was made by signatures of another version.
        EvidenceError
            If it is no discriminant.
        """
        return cls.from_bytes(bytes_of(path, "discriminant"), str(path))

    @classmethod
    def from_bytes(cls, content: bytes, name: str = "the discriminant") -> Discriminant:
        """Read back `to_bytes`; raises as `load`."""
        return restored(content, _assembled, what="discriminant", name=name)


def logs_of_each(found: Sequence[Discriminant], texts: Iterable[Source]) -> list[Floats]:
    """`Discriminant.logs` of several that see texts alike, each text read once."""
    made: list[list[Floats]] = [[np.zeros((0, len(d.models)))] for d in found]
    signatures = named(*found[0].columns.reads, *NAMED)
    for block in blocks(signatures, texts, view=VIEWS[found[0].view]):
        measures = np.concatenate([measured(np.asarray(block[n])) for n in NAMED], axis=1)
        for own, one in zip(made, found, strict=True):
            own.append(one._logs(one.columns.of_block(block, measures)))
    return [np.concatenate(own) for own in made]


def fit(
    training: Training,
    models: Sequence[str],
    families: Sequence[str],
    *,
    rng: np.random.Generator,
    networks: int = NETWORKS,
    about: dict[str, Any] | None = None,
    said: Callable[[int, int], None] | None = None,
) -> Discriminant:
    """Fit one on outputs that were read.

    Parameters
    ----------
    training
        Outputs of two models or more.
    models, families
        Their names, by code.
    rng
        Draws the order of outputs, and where networks begin.
    networks
        Beside the linear one.
    about
        What the file says of it.
    said
        Told each step, and how many there are.
    """
    columns = Columns.fitted(training)
    rows = columns.of(training)
    nets = []
    recipes = [LINEAR, *(NETWORK for _ in range(networks))]
    for number, recipe in enumerate(recipes):
        tell = None if said is None else _part(said, number, len(recipes))
        # What a file gives back is what everything after is judged by.
        nets.append(Kept.of(Net.fitted(rows, training.models, recipe, rng, said=tell)))
    return Discriminant(
        training.view, tuple(models), tuple(families), columns, tuple(nets), {**(about or {})}
    )


def _part(said: Callable[[int, int], None], number: int, of: int) -> Callable[[int, int], None]:
    return lambda step, steps: said(number * steps + step, of * steps)


def _assembled(head: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Discriminant:
    if head["format"] != FORMAT:
        raise ValueError(f"format {head['format']}, expected {FORMAT}")
    if not 0 <= int(head["nets"]) <= _MOST_NETS:
        raise ValueError(f"{head['nets']} nets")
    if head["view"] not in VIEWS:
        raise ValueError(f"an unknown view {head['view']!r}")
    columns = Columns(
        {
            name: Read(*(arrays[f"{name}.{part}"] for part in Read.__slots__))
            for name in head["reads"]
        },
        *(arrays[f"measures.{part}"] for part in ("centre", "spread", "scale")),
    )
    nets = tuple(
        Kept(*(tuple(_numbered(arrays, f"net{i}.{part}")) for part in Kept.__slots__))
        for i in range(int(head["nets"]))
    )
    tested = standing = None
    if head["tested"]:
        tested = Trials(*(arrays[f"tested.{part}"] for part in Trials.__slots__))
        standing = Standing(*(arrays[f"standing.{part}"] for part in Standing.__slots__))
    models, families = (tuple(map(str, head[part])) for part in ("models", "families"))
    found = Discriminant(
        head["view"], models, families, columns, nets, dict(head["about"]), tested, standing
    )
    _check(found)
    return found


def _numbered(arrays: dict[str, NDArray[Any]], name: str) -> Iterator[NDArray[Any]]:
    number = 0
    while f"{name}{number}" in arrays:
        yield arrays[f"{name}{number}"]
        number += 1


def _check(found: Discriminant) -> None:
    width = sum(s.width for s in named(*NAMED))
    if found.columns.centre.shape != (width,):
        raise ValueError(f"{found.columns.centre.shape} measures instead of {width}")
    for read in found.columns.reads.values():
        if not len(read.columns) == len(read.weights) == len(read.scale):
            raise ValueError("columns, weights and scale of unlike lengths")
        if read.columns.dtype.kind != "i" or (np.diff(read.columns) <= 0).any():
            raise ValueError("columns out of order")
    width += sum(len(r.columns) for r in found.columns.reads.values())
    if not found.nets:
        raise ValueError("no net")
    if len(set(found.models)) != len(found.models):
        raise ValueError("a model that is named twice")
    if len(found.families) != len(found.models):
        raise ValueError(f"{len(found.families)} families of {len(found.models)} models")
    for net in found.nets:
        shapes = [w.shape for w in net.weights]
        if not shapes or shapes[0][0] != width or shapes[-1][1] != len(found.models):
            raise ValueError(f"a net of {shapes} for {width} inputs and {len(found.models)} models")
        outer = [(after,) for _, after in shapes]
        joined = [a[1] == b[0] for a, b in pairwise(shapes)]
        rest = ([v.shape for v in part] for part in (net.scales, net.offsets))
        if any(own != outer for own in rest) or not all(joined):
            raise ValueError("layers that do not fit together")
    if found.tested is not None:
        parts = [getattr(found.tested, part) for part in Trials.__slots__]
        if len({v.shape for v in parts}) != 1 or not all(v.dtype.kind in "ibf" for v in parts):
            raise ValueError("tests of unlike lengths")
    if found.standing is not None:
        k = len(found.models)
        n, total = found.standing.n, found.standing.total
        if n.shape != (k, PARTS) or total.shape != (k, PARTS, k):
            raise ValueError(f"standing of {total.shape} for {k} models")
    for name, values in _arrays(found).items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(f"{name} holds numbers that are not finite")


def _head(found: Discriminant) -> str:
    content = {
        "format": FORMAT,
        "view": found.view,
        "signatures": found.signatures,
        "models": list(found.models),
        "families": list(found.families),
        "reads": list(found.columns.reads),
        "nets": len(found.nets),
        "tested": found.tested is not None,
        "about": found.about,
    }
    return json.dumps(content, ensure_ascii=True, sort_keys=True)


def _arrays(found: Discriminant) -> dict[str, NDArray[Any]]:
    columns = found.columns
    arrays: dict[str, NDArray[Any]] = {}
    for name, read in columns.reads.items():
        arrays |= {f"{name}.{part}": getattr(read, part) for part in Read.__slots__}
    arrays |= {f"measures.{part}": getattr(columns, part) for part in ("centre", "spread", "scale")}
    for i, net in enumerate(found.nets):
        for part in Kept.__slots__:
            layers = enumerate(getattr(net, part))
            arrays |= {f"net{i}.{part}{k}": w for k, w in layers}
    if found.standing is not None:
        arrays |= {f"standing.{part}": getattr(found.standing, part) for part in Standing.__slots__}
    if found.tested is not None:
        arrays |= {f"tested.{part}": getattr(found.tested, part) for part in Trials.__slots__}
    return arrays
