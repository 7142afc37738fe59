"""Discriminants for closed sets, from a library's texts: fitted, and tested on other prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.calibration import Scope
from provenance.attribution.gathering import Population, Progress
from provenance.evidence.files import write_atomically
from provenance.library.discriminant import Discriminant, Standing, Trials, fit, logs_of_each
from provenance.library.parts import ENROLLED, HELD_OUT, PARTS
from provenance.library.population import Library
from provenance.signatures.document import Source

__all__ = [
    "FOLDER",
    "HALVES",
    "MOST",
    "SIZES",
    "Halves",
    "fit_closed",
    "keep_closed",
    "standing_of",
    "trials_of",
]

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]
FOLDER = "discriminants"  # of a library
HALVES = ("enrolled", "held-out")  # what each of the two was fitted on
SIZES = (1, 3, 10, 30, 100)  # outputs of a bundle
REPEATS = 5  # bundles a model, size and half of the prompts
MOST = 400  # models: a net has a column for each
_RARE = 0.005  # share of the outputs on either side that are out of its scope
FEWEST = 10  # outputs of a model on either half of the prompts


@dataclass(frozen=True, slots=True)
class Halves:
    """Two discriminants of the same models, each fitted on one half of the prompts.

    ``enrolled`` on the half that stands for the models, so that held-out outputs, which stand in
    for a suspect, are new to it (`margins`); together they say which model it would be.
    """

    enrolled: Discriminant
    held_out: Discriminant

    @property
    def both(self) -> tuple[Discriminant, Discriminant]:
        """Either."""
        return self.enrolled, self.held_out

    @property
    def models(self) -> tuple[str, ...]:
        """Names."""
        return self.enrolled.models

    @property
    def tested(self) -> Trials:
        """Of both, each on the half that it was not fitted on."""
        pieces = [d.tested for d in self.both if d.tested is not None]
        return Trials(
            *(np.concatenate([getattr(p, part) for p in pieces]) for part in Trials.__slots__)
        )

    def logs(self, texts: Sequence[Source]) -> Floats:
        """Mean of `Discriminant.logs`, shape (outputs, models)."""
        first, second = logs_of_each(self.both, texts)
        found: Floats = (first + second) / 2
        return found


def fit_closed(
    population: Population,
    kind: str,
    *,
    rng: np.random.Generator,
    networks: int,
    about: dict[str, Any],
    say: Progress | None = None,
) -> Halves | str:
    """Discriminants of the models that answered one kind of prompts; or why there is none.

    Parameters
    ----------
    kind
        As in `Population.kinds`.
    rng
        Draws everything.
    networks
        Beside the linear net.
    about
        What their files say of them.
    say
        Told how far it is.

    Notes
    -----
    Each is tested on the half of the prompts, by the digest of their words, that the other was
    fitted on: it tells the models of bundles of new outputs apart. So the figures are of new
    prompts, and of one of the two. Both together find the first of 134 models in .240 of single
    outputs and .670 of bundles of ten; one alone in .217 and .617, one fitted on all in .246 and
    .676.
    """
    models = [m for m, k in enumerate(population.kinds) if k == kind]
    halves = [np.isin(population.parts, part) for part in (ENROLLED, HELD_OUT)]
    own = population.training.models
    counts = [np.bincount(own[h], minlength=len(population.models)) for h in halves]
    models = [m for m in models if min(c[m] for c in counts) >= FEWEST]
    if len(models) < 2:
        return f"fewer than two models have {FEWEST} outputs on either half of the prompts"
    if len(models) > MOST:
        return f"{len(models):,} models; one is fitted for {MOST} at most"
    inside = np.isin(own, models)
    names = [population.models[m] for m in models]
    families = [population.labels.family_of(name) for name in names]
    step = f"what parts the models{f' ({kind})' if kind else ''}"
    made: dict[str, Discriminant] = {}

    def told(part: int) -> Callable[[int, int], None] | None:
        if say is None:
            return None
        return lambda done, total: say(step, part * total + done, 2 * total)

    for number, half in enumerate(HALVES):
        fitted, held = (np.flatnonzero(inside & h) for h in (halves[number], halves[1 - number]))
        one = fit(
            population.training.only(fitted),
            names,
            families,
            rng=rng,
            networks=networks,
            about=about | {"half": half},
            said=told(number),
        )
        rest = population.training.only(held)
        logs = one.logs_of(rest)
        standing = standing_of(logs, rest.models, population.parts[held])
        made[half] = one.with_tests(trials_of(logs, rest.models, families, rng), standing)
    return Halves(*(made[half] for half in HALVES))


def standing_of(logs: Floats, models: Codes, parts: Codes) -> Standing:
    """Sums by model and part.

    Parameters
    ----------
    logs
        Shape (outputs, models).
    models, parts
        Shape (outputs,): whose each is, and the part of its prompt.
    """
    k = logs.shape[1]
    n = np.zeros((k, PARTS), dtype=np.int64)
    total = np.zeros((k, PARTS, k), dtype=np.float32)
    np.add.at(n, (models, parts), 1)
    np.add.at(total, (models, parts), logs)
    return Standing(n, total)


def trials_of(
    logs: Floats, models: Codes, families: Sequence[str], rng: np.random.Generator
) -> Trials:
    """Bundles of each model's outputs, drawn without replacement.

    Parameters
    ----------
    logs
        Shape (outputs, models).
    models
        Shape (outputs,): whose each is.
    families
        Of the models.
    """
    family = np.unique(families, return_inverse=True)[1]
    rows = list(_bundles(logs, models, family, rng))
    columns = [np.array(c) for c in zip(*rows, strict=True)]
    return Trials(
        columns[0].astype(np.int64),
        columns[1].astype(np.int64),
        columns[2].astype(np.int64),
        columns[3].astype(bool),
        columns[4].astype(np.float32),
    )


def _bundles(
    logs: Floats, models: Codes, family: Codes, rng: np.random.Generator
) -> Iterator[tuple[int, int, int, bool, float]]:
    for model in np.unique(models):
        own = np.flatnonzero(models == model)
        for n in (n for n in SIZES if n <= len(own)):
            for _ in range(REPEATS):
                total = logs[rng.choice(own, n, replace=False)].sum(axis=0, dtype=np.float64)
                order = np.argsort(-total, kind="stable")
                rank = int(np.flatnonzero(order == model)[0])
                lead = float(total[order[0]] - total[order[1]])
                yield n, int(model), rank, bool(family[order[0]] == family[model]), lead


def _lengths(population: Population, kind: str) -> tuple[float, float]:
    """Characters of all but the shortest and the longest outputs: a bundle may be one output."""
    of_kind = np.array([k == kind for k in population.kinds])[population.training.models]
    low, high = np.quantile(population.characters[of_kind], [_RARE, 1 - _RARE])
    return float(np.floor(low)), float(np.ceil(high))


def keep_closed(
    library: Library,
    population: Population,
    *,
    space: str,
    language: str,
    name: str,
    networks: int,
    rng: np.random.Generator,
    say: Progress | None = None,
) -> dict[str, Halves | str]:
    """Fit and store two a kind of prompts; or why there is none.

    Parameters
    ----------
    space, language
        Digest of the space that they go with; language of the texts, empty for any.
    name
        Begins the names of the files; those of an earlier run are replaced.
    networks, rng, say
        As in `fit_closed`.
    """
    folder = library.path / FOLDER
    folder.mkdir(exist_ok=True)
    found: dict[str, Halves | str] = {}
    for number, kind in enumerate(sorted(set(population.kinds))):
        scope = Scope(
            space=space,
            genres=(kind,) if kind else (),
            languages=(language,) if language else (),
            characters=_lengths(population, kind),
        )
        about = {"name": name, "scope": scope.model_dump(mode="json")}
        made = fit_closed(population, kind, rng=rng, networks=networks, about=about, say=say)
        for place, half in enumerate(HALVES):
            path = folder / f"{name}-{number}-{half}.npz"
            if isinstance(made, str):
                path.unlink(missing_ok=True)
            else:
                write_atomically(path, made.both[place].to_bytes())
        found[kind] = made
    return found
