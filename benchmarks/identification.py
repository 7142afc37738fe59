"""Sets of `identify` on known models: coverage, strangers, and what is no model's text at all.

    python benchmarks/identification.py --library DIR [--limit N]

DIR is a library with texts and both views, such as `benchmarks/default_library.py --work DIR`
keeps. Within each genre that has models enough:

coverage      suspects are outputs on prompts of parts 2 and 3, the bundles behind the p-values
              come from parts 0 and 1, enrolled are parts 4 to 7 without what the space was fitted
              on: the share of sets that hold the suspect's own model, at several levels
strangers     the same suspects with all models of their unit taken out of the library, and space
              and discriminants fitted without them: the share of sets that are not empty, mean
              over units and over bundles, beside what `identify` says of makers outside the library
re-formatted  the same suspects after a gateway (lower case, no Markdown, no blank lines)
controls      one constant answer, docstrings of the standard library (human text), each model's
              words in random order, and answers drawn from all models at random: the share of sets
              that are not empty, and the largest likelihood ratio that any model gets

Unit of every rate: a bundle; intervals would need more units than there are, so counts are printed.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from provenance.attribution.against import margins_of
from provenance.attribution.calibration import Scope
from provenance.attribution.candidates import weigh
from provenance.attribution.closed_fit import fit_closed
from provenance.attribution.closed_set import Closed
from provenance.attribution.compared import Suspect, View
from provenance.attribution.enrolled import Enrolled
from provenance.attribution.gathering import Population, gather
from provenance.attribution.holding import Texts, scores_in
from provenance.attribution.identification import Identification, identify
from provenance.attribution.known import InSpace, Known
from provenance.attribution.known_pairs import FITTED, rows_of
from provenance.attribution.outsiders import Outsiders
from provenance.attribution.ratios import Ratios, Told
from provenance.library.parts import PARTS
from provenance.library.population import Library, Output
from provenance.library.space import Sizes, fit
from provenance.transcript import Completion

RESULTS = Path(__file__).parent / "results" / "identification.json"
LEVELS = (0.05, 0.1, 0.2)
OUTPUTS = 20
SUSPECTS = (2, 3)
SAID = ("strangers_with_a_set", "bundles_of_strangers", "limit_over_units")
Learnt = Mapping[str, Mapping[str, Closed | None]]


def reformatted(text: str) -> str:
    """What a gateway does; written apart from the canonical view."""
    text = re.sub(r"``` ?[a-zA-Z]*\n?", "", text)
    text = re.sub(r"(?m)^#{1,6} +|\*\*|__|`", "", text)
    text = re.sub(r"(?m)^[ \t]*[*+•-] +", "- ", text)
    return re.sub(r"\s*\n\s*", "\n", text).strip().lower()


def shuffled(text: str, rng: np.random.Generator) -> str:
    return " ".join(rng.permutation(text.split()).tolist())


def docstrings(most: int) -> list[str]:
    """Human prose of about the length of an answer, from the standard library that runs this."""
    found: list[str] = []
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        nodes = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)]
        texts = filter(None, (ast.get_docstring(n) for n in [tree, *nodes]))
        found += [text for text in texts if 300 <= len(text) <= 3_000]
        if len(found) >= most:
            break
    return found[:most]


def known_of(library: Library) -> Known:
    spaces = sorted(map(library.space, library.spaces()), key=lambda s: s.view != "raw")
    sides = [
        InSpace(
            Enrolled.of(library, s.digest),
            s,
            Ratios.of(library, s.digest),
            Closed.of(library, s.digest),
            Outsiders.within(library, s.digest, ""),
        )
        for s in spaces
    ]
    return Known(main=sides[0], plain=sides[1] if len(sides) > 1 else None)


def without_suspects(known: Known) -> Known:
    """The library as if the parts that suspects come from had not been recorded."""

    def cut(side: InSpace | None) -> InSpace | None:
        if side is None:
            return None
        n = side.enrolled.n.copy()
        n[:, list(SUSPECTS)] = 0
        return replace(side, enrolled=replace(side.enrolled, n=n))

    main = cut(known.main)
    assert main is not None
    return replace(known, main=main, plain=cut(known.plain))


def suspect_of(texts: Sequence[str], known: Known) -> tuple[View, View | None]:
    """In both spaces; its prompts are nobody else's."""
    made = Texts(
        tuple(Completion(text=t) for t in texts), tuple(f"x{i}" for i in range(len(texts)))
    )
    parts = np.arange(len(texts)) % 8
    genre = known.main.enrolled.models[0].genre

    def place(side: InSpace) -> View:
        rows = np.asarray(side.space.rows(made.completions), dtype=np.float64)
        own = Suspect(rows, parts, frozenset(made.prompts), made.prompts, made.laid_out())
        margins, outsiders = margins_of(side, genre, made), side.outsiders_of(genre)
        return View(own, side.enrolled, scores_in(side.space), margins, outsiders)

    return place(known.main), None if known.plain is None else place(known.plain)


