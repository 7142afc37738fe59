"""From a suspect's recorded texts and a copy of a library to the study document of `identify`.

A pure function of the evidence, like `assemble` for comparisons.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from provenance.attribution import conduct, describe
from provenance.attribution.against import Comparison, Outcome, against
from provenance.attribution.candidates import candidates, ordered, propositions
from provenance.attribution.compared import FEWEST, aligned
from provenance.attribution.enrolled import Enrolled
from provenance.attribution.habits import shared_habits
from provenance.attribution.holding import (
    Texts,
    covered,
    other_genre,
    outdated,
    population_of,
)
from provenance.attribution.identification import Identification
from provenance.attribution.known import Known
from provenance.attribution.layouts import CANONICAL, RAW
from provenance.attribution.maps import suspect_map
from provenance.attribution.margins import MOST
from provenance.attribution.open_set import needed
from provenance.attribution.ratios import Ratio
from provenance.attribution.same_prompts import Placed
from provenance.battery import Cell
from provenance.endpoint import Endpoint
from provenance.findings import (
    FalseInclusion,
    Finding,
    LibraryMap,
    Population,
    Side,
    StudyDocument,
    Verdict,
)
from provenance.transcript import Role, Transcript

NULL = "one_of_the_library"
# Share of strangers' bundles with a set, above which a set is not called a finding: it is less than
# twice as frequent if the suspect is one of these.
_STRANGERS = 0.5
Coded = list[tuple[str, dict[str, Any]]]
_PROMPT_BY_PROMPT = (
    ". A score is the mean over prompts of how alike two answers are, each less the mean answer of "
    "models of other units"
)
_MARGINS = (
    ". A quarter of how much better an output fits the model than any other is added, "
    f"{MOST:g} nats at most"
)
_TWICE = (
    ". Made with the words that nearly all outputs begin or end with and without them; for each "
    "model the largest p-value decides"
)
_RELATIVE = ", over what answers of the model itself are expected to have"


def analyse_identification(
    plan: Mapping[str, Any],
    cells: Sequence[Cell],
    transcript: Transcript,
    events: Sequence[Mapping[str, Any]],
    *,
    plan_digest: str,
    root: str | None,
    known: Known,
) -> StudyDocument:
    """The study document of an identification.

    Parameters
    ----------
    plan, cells, transcript, events, plan_digest, root
        As in `assemble.analyse_transcript`.
    known
        The library, as copied into the evidence.
    """
    alpha, seed = plan["settings"]["alpha"], plan["seed"]
    texts = Texts.of(transcript.completed("suspect"), cells, known.prompts)
    held = against(texts, known, alpha=alpha, seed=seed)
    known, genre, comparable = held.known, held.genre, held.comparable
    enrolled, habits = known.main.enrolled, known.habits
    found, weighed, silent = held.found, held.weighed, held.silent
    placed = held.leader.placed
    label, coded = decide(found, enrolled, texts, transcript, alpha)
    if found is not None and not comparable:
        label, coded = "inconclusive", [other_genre(known, genre)]
    if silent:
        label, coded = "inconclusive", held.copies if silent == "answers_repeat" else []
    coded = [*coded, *_why_not_matched(placed, alpha)]
    if comparable and not silent:
        coded += [*held.shared_words(), *outdated(known, texts)]
    endpoints: dict[Role, Endpoint] = {"suspect": Endpoint.parse(plan["endpoints"]["suspect"])}
    order = ordered(found)
    return StudyDocument(
        **describe.asked(plan, cells, plan_digest),
        reference=Side(
            requested=f"library:{enrolled.library}",
            label=f"{enrolled.library} ({len(enrolled):,} models)",
        ),
        suspect=describe.side(
            endpoints["suspect"],
            None,
            list(transcript),
            conduct.capabilities(events, "suspect"),
        ),
        verdict=Verdict(
            label=label,
            null=NULL,
            reasons=describe.reasons(coded),
        ),
        findings=_findings(held, alpha),
        propositions=propositions(found, weighed, order, _no_ratio(comparable, silent)),
        coverage=covered(plan, cells, transcript, texts),
        failures=describe.failures(transcript, cells),
        usage=describe.usage(
            transcript,
            plan["prices"],
            endpoints,
            {"suspect": conduct.pilot_answers(events, "suspect")},
        ),
        population=_population(found, known, genre, weighed, alpha),
        candidates=candidates(found, enrolled, weighed, order, held.canonical),
        closed_set=held.closed,
        habits=()
        if habits is None or not order or not comparable
        else shared_habits(held.leader.texts.completions, habits, enrolled.models[order[0]].name),
        map=_map(held.leader, enrolled, order, seed),
        alternatives=("sibling", "imitation", "same_training_data", "outside", "reformatted"),
        deviations=tuple(e["kind"] for e in events if e["kind"] in ("resumed", "torn_line")),
        limits=_limits(found, placed, texts, known, genre),
        evidence=describe.evidence(plan, transcript, root),
    )


def decide(
    found: Identification | None,
    enrolled: Enrolled,
    texts: Texts,
    transcript: Transcript,
    alpha: float,
) -> tuple[Any, Coded]:
    """The label of an identification and its reasons."""
    if not texts.completions:
        if empty := len(transcript.completed("suspect")):
            return "inconclusive", [("only_empty_answers", {"side": "suspect", "count": empty})]
        failed = transcript.failed("suspect")
        kinds = Counter(str(r.failure.kind) for r in failed if r.failure is not None)
        kind = kinds.most_common(1)[0][0] if kinds else None
        return "inconclusive", [
            ("nothing_answered", {"side": "suspect", "count": len(failed), "kind": kind})
        ]
    if found is None:
        return "inconclusive", [
            ("too_few_outputs", {"have": len(texts.completions), "needed": FEWEST})
        ]
    if not found.found.decidable:
        values: dict[str, Any] = {
            "have": found.found.calibration,
            "needed": needed(alpha),
            "alpha": alpha,
        }
        return "inconclusive", [("too_few_bundles", values)]
    inside = np.flatnonzero(found.found.included)
    inside = inside[np.argsort(-found.shown[inside])]
    members = [enrolled.models[i] for i in inside]
    tried = int(np.sum(~np.isnan(found.scores)))
    outside: Coded = []
    if found.inclusion is not None and members:
        seen = {"learnt": found.prompts is None and not found.inclusion.unseen}
        outside = [("outside_the_library", asdict(found.inclusion) | seen)]
    if not members:
        p = float(np.nanmax(found.found.p_values))
        return "none_of_these", [("set_is_empty", {"p": p, "alpha": alpha, "models": tried})]
    names = [m.name for m in members]
    families = list(dict.fromkeys(m.family for m in members))
    if len(families) > 1:
        several = {"names": names, "family_names": families, "alpha": alpha}
        return "inconclusive", [("several_families", several), *outside]
    if found.inclusion is not None and found.inclusion.rate > _STRANGERS:
        little = {"names": names, "rate": found.inclusion.rate, "alpha": alpha}
        return "inconclusive", [("strangers_get_sets", little), *outside]
    one = {"names": names, "family": families[0], "alpha": alpha, "models": tried}
    return "known", [("in_the_set", one), *outside]


def _no_ratio(comparable: bool, silent: str) -> str:
    """Why no model has a ratio, where none has."""
    return silent or ("no_calibration" if comparable else "other_genre")


def _why_not_matched(placed: Placed | None, alpha: float) -> Coded:
    """Why a suspect that answered the library's prompts was not compared prompt by prompt."""
    if placed is None:
        return []
    prompts, have = len(placed.rows), placed.own.seconds()
    if not placed.fits:
        return [("answers_do_not_fit", {"p": placed.fit_p, "prompts": prompts})]
    if have < needed(alpha):
        values = {"prompts": prompts, "have": have, "needed": needed(alpha), "alpha": alpha}
        return [("no_second_draws", values)]
    return []


