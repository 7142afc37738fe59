"""`identify` on suspects that answered a library's own prompts: style alone, and prompt by prompt.

    python benchmarks/same_prompts.py --corpora ../shared/corpora --work DIR [--corpus NAME]

A library is made of all samples but the last, as `provenance library add` and `library calibrate`
make it; suspects are the last sample, through `replay:` and the public API. Beside each other:

before   the same library without sketches: bundles are compared on other prompts, in a space
after    prompt by prompt, where `identify` finds that it can

Each at several numbers of probes: own model first, own model in the set, size of the set, sets of
one unit, and ratios. Then the same suspects re-formatted by a gateway, strangers (all models of the
suspect's unit taken out of the library: how many get a set), and what is no model's answer: one
constant answer, human text, answers in another order, each prompt answered by another model.

And `attribute`, on all ordered pairs of the library's models with their first draws: how often the
likeness to a reference has p ≤ .05, for models of its own unit and for those of others.

Unit of every rate: a model; models of one maker are not independent. A model's samples are draws of
one session to the same prompts, so nothing here speaks of other sessions.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _corpora import frame_of, labels_of, reformatted
from _pairs import auc
from identification import docstrings, known_of, suspect_of

import provenance
from provenance.attribution import populations
from provenance.attribution.answered import Answered, Battery
from provenance.attribution.compared import own_parts
from provenance.attribution.gathering import gather
from provenance.attribution.holding import Texts, scores_in
from provenance.attribution.identification import identify
from provenance.attribution.known import InSpace, Known
from provenance.attribution.known_pairs import score_pairs
from provenance.attribution.likeness import likeness
from provenance.attribution.matched import likenesses
from provenance.attribution.matched_pairs import calibrate_matched
from provenance.attribution.same_prompts import identify_matched, place
from provenance.library.parts import ENROLLED, prompt_digest
from provenance.library.population import Library, intake, sources
from provenance.library.relations import Relation, Relations
from provenance.library.sketches import CHANNELS
from provenance.transcript import Completion

RESULTS = Path(__file__).parent / "results" / "same_prompts.json"
PROBES = (10, 25)
ALPHA = 0.05
CONTROLS = 8
FEWEST_BEFORE = 20


def built(corpora: Path, name: str, frame: pd.DataFrame, work: Path) -> tuple[Path, Path]:
    """The library with sketches and the same without; what is there already is kept."""
    after, before = work / f"{name}-library", work / f"{name}-style-alone"
    if before.is_dir():
        return before, after
    file = work / f"{name}.parquet"
    frame.to_parquet(file)
    labels = labels_of(corpora, name)
    relations = Relations(
        models={
            model: Relation(unit=row.supergroup, family=row.family, certainty="sure")
            for model, row in labels.iterrows()
        }
    )
    library = Library.open(after, create=True)
    stated = sources.Stated(licence="see the corpus")
    wanted = intake.Wanted(
        name=intake.EVERY, sources=[str(file)], stated=stated, relations=relations,
        prompts=corpora / "prompts.parquet",
    )  # fmt: skip
    intake.take_in(library, wanted)
    for view in ("raw", "canonical"):
        called = name if view == "raw" else f"{name}-canonical"
        rng = np.random.default_rng(1)
        populations.calibrate(
            library, name=called, rng=rng, view=view, outputs=(12, 25, 50), tellings=(0.25,)
        )
    shutil.copytree(after, work / "part")
    calibrate_matched(library, name=name, rng=np.random.default_rng(2))
    (work / "part").rename(before)
    return before, after


class Asker:
    """Asks `identify` about texts, through a recording and a store of their own."""

    def __init__(self, library: Path) -> None:
        self.library = library

    def __call__(self, prompts: Sequence[str], texts: Sequence[str]) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "suspect.parquet"
            rows = {"model": "suspect", "prompt_id": list(prompts), "output": list(texts)}
            pd.DataFrame(rows).assign(sample=0).to_parquet(file)
            return provenance.identify(
                f"replay:{file}",
                library=self.library,
                store=Path(folder) / "store",
                alpha=ALPHA,
                seed=1,
                formats=[],
            ).document


def described(documents: dict[str, Any], unit: dict[str, str]) -> dict[str, Any]:
    """Rates over suspects, each asked about by the name of its model."""
    rows = []
    for name, document in documents.items():
        inside = [c.name for c in document.candidates if c.in_set]
        own = next((c for c in document.candidates if c.name == name), None)
        others = [
            c.log10_lr
            for c in document.candidates
            if c.log10_lr is not None and unit[c.name] != unit[name]
        ]
        rows.append(
            {
                "prompt_by_prompt": document.population.comparison == "same_prompts",
                "decidable": document.population.decidable,
                "own_first": bool(document.candidates) and document.candidates[0].name == name,
                "own_in_set": name in inside,
                "set_size": len(inside),
                "one_unit": len({unit[n] for n in inside}) == 1,
                "own_log10_lr": None if own is None else own.log10_lr,
                "others_above_10": None if not others else float(np.mean(np.array(others) > 1)),
                "said_of_strangers": document.population.false_inclusion
                and document.population.false_inclusion.rate,
            }
        )
    table = pd.DataFrame(rows)
    own = pd.to_numeric(table.own_log10_lr).dropna()
    said = {k: float(v) for k, v in table.drop(columns="own_log10_lr").astype(float).mean().items()}
    return said | {
        "suspects": len(table),
        "own_assessed": len(own),
        "own_above_1": float((own > 0).mean()) if len(own) else None,
        "own_median": float(own.median()) if len(own) else None,
    }


def without_unit(known: Known, unit: str) -> Known:
    """The library without the models of a unit, compared by their scores alone."""

    def cut(side: InSpace) -> InSpace:
        kept = tuple(m for m in side.enrolled.models if m.unit != unit)
        enrolled = replace(side.enrolled, models=kept)
        return replace(side, enrolled=enrolled, closed=None, outsiders=())

    plain = None if known.plain is None else cut(known.plain)
    return replace(known, main=cut(known.main), plain=plain)


def strangers(library: Path, suspects: dict[str, tuple[list[str], list[str]]]) -> dict[str, float]:
    """Share of suspects with a set when no model of their unit is in the library."""
    opened = Library.open(library)
    whole = known_of(opened)
    answered = Answered.of(opened)
    hits = {"before": 0, "after": 0}
    unit = {m.name: m.unit for m in whole.main.enrolled.models}
    for name, (prompts, texts) in suspects.items():
        known = without_unit(whole, unit[name])
        rng = np.random.default_rng(3)
        raw, plain = suspect_of(texts, known)
        main = known.main
        found = identify(raw.suspect, raw.enrolled, raw.scores, alpha=ALPHA, rng=rng, plain=plain)
        hits["before"] += found is not None and bool(found.found.included.any())
        if answered is None:
            continue
        (battery,) = answered.batteries()
        rest = tuple(i for i in battery.models if answered.models[i].unit != unit[name])
        own = answered.within(Battery(battery.kind, battery.prompts, rest))
        made = Texts(tuple(Completion(text=t) for t in texts), tuple(prompts))
        placed = place(made, own, rng)
        second = None
        if placed is not None:
            second = identify_matched(placed, main.enrolled, alpha=ALPHA, rng=rng)
        hits["after"] += bool((second or found) and (second or found).found.included.any())
    return {when: n / len(suspects) for when, n in hits.items()}


def leaning(library: Path) -> dict[str, Any]:
    """p-values of `attribute` for every model as suspect and every other as reference.

    The null of a pair are the models of other units than the reference's, without the suspect: for
    pairs of different units the share below α should be α or less where makers are unrelated.
    "before" is in the space of the library, which was fitted on these units; what it tells of units
    that it has not seen is beside it (`left_out`).
    """
    opened = Library.open(library)
    side = known_of(opened).main
    enrolled, space = side.enrolled, side.space
    units = np.array([m.unit for m in enrolled.models])
    held, kept = own_parts(enrolled, 25), ENROLLED
    rows = [enrolled.moments(m.sessions, held) for m in enrolled.models]
    columns = [enrolled.moments(m.sessions, kept) for m in enrolled.models]
    tables = {"before": scores_in(space)([r for r in rows if r], [c for c in columns if c])}
    answered = Answered.of(opened)
    if answered is not None:
        (battery,) = answered.batteries()
        own = answered.within(battery)
        assert [m.name for m in own.models] == [m.name for m in enrolled.models]
        every = own.everything()
        known = {"units_a": own.units, "units_b": own.units, "units": own.units}
        tables["after"] = likenesses(
            own.first(1), every, every, **known, channels=CHANNELS, weights=own.weights()
        ).score
    found: dict[str, Any] = {}
    for when, table in tables.items():
        np.fill_diagonal(table, np.nan)
        p = np.full(table.shape, np.nan)
        for i in range(len(units)):
            for j in range(len(units)):
                rest = np.arange(len(units)) != i
                if i != j:
                    ranked = likeness(
                        table[i], table[rest], j, unrelated=(units != units[j])[rest],
                        students=np.zeros(int(rest.sum()), dtype=bool), units=units.tolist(),
                        alpha=ALPHA, centre=when == "before",
                    )  # fmt: skip
                    p[i, j] = np.nan if ranked is None else ranked.p_value
        related = (units[:, None] == units[None, :]) & ~np.isnan(p)
        others = (units[:, None] != units[None, :]) & ~np.isnan(p)
        found[when] = {
            "own unit, p ≤ .05": float((p[related] <= ALPHA).mean()),
            "other units, p ≤ .05": float((p[others] <= ALPHA).mean()),
            "auc": auc(-p[related], -p[others]),
            "pairs": [int(related.sum()), int(others.sum())],
        }
    return found | {"style, units left out of the space": left_out(opened)}


def left_out(library: Library) -> dict[str, Any]:
    """AUC of models of one unit against others, in spaces that saw neither, by outputs."""
    rng = np.random.default_rng(4)
    population = gather(library, rng=rng, most=256)
    scored = score_pairs(population, rng=rng, outputs=(12, 25, 50, 100), repeats=2)
    found = {}
    for n in np.unique(scored.n_suspect).tolist():
        own = scored.only((scored.n_suspect == n) & (scored.n_reference >= n))
        related, others = own.same_unit & ~own.same, ~own.same_unit
        if not related.any() or not others.any():
            continue
        found[f"{n} outputs"] = {
            "auc": auc(own.score[related], own.score[others]),
            "pairs": [int(related.sum()), int(others.sum())],
        }
    return found


def controls(frame: pd.DataFrame, ask: Asker, n: int) -> dict[str, Any]:
    """What is no model's answer."""
    rng = np.random.default_rng(5)
    prompts = sorted(frame.prompt_id.unique())
    human = docstrings(400)
    names = sorted(frame.model.unique())
    table = frame.set_index(["model", "prompt_id"]).output

    def answers(model: str, asked: Sequence[str]) -> list[str]:
        return [table.get((model, p), "none") for p in asked]

    def mixed(asked: Sequence[str]) -> list[str]:
        return [table.get((names[rng.integers(len(names))], p), "none") for p in asked]

    cases: dict[str, Callable[[list[str], int], list[str]]] = {
        "constant answer": lambda asked, k: [answers(names[k], asked)[0]] * len(asked),
        "human text": lambda asked, _: [human[i] for i in rng.choice(len(human), len(asked))],
        "answers in another order": lambda asked, k: list(
            rng.permutation(answers(names[k], asked))
        ),
        "another model each prompt": lambda asked, _: mixed(asked),
    }
    found: dict[str, Any] = {}
    for case, made in cases.items():
        documents = []
        for k in range(CONTROLS):
            asked = rng.permutation(prompts)[:n].tolist()
            documents.append(ask(asked, made(asked, k)))
        ratios = [c.log10_lr or -9.0 for d in documents for c in d.candidates]
        found[case] = {
            "bundles": len(documents),
            "prompt_by_prompt": sum(d.population.comparison == "same_prompts" for d in documents),
            "with_a_set": sum(any(c.in_set for c in d.candidates) for d in documents),
            "largest_log10_lr": max(ratios, default=-9.0),
        }
    return found


