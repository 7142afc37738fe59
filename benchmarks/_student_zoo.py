"""Make and record the models of `student.py`: a teacher, a base, students and controls.

Recordings and training texts are kept under ``benchmarks/student/``, weights under ``.cache``.
What is there is not made again.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import _student_texts as texts
import _tuning
import local_models
import pandas as pd

from provenance.canonical import digest

HOME = Path(__file__).parent / "student"
OWN = local_models.CACHE.parent / "student"
TUNING = _tuning.Tuning(rank=16, rate=1e-3, batch=4, tokens=72)
COUNT = 160  # training texts of a source
SAMPLES = 3  # answers to a probe
TEACHER, BASE, MANUAL = "smollm2", "gemma-base", "human-manual"
DAMAGED = {"smollm2-q4_0": "q4_0"}


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """What a derivative of Gemma was tuned on."""

    name: str
    student: bool
    of: str
    texts: Callable[[], list[tuple[str, str]]]
    seed: int
    doses: tuple[int, ...] = (40,)


def sources() -> list[Source]:
    first, second = "prompts 1-160", "prompts 161-320"
    return [
        Source(
            "student-a",
            True,
            f"the teacher's answers, {first}",
            lambda: _answered("a"),
            0,
            (10, 40),
        ),
        Source("control-docs", False, "docstrings", lambda: _few(texts.docstrings()), 0),
        Source(
            "control-self", False, f"the base's own answers, {first}", lambda: _answered("s"), 0
        ),
        Source("student-b", True, f"the teacher's answers, {second}", lambda: _answered("b"), 1),
        Source("control-chapters", False, "a manual", lambda: _few(texts.chapters()), 0),
    ]


def models() -> dict[str, str]:
    """Every model that is recorded, with what it is."""
    found = {TEACHER: "the teacher", BASE: "the base of the students"}
    found |= dict.fromkeys(DAMAGED, "the teacher, damaged") | {MANUAL: "human text, any"}
    for source in sources():
        kind = "student" if source.student else "control"
        found |= {f"{source.name}-{dose}": kind for dose in source.doses}
    return found


def make() -> None:
    """Texts, weights and recordings that are missing."""
    HOME.mkdir(exist_ok=True)
    record(TEACHER, local_models.smollm2)
    record(BASE, _base)
    manual()
    for source in sources():
        names = [f"{source.name}-{dose}" for dose in source.doses]
        if not all(recording(name).is_file() for name in names):
            print(f"tuning {source.name}", file=sys.stderr, flush=True)
            gemma = local_models.gemma3_base()
            tuning = dataclasses.replace(TUNING, seed=source.seed)
            made = _tuning.tune(source.name, gemma, source.texts(), source.doses, tuning)
            for name, dose in zip(names, source.doses, strict=True):
                record(name, lambda made=made, dose=dose: made[dose])
    for name, kind in DAMAGED.items():
        record(name, lambda kind=kind: local_models.make(kind))


def manual() -> None:
    """Paragraphs of a manual as if they were answers: not of a model, and not kept in the project.

    Those of the Python that runs this; another version of it has other words.
    """
    recording(MANUAL).parent.mkdir(parents=True, exist_ok=True)
    write(MANUAL, [text for _, text in _few(texts.chapters(), len(texts.probes()) * SAMPLES)])


def record(name: str, model: Callable[[], Path]) -> None:
    """Answers to every probe of `style`, as a recording for ``replay:``."""
    if recording(name).is_file():
        return
    print(f"recording {name}", file=sys.stderr, flush=True)
    asked = [texts.asked(c) for c in texts.probes()]
    seed = int(digest(name)[:7], 16)
    write(name, texts.answers(model(), asked * SAMPLES, seed))


def write(name: str, outputs: Sequence[str]) -> None:
    """Outputs to all probes, so many times over."""
    cells = texts.probes()
    asked = [texts.asked(c) for c in cells]
    frame = pd.DataFrame(
        {
            "model": name,
            "prompt_id": [c.id for c in cells] * SAMPLES,
            "sample": [s for s in range(SAMPLES) for _ in cells],
            "output": outputs,
            "prompt": asked * SAMPLES,
        }
    )
    frame.to_parquet(recording(name), index=False, compression="zstd")


def recording(name: str) -> Path:
    return (OWN if name == MANUAL else HOME) / f"{name}.parquet"


def _answered(which: str) -> list[tuple[str, str]]:
    """Training prompts with the answers of the teacher (a, b) or of the base itself (s)."""
    kept = HOME / f"texts-{which}.json"
    if not kept.is_file():
        every = texts.training_prompts(2 * COUNT, seed=0)
        prompts = every[COUNT:] if which == "b" else every[:COUNT]
        model = _base() if which == "s" else local_models.smollm2()
        outputs = texts.answers(model, prompts, seed=ord(which))
        pairs = [[p, o] for p, o in zip(prompts, outputs, strict=True) if o]
        kept.write_text(json.dumps(pairs, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")
    return [(p, o) for p, o in json.loads(kept.read_text(encoding="utf-8"))]


def _few(pairs: Sequence[tuple[str, str]], count: int = COUNT) -> list[tuple[str, str]]:
    step = len(pairs) / count
    return [pairs[int(i * step)] for i in range(count)]


def _base() -> Path:
    return _tuning.tune("gemma", local_models.gemma3_base(), [], (0,), TUNING)[0]


if __name__ == "__main__":
    make()
