"""Labels of the recorded corpora, from their ``models.csv`` to a relations file.

    python benchmarks/relations.py [--corpora DIR] [--corpus NAME]… [--out models.toml]

The columns: corpus, model, kind, vendor, family, supergroup, base_model, parent_checkpoint,
trained_on_outputs_of, notes, confidence. Units are the supergroups; where two corpora call one
group by different names (by base in one, by vendor in the other) the names are joined, so that no
model's weights are on both sides of a split. What the table does not know stays unknown: an empty
list of teachers is "not known", "none (…)" is "no model's outputs".
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from provenance.library.relations import Relation, Relations

CORPORA = Path(__file__).resolve().parents[1] / "../shared/corpora"
# Kinds that have the weights of their parent, not weights made from them.
_SAME_WEIGHTS = ("prompt_variant", "best_of_n")
_NOT_A_MODEL = re.compile(r"\?|unknown|undisclosed|mix|synthetic|self\b|\(", re.IGNORECASE)


def convert(table: Path, corpora: Sequence[str] | None = None) -> Relations:
    """The labels of some corpora of a ``models.csv``; None: of all.

    A model that stands in several corpora gets what any of them says of it, the first that says
    something.
    """
    with table.open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if corpora is None or r["corpus"] in corpora]
    units = _units(rows)
    names = {r["model"] for r in rows}
    models: dict[str, Relation] = {}
    for row in rows:
        label = _label(row, units, names)
        known = models.get(row["model"])
        models[row["model"]] = label if known is None else known.over(label)
    return Relations(
        name=" + ".join(dict.fromkeys(r["corpus"] for r in rows)),
        licence="facts about models, from their cards and configuration files",
        source=table.name,
        models=_one_unit_a_lineage(models),
    )


def _label(row: dict[str, str], units: dict[str, str], names: set[str]) -> Relation:
    kind = "served" if row["kind"].startswith("same_weights") else row["kind"]
    parent = _named(row["parent_checkpoint"])
    pointer: dict[str, Any] = {}
    if parent is not None and parent != row["model"]:
        same = kind in (*_SAME_WEIGHTS, "served")
        pointer = {"same_weights_as" if same else "parent": parent}
    if not pointer and kind in ("served", "prompt_variant"):
        kind = "model"  # whose weights these are is not told
    values = {
        "family": row["family"] or None,
        "unit": units.get(row["supergroup"], row["supergroup"]) or None,
        "maker": _named(row["vendor"]),
        "base": _named(row["base_model"]),
        "teachers": _teachers(row["trained_on_outputs_of"], row["model"]),
        "kind": kind,
        "note": row["notes"],
        "certainty": row["confidence"] or "unknown",
        **pointer,
    }
    return Relation.model_validate({k: v for k, v in values.items() if v is not None})


def _teachers(text: str, model: str) -> list[str] | None:
    """Names of teachers; [] for "none (…)", None where any of them is not told."""
    if not text.strip():
        return None
    if text.startswith("none"):
        return [] if "mixture" not in text else None
    found = [part.strip() for part in text.split(";") if part.strip()]
    named = [t for t in found if not _NOT_A_MODEL.search(t) and t != model]
    return list(dict.fromkeys(named)) or None


def _named(text: str) -> str | None:
    """A name, None for an empty field or a question mark."""
    return text.strip() or None if "?" not in text else None


def _units(rows: Iterable[dict[str, str]]) -> dict[str, str]:
    """Supergroup to unit: groups that share a maker of base models under two names are one."""
    above: dict[str, str] = {}

    def root(name: str) -> str:
        while above.get(name, name) != name:
            name = above[name]
        return name

    found = list(rows)
    elsewhere = {(r["corpus"], r["supergroup"]) for r in found}
    groups_of: dict[str, str] = {}
    for row in found:
        # Who makes the base models is a group of another corpus: "Llama-3" here, "Meta" there.
        if any(g == row["vendor"] and c != row["corpus"] for c, g in elsewhere):
            above[root(row["supergroup"])] = root(row["vendor"])
        # One model in two corpora.
        other = groups_of.setdefault(row["model"], row["supergroup"])
        above[root(row["supergroup"])] = root(other)
    # A unit is called as most of its models are.
    sizes = Counter(r["supergroup"] for r in found)
    joined: dict[str, list[str]] = {}
    for name in sizes:
        joined.setdefault(root(name), []).append(name)
    return {
        name: max(members, key=lambda m: (sizes[m], m))
        for members in joined.values()
        for name in members
    }


def _one_unit_a_lineage(models: dict[str, Relation]) -> dict[str, Relation]:
    """Pointers to a listed model of another unit are dropped and noted, not believed silently."""
    kept = {}
    for name, label in models.items():
        for key in ("parent", "same_weights_as"):
            other = models.get(getattr(label, key) or "")
            if other is not None and other.unit != label.unit:
                note = f"{label.note} ({key} {getattr(label, key)} is listed in another unit)"
                label = label.model_copy(update={key: None, "kind": "model", "note": note.strip()})
        kept[name] = label
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", type=Path, default=CORPORA)
    parser.add_argument("--corpus", action="append", help="only this one; repeatable")
    parser.add_argument("--out", type=Path, help="default: stdout")
    options = parser.parse_args()
    table = options.corpora / "models.csv"
    if not table.is_file():
        print(f"no models.csv at {options.corpora}: nothing was converted")
        return
    made = convert(table, options.corpus)
    text = made.to_toml()
    if options.out is None:
        print(text, end="")
    else:
        options.out.write_text(text, encoding="utf-8")
    units = {made.unit_of(m) for m in made.models}
    print(f"{len(made.models)} models, {len(units)} units", file=sys.stderr)


if __name__ == "__main__":
    main()
