"""From a suspect's recorded texts and a copy of a library to the study document of `identify`.

A pure function of the evidence, like `assemble` for comparisons.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from provenance import __version__
from provenance.attribution import conduct, describe, neighbourhood
from provenance.attribution.enrolled import Enrolled
from provenance.attribution.habits import Habits, shared_habits
from provenance.attribution.identification import FEWEST, Identification, Suspect, identify
from provenance.attribution.open_set import needed
from provenance.attribution.ratios import Ratio, Ratios
from provenance.battery import Cell
from provenance.endpoint import Endpoint
from provenance.findings import (
    BatteryRef,
    Candidate,
    Coverage,
    Declaration,
    EvidenceRef,
    FalseInclusion,
    Finding,
    LibraryMap,
    MapPoint,
    Merge,
    Population,
    Proposition,
    Reason,
    Side,
    StudyDocument,
    Verdict,
)
from provenance.library.parts import PARTS, prompt_digest
from provenance.library.space import Space
from provenance.transcript import Completion, Record, Role, Transcript

NULL = "one_of_the_library"
_ON_THE_MAP = 24
Coded = list[tuple[str, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Texts:
    """Completions with the digests of their prompts."""

    completions: tuple[Completion, ...]
    prompts: tuple[str, ...]

    @classmethod
    def of(
        cls, records: Iterable[Record], cells: Sequence[Cell], known: Mapping[str, str] | None
    ) -> Texts:
        """The answered draws.

        Parameters
        ----------
        known
            Prompt ids of the library with the digests of their words, for recordings that keep no
            words. An id that is not there stands for itself.
        """
        digests = {}
        for cell in cells:
            words = "\n".join(m.content for m in cell.messages)
            by_id = (known or {}).get(cell.probe) or prompt_digest(cell.probe)
            digests[cell.id] = prompt_digest(words) if words else by_id
        answered = [(r.completion, digests[r.cell]) for r in records if r.completion is not None]
        kept = [(c, d) for c, d in answered if c.text.strip()]
        return cls(tuple(c for c, _ in kept), tuple(d for _, d in kept))

    def in_space(self, space: Space) -> Suspect:
        """Their rows, parts and prompts."""
        return Suspect(
            rows=np.asarray(space.rows(self.completions), dtype=np.float64),
            parts=np.array([int(d, 16) % PARTS for d in self.prompts], dtype=np.int64),
            prompts=frozenset(self.prompts),
            asked=self.prompts,
        )


def analyse_identification(
    plan: Mapping[str, Any],
    cells: Sequence[Cell],
    transcript: Transcript,
    events: Sequence[Mapping[str, Any]],
    *,
    plan_digest: str,
    root: str | None,
    enrolled: Enrolled,
    space: Space,
    ratios: Ratios | None,
    habits: Habits | None,
) -> StudyDocument:
    """The study document of an identification.

    Parameters
    ----------
    plan, cells, transcript, events, plan_digest, root
        As in `assemble.analyse_transcript`.
    enrolled
        The library's models, as copied into the evidence.
    space
        In which they lie.
    ratios
        Calibrations; None where the library has none.
    habits
        Named habits of the library's models; None where it has none.
    """
    alpha, seed = plan["settings"]["alpha"], plan["seed"]
    texts = Texts.of(transcript.completed("suspect"), cells, enrolled.prompts)
    found: Identification | None = None
    suspect: Suspect | None = None
    if texts.completions:
        suspect = texts.in_space(space)
        found = identify(
            suspect,
            enrolled,
            lambda a, b: space_scores(a, b, space),
            alpha=alpha,
            rng=np.random.default_rng([seed, 20]),
        )
    weighed = _weigh(found, ratios, texts)
    label, coded = decide(found, enrolled, texts, transcript, alpha)
    endpoints: dict[Role, Endpoint] = {"suspect": Endpoint.parse(plan["endpoints"]["suspect"])}
    order = _order(found, weighed)
    return StudyDocument(
        tool_version=__version__,
        created_utc=plan["created_utc"],
        question=plan["question"],
        declaration=Declaration(**plan["declaration"]),
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
        battery=BatteryRef(
            name=plan["battery"]["name"], digest=plan["battery"]["digest"], cells=len(cells)
        ),
        plan_digest=plan_digest,
        settings=dict(plan["settings"]) | {"rules": dict(plan["rules"])},
        environment=plan["environment"],
        seed=seed,
        verdict=Verdict(
            label=label,
            null=NULL,
            reasons=tuple(Reason(code=code, text="", values=values) for code, values in coded),
        ),
        findings=_findings(found, alpha),
        propositions=_propositions(found, enrolled, weighed, order),
        coverage=covered(plan, cells, transcript, texts),
        failures=describe.failures(transcript, cells),
        usage=describe.usage(
            transcript,
            plan["prices"],
            endpoints,
            {"suspect": conduct.pilot_answers(events, "suspect")},
        ),
        population=_population(found, enrolled, ratios, alpha),
        candidates=_candidates(found, enrolled, weighed, order),
        habits=()
        if habits is None or not order
        else shared_habits(texts.completions, habits, enrolled.models[order[0]].name),
        map=_map(suspect, enrolled, order, seed),
        alternatives=("sibling", "imitation", "same_training_data", "outside", "reformatted"),
        deviations=tuple(e["kind"] for e in events if e["kind"] in ("resumed", "torn_line")),
        limits=_limits(found, endpoints),
        evidence=EvidenceRef(
            records=len(transcript.attempts), root=root, earlier_runs=plan.get("earlier_runs", 0)
        ),
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
    inside = inside[np.argsort(-found.scores[inside])]
    members = [enrolled.models[i] for i in inside]
    tried = int(np.sum(~np.isnan(found.scores)))
    outside: Coded = []
    if found.inclusion is not None and members:
        stranger = found.inclusion
        rates = {"rate": stranger.rate, "units": stranger.units, "mean_size": stranger.mean_size}
        outside = [("outside_the_library", rates)]
    if not members:
        p = float(np.nanmax(found.found.p_values))
        return "none_of_these", [("set_is_empty", {"p": p, "alpha": alpha, "models": tried})]
    names = [m.name for m in members]
    families = list(dict.fromkeys(m.family for m in members))
    if len(families) > 1:
        several = {"names": names, "family_names": families, "alpha": alpha}
        return "inconclusive", [("several_families", several), *outside]
    one = {"names": names, "family": families[0], "alpha": alpha, "models": tried}
    return "known", [("in_the_set", one), *outside]


def space_scores(a: Sequence[Any], b: Sequence[Any], space: Space) -> Any:
    """The score of every pair of bundles in a space."""
    from provenance.attribution.same_source import scores

    return scores(a, b, space)


def _weigh(found: Identification | None, ratios: Ratios | None, texts: Texts) -> dict[int, Ratio]:
    if found is None or ratios is None:
        return {}
    weighed = {}
    for i in np.flatnonzero(~np.isnan(found.scores)):
        weighed[int(i)] = ratios.same_model(
            float(found.scores[i]), found.suspect_outputs, found.outputs[i], texts.completions
        )
    return weighed


def _order(found: Identification | None, weighed: Mapping[int, Ratio]) -> list[int]:
    """Models, those in the set first, then by likeness."""
    if found is None:
        return []
    there = np.flatnonzero(~np.isnan(found.scores))
    key = lambda i: (not found.found.included[i], -found.scores[i])  # noqa: E731
    return sorted((int(i) for i in there), key=key)


def _candidates(
    found: Identification | None,
    enrolled: Enrolled,
    weighed: Mapping[int, Ratio],
    order: Sequence[int],
) -> tuple[Candidate, ...]:
    if found is None:
        return ()
    rows = []
    for i in order:
        model, ratio = enrolled.models[i], weighed.get(i)
        assessed = ratio is not None and ratio.assessed
        rows.append(
            Candidate(
                name=model.name,
                version=model.version or None,
                family=model.family,
                maker=model.maker or None,
                outputs=found.outputs[i],
                p_value=float(found.found.p_values[i]),
                in_set=bool(found.found.included[i]),
                log10_lr=ratio.log10_lr if assessed and ratio is not None else None,
                sensitivity_interval=ratio.interval if assessed and ratio is not None else None,
                clipped=bool(assessed and ratio is not None and ratio.clipped),
            )
        )
    return tuple(rows)


def _propositions(
    found: Identification | None,
    enrolled: Enrolled,
    weighed: Mapping[int, Ratio],
    order: Sequence[int],
) -> tuple[Proposition, ...]:
    """The nearest model against another maker; the rest of the pairs with why not."""
    pair = ("same_weights", "none_of_these")
    first: Proposition
    if found is None or not order:
        first = Proposition(hypothesis=pair[0], against=pair[1], why_not="no_candidates")
    else:
        ratio = weighed.get(order[0])
        first = (
            Proposition(hypothesis=pair[0], against=pair[1], why_not="no_calibration")
            if ratio is None
            else ratio.proposition(*pair)
        )
    rest = (
        ("derived", "none_of_these", "needs_reference"),
        ("common_base", "none_of_these", "needs_reference"),
        ("trained_on_outputs", "not", "needs_reference"),
        ("mixed", "whole", "style_cannot_tell"),
    )
    return (first, *(Proposition(hypothesis=h, against=a, why_not=w) for h, a, w in rest))


def _findings(found: Identification | None, alpha: float) -> tuple[Finding, ...]:
    if found is None or np.isnan(found.found.p_values).all():
        return ()
    return (
        Finding(
            name="open_set",
            speaks_to=(NULL,),
            statistic=float(np.nanmax(found.scores)),
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
            ),
            citation="Vovk, Gammerman & Shafer 2005",
            values={
                "calibration_bundles": found.found.calibration,
                "comparison": found.comparison,
                "models": int(np.sum(~np.isnan(found.scores))),
            },
        ),
    )


def _population(
    found: Identification | None, enrolled: Enrolled, ratios: Ratios | None, alpha: float
) -> Population:
    inclusion = None if found is None else found.inclusion
    return Population(
        name=enrolled.library,
        digest=enrolled.digest,
        models=len(enrolled),
        units=len({m.unit for m in enrolled.models}),
        space=enrolled.space,
        calibration=None if ratios is None else ratios.name,
        sources=enrolled.sources,
        alpha=alpha,
        calibration_bundles=0 if found is None else found.found.calibration,
        decidable=found is not None and found.found.decidable,
        comparison="other_prompts" if found is None else found.comparison,
        suspect_outputs=0 if found is None else found.suspect_outputs,
        false_inclusion=None
        if inclusion is None
        else FalseInclusion(
            rate=inclusion.rate,
            bundles=inclusion.bundles,
            units=inclusion.units,
            mean_size=inclusion.mean_size,
        ),
    )


def covered(
    plan: Mapping[str, Any], cells: Sequence[Cell], transcript: Transcript, texts: Texts
) -> Coverage:
    """Draws planned and answered; used are those with words."""
    completed = transcript.completed("suspect")
    reference = len(transcript.completed("reference"))
    return Coverage(
        planned=len(plan["slots"]),
        completed=len(completed) + reference,
        used=len(texts.completions),
        reference=reference,
        suspect=len(completed),
        cells_planned=len(cells),
        cells_used=len({r.cell for r in completed}),
    )


def _map(
    suspect: Suspect | None, enrolled: Enrolled, order: Sequence[int], seed: int
) -> LibraryMap | None:
    """The suspect among the models that it is most like."""
    near = list(order[:_ON_THE_MAP])
    if suspect is None or len(near) < 2:
        return None
    d = suspect.rows.shape[1]
    sums = np.zeros((len(near) + 1, PARTS, d))
    counts = np.zeros((len(near) + 1, PARTS))
    for part in range(PARTS):
        rows = suspect.rows[suspect.parts == part]
        sums[0, part], counts[0, part] = rows.sum(axis=0), len(rows)
        for k, i in enumerate(near, 1):
            moments = enrolled.moments(enrolled.models[i].sessions, [part])
            if moments is not None:
                sums[k, part], counts[k, part] = moments.mean * moments.n, moments.n
    drawn = neighbourhood.neighbourhood(sums, counts, rng=np.random.default_rng([seed, 21]))
    models = [enrolled.models[i] for i in near]
    points = [MapPoint(name="suspect", role="suspect", x=drawn.places[0, 0], y=drawn.places[0, 1])]
    points += [
        MapPoint(name=m.name, family=m.family, x=float(x), y=float(y))
        for m, (x, y) in zip(models, drawn.places[1:], strict=True)
    ]
    return LibraryMap(
        points=tuple(points),
        merges=tuple(
            Merge(left=int(left), right=int(right), height=float(height), support=float(support))
            for (left, right, height), support in zip(drawn.merges, drawn.support, strict=True)
        ),
        explained=drawn.explained,
        bootstrap=neighbourhood.BOOTSTRAP,
    )


def _limits(found: Identification | None, endpoints: Mapping[Role, Endpoint]) -> tuple[str, ...]:
    limits = ["style_not_weights", "no_direction", "library_only", "moment_only"]
    if found is not None and found.comparison == "other_prompts":
        limits.append("session_effect")
    return (*limits, "unsigned_root")
