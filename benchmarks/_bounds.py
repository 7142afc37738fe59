"""What bounds the figures that miss their target: rows of the same results, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from _lines import ELUB, LINES

Results = Mapping[str, Mapping[str, Mapping[str, Any]]]
_SET, _BASE = "91 of them", "same base, other family"
_CLOSED = (
    *(f"enrolled with {k}, {_SET}" for k in (25, 50, 100)),
    *(_SET, f"all 280, {_SET}", f"discriminant alone, {_SET}", f"with the discriminant, {_SET}"),
)
_TWO = "ours, two draws enrolled"
_MATCHED = ("ours, likeness alone", "ours", f"{_TWO}, likeness alone", _TWO)
_ROUTED = "raw or canonical by format, without the limit"
_TEACHERS = ("a teacher shared", "teachers known, none shared")
_HIDES = "unrelated that share a teacher, against the other unrelated"
_WEIGHTS = (
    *("runs chosen on other units", "weights of other units"),
    "weights of these very pairs",
)
# Label, task, and (row, figure) of each value.
BOUNDS: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    *(
        (
            f"closed set, {n}: enrolled with 25, 50, 100, 150, 280 | discriminant alone, added",
            "closed",
            tuple((f"{row}, {n}", "top1") for row in _CLOSED),
        )
        for n in (1, 10, 100)
    ),
    (
        "Cllr, 25: floor of the bounds, re-calibrated on the test itself, as it is",
        "ratios",
        tuple(("as it is, 25", f) for f in ("floor", "cllr_min", "cllr_unclipped")),
    ),
    (
        "  the three folds of units",
        "ratios",
        tuple(("as it is, 25", f"fold_{f}") for f in range(3)),
    ),
    (
        "  relatives are .04, .08, .16, .34 of the negatives",
        "ratios",
        tuple((f"relatives {s:.2f}, 25", "cllr_unclipped") for s in (0.04, 0.08, 0.16, 0.34)),
    ),
    (
        "  other units without a known tie, with one",
        "ratios",
        tuple(
            (f"negatives of other units, {t}, 25", "cllr_unclipped")
            for t in ("no known tie", "tied")
        ),
    ),
    (
        "  with the length, with the spread, two pieces, own spread 10, 40, 200",
        "ratios",
        tuple(
            (f"{row}, 25", "cllr_unclipped")
            for row in (
                *("with the length", "with the spread", "two pieces"),
                *(f"own spread {k}" for k in (10, 40, 200)),
            )
        ),
    ),
    (
        "  the unusual weighs 0, .3, .6, .9, 1.2 (as it is), 1.6",
        "ratios",
        tuple(
            (f"weight of the unusual {w}, 25", "cllr_unclipped")
            for w in (0.0, 0.3, 0.6, 0.9, 1.2, 1.6)
        ),
    ),
    (
        "  weight chosen on the other folds: before clipping, as reported, TPR",
        "ratios",
        tuple(
            ("weight chosen on the other folds, 25", f) for f in ("cllr_unclipped", "cllr", "tpr")
        ),
    ),
    *(
        (
            f"matched, {n}, {what}: likeness alone, own draws | two enrolled: the same",
            "matched",
            tuple((f"{row}, {n} probes", figure) for row in _MATCHED),
        )
        for n in (5, 10, 25)
        for what, figure in (
            ("folds", "tpr_other"),
            ("makers left out", "tpr_units_out"),
            ("these very pairs", "tpr_itself"),
        )
    ),
    (
        "lineage, same base: a quarter, half, all of the prompts",
        "lineage",
        (
            *((f"ours, {s} of the prompts, {_BASE}", "auc") for s in ("a quarter", "half")),
            (f"ours, {_BASE}", "auc"),
        ),
    ),
    (
        "  LLaMA-1, Llama-3, Mistral-7B",
        "lineage",
        tuple((f"ours, {_BASE}: {b}", "auc") for b in ("LLaMA-1", "Llama-3", "Mistral-7B")),
    ),
    (
        "  teachers known: shared, none shared; unrelated that share one against the others",
        "lineage",
        (
            *((f"ours, {_BASE}: {t}", "auc") for t in _TEACHERS),
            (f"what hides a base: {_HIDES}", "auc"),
        ),
    ),
    *(
        (
            f"{title}: one unit left out, least and most; its 95% interval",
            "lineage",
            tuple((f"ours, {kind}", f) for f in ("least", "most", "interval")),
        )
        for title, kind in (("  same base", _BASE), ("lineage, same family", "same family"))
    ),
    *(
        (
            f"  {title}: runs chosen, weights of other units | weights of the very pairs",
            "lineage",
            tuple((f"{row}, {kind}", "auc") for row in _WEIGHTS),
        )
        for title, kind in (("same base", _BASE), ("same family", "same family"))
    ),
    (
        "re-formatted, no limit, over 10: no tie, a tie; pairs of bundles; of one maker; models",
        "reformatted",
        tuple(
            (f"{_ROUTED}, re-formatted", f)
            for f in (
                *("over_10_no_tie", "over_10_tied", "over_10_pairs"),
                *("over_10_pairs_one_maker", "over_10_models"),
            )
        ),
    ),
    (
        "  the same model over 10; as it is, the lower of both views: other makers, the same model",
        "reformatted",
        (
            (f"{_ROUTED}, re-formatted", "over_10_same"),
            *(("the lower of both views, as it is", f) for f in ("over_10_other", "over_10_same")),
        ),
    ),
    *(
        (
            f"  {line}: other makers, no tie, a tie; the same model",
            "reformatted",
            tuple(
                (f"{line}, re-formatted", f"over_10_{f}")
                for f in ("other", "no_tie", "tied", "same")
            ),
        )
        for line in (*LINES, ELUB)
    ),
)


def bounds(results: Results) -> list[str]:
    """One line each; what was not measured is a dash."""
    lines = ["\nwhat bounds what is missed"]
    for label, task, values in BOUNDS:
        found = (results.get(task, {}).get(row, {}).get(figure) for row, figure in values)
        shown = "".join(f" {_shown(value):>6s}" for value in found)
        lines.append(f"{label:84s}{shown}")
    teacher = results.get("teacher", {}).get("ours", {})
    if teacher:
        low, high = teacher["interval"]
        lines.append(
            f"teacher, top-1: 95% interval of {teacher['students']} students {low:.2f} … {high:.2f}"
        )
    return lines


def _shown(value: float | int | list[float] | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return " … ".join(f"{v:.3f}" for v in value)
    return str(value) if isinstance(value, int) else f"{value:.3f}"