def _map(
    leader: Comparison, enrolled: Enrolled, order: Sequence[int], seed: int
) -> LibraryMap | None:
    """In the view that decides most models."""
    found, plain = leader.found, leader.plain
    if found is not None and plain is not None and found.mostly_canonical:
        return suspect_map(plain.suspect, aligned(plain.enrolled, enrolled), order, seed)
    return suspect_map(leader.suspect, enrolled, order, seed)


def _findings(held: Outcome, alpha: float) -> tuple[Finding, ...]:
    found = held.found
    if found is None or np.isnan(found.found.p_values).all():
        return ()
    return (
        Finding(
            name="open_set",
            speaks_to=(NULL,),
            statistic=float(np.nanmax(found.tested)),
            p_value=float(np.nanmax(found.found.p_values)),
            alpha=alpha,
            effect=float(np.sum(found.found.included)),
            estimand="number of models that are not excluded",
            null=NULL,
            exactness="calibrated",
            assumptions=("exchangeable_bundles",),
            n_reference=int(sum(found.outputs)),
            n_suspect=found.suspect_outputs,
            method=(
                "For each model, the rank of the suspect's score among scores of bundles that "
                "stand in for it, one a model, pooled over models; the p-value is the largest"
                + (_PROMPT_BY_PROMPT if found.prompts is not None else "")
                + (_RELATIVE if found.relative else "")
                + (_MARGINS if found.margins else "")
                + (_TWICE if held.made > 1 else "")
            ),
            citation="Vovk, Gammerman & Shafer 2005",
            values={
                "calibration_bundles": found.found.calibration,
                "comparison": found.comparison,
                "models": int(np.sum(~np.isnan(found.scores))),
                "coverage_of_its_own": found.found.per_model,
                "unlike_formats": int(found.unlike.sum()) if held.known.sees_format else 0,
                "canonical_view": int(held.canonical.sum()),
                **({"without_shared_words": int(held.bare.sum())} if held.made > 1 else {}),
                **({} if found.prompts is None else {"prompts": found.prompts}),
            },
        ),
    )