def told(texts: Sequence[str], genre: str) -> Told:
    return Told.of([Completion(text=t) for t in texts], genre)


def ask(suspect: tuple[View, View | None], alpha: float) -> Identification | None:
    raw, plain = suspect
    return identify(
        raw.suspect,
        raw.enrolled,
        raw.scores,
        alpha=alpha,
        rng=np.random.default_rng(3),
        margins=raw.margins,
        outsiders=raw.outsiders,
        plain=plain,
    )


def learnt_without(library: Library, genre: str, view: str) -> dict[str, Closed | None]:
    """By unit: what parts the other models."""
    bundles = [b for b in library.bundles() if b.genre == genre]
    population = gather(library, bundles=bundles, view=view, rng=np.random.default_rng(0))
    made: dict[str, Closed | None] = {}
    for unit in population.unit_names:
        kinds = tuple(genre if u != unit else "" for u in population.units)
        about = {"scope": Scope(genres=(genre,)).model_dump(mode="json")}
        found = fit_closed(
            replace(population, kinds=kinds),
            genre,
            rng=np.random.default_rng(1),
            networks=0,
            about=about,
        )
        made[unit] = None if isinstance(found, str) else Closed(found.both)
    return made


def refitted(population: Population, side: InSpace, genre: str, unit: str) -> InSpace:
    """The models of other units, in a space that was fitted without this one."""
    there = np.array(population.units)[population.training.models] != unit
    fitted = np.isin(population.parts, FITTED)
    chosen, rest = np.flatnonzero(there & fitted), np.flatnonzero(~fitted)
    sizes = Sizes(telling=float(side.space.about["telling"]))
    space = fit(population.training.only(chosen), rng=np.random.default_rng(4), sizes=sizes)
    space = replace(space, unusual=side.space.unusual)
    rows = rows_of(population.training, rest, space)
    codes, parts = population.training.models[rest], population.parts[rest]
    called = list(zip(population.models, population.kinds, strict=True))
    enrolled = side.enrolled
    n = np.zeros_like(enrolled.n)
    mean, variance = (np.zeros((*n.shape, space.dimensions)) for _ in range(2))
    kept = tuple(m for m in enrolled.models if m.unit != unit)
    for model in kept:
        code, row = called.index((model.called, genre)), model.sessions[0]
        for part in (p for p in range(PARTS) if p not in SUSPECTS):
            own = rows[(codes == code) & (parts == part)]
            n[row, part] = len(own)
            if len(own):
                mean[row, part] = own.mean(axis=0)
            if len(own) > 1:
                variance[row, part] = own.var(axis=0, ddof=1)
    new = replace(enrolled, models=kept, space=space.digest, n=n, mean=mean, variance=variance)
    return replace(side, enrolled=new, space=space, ratios=None, outsiders=())


def without_unit(
    known: Known, unit: str, genre: str, learnt: Learnt, every: Mapping[str, Population]
) -> Known:
    def cut(side: InSpace) -> InSpace:
        found = refitted(every[side.view], side, genre, unit)
        return replace(found, closed=learnt[side.view][unit])

    plain = None if known.plain is None else cut(known.plain)
    return replace(known, main=cut(known.main), plain=plain)


