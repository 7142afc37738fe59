"""Discriminants for closed sets, from a library's texts: fitted, and tested on other prompts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.calibration import Scope
from provenance.attribution.gathering import Population, Progress
from provenance.evidence.files import write_atomically
from provenance.library.discriminant import Discriminant, Trials, fit
from provenance.library.parts import ENROLLED, HELD_OUT
from provenance.library.population import Library

__all__ = ["FOLDER", "MOST", "SIZES", "fit_closed", "keep_closed", "trials_of"]

Codes = NDArray[np.int64]
Small = NDArray[np.float32]
FOLDER = "discriminants"  # of a library
SIZES = (1, 3, 10, 30, 100)  # outputs of a bundle
REPEATS = 5  # bundles a model, size and half of the prompts
MOST = 400  # models: a net has a column for each
_RARE = 0.005  # share of the outputs on either side that are out of its scope
FEWEST = 10  # outputs of a model on either half of the prompts


def fit_closed(
    population: Population,
    kind: str,
    *,
    rng: np.random.Generator,
    networks: int,
    about: dict[str, Any],
    say: Progress | None = None,
) -> Discriminant | str:
    """A discriminant of the models that answered one kind of prompts; or why there is none.

    Parameters
    ----------
    kind
        As in `Population.kinds`.
    rng
        Draws everything.
    networks
        Beside the linear net.
    about
        What its file says of it.
    say
        Told how far it is.

    Notes
    -----
    It is tested by two of half its size: each is fitted on one half of the prompts, by the digest
    of their words, and told the models of bundles of the other half apart. So the figures are of
    new prompts, and of half of the outputs. The one that is kept is fitted on all.
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
    pieces: list[Trials] = []
    step = f"what parts the models{f' ({kind})' if kind else ''}"

    def told(part: int) -> Any:
        if say is None:
            return None
        return lambda done, total: say(step, part * total + done, 3 * total)

    for number, (fitted, held) in enumerate((halves, halves[::-1])):
        half = fit(
            population.training.only(np.flatnonzero(inside & fitted)),
            names,
            families,
            rng=rng,
            networks=networks,
            said=told(number),
        )
        rest = population.training.only(np.flatnonzero(inside & held))
        pieces.append(trials_of(half.logs_of(rest), rest.models, families, rng))
    whole = population.training.only(np.flatnonzero(inside))
    found = fit(whole, names, families, rng=rng, networks=networks, about=about, said=told(2))
    return found.with_tests(_joined(pieces))


def trials_of(
    logs: Small, models: Codes, families: Sequence[str], rng: np.random.Generator
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
    logs: Small, models: Codes, family: Codes, rng: np.random.Generator
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


def _joined(pieces: Sequence[Trials]) -> Trials:
    return Trials(
        *(np.concatenate([getattr(p, part) for p in pieces]) for part in Trials.__slots__)
    )


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
) -> dict[str, Discriminant | str]:
    """Fit and store one a kind of prompts; or why there is none.

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
    found: dict[str, Discriminant | str] = {}
    for number, kind in enumerate(sorted(set(population.kinds))):
        scope = Scope(
            space=space,
            genres=(kind,) if kind else (),
            languages=(language,) if language else (),
            characters=_lengths(population, kind),
        )
        about = {"name": name, "scope": scope.model_dump(mode="json")}
        made = fit_closed(population, kind, rng=rng, networks=networks, about=about, say=say)
        path = folder / f"{name}-{number}.npz"
        if isinstance(made, str):
            path.unlink(missing_ok=True)
        else:
            write_atomically(path, made.to_bytes())
        found[kind] = made
    return found
