"""Fitting a space on the outputs of many models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from provenance.errors import UsageError
from provenance.library.space.channels import (
    Channel,
    Codes,
    Small,
    fit_channel,
    fit_finish,
    measured,
    spreads,
)
from provenance.library.space.numbers import Floats
from provenance.library.space.space import HASHED, NAMED, Space, halved
from provenance.library.space.views import VIEWS
from provenance.signatures import blocks, named

if TYPE_CHECKING:
    from provenance.library.space.channels import Sparse

__all__ = ["Labelled", "Sizes", "Training", "channel_of", "fit", "read"]

FEWEST_UNITS = 6
_RARE = 5  # documents that a column must occur in to be considered


@dataclass(frozen=True, slots=True)
class Labelled:
    """One output with what is known of it. ``unit`` holds all models that share weights."""

    model: str
    unit: str
    prompt: str
    text: str


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large a space is.

    Small is better: with 30,000 columns and 220 directions a channel the directions follow the
    models of the fit, and new ones are told apart less well (``benchmarks/attribution.py``).

    Attributes
    ----------
    columns
        Columns a channel keeps; a quarter of them for the types of lines.
    rank, between
        Directions a channel keeps: of documents, and of the means of models.
    dimensions
        Of the space, at most; models − 1 if these are fewer.
    telling
        Exponent of how well a column tells models apart, by which it is multiplied before the
        directions are found. Of 0, 1/4, 1/2 and 3/4 a quarter told models best that had no part in
        the fit, with 90 models of one genre in it (TPR at 1% FPR, 25 outputs: .60, .70, .69, .68);
        with few models it may not help: where a library is calibrated known pairs choose.
    sample
        Documents on which a channel's directions are found.
    ridge, folds
        Of the discriminants; in how many parts units are left out to measure the spreads.
    """

    columns: int = 6_000
    rank: int = 40
    between: int = 25
    dimensions: int = 98
    telling: float = 0.25
    sample: int = 8_000
    ridge: float = 4.0
    folds: int = 4


@dataclass(frozen=True, slots=True)
class Training:
    """Read outputs: counts over candidate columns, named measures, and codes.

    Attributes
    ----------
    counts, columns
        By signature: shape (documents, c) and (c,).
    measures
        Shape (documents, named columns), scaled by `measured`.
    models, units
        Shape (documents,): codes 0 … of each document's model, and of each model's unit.
    """

    counts: Mapping[str, Sparse]
    columns: Mapping[str, Codes]
    measures: Small
    models: Codes
    units: Codes
    view: str

    def only(self, documents: Codes) -> Training:
        """Some documents, models renumbered."""
        kept, models = np.unique(self.models[documents], return_inverse=True)
        return replace(
            self,
            counts={n: c[documents] for n, c in self.counts.items()},
            measures=self.measures[documents],
            models=models.astype(np.int64),
            units=self.units[kept],
        )


