"""Students that we made: does `attribute` tell a teacher's students from other derivatives?

    python benchmarks/student.py               analyse the committed recordings; a few minutes
    python benchmarks/student.py --make        first train and record what is missing (25 minutes
                                               of one core where nothing is there)
    python benchmarks/student.py --library DIR

The teacher is SmolLM2-135M-Instruct, the base of all students Gemma 3 270M (base). Students are
tuned on the teacher's answers, controls in the same way on other texts: the base's own answers to
the same prompts, docstrings. Probes are the prompts of the battery `style`; no topic of a training
prompt stands in any of them. Each suspect is weighed by the public `attribute`, as a case would be:
reference the teacher, before the base, after the suspect, controls the other derivatives. Beside
it: fewer outputs, a matched control as *before*, a wrong reference, and no change at all.

Nothing is tuned here: space, population and thresholds come with the library.

What was found (``results/student.json``): no verdict, rightly; students are not told from others.
Likeness and ratios are not assessed: the shipped population answered prompts of other genres at
greater length. Three students (two doses of one run, and a run on other answers of the teacher)
step 1.6 to 2.1 towards the teacher, more than controls on docstrings and on the base's own answers
(.5 and .9): so it looked until a third control was tuned on a manual's chapters, human prose that
the teacher never wrote. It steps further than any student (2.2 and 2.3). Whatever teaches a rough
base to write plain connected prose brings it nearer to a model that does. Away from human prose,
which lies beyond the teacher on the way from the base, students step back, and that control most.
The p-value of a step rejects *unchanged*, for controls too, and nobody doubted the change. So the
step depends on the control, and the rank of the teacher among few controls cannot fall below α.
What would be needed: 19 or more controls that are derivatives of the suspect's base tuned on other
assistants' answers to the same prompts, each with 100 outputs to these probes; and a second
teacher, to see whether a student steps towards its own. The answers that students were tuned on
were cut at 48 tokens, so students also learnt to stop early, as the control on docstrings was made
to.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))

import _student_texts as texts
import _student_zoo as zoo
import local_models

import provenance
from provenance.canonical import digest
from provenance.library.parts import prompt_digest

KEPT = zoo.OWN / "rows"
LIBRARY = Path(__file__).resolve().parents[1] / "configs" / "libraries" / "default"
OUT = Path(__file__).parent / "results" / "student.json"
ALPHA = 0.05
SEED = 20261125
SHORT = 100
ALL = tuple(range(zoo.SAMPLES))
Samples = tuple[int, ...]


class Cases:
    """Runs `attribute` on recordings, each study in a folder that is thrown away."""

    def __init__(self, library: Path, folder: Path) -> None:
        self.library, self.folder, self._count = library, folder, 0
        self._spaces = sorted(p.name for p in (library / "spaces").iterdir())

    def recorded(self, model: str, samples: Samples, cut: int | None) -> str:
        """A ``replay:`` endpoint with some of the answers to every probe, or their beginnings."""
        path = self.folder / f"{model}-{'-'.join(map(str, samples))}-{cut}.parquet"
        if not path.is_file():
            frame = pd.read_parquet(zoo.recording(model))
            kept = frame[frame["sample"].isin(samples)]
            kept.assign(output=kept.output.str[:cut]).to_parquet(path, index=False)
        return f"replay:{path}"

    def weigh(
        self,
        suspect: str,
        reference: str,
        controls: Sequence[str],
        *,
        before: str = zoo.BASE,
        samples: Samples = ALL,
        samples_before: Samples | None = None,
        cut: int | None = None,
    ) -> dict[str, Any]:
        """One study, as a row; kept, so that a run that was broken off goes on."""
        asked = {"suspect": suspect, "reference": reference, "before": before}
        asked |= {"controls": list(controls), "outputs": 45 * len(samples)}
        kept = self._kept({**asked, "samples": [samples, samples_before], "cut": cut})
        if kept.is_file():
            row = asked | json.loads(kept.read_text())
            print(_line(row), flush=True)
            return row
        self._count += 1
        study = provenance.attribute(
            self.recorded(suspect, samples, cut),
            reference=self.recorded(reference, ALL, cut),
            library=self.library,
            controls=[self.recorded(c, ALL, cut) for c in controls],
            before=self.recorded(before, samples_before or samples, cut),
            after=self.recorded(suspect, samples, cut),
            alpha=ALPHA,
            seed=SEED,
            formats=[],
            store=self.folder / f"study-{self._count}",
        )
        found = row_of(study)
        KEPT.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(found))
        row = asked | found
        print(_line(row), flush=True)
        return row

    def _kept(self, asked: dict[str, Any]) -> Path:
        files = {
            m: local_models.sha256(zoo.recording(m))
            for m in (asked["suspect"], asked["reference"], asked["before"], *asked["controls"])
        }
        key = [asked, files, self._spaces, provenance.__version__]
        return KEPT / f"{digest(key)[:16]}.json"


def row_of(study: provenance.Study) -> dict[str, Any]:
    """What a study says, in numbers."""
    findings = {f.name: f for f in study.findings}
    alike, moved = findings.get("likeness"), findings.get("change")
    direction = findings.get("change_direction")
    return {
        "verdict": study.verdict.label,
        "reasons": [{"code": r.code, "text": r.text} for r in study.verdict.reasons],
        "likeness": None if alike is None else _round(alike.statistic),
        "likeness_p": None if alike is None else _round(alike.p_value),
        "step": None if moved is None else _round(moved.effect),
        "step_p": None if moved is None else moved.p_value,
        "direction_p": None if direction is None else _round(direction.p_value),
        "steps_to_controls": None
        if direction is None
        else [_round(s) for s in direction.values["controls"]],
        "propositions": {
            f"{p.hypothesis}/{p.against}": _round(p.log10_lr) if p.assessed else p.why_not
            for p in study.document.propositions
        },
    }


def suspects(kind: str) -> list[str]:
    """Derivatives of the base that were recorded, students or controls."""
    return [m for m, k in zoo.models().items() if k == kind and zoo.recording(m).is_file()]


def without(names: Sequence[str], *left_out: str) -> list[str]:
    return [n for n in names if n not in left_out]


def places(library: Path) -> dict[str, Any]:
    """Where everything lies in the library's spaces: descriptive, no test.

    ``towards`` holds, for each place that a derivative may have moved to, the cosine of its change
    with the way there from the base, the share of that way, and how far it is still. The way is
    measured from other answers of the base than the change, else their noise would be shared.
    """
    from provenance.library.population import Library

    opened, found = Library.open(library), {}
    recorded = [m for m in zoo.models() if zoo.recording(m).is_file()]
    frames = {m: pd.read_parquet(zoo.recording(m)) for m in recorded}
    for name in opened.spaces():
        space = opened.space(name)
        rows = {m: np.asarray(space.rows(list(f.output))) for m, f in frames.items()}
        first = (frames[zoo.BASE]["sample"] == 0).to_numpy()
        start, before = rows[zoo.BASE][first].mean(axis=0), rows[zoo.BASE][~first].mean(axis=0)
        here: dict[str, Any] = {}
        for m in [*suspects("student"), *suspects("control")]:
            change, towards = rows[m].mean(axis=0) - before, {}
            for place in (zoo.TEACHER, zoo.MANUAL, *suspects("control")):
                if place != m:
                    way = rows[place].mean(axis=0) - start
                    left = np.linalg.norm(rows[place].mean(axis=0) - rows[m].mean(axis=0))
                    towards[place] = {
                        "cosine": _round(
                            change @ way / np.linalg.norm(change) / np.linalg.norm(way)
                        ),
                        "share_of_the_way": _round(change @ way / (way @ way)),
                        "distance_left": _round(left),
                    }
            here[m] = towards
        found[space.view] = here
    return found


def raw_similarity() -> dict[str, float]:
    """What not to do: cosine of pooled character trigrams with the teacher's."""

    def counts(model: str) -> Counter[str]:
        text = "\n".join(pd.read_parquet(zoo.recording(model)).output)
        return Counter(text[i : i + 3] for i in range(len(text) - 2))

    teacher = counts(zoo.TEACHER)
    found = {}
    for model in [zoo.BASE, *zoo.DAMAGED, *suspects("student"), *suspects("control")]:
        if zoo.recording(model).is_file():
            own = counts(model)
            keys = sorted(own | teacher)
            a, b = np.array([own[k] for k in keys]), np.array([teacher[k] for k in keys])
            found[model] = round(float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)), 4)
    return found


