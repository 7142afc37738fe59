"""What `identify` still says of a known model whose host changed its answers.

    python benchmarks/hosts.py --library DIR [--limit N] [--alpha .05] [--genre G]

DIR is a library with texts and both views, such as `benchmarks/default_library.py --work DIR`
keeps. Suspects are 20 outputs of each model on prompts of parts 2 and 3, which the library is then
without (as in `identification.py`), as they are and after one change to every output:

fence removed     lines of code fences go, what is in them stays
fenced            the whole answer in a fence, labelled json where it is JSON
backticks deleted all of them, which leaves the label of a fence on a line of its own
JSON minified, JSON indented
                  parsed and written anew where it parses, the words beside it left alone
Markdown stripped marks, fences and blank lines
lower case
preface, closing  a sentence before, and one after

Each goes the way of a study, through `analyse_identification`. Printed for each change:

coverage          share of suspects whose own model is in the set
mean_set          models in it
own_below_a_tenth share of ratios of the own model below 1/10; own_not_assessed had none
others_above_10   share of ratios of models of other units above 10, and of how many ordered pairs
                  of models, the worst of which are named
first             share of suspects whose own model comes first in the closed set, by the half of
                  the discriminants that has not seen the suspects' outputs

Unit of every rate: a bundle; the bundles of a row are of different models, those of two rows are
the same outputs. Models share makers, so counts are printed and no intervals.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from identification import OUTPUTS, SUSPECTS, known_of, without_suspects

from provenance.attribution.closed_fit import HALVES
from provenance.attribution.closed_set import Closed
from provenance.attribution.known import InSpace, Known
from provenance.attribution.origin import analyse_identification
from provenance.battery import Cell
from provenance.findings import StudyDocument
from provenance.library.population import Library
from provenance.transcript import Completion, Record, Transcript

RESULTS = Path(__file__).parent / "results" / "hosts.json"
FEWEST_MODELS = 19
NAMED = 5  # of the worst pairs

Change = Callable[[str], str]


def fence_removed(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if not line.lstrip().startswith("```"))


def fenced(text: str) -> str:
    label = "json" if fence_removed(text).lstrip().startswith("{") else ""
    return f"```{label}\n{text}\n```"


def rewritten(**layout: Any) -> Change:
    """JSON written anew, without its fence if it is in one; other texts as they are."""

    def change(text: str) -> str:
        shown = fence_removed(text)
        start, end = shown.find("{"), shown.rfind("}") + 1
        try:
            value = json.loads(shown[start:end])
        except (ValueError, RecursionError):
            return text
        return shown[:start] + json.dumps(value, **layout) + shown[end:]

    return change


def stripped(text: str) -> str:
    """As a gateway does that shows plain text; written apart from the canonical view."""
    text = re.sub(r"``` ?[a-zA-Z]*\n?", "", text)
    text = re.sub(r"(?m)^#{1,6} +|\*\*|__|`", "", text)
    text = re.sub(r"(?m)^[ \t]*[*+•-] +", "- ", text)
    return re.sub(r"\s*\n\s*", "\n", text).strip()


HOSTS: dict[str, Change] = {
    "as they are": lambda text: text,
    "fence removed": fence_removed,
    "fenced": fenced,
    "backticks deleted": lambda text: text.replace("`", ""),
    "JSON minified": rewritten(separators=(",", ":")),
    "JSON indented": rewritten(indent=4),
    "Markdown stripped": stripped,
    "lower case": str.lower,
    "preface": lambda text: f"Sure, here is the answer: {text}",
    "closing": lambda text: f"{text}\n\nI hope this helps!",
}


def unseen(known: Known) -> Known:
    """Without the discriminants that were fitted on the suspects' outputs: the others twice."""

    def cut(side: InSpace) -> InSpace:
        kept = [] if side.closed is None else [h.enrolled for h in side.closed.pairs()]
        twice = [replace(d, about=d.about | {"half": half}) for d in kept for half in HALVES]
        return replace(side, closed=Closed(tuple(twice)))

    return replace(
        known, main=cut(known.main), plain=None if known.plain is None else cut(known.plain)
    )


def analysed(texts: Sequence[str], known: Known, alpha: float) -> StudyDocument:
    """The document of a study of recorded texts, answers to prompts that are nobody else's."""
    plan = {
        "settings": {"alpha": alpha},
        "rules": {},
        "seed": 3,
        "endpoints": {"suspect": "replay:suspect"},
        "slots": [{} for _ in texts],
        "prices": {},
        "created_utc": "2026-01-01T00:00:00Z",
        "question": "identify",
        "declaration": {},
        "battery": {"name": "recorded", "digest": ""},
        "environment": {},
    }
    cells = [
        Cell(id=name, probe=name, family="recorded", reading="text", messages=(), draws=1,
             max_visible_tokens=1024)
        for name in (f"host-{i}" for i in range(len(texts)))
    ]  # fmt: skip
    records = [
        Record(
            slot=i,
            role="suspect",
            cell=cell.id,
            draw=0,
            block=None,
            attempt=1,
            final=True,
            started_utc=None,
            elapsed_s=None,
            request_sha256="",
            response_sha256="",
            completion=Completion(text=text),
        )
        for i, (cell, text) in enumerate(zip(cells, texts, strict=True))
    ]
    return analyse_identification(
        plan, cells, Transcript(records), (), plan_digest="", root=None, known=known
    )