def measured(corpora: Path, name: str, work: Path, limit: int) -> dict[str, Any]:
    frame, labels = frame_of(corpora, name), labels_of(corpora, name)
    last = frame["sample"].max()
    if last == frame["sample"].min():
        # No second draws: a suspect of the library can't be asked about; likeness needs none.
        _, after = built(corpora, name, frame, work)
        return {"attribute": leaning(after)}
    before, after = built(corpora, name, frame[frame["sample"] < last], work)
    frame = frame[frame["sample"] == last]
    words = pd.read_parquet(corpora / "prompts.parquet")
    words = words[words.corpus == name].set_index("prompt_id").prompt
    unit = labels.supergroup.to_dict()
    rng = np.random.default_rng(7)
    prompts = sorted(frame.prompt_id.unique())
    rows: dict[str, Any] = {"attribute": leaning(after)}
    print(json.dumps(rows), flush=True)
    for n in PROBES:
        suspects = {}
        for model in sorted(frame.model.unique())[:: max(1, len(unit) // limit)]:
            own = frame[frame.model == model].set_index("prompt_id").output
            asked = [p for p in rng.permutation(prompts) if p in own.index][:n]
            suspects[model] = asked, [own[p] for p in asked]
        for when, library in (("before", before), ("after", after)):
            ask = Asker(library)
            for title, change in (("as they are", str), ("re-formatted", reformatted)):
                if when == "before" and n < FEWEST_BEFORE:
                    continue  # half of the prompts are held out: there are too few to compare
                documents = {m: ask(a, list(map(change, t))) for m, (a, t) in suspects.items()}
                rows[f"{n} probes, {title}, {when}"] = described(documents, unit)
                print(json.dumps({f"{n}, {title}, {when}": described(documents, unit)}), flush=True)
        digests = {m: ([prompt_digest(words[p]) for p in a], t) for m, (a, t) in suspects.items()}
        rows[f"{n} probes, strangers with a set"] = strangers(after, digests)
        rows[f"{n} probes, controls"] = controls(frame, Asker(after), n)
        print(json.dumps(dict(list(rows.items())[-2:])), flush=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="keeps the library")
    parser.add_argument("--corpus", default="misguided")
    parser.add_argument("--limit", type=int, default=40, help="suspects, at most about")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.is_file() else {}
    results[options.corpus] = measured(options.corpora, options.corpus, options.work, options.limit)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