def separation() -> dict[str, Any]:
    """That training prompts and probes are apart, by words and by digest."""
    prompts = texts.training_prompts(2 * zoo.COUNT, seed=0)
    probes = [texts.asked(c) for c in texts.probes()]
    shared = {prompt_digest(p) for p in prompts} & {prompt_digest(p) for p in probes}
    if shared:
        raise SystemExit(f"{len(shared)} training prompts are probes")
    return {
        "training_prompts": len(prompts),
        "probes": len(probes),
        "shared_prompts": 0,
        "shared_topic_words": 0,  # `training_prompts` drops a topic with any
        "largest_overlap_of_all_words": round(texts.overlap(prompts), 3),
    }


def run(cases: Cases) -> dict[str, Any]:
    """The studies, from the one that matters to the checks."""
    students, tuned = suspects("student"), suspects("control")
    truth = dict.fromkeys(students, "student") | dict.fromkeys(tuned, "control")
    controls = [*tuned, zoo.MANUAL]

    def against_the_teacher(away_from: Sequence[str], **how: Any) -> list[dict[str, Any]]:
        """Every derivative but the control itself, one control at a time: like beside like."""
        return [
            {"truth": truth[m]} | cases.weigh(m, zoo.TEACHER, [control], **how)
            for control in away_from
            for m in truth
            if m != control
        ]

    print("\nAgainst the teacher; before: the base; away from one control", flush=True)
    one = against_the_teacher(controls)
    print("\nWith one answer to each of the 45 probes instead of three", flush=True)
    fewer = against_the_teacher([zoo.MANUAL], samples=(0,))
    print(f"\nEvery answer cut to {SHORT} characters: without its length and its end", flush=True)
    short = against_the_teacher([zoo.MANUAL], cut=SHORT)
    print("\nAll controls at once: the rank of the teacher among the places to move to", flush=True)
    together = [{"truth": "student"} | cases.weigh(m, zoo.TEACHER, controls) for m in students]
    print("\nA wrong reference: a control in the teacher's place", flush=True)
    wrong = [
        {"truth": "not its teacher"} | cases.weigh(m, c, [zoo.TEACHER, zoo.MANUAL])
        for c in tuned
        for m in students
    ]
    print("\nNothing changed: the base against itself, on other draws", flush=True)
    other = {"controls": [tuned[0], zoo.MANUAL]}
    unchanged = [
        {"truth": "unchanged"}
        | cases.weigh(zoo.BASE, zoo.TEACHER, **other, samples=(k,), samples_before=((k + 1) % 3,))
        for k in ALL
    ]
    return {
        "against_the_teacher": one,
        "fewer_outputs": fewer,
        "cut_short": short,
        "all_controls": together,
        "wrong_reference": wrong,
        "unchanged": unchanged,
    }


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """How often a student's step is longer than a control's, away from the same control."""
    every: dict[str, Any] = {}
    for part in ("against_the_teacher", "fewer_outputs", "cut_short"):
        every[part] = {}
        for control in dict.fromkeys(c for r in found[part] for c in r["controls"]):
            rows = [r for r in found[part] if r["controls"] == [control]]
            steps = {
                t: [r["step"] for r in rows if r["truth"] == t] for t in ("student", "control")
            }
            longer = [s > c for s in steps["student"] for c in steps["control"]]
            few = {t: sum(r["step_p"] <= ALPHA for r in rows if r["truth"] == t) for t in steps}
            moved = {t: f"{few[t]} of {len(own)}" for t, own in steps.items()}
            every[part][f"away from {control}"] = {
                "steps": steps,
                "student_longer_than_control": f"{sum(longer)} of {len(longer)}",
                "p_at_most_alpha": moved,
            }
    return every


