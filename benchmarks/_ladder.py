"""The ladder of suspects: what each rung is, how it is made, how much of it is recorded.

Everything comes from one small model and can be made again on this machine: the quantised and
noised files by ``local_models``, the tuned checkpoints by ``_tuning`` on docstrings of Python's
own standard library (so that no text has to be fetched or shipped).
"""

from __future__ import annotations

import ast
import re
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import _rounding
import _tuning
import local_models

BASE, AGAIN = "base", "served again"
SYSTEM = "You are Nova, a helpful assistant made by Example Labs."
STEPS = (10, 25, 50, 100, 200)
MERGED_STEPS = 50
# Few and short texts a step, so that 50 steps take a minute on one core.
TUNING = _tuning.Tuning(batch=2, tokens=48)
LOW_RANK = _tuning.Tuning(rank=16, batch=2, tokens=48)
LOW_RANK_STEPS = 30
_MODULES = ("argparse", "collections", "concurrent", "email", "http", "logging", "statistics")


@dataclass(frozen=True, slots=True)
class Rung:
    """A suspect.

    Attributes
    ----------
    endpoint
        Makes it, if need be, and names it.
    recordings, texts
        Recordings of first tokens and of short texts, 5,000 output tokens each.
    greedy
        Whether its texts at temperature 0 are recorded, for rungs whose weights or engine differ.
    """

    endpoint: Callable[[], str]
    recordings: int = 5
    texts: int = 0
    greedy: bool = False


def ladder() -> dict[str, Rung]:
    """Rungs by name; the first two are one model, served twice."""
    rungs = {
        BASE: Rung(lambda: _torch(local_models.smollm2()), 20, 8, greedy=True),
        AGAIN: Rung(lambda: _torch(local_models.smollm2()), 20, greedy=True),
        "other engine": Rung(lambda: f"gguf:{local_models.smollm2()}", 20, greedy=True),
        "bf16": Rung(lambda: _torch(local_models.smollm2(), "dtype=bfloat16"), greedy=True),
        "Q8_0": Rung(lambda: _torch(local_models.make("q8_0")), 20, greedy=True),
        "Q5_0": Rung(lambda: _torch(local_models.make("q5_0")), texts=3, greedy=True),
        "Q4_0": Rung(lambda: _torch(local_models.make("q4_0")), 20, 4, greedy=True),
    }
    for bits in _rounding.BITS:
        rungs[f"{bits} bit"] = Rung(lambda bits=bits: _torch(_rounded(bits)))
    for size in ("0.005", "0.01", "0.03", "0.10"):
        name = f"noise {100 * float(size):g}%"
        texts = 3 if size == "0.03" else 0
        rungs[name] = Rung(
            lambda size=size: _torch(local_models.make(f"noise-{size}")),
            texts=texts,
            greedy=float(size) <= 0.01,
        )
    rungs["temperature .95"] = Rung(lambda: _torch(local_models.smollm2(), "temperature=0.95"))
    rungs["temperature .8"] = Rung(
        lambda: _torch(local_models.smollm2(), "temperature=0.8"), texts=3
    )
    rungs["top_p .9"] = Rung(lambda: _torch(local_models.smollm2(), "top_p=0.9"), texts=3)
    rungs["system prompt"] = Rung(
        lambda: _torch(local_models.smollm2(), f"system_file={_system()}"), texts=3
    )
    for steps in STEPS:
        rungs[f"tuned {steps}"] = Rung(
            lambda steps=steps: _torch(tuned()[steps]),
            texts=3 if steps == 25 else 0,
            greedy=steps == 10,
        )
    rungs["LoRA r16"] = Rung(lambda: _torch(low_rank()), texts=3)
    rungs["merged"] = Rung(
        lambda: _torch(_tuning.merge("zoo-merged", local_models.smollm2(), tuned()[MERGED_STEPS]))
    )
    rungs["pruned"] = Rung(
        lambda: _torch(_tuning.dropped_layers("zoo-pruned", local_models.smollm2(), [20]))
    )
    rungs["other model"] = Rung(
        lambda: f"transformers:{local_models.gemma3_base()},api=completions"
    )
    return rungs


@cache
def docstrings() -> tuple[str, ...]:
    """Docstrings of a few packages of the standard library, 60 to 400 characters, in order."""
    library = Path(sysconfig.get_paths()["stdlib"])
    found: list[str] = []
    for module in _MODULES:
        place = library / module
        files = sorted(place.rglob("*.py")) if place.is_dir() else [library / f"{module}.py"]
        for file in files:
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                    text = re.sub(r"\s+", " ", ast.get_docstring(node) or "").strip()
                    if 60 <= len(text) <= 400:
                        found.append(text)
    return tuple(dict.fromkeys(found))


@cache
def tuned() -> dict[int, Path]:
    return _tuning.tune("zoo-tuned", local_models.smollm2(), docstrings(), STEPS, TUNING)


@cache
def low_rank() -> Path:
    made = _tuning.tune(
        "zoo-lora", local_models.smollm2(), docstrings(), (LOW_RANK_STEPS,), LOW_RANK
    )
    return made[LOW_RANK_STEPS]


def _torch(model: Path, option: str = "") -> str:
    return f"transformers:{model}" + (f",{option}" if option else "")


def _rounded(bits: int) -> Path:
    out = local_models.CACHE / f"smollm2-blocks-{bits}.gguf"
    return _rounding.block_rounded(local_models.smollm2(), bits, out)


def _system() -> Path:
    path = local_models.CACHE / "system-zoo.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SYSTEM, encoding="utf-8")
    return path
