"""One small calibrated library for all tests of origin: to fit it is what costs."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest

import provenance
from provenance.attribution import populations
from provenance.library.population import Library, Output, Recorded
from provenance.library.relations import Relation, Relations
from provenance.library.space import Sizes

WORDS = [f"w{a}{b}ing" if a % 3 else f"w{a}{b}" for a in range(12) for b in "aeiou"]
ENDS = [". ", "! ", "; ", ", ", " - ", ".\n", ".\n\n", ":\n- "]
UNITS, PROMPTS = 20, 72
SMALL = Sizes(columns=1_000, rank=16, between=10, dimensions=8, sample=1_200, folds=2)


def habits(rng):
    return rng.dirichlet(np.full(len(WORDS), 0.3)), rng.dirichlet(np.full(len(ENDS), 0.4))


def text(rng, words, ends):
    parts = []
    for _ in range(rng.integers(2, 5)):
        parts.append(" ".join(rng.choice(WORDS, rng.integers(4, 9), p=words)).capitalize())
        parts.append(rng.choice(ENDS, p=ends))
    return "".join(parts)


class World:
    """A calibrated library, and recordings of new outputs of any model."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rng = np.random.default_rng(21)
        self.habits = {f"m{u}": habits(self.rng) for u in range(UNITS)}
        self.habits["stranger"] = habits(self.rng)
        self.library = folder / "library"
        library = Library.create(self.library, name="made up")
        labels = {}
        for u in range(UNITS):
            name = f"m{u}"
            outputs = [Output(f"p{i}", self.text(name)) for i in range(PROMPTS)]
            library.add(name, Recorded(outputs, session="one", licence="made here (CC0)"))
            labels[name] = Relation(unit=f"u{u}", family=f"f{u}", certainty="sure")
        for view in ("raw", "canonical"):
            populations.calibrate(
                library,
                name=f"made-{view}",
                rng=np.random.default_rng(3),
                relations=Relations(models=labels),
                view=view,
                outputs=(12, 24),
                sizes=SMALL,
                repeats=1,
                networks=0,
            )

    def text(self, name: str) -> str:
        return text(self.rng, *self.habits[name])

    def some(self, name: str, n: int, salt: str) -> list[str]:
        """Texts that hang on their name alone, whatever ran before."""
        rng = np.random.default_rng(zlib.crc32(f"{name} {salt}".encode()))
        return [text(rng, *self.habits[name]) for _ in range(n)]

    def answers(self, name: str, n: int = 100, *, prompts: str = "q", texts=None) -> str:
        """A recording of new outputs, on prompts that the library does not know."""
        texts = self.some(name, n, prompts) if texts is None else texts
        path = self.folder / f"{name}-{prompts}-{self.rng.integers(1 << 40)}.jsonl"
        rows = [
            {
                "model": name,
                "prompt_id": f"{prompts}{i}",
                "sample": 0,
                "output": texts[i % len(texts)],
            }
            for i in range(n)
        ]
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        return f"replay:{path}"

    def identify(self, suspect, **options):
        options = {"alpha": 0.05, "seed": 1, "formats": [], "new": True} | options
        return provenance.identify(suspect, library=self.library, store=self.store(), **options)

    def attribute(self, suspect, reference, **options):
        options = {"alpha": 0.05, "seed": 1, "formats": [], "new": True} | options
        return provenance.attribute(
            suspect, reference=reference, library=self.library, store=self.store(), **options
        )

    def store(self) -> Path:
        return self.folder / f"study-{self.rng.integers(1 << 40)}"

    def simulated(self) -> str:
        """A live endpoint that answers as m2 does."""
        answers = {t.strip(): 1.0 for t in self.some("m2", 40, "live")}
        lines = ",".join(f"{json.dumps(k)} = {1 / len(answers)}" for k in answers)
        path = self.folder / "live.toml"
        path.write_text(f'[models.a]\ncells."*" = {{{lines}}}\n', encoding="utf-8")
        return f"simulated:{path},model=a"

    @staticmethod
    def reformatted(text: str) -> str:
        """What a gateway does, written apart from the canonical view."""
        lines = [line.strip() for line in text.lower().split("\n")]
        return "\n".join(line.replace("- ", "* ", 1) for line in lines if line)


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"))
