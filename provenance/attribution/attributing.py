"""From a suspect's and a reference's texts to the study document of `attribute`.

Three strands, each weighed apart and none summed up: calibrated likelihood ratios for where the
weights come from, an unusual likeness to the reference among unrelated models of a population, and
a step towards the reference between two dates. A pure function of the evidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provenance.attribution import conduct, describe
from provenance.attribution.calibration import Assessed
from provenance.attribution.compared import FEWEST
from provenance.attribution.habits import between, rates
from provenance.attribution.holding import (
    Texts,
    covered,
    outdated,
    population_of,
    without_shared,
)
from provenance.attribution.itself import itself_reasons
from provenance.attribution.known import Known
from provenance.attribution.likeness import Likeness
from provenance.attribution.likeness_reasons import (
    format_reasons,
    likeness_reasons,
    nearer_than_siblings,
)
from provenance.attribution.open_set import needed
from provenance.attribution.origin import Coded
from provenance.attribution.ranking import likeness_of, style_likeness, unranked
from provenance.attribution.ratios import SAME_MODEL
from provenance.attribution.related import why_none
from provenance.attribution.steps import step_findings, step_reasons
from provenance.attribution.strands import (
    PAIRS,
    Case,
    OtherTexts,
    case_of,
    change_of,
    name_of,
    ratios_of,
)
from provenance.battery import Cell
from provenance.endpoint import Endpoint
from provenance.findings import (
    Finding,
    Habit,
    Other,
    Population,
    Proposition,
    StudyDocument,
    Verdict,
)
from provenance.transcript import ROLES, Role, Transcript

__all__ = ["THRESHOLD", "analyse_attribution"]

# log10 of the ratio from which a pair is called supported: 100.
THRESHOLD = 2.0
CONTRADICTED = -1.0
NULL = "unrelated_to_reference"
_ESTIMAND = "score against the reference less the mean score against the population"
_MATCHED_ESTIMAND = (
    "mean cosine of the two answers to a prompt, each less the mean answer of the population"
)


def analyse_attribution(
    plan: Mapping[str, Any],
    cells: Sequence[Cell],
    transcript: Transcript,
    events: Sequence[Mapping[str, Any]],
    *,
    plan_digest: str,
    root: str | None,
    known: Known,
    others: Sequence[OtherTexts],
    recorded: Mapping[str, str] | None = None,
) -> StudyDocument:
    """The study document of an attribution.

    Parameters
    ----------
    plan, cells, transcript, events, plan_digest, root
        As in `assemble.analyse_transcript`.
    known
        The library, as copied into the evidence.
    others
        Controls, siblings, the suspect before and after, each from its own store.
    recorded
        Names of suspect and reference in their recordings, where their endpoints do not say.
    """
    alpha, seed = float(plan["settings"]["alpha"]), int(plan["seed"])
    prompts = known.prompts
    reference = next(o for o in others if o.role == "reference")
    others = [o for o in others if o is not reference]
    own = Endpoint.parse(plan["endpoints"]["suspect"])
    texts: dict[Role, Texts] = {
        "suspect": Texts.of(transcript.completed("suspect"), cells, prompts),
        "reference": Texts.of(reference.records, reference.cells, prompts),
    }
    copies = [(c, v | {"side": role}) for role in ROLES for c, v in texts[role].copies()]
    itself = itself_reasons(own, reference.endpoint, texts)
    texts, taken_off = without_shared(texts)
    itself = itself or itself_reasons(own, reference.endpoint, texts)
    said = {"reference": name_of(reference.endpoint), "suspect": name_of(own), **(recorded or {})}
    case = case_of(texts, known, others, (said["reference"], said["suspect"]), seed)
    weighed = {} if case is None else ratios_of(case, texts)
    alike = None if case is None else likeness_of(case, alpha)
    moved = None if case is None else change_of(case, others, seed)
    if copies:
        # One answer many times is not a bundle of a model's answers, whatever it is like.
        alike, weighed = None, {p: a.withheld("answers_repeat") for p, a in weighed.items()}
    failed = {
        "suspect": len(transcript.failed("suspect")),
        "reference": sum(r.failure is not None for r in reference.records),
    }
    answered = {
        "suspect": len(transcript.completed("suspect")),
        "reference": sum(r.completion is not None for r in reference.records),
    }
    beside: Coded = [
        *copies,
        *taken_off,
        *itself,
        *step_reasons(moved, case, alpha),
        *([] if case is None or not case.comparable else outdated(case.known, *texts.values())),
    ]
    label, coded = _decide(case, texts, answered, failed, weighed, alike, alpha, beside)
    return StudyDocument(
        **describe.asked(plan, cells, plan_digest),
        reference=describe.side(reference.endpoint, own, list(reference.records), {}),
        suspect=describe.side(
            own, reference.endpoint, list(transcript), conduct.capabilities(events, "suspect")
        ),
        verdict=Verdict(
            label=label,
            null=NULL,
            reasons=describe.reasons(coded),
        ),
        findings=(
            *_likeness_findings(alike, case, alpha),
            *step_findings(moved, alpha),
        ),
        propositions=_propositions(weighed, case, alike),
        coverage=covered(plan, cells, transcript, texts["suspect"]).model_copy(
            update={"reference": len(texts["reference"].completions)}
        ),
        failures=describe.failures(transcript, cells),
        usage=describe.usage(
            transcript,
            plan["prices"],
            {"suspect": own},
            {"suspect": conduct.pilot_answers(events, "suspect")},
        ),
        others=tuple(_other(o) for o in others),
        population=_population(known, case, alike, weighed, alpha),
        habits=() if case is None or not case.comparable else _habits(texts, case.known),
        alternatives=("same_training_data", "sibling", "reversed", "reformatted", "chance"),
        deviations=tuple(e["kind"] for e in events if e["kind"] in ("resumed", "torn_line")),
        limits=(
            *("style_not_weights", "no_direction", "moment_only"),
            *(("genre_stated",) if known.only_stated(texts["suspect"].prompts) else ()),
            *(("prompts_by_id",) if any(t.by_id for t in texts.values()) else ()),
            "unsigned_root",
        ),
        evidence=describe.evidence(plan, transcript, root),
    )


def _decide(
    case: Case | None,
    texts: Mapping[Role, Texts],
    answered: Mapping[str, int],
    failed: Mapping[str, int],
    weighed: Mapping[tuple[str, str], Assessed],
    alike: Likeness | None,
    alpha: float,
    beside: Coded,
) -> tuple[Any, Coded]:
    """The label, from the ratios alone, and the reasons; ``beside``: those that decide nothing."""
    for role in ROLES:
        if not texts[role].completions:
            if answered[role]:
                empty = {"side": role, "count": answered[role]}
                return "inconclusive", [("only_empty_answers", empty)]
            values = {"side": role, "count": failed[role], "kind": None}
            return "inconclusive", [("nothing_answered", values)]
    if case is None:
        have = min(len(t.completions) for t in texts.values())
        return "inconclusive", [("too_few_outputs", {"have": have, "needed": FEWEST}), *beside]
    coded = [*beside, *format_reasons(case), *likeness_reasons(case, alike, alpha)]
    known = {pair: a for pair, a in weighed.items() if a.log10_lr is not None}
    if not known:
        why = next((a.why_not for a in weighed.values() if a.why_not), "")
        # Said by the reason about formats already.
        said = "" if case.abstains else why
        return "inconclusive", [("no_ratio", {"why_not": said or ""}), *coded]
    strong = [
        (pair, a)
        for pair, a in known.items()
        if a.log10_lr is not None
        and a.log10_lr >= THRESHOLD
        and a.interval is not None
        and a.interval[0] > 0
    ]
    if strong:
        reasons: Coded = [("ratio_supports", _pair_values(p, a) | _threshold()) for p, a in strong]
        worth = [said for _, a in strong for said in _worth(a)]
        return "supported", [*reasons, *worth, *coded]
    pair, best = max(known.items(), key=lambda item: item[1].log10_lr or 0.0)
    assert best.log10_lr is not None
    values = _pair_values(pair, best)
    coded = [*_worth(best), *coded]
    if all((a.interval or (0.0, 0.0))[1] <= CONTRADICTED for a in known.values()):
        return "not_supported", [("ratio_contradicts", values), *coded]
    if best.bounds is not None and best.bounds[1] < THRESHOLD:
        limited = values | {"bound": best.bounds[1]} | _threshold()
        return "inconclusive", [("ratio_bounded", limited), *coded]
    return "inconclusive", [("ratio_weak", values | _threshold()), *coded]


def _pair_values(pair: tuple[str, str], assessed: Assessed) -> dict[str, Any]:
    return {"hypothesis": pair[0], "against": pair[1], "log10_lr": assessed.log10_lr}


def _worth(assessed: Assessed) -> Coded:
    """How often such ratios misled on known pairs."""
    known = assessed.known_pairs
    if known is None:
        return []
    values = known.model_dump(exclude={"cllr", "cllr_floor"})
    return [("misleading_ratios", values | {"same_units": assessed.n_same})]


def _threshold() -> dict[str, Any]:
    return {"threshold": THRESHOLD}


def _propositions(
    weighed: Mapping[tuple[str, str], Assessed],
    case: Case | None,
    alike: Likeness | None,
) -> tuple[Proposition, ...]:
    found = []
    for pair in PAIRS:
        assessed = weighed.get(pair)
        if assessed is None:
            why = _why_none(pair[0], case)
            found.append(Proposition(hypothesis=pair[0], against=pair[1], why_not=why))
        else:
            found.append(assessed.proposition(*pair))
    taught = "likeness_only"
    if alike is None:
        taught = "too_few_outputs" if case is None else unranked(case)
    return (
        *found,
        Proposition(hypothesis="trained_on_outputs", against="not", why_not=taught),
        Proposition(hypothesis="trained_on_outputs", against="common_third_source", why_not=taught),
        Proposition(hypothesis="mixed", against="whole", why_not="style_cannot_tell"),
    )


def _why_none(hypothesis: str, case: Case | None) -> str:
    if case is None:
        return "too_few_outputs"
    units: dict[str, list[str]] = {}
    for model in case.known.main.enrolled.models:
        units.setdefault(model.unit, []).append(model.name)
    return why_none(hypothesis, units, case.known.relations)


def _likeness_finding(name: str, alike: Likeness, case: Case, alpha: float) -> Finding:
    matched = alike.prompts is not None
    n_suspect, n_reference = _compared(case, alike)
    return Finding(
        name=name,
        speaks_to=(NULL,),
        statistic=alike.statistic,
        p_value=alike.p_value,
        alpha=alpha,
        null=NULL,
        exactness="calibrated",
        assumptions=("population_stands_for_others",),
        n_reference=n_reference,
        n_suspect=n_suspect,
        estimand=_MATCHED_ESTIMAND if matched else _ESTIMAND,
        method=(
            "Rank of the suspect's centred likeness among those of unrelated models of the "
            "population and the controls whose texts are at most twice as long or as short; "
            + (
                "answers are compared with answers to the same prompt"
                if matched
                else "prompts are not compared with themselves"
            )
        ),
        citation="Vovk, Gammerman & Shafer 2005",
        values={
            "unrelated": alike.unrelated,
            "students_known": alike.students,
            "students_caught": alike.caught,
            "smallest_p": 1 / (alike.unrelated + 1),
            "view": alike.view,
            **({"prompts": alike.prompts} if matched else {}),
            "other_source": alike.rival,
            "other_source_p": alike.rival_p,
        },
    )


def _compared(case: Case, alike: Likeness | None) -> tuple[int, int]:
    """Outputs of suspect and reference that were compared."""
    if alike is not None and alike.prompts is not None and case.beside is not None:
        return case.beside.placed.outputs, case.beside.reference_outputs
    return case.main.suspect_bundle.n, case.main.reference_bundle.n


def _likeness_findings(
    alike: Likeness | None, case: Case | None, alpha: float
) -> tuple[Finding, ...]:
    """The likeness; beside that of answers to the same prompts, that of style on other prompts."""
    if case is None:
        return ()
    found = [] if alike is None else [_likeness_finding("likeness", alike, case, alpha)]
    matched = alike is not None and alike.prompts is not None
    style = style_likeness(case, alpha) if matched and not case.few else None
    if style is not None:
        second = _likeness_finding("likeness_other_prompts", style, case, alpha)
        found.append(second.model_copy(update={"exploratory": True}))
    siblings = None if alike is None else nearer_than_siblings(case)
    if siblings is not None:
        found.append(
            Finding(
                name="siblings",
                effect=siblings[0],
                estimand="score of the suspect against the reference, less its nearest sibling's",
                exactness="descriptive",
                n_reference=case.main.reference_bundle.n,
                n_suspect=case.main.suspect_bundle.n,
                method=(
                    "Where a sibling that is known to be unrelated is as near, what both were "
                    "made from explains the likeness"
                ),
                values={"siblings": siblings[1]},
            )
        )
    return tuple(found)


def _population(
    known: Known,
    case: Case | None,
    alike: Likeness | None,
    weighed: Mapping[tuple[str, str], Assessed],
    alpha: float,
) -> Population:
    """What the numbers rest on; of the suspect's genre, where the library states genres."""
    used = known if case is None else case.known
    return population_of(
        used,
        "" if case is None else case.genre,
        [a.bounds for pair, a in weighed.items() if pair == SAME_MODEL],
        alpha=alpha,
        calibration_bundles=0 if alike is None else alike.unrelated,
        decidable=alike is not None and alike.unrelated >= needed(alpha),
        comparison="same_prompts" if alike is not None and alike.prompts else "other_prompts",
        suspect_outputs=0 if case is None else _compared(case, alike)[0],
        views=() if case is None else (case.sides.known.view,),
    )


def _habits(texts: Mapping[Role, Texts], known: Known) -> tuple[Habit, ...]:
    """Habits of suspect and reference beside the library's models."""
    if known.habits is None:
        return ()
    reference = rates([c.text for c in texts["reference"].completions])
    return between(texts["suspect"].completions, reference, "the reference", known.habits.rates)


def _other(other: OtherTexts) -> Other:
    answered = [r for r in other.records if r.completion is not None]
    assert other.role != "reference"
    return Other(
        role=other.role,
        side=describe.side(other.endpoint, None, list(other.records), {}),
        outputs=len(answered),
        root=other.root,
    )