def measured(
    library: Library,
    known: Known,
    genre: str,
    limit: int,
    every: Mapping[str, Population],
    rng: np.random.Generator,
) -> dict[str, Any]:
    models = known.main.enrolled.models
    bundles = {b.name: b for b in library.bundles() if b.genre == genre}
    drawn: dict[str, list[str]] = {}
    for model in models[:: max(1, len(models) // limit)]:
        own = [o for o in library.outputs(bundles[model.name]) if _held(o)]
        if len(own) >= OUTPUTS:
            chosen = rng.choice(len(own), OUTPUTS, replace=False)
            drawn[model.name] = [own[i].output for i in chosen]
    place = {m.name: i for i, m in enumerate(models)}
    rows: dict[str, Any] = {"models": len(models), "suspects": len(drawn), "outputs": OUTPUTS}
    views = [side.view for side in (known.main, known.plain) if side is not None]
    learnt = {view: learnt_without(library, genre, view) for view in views}
    unit = {name: models[i].unit for name, i in place.items()}
    without = {u: without_unit(known, u, genre, learnt, every) for u in sorted(set(unit.values()))}
    changed = {name: list(map(reformatted, texts)) for name, texts in drawn.items()}
    for title, own in (("as they are", drawn), ("re-formatted", changed)):
        suspects = {name: suspect_of(texts, known) for name, texts in own.items()}
        strange = {name: suspect_of(texts, without[unit[name]]) for name, texts in own.items()}
        for alpha in LEVELS:
            inside, sizes, one_unit, said = 0, [], 0, []
            strangers: dict[str, list[bool]] = {}
            for name, suspect in suspects.items():
                found = ask(suspect, alpha)
                assert found is not None
                inside += bool(found.found.included[place[name]])
                members = np.flatnonzero(found.found.included)
                sizes.append(len(members))
                one_unit += len({models[i].unit for i in members}) == 1
                if found.inclusion is not None:
                    said.append([found.inclusion.rate, found.inclusion.bundle_rate])
                    said[-1].append(found.inclusion.upper or 1.0)
                alone = ask(strange[name], alpha)
                assert alone is not None
                own_unit = strangers.setdefault(unit[name], [])
                own_unit.append(bool(alone.found.included.any()))
            n = len(suspects)
            rows[f"{title}, alpha {alpha:g}"] = {
                "coverage": inside / n,
                "mean_set": float(np.mean(sizes)),
                "one_unit": one_unit / n,
                "strangers_with_a_set": float(np.mean([np.mean(v) for v in strangers.values()])),
                "bundles_of_strangers": sum(map(sum, strangers.values())) / n,
                "said": dict(zip(SAID, np.mean(said, axis=0).tolist(), strict=True))
                if said
                else None,
                "decidable": bool(found.found.decidable),
            }
        rows[f"{title}, ratios"] = _ratios(suspects, drawn, known, genre, place)
    rows["controls"] = _controls(drawn, known, genre, rng)
    return rows


def _held(output: Output) -> bool:
    return int(output.prompt_digest, 16) % 8 in SUSPECTS and bool(output.output.strip())


def _ratios(suspects: Any, drawn: Any, known: Known, genre: str, place: dict[str, int]) -> Any:
    """Ratios of the own model and of models of other units."""
    own, others, abstained = [], [], 0
    models = known.main.enrolled.models
    for name, suspect in suspects.items():
        found = ask(suspect, 0.05)
        weighed = weigh(found, known, told(drawn[name], genre))
        for i, ratio in weighed.items():
            if ratio.log10_lr is None:
                abstained += i == place[name]
            elif i == place[name]:
                own.append(ratio.log10_lr)
            elif models[i].unit != models[place[name]].unit:
                others.append(ratio.log10_lr)
    low = np.array(others)
    return {
        "own_above_1": float(np.mean(np.array(own) > 0)) if own else None,
        "own_below_a_tenth": float(np.mean(np.array(own) < -1)) if own else None,
        "own_not_assessed": abstained,
        "others": len(low),
        "others_above_1": float(np.mean(low > 0)) if len(low) else None,
        "others_above_10": float(np.mean(low > 1)) if len(low) else None,
    }


def _controls(drawn: Any, known: Known, genre: str, rng: np.random.Generator) -> Any:
    every = [t for texts in drawn.values() for t in texts]
    human = docstrings(400)
    cases = {
        "constant answer": [[f"The answer is {n}."] * OUTPUTS for n in range(5)],
        "human text": [
            [human[i] for i in rng.choice(len(human), OUTPUTS, replace=False)] for _ in range(10)
        ],
        "words in random order": [
            [shuffled(t, rng) for t in texts] for texts in list(drawn.values())[:10]
        ],
        "answers of all models": [
            [every[i] for i in rng.choice(len(every), OUTPUTS, replace=False)] for _ in range(10)
        ],
    }
    rows = {}
    for name, bundles in cases.items():
        sets, largest, above = 0, -9.0, 0
        for texts in bundles:
            found = ask(suspect_of(texts, known), 0.05)
            assert found is not None
            sets += bool(found.found.included.any())
            ratios = weigh(found, known, told(texts, genre)).values()
            top = max((r.log10_lr for r in ratios if r.log10_lr is not None), default=-9.0)
            largest, above = max(largest, top), above + (top > 1)
        rows[name] = {
            "bundles": len(bundles),
            "with_a_set": sets,
            "with_a_ratio_above_10": above,
            "largest_log10_lr": None if largest == -9.0 else largest,
        }
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=40, help="suspects a genre")
    options = parser.parse_args()
    library = Library.open(options.library)
    if not any(b.has_texts for b in library.bundles()):
        print(f"{options.library} holds no texts: nothing was measured", file=sys.stderr)
        return 1
    whole = without_suspects(known_of(library))
    every = {
        side.view: gather(library, view=side.view, rng=np.random.default_rng(0))
        for side in (whole.main, whole.plain)
        if side is not None
    }
    rng = np.random.default_rng(11)
    results = {}
    for genre in whole.main.enrolled.stated_genres:
        known = whole.within(genre)
        if len(known.main.enrolled) >= 19:
            results[genre] = measured(library, known, genre, options.limit, every, rng)
            print(json.dumps({genre: results[genre]}, indent=1), flush=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
