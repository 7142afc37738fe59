"""Rebuild the library that ships, configs/libraries/default, from recorded corpora.

    python benchmarks/default_library.py [--corpora DIR] [--out DIR] [--work DIR]

Takes the corpora whose terms allow derived numbers to be shared (misguided, CC0; reasoning_gsm and
code, Apache-2.0), the models whose labels are sure, and writes two spaces (texts as they stand, and
the canonical view), profiles, named habits and calibrations: numbers only, no text. The corpora lie
beside the checkout (../shared/corpora) and do not belong to the project; without them this says so
and changes nothing. About ten minutes on one core.

Fixed beforehand: 240 of the 440 prompts of reasoning_gsm (by the digest of their words) and 3 of
the 20 samples a prompt of code (at random: neighbours in it are equal too often), so that no corpus
crowds out the others; bundles of 10, 20, 50 and 100 outputs; seed 20261125.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))

from relations import CORPORA, convert

from provenance.attribution import populations
from provenance.attribution.closed_fit import FOLDER
from provenance.attribution.habits import Habits
from provenance.attribution.outsiders import FOLDER as OUTSIDERS
from provenance.library.parts import prompt_digest
from provenance.library.population import Library, Output, Recorded
from provenance.library.population.exchange import export, take
from provenance.library.relations import Relations
from provenance.library.space import Sizes

OUT = Path(__file__).resolve().parents[1] / "configs" / "libraries" / "default"
SEED = 20261125
OUTPUTS = (10, 20, 50, 100)
# What known pairs choose in both views (`benchmarks/telling.py`: with few models in each of three
# genres 1/4 saves .001 ± .012 bits), given here so that pairs are scored once.
SIZES = Sizes(telling=0.0)


@dataclass(frozen=True)
class Source:
    """One corpus: how its genre is called, where it is from, and under which terms."""

    name: str
    genre: str
    origin: str
    licence: str
    prompts: int | None = None
    samples: int | None = None


SOURCES = (
    Source("misguided", "puzzles", "cpldcpu/MisguidedAttention", "CC0-1.0"),
    Source("reasoning_gsm", "arithmetic", "WildEval/ZeroEval", "Apache-2.0", prompts=240),
    Source("code", "code", "seketeam/EvoCodeBench", "Apache-2.0", samples=3),
)


def recordings(corpora: Path, source: Source) -> Iterator[tuple[str, list[Output]]]:
    """Outputs of each model."""
    frame = pd.read_parquet(corpora / f"{source.name}.parquet").dropna(subset=["output"])
    frame["output"] = frame.output.str.strip()
    frame = frame[frame.output != ""]
    known = pd.read_parquet(corpora / "prompts.parquet")
    words = known[known.corpus == source.name].set_index("prompt_id").prompt.to_dict()
    digests = {str(p): prompt_digest(words.get(p, str(p))) for p in frame.prompt_id.unique()}
    if source.prompts is not None:
        kept = sorted(digests, key=lambda p: digests[p][::-1])[: source.prompts]
        frame = frame[frame.prompt_id.astype(str).isin(kept)]
    if source.samples is not None:
        shuffled = frame.sample(frac=1, random_state=SEED)
        frame = shuffled.groupby(["model", "prompt_id"]).head(source.samples).sort_index()
    for model, own in frame.groupby("model"):
        rows = zip(own.prompt_id.astype(str), own["sample"], own.output, strict=True)
        yield (
            str(model),
            [Output(p, o, sample=int(s), prompt_digest=digests[p]) for p, s, o in rows],
        )


def add_all(library: Library, corpora: Path) -> None:
    labels = convert(corpora / "models.csv", [s.name for s in SOURCES])
    sure = {m: r for m, r in labels.models.items() if r.certain("unit") == "sure"}
    for source in SOURCES:
        for model, outputs in recordings(corpora, source):
            if model in sure:
                library.add(
                    model,
                    Recorded(
                        outputs,
                        session=source.name,
                        host="as published",
                        source=source.origin,
                        licence=source.licence,
                        genre=source.genre,
                    ),
                )
    there = {b.model for b in library.bundles()}
    library.label(Relations(models=sure).restricted(there))


def ship(library: Library, out: Path) -> None:
    """Everything but the texts."""
    if out.exists():
        shutil.rmtree(out)
    made = Library.create(out, name="default")
    with tempfile.TemporaryDirectory() as scratch:
        for digest in library.spaces():
            file = Path(scratch) / f"{digest[:12]}.parquet"
            export(library, file, space=digest)
            take(made, file)
    for part in ("spaces", "calibrations", FOLDER, OUTSIDERS):
        shutil.copytree(library.path / part, out / part, dirs_exist_ok=True)
    Habits.of(library)
    shutil.copy(library.path / "habits.json", out)
    (out / ".lock").unlink(missing_ok=True)  # of writers; nobody writes to what ships
    (out / "NOTICE.md").write_text(notice(made), encoding="utf-8")


def notice(library: Library) -> str:
    bundles = library.bundles()
    lines = [
        "# The library that ships",
        "",
        "Numbers derived from recorded outputs of language models: spaces, means and variances of",
        "profiles, shares of habits, calibrations. No text of the sources is contained. Rebuilt by",
        "`benchmarks/default_library.py`.",
        "",
        "| source | licence | genre | models | outputs |",
        "|---|---|---|---|---|",
    ]
    for s in SOURCES:
        own = [b for b in bundles if b.genre == s.genre]
        cells = (f"https://github.com/{s.origin}", s.licence, s.genre, f"{len(own)}")
        lines.append(f"| {' | '.join(cells)} | {sum(b.outputs for b in own):,} |")
    lines += [
        "",
        "ZeroEval and EvoCodeBench are used under the Apache License, Version 2.0",
        "(https://www.apache.org/licenses/LICENSE-2.0); their outputs were changed into numbers.",
        "MisguidedAttention is dedicated to the public domain (CC0 1.0). Names of models are those",
        "of the sources and belong to their owners, who have no part in this.",
        "",
    ]
    return "\n".join(lines)


def say(step: str, done: int | None = None, total: int = 0, name: str = "") -> None:
    if done is None or done in (0, total) or done % 10 == 0:
        shown = step if done is None else f"{step} {done}/{total} {name}"
        print(shown, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", type=Path, default=CORPORA)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--work", type=Path, help="keep the library with texts here")
    options = parser.parse_args()
    missing = [s.name for s in SOURCES if not (options.corpora / f"{s.name}.parquet").is_file()]
    if missing:
        print(f"no {', '.join(missing)} at {options.corpora}: nothing was rebuilt", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as scratch:
        library = Library.open(options.work or Path(scratch) / "default", create=True)
        if not library.bundles():
            add_all(library, options.corpora)
        for view, name in (("raw", "default"), ("canonical", "default-canonical")):
            done = populations.calibrate(
                library,
                name=name,
                rng=np.random.default_rng([SEED, len(view)]),
                view=view,
                outputs=OUTPUTS,
                sizes=SIZES,
                networks=0,  # with two networks files are ten times as large
                about={"seed": SEED},
                say=say,
            )
            shown = {
                "view": view,
                "unusual": done.unusual,
                "calibrations": {n: c.summary() for n, c in done.calibrations.items()},
                "left_out": done.left_out,
                "across": [a.model_dump() | {"holds": a.holds} for a in done.across],
            }
            print(json.dumps(shown, indent=1))
        ship(library, options.out)
    size = sum(f.stat().st_size for f in options.out.rglob("*") if f.is_file())
    print(f"{options.out}: {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