def read(documents: Iterable[Labelled], *, view: str = "raw") -> Training:
    """Read outputs, once; memory grows with their number, some 20 kB each.

    Raises
    ------
    UsageError
        If there is none, or a model stands in two units.
    """
    from scipy.sparse import vstack

    labels: list[tuple[str, str]] = []

    def texts() -> Iterable[str]:
        for document in documents:
            labels.append((document.model, document.unit))
            yield document.text

    counts: dict[str, list[Any]] = {name: [] for name in HASHED}
    measures: list[Small] = []
    for block in blocks(named(*HASHED, *NAMED), texts(), view=VIEWS[view]):
        for name in HASHED:
            counts[name].append(block[name].astype(np.float32))
        measures.append(measured(np.concatenate([np.asarray(block[n]) for n in NAMED], axis=1)))
    if not labels:
        raise UsageError("no output to fit a space on")
    stacked, columns = {}, {}
    for name in HASHED:
        whole = vstack(counts.pop(name), format="csr")
        present = np.bincount(whole.indices, minlength=whole.shape[1])
        columns[name] = np.flatnonzero(present >= min(_RARE, max(1, len(labels) // 50)))
        stacked[name] = whole[:, columns[name]]
    models, codes = np.unique([m for m, _ in labels], return_inverse=True)
    unit_of: dict[str, str] = {}
    for model, unit in labels:
        if unit_of.setdefault(model, unit) != unit:
            raise UsageError(
                f"the model {model!r} stands in the units {unit_of[model]!r} and {unit!r}; it "
                "belongs to one"
            )
    units = np.unique([unit_of[m] for m in models], return_inverse=True)[1]
    return Training(stacked, columns, np.concatenate(measures), codes.astype(np.int64), units, view)


def channel_of(training: Training, name: str, *, sizes: Sizes, rng: np.random.Generator) -> Channel:
    """The channel of one hashed signature, fitted on all documents of ``training``."""
    return fit_channel(
        training.counts[name],
        training.columns[name],
        training.models,
        keep=sizes.columns // (4 if name == "line_types" else 1),
        rank=sizes.rank,
        between=sizes.between,
        sample=sizes.sample,
        rng=rng,
        telling=sizes.telling,
    )


def fit(
    training: Training,
    *,
    rng: np.random.Generator,
    sizes: Sizes | None = None,
    about: Mapping[str, Any] | None = None,
) -> Space:
    """Fit a space.

    Parameters
    ----------
    training
        As `read`, or a part of it.
    rng
        Draws documents and probes for the projections, and the folds.
    sizes
        See `Sizes`.
    about
        What the file says of its origin: sources, licences.

    Raises
    ------
    UsageError
        If there are fewer than `FEWEST_UNITS` units: nothing could be left out to measure the
        spreads.

    Notes
    -----
    Directions that part the models of the fit part new models less; so the spreads between and
    within models, which weigh the dimensions, are measured on units that were left out when the
    directions were found (the channels' projections are shared). Never enrol a model with the
    documents that a space was fitted on: they lie closer together than new ones.
    """
    sizes = sizes or Sizes()
    n_units = len(np.unique(training.units))
    if n_units < FEWEST_UNITS:
        raise UsageError(
            f"a space needs models of {FEWEST_UNITS} units or more, found {n_units}: add models, "
            "or give them units (see the relations file)"
        )
    channels = {name: channel_of(training, name, sizes=sizes, rng=rng) for name in training.counts}
    # What a file gives back is what everything after is fitted on.
    channels = {n: replace(c, projection=halved(c.projection)) for n, c in channels.items()}
    coordinates = _coordinates(training, channels)
    finish = fit_finish(
        coordinates,
        training.models,
        training.units,
        dimensions=sizes.dimensions,
        ridge=sizes.ridge,
    )
    between, within = _spreads(coordinates, training, finish.turn.shape[1], sizes, rng)
    described = {
        "models": len(training.units),
        "units": n_units,
        "documents": len(training.models),
        **(about or {}),
    }
    # In memory as a file gives them back: sums in another order differ in the last digits.
    laid = {n: replace(c, projection=_rowwise(c.projection)) for n, c in channels.items()}
    finish = replace(finish, turn=_rowwise(finish.turn))
    return Space(training.view, laid, finish, between, within, described)


def _rowwise(values: Small) -> Small:
    return np.ascontiguousarray(values)


def _coordinates(training: Training, channels: Mapping[str, Channel]) -> Small:
    parts = []
    for name, channel in channels.items():
        place = np.searchsorted(training.columns[name], channel.columns)
        parts.append(channel.of_kept(training.counts[name][:, place]))
    return np.concatenate([*parts, training.measures], axis=1).astype(np.float32)


def _spreads(
    coordinates: Small,
    training: Training,
    dimensions: int,
    sizes: Sizes,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Means over folds of units that were left out; the i-th direction of one for that of all."""
    unit = training.units[training.models]
    order = rng.permutation(np.unique(training.units))
    between, within = [], []
    for k in range(min(sizes.folds, len(order) // 2)):
        inside = np.isin(unit, order[k :: sizes.folds])
        if len(np.unique(training.models[inside])) < 2:
            continue
        kept, codes = np.unique(training.models[~inside], return_inverse=True)
        finish = fit_finish(
            coordinates[~inside],
            codes.astype(np.int64),
            training.units[kept],
            dimensions=dimensions,
            ridge=sizes.ridge,
        )
        b, w = spreads(
            finish.apply(coordinates[inside]),
            training.models[inside],
            dimensions,
        )
        between.append(_padded(b, dimensions))
        within.append(_padded(w, dimensions))
    return np.nanmean(between, axis=0), np.nanmean(within, axis=0)


def _padded(values: Floats, length: int) -> Floats:
    """With its last value after the end: a fold has fewer models, and so fewer directions."""
    return np.concatenate([values, np.full(length - len(values), values[-1])])
