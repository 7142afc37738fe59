"""Likelihood ratios for suspects that answered a library's own prompts, from known pairs.

A pair: draws of one model that stand in for a suspect's against the enrolled draws of another, or
of itself, on the same prompts (`answered.Answered.halves`). Nothing is fitted but the line from
score to ratio: the middle of each pair is that of units that neither model belongs to, so units
are disjoint without folds, and the line is validated with units left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from provenance.attribution.answered import FEWEST_PROMPTS, Answered
from provenance.attribution.calibration import Calibration, Scope
from provenance.attribution.gathering import Progress
from provenance.attribution.hypotheses import AGAINST, HYPOTHESES, pairs_for
from provenance.attribution.known_pairs import FEWEST_UNITS, Scored
from provenance.attribution.matched import likenesses
from provenance.attribution.ratios import language_of
from provenance.canonical import canonical_json
from provenance.errors import UsageError
from provenance.evidence.files import write_atomically
from provenance.library.population import Bundle, Library, answers
from provenance.library.relations import Relations
from provenance.library.sketches import CHANNELS
from provenance.transcript import Completion

__all__ = ["PROMPTS", "Matched", "calibrate_matched", "score_matched"]

PROMPTS = (5, 10, 25, 50, 100)  # that suspect and model both answered, as far as there are so many
REPEATS = 4  # times that prompts are drawn for a size
_SHARE = 0.8  # of the prompts drawn that a pair must have answered
_MOST_MODELS = 400  # that are paired with each other
_SAMPLED = 20  # outputs of a bundle that its language is told by


@dataclass(frozen=True, slots=True)
class Matched:
    """What `calibrate_matched` made.

    Attributes
    ----------
    calibrations
        By what they are called: the hypothesis, after the kind of prompts where there are several.
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
        for hypothesis in HYPOTHESES:
            called = ": ".join(x for x in (label, hypothesis) if x)
            if say is not None:
                say(f"likelihood ratios on the same prompts: {called}")
            why = _why_not(scored, own)
            pairs = why if scored is None else pairs_for(hypothesis, scored, labels)
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
                name="-".join(x for x in (name, "matched", slug, hypothesis) if x),
                hypothesis=hypothesis,
                against=AGAINST,
                scope=Scope(
                    kind="matched",
                    space=own.scheme,
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


def score_matched(
    own: Answered, prompts: Sequence[int], *, rng: np.random.Generator, repeats: int = REPEATS
) -> Scored | None:
    """Pairs of a battery's models, on several draws of prompts a size; None without second draws.

    ``n_suspect`` and ``n_reference`` are numbers of prompts. One draw a prompt stands in for the
    suspect's: what a suspect with one has, and no worse for one with more.
    """
    enrolled, stand_in = own.halves(1)
    if np.isnan(stand_in[..., 0]).all():
        return None
    everything, units, weights = own.everything(), own.units, own.weights()
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
            pieces.append((score, kept_models[suspect], kept_models[reference], n, repeat))
    if not sum(len(p[0]) for p in pieces):
        return None
    many = np.concatenate([np.full(len(p[0]), p[3]) for p in pieces]).astype(np.int64)
    return Scored(
        score=np.concatenate([p[0] for p in pieces]),
        suspect=np.concatenate([p[1] for p in pieces]).astype(np.int64),
        reference=np.concatenate([p[2] for p in pieces]).astype(np.int64),
        n_suspect=many,
        n_reference=many,
        fold=np.concatenate([np.full(len(p[0]), p[4]) for p in pieces]).astype(np.int64),
        models=tuple(m.name for m in own.models),
        units=tuple(m.unit for m in own.models),
        kinds=tuple(m.kind for m in own.models),
        unlike=np.zeros(len(many), dtype=bool),
    )


def _described(name: str, own: Answered) -> str:
    units = len(set(own.units.tolist()))
    return f"{name}: {len(own)} models of {units} units on the same {len(own.prompts)} prompts"


def _why_not(scored: Scored | None, own: Answered) -> str:
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
