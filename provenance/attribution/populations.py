"""From a library of texts to a space, profiles and calibrated likelihood ratios.

What is fitted and what is tested stay apart: the calibration rests on pairs that were scored in
spaces fitted without their units (`known_pairs`), and is validated with units left out again. Only
the space that is stored is fitted on all units. A model that helped to fit it is enrolled without
the prompts that were used for that, so that what was calibrated is what is used.

Where the texts are of several genres, one line for them is kept only if it holds on each of them
when that is left out of space and line, and it covers just these; else each genre that has units
enough gets a line of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.calibration import Across, Calibration, Case, Scope
from provenance.attribution.closed_fit import Halves, keep_closed
from provenance.attribution.gathering import Population, Progress, gather
from provenance.attribution.genres import left_out
from provenance.attribution.hypotheses import AGAINST, HYPOTHESES, pairs_for
from provenance.attribution.known_pairs import (
    FEWEST_UNITS,
    FITTED,
    OUTPUTS,
    REPEATS,
    Scored,
)
from provenance.attribution.layouts import RAW
from provenance.attribution.line_scopes import (
    lengths_of,
    lines_of,
    rests_on,
    shared_language,
    slug,
    units_of,
)
from provenance.attribution.outsiders_fit import keep_outsiders
from provenance.attribution.telling import TELLINGS, Chosen, choose_telling, score_each
from provenance.canonical import canonical_json
from provenance.errors import UsageError
from provenance.evidence.files import write_atomically
from provenance.library.population import Bundle, Library
from provenance.library.relations import Relations
from provenance.library.space import UNUSUAL, Sizes, Space, fit

__all__ = ["Calibrated", "calibrate", "fit_shipped"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What `calibrate` made.

    Attributes
    ----------
    space
        Digest of the stored space.
    calibrations
        By hypothesis, with the genre before it where each has its own.
    left_out
        Hypotheses without a calibration, with why not.
    models, units, outputs
        How many took part.
    profiles
        How many were made.
    relatives_above_1
        Share of pairs of different models of one unit whose ratio for `same_weights` is above 1,
        at the largest number of outputs; None where there are none. Style tells makers apart, and
        siblings only partly.
    across
        How the ratios do on genres that were left out; empty where there is one genre.
    unusual
        Weight of the unusual in the stored space (`weighing.choose`).
    telling
        Exponent of how well a column tells models apart, in the stored space.
    tried
        Mean cost over units by exponent, where it was chosen (`telling.choose_telling`).
    closed
        Discriminants by kind of prompts, or why there is none; empty where none was asked for.
    """

    space: str
    calibrations: dict[str, Calibration]
    left_out: dict[str, str]
    models: int
    units: int
    outputs: int
    profiles: int
    relatives_above_1: float | None
    across: tuple[Across, ...] = ()
    unusual: float = UNUSUAL
    telling: float = TELLINGS[0]
    tried: Mapping[float, float] = field(default_factory=dict)
    closed: Mapping[str, Halves | str] = field(default_factory=dict)