def row(drawn: dict[str, list[str]], change: Change, known: Known, alpha: float) -> dict[str, Any]:
    models = known.main.enrolled.models
    unit = {m.called: m.unit for m in models}
    inside, sizes, own, others, first, ordered = 0, [], [], [], 0, 0
    above: dict[str, float] = {}
    for name, texts in drawn.items():
        made = analysed([change(text) for text in texts], known, alpha)
        inside += any(c.in_set and c.name == name for c in made.candidates)
        sizes.append(sum(c.in_set for c in made.candidates))
        if made.closed_set is not None and made.closed_set.first:
            ordered += 1
            first += made.closed_set.first[0].name == name
        for candidate in made.candidates:
            ratio = candidate.log10_lr
            if ratio is None:
                continue
            if candidate.name == name:
                own.append(ratio)
            elif unit[candidate.name] != unit[name]:
                others.append(ratio)
                if ratio > 1:
                    above[f"{name} taken for {candidate.name}"] = round(ratio, 2)
    worst = sorted(above, key=lambda pair: -above[pair])[:NAMED]
    return {
        "coverage": inside / len(drawn),
        "mean_set": float(np.mean(sizes)),
        "own": len(own),
        "own_not_assessed": len(drawn) - len(own),
        "own_below_a_tenth": float(np.mean(np.array(own) < -1)) if own else None,
        "others": len(others),
        "others_above_10": len(above) / len(others) if others else None,
        "pairs_above_10": len(above),
        "worst_pairs": {pair: above[pair] for pair in worst},
        "first": first / ordered if ordered else None,
        "ordered": ordered,
    }


def suspects(
    library: Library, known: Known, genre: str, limit: int, rng: np.random.Generator
) -> dict[str, list[str]]:
    models = known.main.enrolled.models
    bundles = {b.name: b for b in library.bundles() if b.genre == genre}
    drawn: dict[str, list[str]] = {}
    for model in models[:: max(1, -(-len(models) // limit))]:
        texts = [
            o.output
            for o in library.outputs(bundles[model.name])
            if int(o.prompt_digest, 16) % 8 in SUSPECTS and o.output.strip()
        ]
        if len(texts) >= OUTPUTS:
            drawn[model.called] = [texts[i] for i in rng.choice(len(texts), OUTPUTS, replace=False)]
    return drawn


def shown(genre: str, name: str, found: dict[str, Any]) -> str:
    def share(key: str) -> str:
        return "  -  " if found[key] is None else f"{found[key]:5.2f}"

    return (
        f"{genre:12}{name:20}{share('coverage')}{found['mean_set']:7.1f}"
        f"{share('own_below_a_tenth'):>8}{found['own_not_assessed']:5}"
        f"{found['pairs_above_10']:8}/{found['others']:<6}{share('first'):>7}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=100, help="suspects a genre")
    parser.add_argument("--alpha", type=float, default=0.05)
    parser.add_argument("--genre", action="append", help="of these only; nothing is written")
    parser.add_argument("--host", action="append", choices=HOSTS, help="these only; as --genre")
    options = parser.parse_args()
    library = Library.open(options.library)
    if not any(b.has_texts for b in library.bundles()):
        print(f"{options.library} holds no texts: nothing was measured", file=sys.stderr)
        return 1
    whole = unseen(without_suspects(known_of(library)))
    rng = np.random.default_rng(11)
    results: dict[str, Any] = {"outputs": OUTPUTS, "alpha": options.alpha, "genres": {}}
    print(f"{'':32}cover    set  own<.1 none  others>10 of   first")
    for genre in whole.main.enrolled.stated_genres:
        known = replace(whole.within(genre), genre=genre)
        drawn = suspects(library, known, genre, options.limit, rng)
        if len(known.main.enrolled) < FEWEST_MODELS or genre not in (options.genre or [genre]):
            continue
        rows = {}
        for name in options.host or HOSTS:
            rows[name] = row(drawn, HOSTS[name], known, options.alpha)
            print(shown(genre, name, rows[name]), flush=True)
        results["genres"][genre] = {
            "models": len(known.main.enrolled),
            "suspects": len(drawn),
            "hosts": rows,
        }
    if not options.genre and not options.host:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