def _round(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)


def _line(row: dict[str, Any]) -> str:
    def number(name: str) -> str:
        return "–" if row[name] is None else f"{row[name]:.4g}"

    numbers = "  ".join(
        f"{name} {number(name):>7}" for name in ("likeness_p", "step", "step_p", "direction_p")
    )
    return f"{row['suspect']:20} {row['outputs']:4}  {numbers}  {row['verdict']}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--library", type=Path, default=LIBRARY)
    parser.add_argument("--make", action="store_true", help="train and record what is missing")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    zoo.manual()
    if arguments.make:
        zoo.make()
    with tempfile.TemporaryDirectory() as folder:
        found = run(Cases(arguments.library, Path(folder)))
    made = [s for s in zoo.sources() if zoo.recording(f"{s.name}-{s.doses[-1]}").is_file()]
    document = {
        "made_from": {
            "teacher": "SmolLM2-135M-Instruct Q4_1",
            "base": "Gemma 3 270M base Q4_K_M",
            "tuning": f"low rank {zoo.TUNING.rank}, rate {zoo.TUNING.step_size}, "
            f"{zoo.TUNING.batch} texts a step of {zoo.TUNING.tokens} tokens at most",
            "sources": {s.name: [s.of, list(s.doses)] for s in made},
            "library": arguments.library.name,
            "alpha": ALPHA,
            "python": platform.python_version(),  # whose manual is the human text
        },
        "separation": separation(),
        "raw_similarity": raw_similarity(),
        "places": places(arguments.library),
        "summary": summary(found),
        **found,
    }
    arguments.out.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    print(json.dumps(document["summary"], indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
