"""Turn the stores of `make demo` into the recordings that ship in the package (configs/demo).

Answers of local open models only, with the time of each request, so that `provenance demo` can
replay them. Run it after `make demo`, when probes or batteries have changed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from provenance.evidence.store import Store
from provenance.transcript import ROLES, Transcript

OUT = Path("configs/demo")
CASES = {
    "a-served-again": (
        "a model with itself, served again",
        "SmolLM2-135M-Instruct twice, independent draws, temperature 0.7.",
    ),
    "b-requantised": (
        "a model with a damaged copy of itself",
        "SmolLM2-135M-Instruct against its weights re-quantised to Q4_0, temperature 0.7.",
    ),
    "c-other-model": (
        "a model with another one",
        "SmolLM2-135M-Instruct against Gemma 3 270M base, both asked as plain text, "
        "temperature 0.7.",
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", type=Path, default=Path("reports/live-demo"))
    arguments = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    rows = [
        "# The cases of `provenance demo`: recordings of real local models, made by",
        "# benchmarks/record_demo.py. SmolLM2: Apache-2.0. Gemma is provided under and subject to",
        "# the Gemma Terms of Use (https://ai.google.dev/gemma/terms).",
    ]
    for name, (title, note) in CASES.items():
        with Store.open(arguments.stores / name) as store:
            transcript = Transcript(store.records())
            day = store.plan["created_utc"][:10]
        for role in ROLES:
            lines = [
                json.dumps(
                    {
                        "model": r.completion.served_model or role,
                        "prompt_id": r.cell,
                        "sample": r.draw,
                        "output": r.completion.text,
                        "started_utc": r.started_utc,
                        "finish_reason": r.completion.finish_reason,
                    },
                    ensure_ascii=False,
                )
                for r in transcript.completed(role)
            ]
            (OUT / f"{name}-{role}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        rows += [
            "",
            "[[case]]",
            f'name = "{name}"',
            f'title = "{title}"',
            f'reference = "{name}-reference.jsonl"',
            f'suspect = "{name}-suspect.jsonl"',
            f'note = "{note} Recorded {day}."',
        ]
    (OUT / "cases.toml").write_text("\n".join(rows) + "\n", encoding="utf-8")
    print(f"{OUT}: {len(CASES)} cases")


if __name__ == "__main__":
    main()
