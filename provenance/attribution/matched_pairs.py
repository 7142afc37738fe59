"""Likelihood ratios for suspects that answered a library's own prompts, from known pairs.

A pair: draws of one model that stand in for a suspect's against the enrolled draws of another, or
of itself, on the same prompts (`answered.Answered.halves`). Nothing is fitted but the line from
score to ratio: the middle of each pair is that of units that neither model belongs to, so units
are disjoint without folds, and the line is validated with units left out.

Of the same model there is a second calibration, of scores over what a model's own draws have
(`own_draws`), which is what `identify` reports where these are known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.answered import FEWEST_PROMPTS, Answered
from provenance.attribution.calibration import Calibration, Scope
from provenance.attribution.gathering import Progress
from provenance.attribution.hypotheses import AGAINST, HYPOTHESES, pairs_for
from provenance.attribution.known_pairs import FEWEST_UNITS, Scored
from provenance.attribution.matched import likenesses
from provenance.attribution.own_draws import relative_space
from provenance.attribution.ratios import SAME_MODEL, language_of
from provenance.canonical import canonical_json
from provenance.errors import UsageError
from provenance.evidence.files import write_atomically
from provenance.library.population import Bundle, Library, answers
from provenance.library.relations import Relations
from provenance.library.sketches import CHANNELS
from provenance.transcript import Completion

__all__ = ["PROMPTS", "Matched", "ScoredTwice", "calibrate_matched", "score_matched"]

Floats = NDArray[np.float64]
PROMPTS = (5, 10, 25, 50, 100)  # that suspect and model both answered, as far as there are so many
REPEATS = 4  # times that prompts are drawn for a size
OWN_DRAWS = "own draws"
_SHARE = 0.8  # of the prompts drawn that a pair must have answered
_MOST_MODELS = 400  # that are paired with each other
_SAMPLED = 20  # outputs of a bundle that its language is told by


@dataclass(frozen=True, slots=True)
class Matched:
    """What `calibrate_matched` made.

    Attributes
    ----------
    calibrations
        By what they are called: the hypothesis, after the kind of prompts where there are several,
        and `OWN_DRAWS` where scores are over what a model's own draws have.
    left_out
        Why there is no ratio, by the same.
    sketched
        Bundles that got sketches.
    prompts, models
        Of the batteries, added up.
    draws
        A prompt, that stand in for a suspect's; the least of the batteries. 0: none.
    """

    calibrations: dict[str, Calibration]
    left_out: dict[str, str]
    sketched: int
    prompts: int
    models: int
    draws: int


def calibrate_matched(
    library: Library,
    *,
    name: str,
    rng: np.random.Generator,
    relations: Relations | None = None,
    genre: str = "",
    language: str | None = None,
    prompts: Sequence[int] = PROMPTS,
    say: Progress | None = None,
) -> Matched:
    """Sketch the answers of a library, and calibrate likeness of answers to the same prompts.

    Parameters
    ----------
    library
        Gets ``answers/`` and ``calibrations/NAME-matched-….json``.
    name, relations, genre, language, say
        As in `populations.calibrate`.
    rng
        Draws the prompts of each size, and folds.
    prompts
        Sizes; the calibration's grades are numbers of prompts, not of outputs.

    Notes
    -----
    Where no prompt was answered twice by enough models of enough units there are no same-model
    pairs, and nothing is calibrated; the sketches are made all the same, for likeness to a
    reference needs none.
    """
    progress = None if say is None else lambda i, n, m: say("sketches of answers", i, n, m)
    sketched = answers.make(library, progress=progress)
    there = [b for b in library.bundles() if b.has_texts]
    found = Answered.of(library, relations=relations, bundles=there, genre=genre)
    labels = library.relations()
    if relations is not None:
        labels = Relations(models={**labels.models, **relations.models})
    batteries = [] if found is None else found.batteries()
    made: dict[str, Calibration] = {}
    missing: dict[str, str] = {}
    draws: list[int] = []
    if not batteries:
        missing["matched"] = "matched prompts: no prompts were answered by half of the models"
    for battery in batteries:
        assert found is not None
        own = found.within(battery)
        label = battery.kind if len(batteries) > 1 else ""
        draws.append(own.spare())
        scored = score_matched(own, prompts, rng=rng)
        plain = None if scored is None else scored.plain
        wanted = [(h, plain, own.scheme, "") for h in HYPOTHESES]
        if scored is not None and scored.relative is not None:
            space = relative_space(own.scheme)
            wanted.append((SAME_MODEL[0], scored.relative, space, OWN_DRAWS))
        for hypothesis, pieces, space, way in wanted:
            called = ": ".join(x for x in (label, way, hypothesis) if x)
            if say is not None:
                say(f"likelihood ratios on the same prompts: {called}")
            why = _why_not(scored, own)
            pairs = why if pieces is None else pairs_for(hypothesis, pieces, labels)
            if isinstance(pairs, str):
                missing[called] = f"matched prompts, {pairs}"
                continue
            bundles = [
                b for b in there if any(m.key[:2] == (b.model, b.version) for m in own.models)
            ]
            spoken, characters = _texts(library, bundles)
            slug = re.sub(r"[^A-Za-z0-9]+", "-", label).strip("-").lower()[:24]
            made[called] = Calibration.fit(
                pairs,
                name="-".join(
                    x for x in (name, "matched", slug, way.replace(" ", "-"), hypothesis) if x
                ),
                hypothesis=hypothesis,
                against=AGAINST,
                scope=Scope(
                    kind="matched",
                    space=space,
                    battery=battery.digest,
                    languages=_languages(language, spoken),
                    characters=characters,
                ),
                population=_described(name, own),
                rng=rng,
                sources=tuple(sorted({f"{b.source} ({b.licence})" for b in bundles})),
                units=tuple(sorted({m.unit for m in own.models})),
            )
    for calibration in made.values():
        path = library.path / "calibrations" / f"{calibration.name}.json"
        write_atomically(path, canonical_json(calibration.model_dump(mode="json")))
    return Matched(
        made,
        missing,
        sketched,
        sum(len(b.prompts) for b in batteries),
        sum(len(b.models) for b in batteries),
        min(draws, default=0),
    )


@dataclass(frozen=True, slots=True)
class ScoredTwice:
    """The same pairs: likeness, and likeness over what the reference's own draws have.

    ``relative`` holds the sizes at which that is known; None: none.
    """

    plain: Scored
    relative: Scored | None


def score_matched(
    own: Answered, prompts: Sequence[int], *, rng: np.random.Generator, repeats: int = REPEATS
) -> ScoredTwice | None:
    """Pairs of a battery's models, on several draws of prompts a size; None without second draws.

    ``n_suspect`` and ``n_reference`` are numbers of prompts. One draw a prompt stands in for the
    suspect's: what a suspect with one has, and no worse for one with more.
    """
    enrolled, stand_in = own.halves(1)
    if np.isnan(stand_in[..., 0]).all():
        return None
    everything, units, weights = own.everything(), own.units, own.weights()
    own_draws = own.own_draws()
    available = len(own.prompts)
    kept_models = np.arange(len(own))
    if len(own) > _MOST_MODELS:
        kept_models = np.sort(rng.permutation(len(own))[:_MOST_MODELS])
    sizes = [n for n in sorted(set(prompts)) if n <= available]
    pieces = []
    for n in sizes:
        for repeat in range(repeats):
            chosen = np.sort(rng.permutation(available)[:n])
            found = likenesses(
                stand_in[np.ix_(kept_models, chosen)],
                enrolled[np.ix_(kept_models, chosen)],
                everything[:, chosen],
                units_a=units[kept_models],
                units_b=units[kept_models],
                units=units,
                channels=CHANNELS,
                weights=weights[:, chosen],
            )
            kept = found.prompts >= max(FEWEST_PROMPTS, _SHARE * n)
            suspect, reference = np.nonzero(kept & ~np.isnan(found.score))
            score = found.score[suspect, reference]
            models = kept_models[suspect], kept_models[reference]
            expected = own_draws.expected(chosen)
            over = np.full(len(score), np.nan)
            if expected is not None:
                over = score / expected[models[1]]
            pieces.append(
                np.stack(
                    [score, over, *models, np.full(len(score), n), np.full(len(score), repeat)]
                )
            )
    found_all = np.concatenate(pieces, axis=1) if pieces else np.zeros((6, 0))
    if not found_all.shape[1]:
        return None
    known = found_all[:, ~np.isnan(found_all[1])]
    return ScoredTwice(
        _scored(found_all[0], found_all[2:], own),
        _scored(known[1], known[2:], own) if known.shape[1] else None,
    )


def _scored(score: Floats, rest: Floats, own: Answered) -> Scored:
    """``rest``: suspect, reference, prompts and repeat."""
    suspect, reference, many, repeat = rest.astype(np.int64)
    return Scored(
        score=score,
        suspect=suspect,
        reference=reference,
        n_suspect=many,
        n_reference=many,
        fold=repeat,
        models=tuple(m.name for m in own.models),
        units=tuple(m.unit for m in own.models),
        kinds=tuple(m.kind for m in own.models),
        unlike=np.zeros(len(score), dtype=bool),
    )


def _described(name: str, own: Answered) -> str:
    units = len(set(own.units.tolist()))
    return f"{name}: {len(own)} models of {units} units on the same {len(own.prompts)} prompts"


def _why_not(scored: ScoredTwice | None, own: Answered) -> str:
    units = len(set(own.units.tolist()))
    if units < FEWEST_UNITS:
        return f"{units} units answered them, {FEWEST_UNITS} are needed"
    if scored is None:
        return (
            "same_weights: no model answered a prompt twice; record two draws or sessions or more"
        )
    return ""


def _texts(library: Library, bundles: Sequence[Bundle]) -> tuple[list[str], tuple[float, float]]:
    """The language of each bundle, and the range of their mean lengths, a quarter beyond."""
    spoken, lengths = [], []
    for bundle in bundles:
        own = [o.output for o in library.outputs(bundle) if o.output.strip()]
        if own:
            lengths.append(fmean(map(len, own)))
            sample = own[:: -(-len(own) // _SAMPLED)]
            spoken.append(language_of([Completion(text=t) for t in sample]))
    if not lengths:
        raise UsageError(f"{library.path} holds no text to calibrate on")
    return spoken, (float(np.floor(min(lengths) / 1.25)), float(np.ceil(max(lengths) * 1.25)))


def _languages(said: str | None, spoken: Sequence[str]) -> tuple[str, ...]:
    """As in `populations`: any where the models do not agree on one."""
    if said is not None:
        return (said,) if said else ()
    most = max(set(spoken), key=spoken.count)
    return (most,) if spoken.count(most) >= 0.9 * len(spoken) else ()
