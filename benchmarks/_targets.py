"""What was aimed at, what came out, what the best of the others reaches: the tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from _bounds import bounds

Results = Mapping[str, Mapping[str, Mapping[str, Any]]]

# Task, our row, figure, target, name; rows of others are those of a task with the same ending.
_SAME = "same model or not"
_BASELINES = {"same": "baselines"}
ROUTED = "raw or canonical by format, re-formatted"
_SAME_BASE = "same base, other family"
_FIXED, _AT_FIXED = ", weight of the unusual 1.2", "  with the weight of the unusual fixed"
_TWO = "ours, two draws enrolled"
_BOTH = "with the discriminant, 91 of them"
_HALVES = "two discriminants of a half, 91 of them"
_IDENTIFY = "  as identify has it: two discriminants of a half"
_WHOLE = "  one of all 280, with the space"
TARGETS: tuple[tuple[str, str, str, float, str, str], ...] = (
    ("same", "raw, 25", "tpr", 0.55, ", 25", f"{_SAME}, 25 outputs: TPR at 1% FPR"),
    ("same", f"raw, 25{_FIXED}", "tpr", 0.55, ", 25", _AT_FIXED),
    ("same", "raw, 100", "tpr", 0.95, ", 100", f"{_SAME}, 100: TPR"),
    ("same", "raw, 188", "tpr", 0.995, ", 188", f"{_SAME}, 188: TPR"),
    ("same", "raw, 25", "fpr_upper", 0.03, ", 25", "realised FPR, upper limit, 25"),
    ("same", "raw, 100", "fpr_upper", 0.03, ", 100", "realised FPR, upper limit, 100"),
    ("same", "raw, 188", "fpr_upper", 0.03, ", 188", "realised FPR, upper limit, 188"),
    ("same", "raw, 100", "tpr_related_5", 0.85, ", 100", "related models, 100: TPR at 5% FPR"),
    ("same", "raw, 100", "auc_related", 0.975, ", 100", "related models, 100: AUC"),
    ("same", "raw, 25", "cllr", 0.22, ", 25", "Cllr, 25, as reported"),
    ("same", f"raw, 25{_FIXED}", "cllr", 0.22, ", 25", _AT_FIXED),
    ("same", "raw, 25", "cllr_unclipped", 0.22, ", 25", "Cllr, 25, before clipping"),
    ("same", f"raw, 25{_FIXED}", "cllr_unclipped", 0.22, ", 25", _AT_FIXED),
    ("same", "raw, 100", "cllr_unclipped", 0.06, ", 100", "Cllr, 100, before clipping"),
    ("same", "raw, 188", "cllr_unclipped", 0.035, ", 188", "Cllr, 188, before clipping"),
    (
        *("matched", "ours, 10 probes", "tpr_other", 0.99, "cosine, 10 probes"),
        "matched, 10 probes: TPR, other makers, folds",
    ),
    (
        *("matched", f"{_TWO}, 10 probes", "tpr_other", 0.99, "cosine, 10 probes"),
        "  two draws enrolled",
    ),
    (
        *("matched", "ours, 10 probes", "tpr_units_out", 0.99, "cosine, 10 probes"),
        "  makers left out in turn",
    ),
    (
        *("matched", f"{_TWO}, 10 probes", "tpr_units_out", 0.99, "cosine, 10 probes"),
        "  makers left out in turn, two draws enrolled",
    ),
    (
        *("matched", f"{_TWO}, 10 probes", "fpr_units_out_upper", 0.03, "cosine, 10 probes"),
        "  its realised FPR, upper limit",
    ),
    ("matched", "ours, 10 probes", "auc", 0.99, "cosine, 10 probes", "matched, 10 probes: AUC"),
    ("closed", "91 of them, 1", "top1", 0.30, "91 of them, 1", "closed set of 91, 1 output"),
    ("closed", f"{_HALVES}, 1", "top1", 0.30, "91 of them, 1", _IDENTIFY),
    ("closed", f"{_BOTH}, 1", "top1", 0.30, "91 of them, 1", _WHOLE),
    ("closed", "91 of them, 10", "top1", 0.73, "91 of them, 10", "closed set of 91, 10"),
    ("closed", f"{_HALVES}, 10", "top1", 0.73, "91 of them, 10", _IDENTIFY),
    ("closed", f"{_BOTH}, 10", "top1", 0.73, "91 of them, 10", _WHOLE),
    ("closed", "91 of them, 100", "top1", 0.90, "91 of them, 100", "closed set of 91, 100"),
    ("closed", f"{_HALVES}, 100", "top1", 0.90, "91 of them, 100", _IDENTIFY),
    ("closed", f"{_BOTH}, 100", "top1", 0.90, "91 of them, 100", _WHOLE),
    ("closed", "91 of them, 100", "family", 0.98, "91 of them, 100", "the same, family"),
    ("closed", f"{_HALVES}, 100", "family", 0.98, "91 of them, 100", _IDENTIFY),
    ("lineage", "ours, same family", "auc", 0.99, ", same family", "lineage: same family"),
    (
        *("lineage", f"ours, {_SAME_BASE}", "auc", 0.93, f", {_SAME_BASE}"),
        "lineage: same base, other family",
    ),
    (
        *("lineage", f"weights of other units, {_SAME_BASE}", "auc", 0.93, f", {_SAME_BASE}"),
        "  all signatures, weights of other units",
    ),
    ("teacher", "ours", "top1", 0.75, "", "teacher: top-1"),
    ("teacher", "ours", "macro", 0.75, "", "teacher: macro"),
    ("reformatted", ROUTED, "tpr", 0.85, "raw view, re-formatted", "re-formatted, 100: TPR"),
    (
        *("reformatted", ROUTED, "under_tenth_same", 0.0, "raw view, re-formatted"),
        "re-formatted: ratio under 1/10 for the same model",
    ),
    (
        *("reformatted", ROUTED, "over_10_other", 0.0, "raw view, re-formatted"),
        "re-formatted: ratio over 10 for another maker",
    ),
)
LESS = (
    "fpr_upper",
    "fpr_units_out_upper",
    "cllr",
    "cllr_unclipped",
    "under_tenth_same",
    "over_10_other",
)
# Rows of ours, in part or in another setting, are no peers.
OURS = (
    *("ours", "weights of", "runs chosen on other units", "lines, not centred"),
    *("all ", "91 ", "44 ", "46 ", "enrolled with", "discriminant", "with the discriminant"),
    "two discriminants of a half",
)
# What the suspect did, as the columns of the ablations.
CONDITIONS = ("as it is", "re-formatted", "terse", "other words")


def table(results: Results) -> str:
    """Target, ours, the best of the others on the same pairs; bounds; what each signature adds."""
    lines = [f"\n{'':52s} {'target':>7s} {'ours':>7s} {'others':>7s}"]
    for task, row, figure, target, ending, name in TARGETS:
        ours = results.get(task, {}).get(row, {}).get(figure)
        if ours is None:
            lines.append(f"{name:52s} {target:7.3f} {'–':>7s}")
            continue
        less = figure in LESS
        others = _best(results, task, ending, figure)
        shown = "–" if others is None else f"{others:.3f}"
        reached = ours <= target if less else ours >= target
        mark = "" if reached else "  missed"
        lines.append(f"{name:52s} {target:7.3f} {ours:7.3f} {shown:>7s}{mark}")
    return "\n".join([*lines, *bounds(results), *_ablations(results.get("ablations", {}))])


def _best(results: Results, task: str, ending: str, figure: str) -> float | None:
    rows = results.get(_BASELINES.get(task, task), {})
    found = [
        row[figure]
        for name, row in rows.items()
        if name.endswith(ending) and figure in row and not name.startswith(OURS)
    ]
    return (min if figure in LESS else max)(found) if found else None


def _ablations(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """AUC at 25 and 100 outputs by what the space reads and what the suspect did to its texts."""
    labels = list(dict.fromkeys(name.rsplit(", ", 2)[0] for name in rows))
    if not labels:
        return []
    wide = "".join(f"{c:>18s}" for c in CONDITIONS)
    lines = [
        "\nsignatures left out and alone, raw view: TPR at 1% FPR as it is, and AUC by what the",
        "suspect alone did, at 25 | 100 outputs",
        f"{'':28s}{'TPR':>14s}{wide}",
    ]
    for label in labels:
        cells = [_pair(rows, label, "as it is", "tpr")]
        cells += [_pair(rows, label, c, "auc") for c in CONDITIONS]
        lines.append(f"{label:28s}{cells[0]:>14s}" + "".join(f"{c:>18s}" for c in cells[1:]))
    return lines


def _pair(rows: Mapping[str, Mapping[str, Any]], label: str, condition: str, figure: str) -> str:
    return " | ".join(f"{rows[f'{label}, {condition}, {n}'][figure]:.3f}" for n in (25, 100))