def calibrate(
    library: Library,
    *,
    name: str,
    rng: np.random.Generator,
    relations: Relations | None = None,
    bundles: Sequence[Bundle] | None = None,
    view: str = "raw",
    genre: str = "",
    language: str | None = None,
    outputs: Sequence[int] = OUTPUTS,
    sizes: Sizes | None = None,
    tellings: Sequence[float] | None = None,
    repeats: int = REPEATS,
    networks: int | None = None,
    about: Mapping[str, Any] | None = None,
    say: Progress | None = None,
) -> Calibrated:
    """Fit a space and calibrations on a library's texts, and store them in it.

    Parameters
    ----------
    library
        Gets ``spaces/DIGEST.npz``, profiles of all its bundles, and
        ``calibrations/NAME-HYPOTHESIS.json``.
    name
        Of the calibration: letters, digits, ``-`` and ``_``.
    rng
        Draws outputs, folds and projections.
    relations
        Labels over those of the library; stored in it.
    bundles
        Fit on these only; None: on all whose texts are here.
    view
        "raw", or "canonical" for what survives re-formatting.
    genre
        Of texts whose bundles state none, as the scope names it; empty covers any.
    language
        The same; None: as the texts are (`line_scopes.shared_language`), where all models agree.
    outputs
        Sizes of a suspect's bundle.
    sizes
        Of the space.
    tellings
        Exponents to choose from, the usual one first (`telling.choose_telling`); pairs are scored
        for each, so two double that time. None: that of ``sizes``, or, without these, `TELLINGS`.
    repeats
        How often units are split anew to be left out.
    networks
        Of discriminants for closed sets, beside the linear net (`closed_fit`); None: no such ones.
    about
        What the space's file shall say besides, such as the seed.
    say
        Told each step, and counts within the long ones.

    Raises
    ------
    UsageError
        If models, units or outputs do not suffice; says which.
    """
    _check_name(name)
    population = gather(
        library, relations=relations, bundles=bundles, view=view, genre=genre, rng=rng, say=say
    )
    _require_units(population)
    if tellings is None:
        tellings = TELLINGS if sizes is None else (sizes.telling,)
    each = score_each(
        population,
        tellings,
        rng=rng,
        sizes=sizes or Sizes(),
        outputs=outputs,
        repeats=repeats,
        say=say,
    )
    if say is not None:
        say("how much the unusual counts")
    chosen = choose_telling(each, population.labels, rng=rng.spawn(1)[0], alike_only=view == RAW)
    sizes = replace(sizes or Sizes(), telling=chosen.telling)
    scored, unusual = chosen.scored, chosen.unusual
    across = left_out(population, rng=rng, sizes=sizes, outputs=outputs, unusual=unusual, say=say)
    if say is not None:
        say("the space that is stored")
    if language is None:
        language = shared_language(population)
    described = {"name": name, "genre": genre, "language": language, **_weighed(chosen)}
    described |= about or {}
    space = fit_shipped(population, rng=rng, sizes=sizes, about=described)
    space = replace(space, unusual=unusual)
    made: dict[str, Calibration] = {}
    missing: dict[str, str] = {}
    for part in lines_of(population, across):
        for hypothesis in HYPOTHESES:
            called = f"{part.label}: {hypothesis}" if part.label else hypothesis
            if say is not None:
                say(f"likelihood ratios: {called}")
            some = scored.only(np.isin(np.array(scored.kinds)[scored.suspect], part.kinds))
            pairs = pairs_for(hypothesis, some, population.labels, alike_only=view == RAW)
            if isinstance(pairs, str):
                missing[called] = pairs
                continue
            made[called] = Calibration.fit(
                pairs,
                name="-".join(x for x in (name, slug(part.label), hypothesis) if x),
                hypothesis=hypothesis,
                against=AGAINST,
                scope=Scope(
                    space=space.digest,
                    genres=part.genres,
                    languages=(language,) if language else (),
                    characters=lengths_of(population, part.kinds),
                    alike_only=view == RAW,
                ),
                population=rests_on(name, population, part.kinds),
                rng=rng,
                sources=population.sources,
                units=units_of(population, part.kinds),
                across=across,
            )
    if not any(c.hypothesis == "same_weights" for c in made.values()):
        raise UsageError(f"nothing can be calibrated: {_why(population, missing)}")
    if relations is not None:
        there = {b.name for b in library.bundles()} | {b.model for b in library.bundles()}
        library.label(relations.restricted(there))
    library.add_space(space)
    profiles = library.profile(
        library.space(space.digest),
        progress=None if say is None else lambda i, n, m: say("profiles", i, n, m),
    )
    for calibration in made.values():
        # Last: a calibration without its space or profiles would be of no use.
        path = library.path / "calibrations" / f"{calibration.name}.json"
        write_atomically(path, canonical_json(calibration.model_dump(mode="json")))
    closed: dict[str, Halves | str] = {}
    if networks is not None:
        closed = keep_closed(
            library,
            population,
            space=space.digest,
            language=language,
            name=name,
            networks=networks,
            rng=rng.spawn(1)[0],
            say=say,
        )
    keep_outsiders(
        library,
        population,
        space=space,
        sizes=sizes,
        name=name,
        rng=rng.spawn(1)[0],
        say=say,
    )
    first = next(c for c in made.values() if c.hypothesis == "same_weights")
    return Calibrated(
        space=space.digest,
        calibrations=made,
        left_out=missing,
        models=len(population.models),
        units=len(population.unit_names),
        outputs=len(population.parts),
        profiles=profiles,
        relatives_above_1=_relatives(scored, first),
        across=across,
        unusual=unusual,
        telling=chosen.telling,
        tried=chosen.costs,
        closed=closed,
    )


def _weighed(chosen: Chosen) -> dict[str, Any]:
    """What the space's file says of the choice."""
    tried = {f"{telling:g}": round(cost, 4) for telling, cost in chosen.costs.items()}
    return {"telling": chosen.telling, **({"telling_tried": tried} if tried else {})}


def fit_shipped(
    population: Population,
    *,
    rng: np.random.Generator,
    sizes: Sizes | None = None,
    about: Mapping[str, Any] | None = None,
) -> Space:
    """The space that is stored: fitted on all units, on the `FITTED` prompts alone.

    It says of itself which bundles and parts these were, so that they are not enrolled.
    """
    described = {
        "fitted_on": {"parts": list(FITTED), "bundles": sorted(population.bundles)},
        "sources": list(population.sources),
        **(about or {}),
    }
    chosen = np.flatnonzero(np.isin(population.parts, FITTED))
    return fit(population.training.only(chosen), rng=rng, sizes=sizes, about=described)


def _relatives(scored: Scored, calibration: Calibration) -> float | None:
    largest = calibration.grades[-1].outputs
    chosen = (scored.n_suspect == largest) & scored.same_unit & ~scored.same
    if not chosen.any():
        return None
    characters = calibration.scope.characters or (0.0, 0.0)
    case = Case(space=calibration.scope.space, outputs=largest, characters=characters[0])
    case = case.model_copy(
        update={
            "genre": next(iter(calibration.scope.genres), ""),
            "language": next(iter(calibration.scope.languages), ""),
        }
    )
    ratios = [calibration.assess(float(s), case).log10_lr for s in scored.score[chosen]]
    return float(np.mean([r is not None and r > 0 for r in ratios]))


def _why(population: Population, missing: Mapping[str, str]) -> str:
    if missing:
        return "; ".join(missing.values())
    kinds = sorted(set(population.kinds))
    return (
        f"the texts answer {len(kinds)} kinds of prompts ({', '.join(kinds[:3])}, …), and no kind "
        f"has models of {FEWEST_UNITS} units; models are only paired within one kind. If all are "
        "of one genre, say so with --genre NAME"
    )


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,47}", name):
        raise UsageError(
            f"a calibration cannot be called {name!r}: use letters, digits, - and _, at most 48"
        )


def _require_units(population: Population) -> None:
    fitted = np.isin(population.parts, FITTED)
    there = {population.units[m] for m in np.unique(population.training.models[fitted])}
    if len(there) < FEWEST_UNITS:
        raise UsageError(
            f"a space needs models of {FEWEST_UNITS} units or more, found {len(there)}: add "
            "models of other makers, or say in the relations file which belong to which unit"
        )