def _population(
    found: Identification | None,
    known: Known,
    genre: str,
    weighed: Mapping[int, Ratio],
    alpha: float,
) -> Population:
    inclusion = None if found is None else found.inclusion
    return population_of(
        known,
        genre,
        [ratio.bounds for ratio in weighed.values()],
        alpha=alpha,
        calibration_bundles=0 if found is None else found.found.calibration,
        decidable=found is not None and found.found.decidable,
        comparison="other_prompts" if found is None else found.comparison,
        suspect_outputs=0 if found is None else found.suspect_outputs,
        coverage="per_model" if found is not None and found.found.per_model else "marginal",
        views=_views(found),
        false_inclusion=None if inclusion is None else FalseInclusion(**asdict(inclusion)),
    )


def _views(found: Identification | None) -> tuple[str, ...]:
    if found is None:
        return ()
    if found.prompts is not None:
        return (CANONICAL,)
    there = ~np.isnan(found.scores)
    views = [(RAW, bool((~found.canonical & there).any())), (CANONICAL, found.canonical.any())]
    return tuple(view for view, used in views if used)


def _limits(
    found: Identification | None, placed: Placed | None, texts: Texts, known: Known, genre: str
) -> tuple[str, ...]:
    limits = ["style_not_weights", "no_direction", "library_only", "moment_only"]
    one_session = found is not None and found.comparison == "other_prompts"
    if found is not None and found.prompts is not None and placed is not None:
        one_session = not placed.own.sessions()
    if one_session:
        limits.append("session_effect")
    if found is not None and found.comparison == "other_prompts":
        covering = known.main.closed is not None and known.main.closed.covering(genre) is not None
        limits += ["stand_ins_larger"] if found.small else []
        limits += ["margins_off"] if covering and not found.margins else []
    if known.only_stated(texts.prompts):
        limits.append("genre_stated")
    if texts.by_id:
        limits.append("prompts_by_id")
    return (*limits, "unsigned_root")
