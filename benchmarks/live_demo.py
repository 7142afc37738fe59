"""`make demo`: compare real language models on this machine, three times, and write the dossiers.

(a) SmolLM2 with itself, served again; (b) with a damaged copy of itself (re-quantised to Q4_0);
(c) with another model (Gemma 3 270M base, fetched after a notice of its terms). Everything is
asked live; nothing leaves this machine but the one download.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import local_models

from provenance import compare
from provenance.cli.progress import ProgressPrinter
from provenance.dossier.terminal import summary

CACHE = Path(".cache/models")
# A model of this size rambles at temperature 1; both sides are asked alike.
DECODING = ",temperature=0.7"


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison of the demo."""

    name: str
    title: str
    reference: str
    suspect: str
    expected: str


def cases(gemma: bool) -> Iterator[Case]:
    smollm2 = local_models.smollm2()
    yield Case(
        "a-served-again",
        "a model with itself, served again",
        f"transformers:{smollm2}{DECODING}",
        f"transformers:{smollm2}{DECODING}",
        "not different",
    )
    damaged = local_models.requantised(smollm2, "Q4_0", CACHE / "smollm2-q4_0.gguf")
    yield Case(
        "b-requantised",
        "a model with a damaged copy of itself (4-bit, re-quantised)",
        f"transformers:{smollm2}{DECODING}",
        f"transformers:{damaged}{DECODING}",
        "different",
    )
    if gemma:
        other = local_models.gemma3_base()
        yield Case(
            "c-other-model",
            "a model with another one (both asked as plain text, without a chat template)",
            f"transformers:{smollm2},api=completions{DECODING}",
            f"transformers:{other},api=completions{DECODING}",
            "different",
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gemma", choices=["yes", "no"], default="yes")
    parser.add_argument("--out", type=Path, default=Path("reports/live-demo"))
    parser.add_argument("--seed", type=int, default=None, help="drawn and recorded if absent")
    arguments = parser.parse_args()
    began = time.monotonic()
    dossiers, surprises = [], []
    for case in cases(arguments.gemma == "yes"):
        store = arguments.out / case.name
        if store.exists():
            shutil.rmtree(store)
        print(f"\n── {case.title}\n", flush=True)
        with ProgressPrinter() as progress:
            study = compare(
                case.reference,
                case.suspect,
                battery="quick",
                store=store,
                seed=arguments.seed,
                # Scoring every text under the weights takes a minute a case on two cores.
                likelihood=False,
                progress=progress,
            )
        dossier = study.written["pdf"]
        width = shutil.get_terminal_size((100, 24)).columns
        print(summary(study.document, width=width, color=sys.stdout.isatty(), dossier=dossier))
        if (study.verdict.label == "different") != (case.expected == "different"):
            surprises.append(f"{case.name}: expected {case.expected}, got {study.verdict.label}")
        dossiers.append(dossier)
    print(f"\n{len(dossiers)} questions, {time.monotonic() - began:.0f} s. The dossiers:")
    for dossier in dossiers:
        print(f"  {dossier}")
    print(f"\nCheck one: provenance verify {dossiers[-1].parent}")
    for surprise in surprises:
        # At alpha = .01 one in a hundred demos of an equal pair may say "different".
        print(f"unexpected: {surprise}", file=sys.stderr)
    return 1 if surprises else 0


if __name__ == "__main__":
    raise SystemExit(main())
