"""Check a store without trusting whoever hands it over: integrity first, then analyse again.

What this proves: since the seal nothing was changed, and the verdict follows from the recorded
answers. What it does not prove: that an endpoint really sent them. The seal is not signed, so
whoever can write the folder could make a new one over other records; compare the root with one
that you were given by another way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provenance import __version__
from provenance.errors import EvidenceError, TamperedEvidence
from provenance.evidence.integrity import check_integrity
from provenance.evidence.others import noted_others
from provenance.evidence.store import Store, is_store
from provenance.sampling.plan import RULES
from provenance.study import analyse

# Written by the machine and the version that made the study, not by the evidence.
_NOT_RECOMPUTED = ("tool_version",)


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked and found.

    Attributes
    ----------
    problems
        Empty if everything holds.
    first_record
        Zero-based line of the transcript that was touched first, if one can be named.
    recomputed
        Whether the study document was computed again and is the same.
    statement
        What was checked and what that proves, as plain text.
    """

    problems: tuple[str, ...]
    first_record: int | None
    recomputed: bool
    statement: str
    verdict_label: str | None
    root: str | None

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


def verify(target: str | Path) -> Verification:
    """Verify a store.

    Raises
    ------
    EvidenceError
        If there is no store, or its study is unfinished.
    """
    path = Path(target)
    if not is_store(path):
        raise EvidenceError(
            f"{path} is no store: expected a folder with plan.json and transcript.jsonl "
            "(a dossier names the folder of its store)"
        )
    integrity = check_integrity(path)
    problems = list(integrity.problems)
    first = integrity.first_record
    if not problems:
        problems, first = _others(path)
    if problems:
        return Verification(
            problems=tuple(problems),
            first_record=first,
            recomputed=False,
            statement="The evidence was changed after it was sealed; nothing was recomputed.",
            verdict_label=None,
            root=integrity.root,
        )
    with Store.open(path) as store:
        study = store.read_study()
        records = sum(1 for _ in store.records())
        rules = store.plan["rules"]
    label = None
    if study is not None:
        label = study["verdict"]["label"]
        problems += _differences(study, analyse(path).model_dump(mode="json"))
    return Verification(
        problems=tuple(problems),
        first_record=None,
        recomputed=study is not None and not problems,
        statement=_statement(
            records, integrity.root, label, problems, (study or {}).get("tool_version"), rules
        ),
        verdict_label=label,
        root=integrity.root,
    )


def _others(path: Path) -> tuple[list[str], int | None]:
    """Problems of the stores of endpoints beside the suspect, whose roots this one noted."""
    problems: list[str] = []
    first = None
    with Store.open(path) as store:
        try:
            noted = noted_others(store)
        except TamperedEvidence as error:
            return [str(error)], None
    for other in noted:
        name = f"others/{other.path.name}"
        if not is_store(other.path):
            problems.append(f"{name} is missing: the records of the {other.role}")
            continue
        found = check_integrity(other.path)
        problems += [f"{name}: {problem}" for problem in found.problems]
        first = found.first_record if first is None else first
        if not found.problems and found.root != other.root:
            problems.append(f"{name} holds other records than those that the study was made from")
    return problems, first


def _differences(written: dict[str, Any], computed: dict[str, Any]) -> list[str]:
    computed = json.loads(json.dumps(computed))
    return [
        f"study.json: {key!r} is not what the evidence gives"
        for key in computed
        if key not in _NOT_RECOMPUTED and not _same(written.get(key), computed[key])
    ]


def _same(one: Any, two: Any) -> bool:
    """Equal, floats to six digits and below .01 to eight places: other machines round otherwise.

    Coordinates of texts come from single-precision numbers, whose logarithms and sums differ in the
    last digit from one processor to the next.
    """
    if isinstance(one, float) or isinstance(two, float):
        numbers = isinstance(one, int | float) and isinstance(two, int | float)
        return numbers and abs(one - two) <= 1e-6 * max(0.01, abs(one), abs(two))
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(_same(one[k], two[k]) for k in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(_same, one, two))
    return bool(one == two)


def _statement(
    records: int,
    root: str | None,
    label: str | None,
    problems: list[str],
    written_by: str | None,
    rules: Mapping[str, Any],
) -> str:
    lines = [f"{records} records: the chain holds, every recorded byte has its digest."]
    lines.append(f"Root {root} (not signed: compare it with one you got another way).")
    if label is not None and not problems:
        lines.append(f"Analysed again from the records: the verdict {label!r} follows from them.")
    if problems and written_by not in (None, __version__):
        lines.append(
            f"The study was written by version {written_by}, this is {__version__}: readings or "
            f"tests may have changed. `pip install llm-provenance=={written_by}` analyses it as "
            "it was."
        )
    older = [
        f"{what} of version {rules.get(name)} (here {RULES[name]})"
        for name, what in (("version", "tests"), ("readings", "readings"))
        if rules.get(name) != RULES[name]
    ]
    if problems and older:
        lines.append(
            f"The study was planned with {' and '.join(older)}: that alone may be why its numbers "
            "are others here. The package that made it analyses it as it was."
        )
    lines.append(
        "This shows integrity since capture. It does not show that an endpoint sent these bytes."
    )
    return "\n".join(lines)
