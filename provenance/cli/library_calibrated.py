"""What ``provenance library calibrate`` says of what it made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from provenance.attribution.calibration import Calibration
    from provenance.attribution.closed_fit import Halves
    from provenance.attribution.matched_pairs import Matched
    from provenance.attribution.populations import Calibrated
    from provenance.library.population import Library


def show(
    library: Library, found: dict[str, Calibrated], matched: Matched, seed: int, *, json: bool
) -> None:
    """Tables of each view and of the same prompts; or all of it as JSON."""
    from provenance.cli import outcome
    from provenance.cli.library_quality import new_makers, of_new_makers
    from provenance.dossier.text import for_terminal

    if json:
        outcome.print_json(
            {
                "library": str(library.path),
                "seed": seed,
                "views": {view: _json(done) for view, done in found.items()},
                "matched": _matched_json(matched),
                "outsiders": new_makers(library),
            }
        )
        return
    for view, done in found.items():
        _print(library, done, seed, view)
    _print_matched(matched)
    strangers = new_makers(library)
    for one in strangers:
        print(for_terminal(of_new_makers(one), 300))
    if strangers:
        print()
    print("Cllr: mean cost in bits, 0 perfect, 1 useless; floor: the best within these bounds")
    print(f"Scope, limits and plots: provenance library show --library {library.path}")


def _json(done: Calibrated) -> dict[str, Any]:
    return {
        "space": done.space,
        "models": done.models,
        "units": done.units,
        "outputs": done.outputs,
        "profiles": done.profiles,
        "relatives_above_1": done.relatives_above_1,
        "left_out": done.left_out,
        "unusual": done.unusual,
        "telling": done.telling,
        "telling_tried": {f"{telling:g}": cost for telling, cost in done.tried.items()},
        "across": [a.model_dump() | {"holds": a.holds} for a in done.across],
        "calibrations": _calibrations_json(done.calibrations),
        "closed": {kind: _closed_json(found) for kind, found in done.closed.items()},
    }


def _closed_json(found: Halves | str) -> dict[str, Any]:
    from provenance.attribution.closed_set import summary

    return {"why_not": found} if isinstance(found, str) else summary(found)


def _calibrations_json(made: dict[str, Calibration]) -> dict[str, Any]:
    return {
        h: {
            "name": c.name,
            "digest": c.digest,
            "control_cllr": c.control_cllr,
            "scope": c.scope.model_dump(mode="json"),
            "grades": c.summary(),
        }
        for h, c in made.items()
    }


def _matched_json(matched: Matched) -> dict[str, Any]:
    return {
        "models": matched.models,
        "prompts": matched.prompts,
        "draws": matched.draws,
        "sketched": matched.sketched,
        "left_out": matched.left_out,
        "calibrations": _calibrations_json(matched.calibrations),
    }


def _print(library: Library, done: Calibrated, seed: int, view: str) -> None:
    from provenance.cli.library_quality import in_order, weighed
    from provenance.dossier.numbers import counted, significant
    from provenance.dossier.text import for_terminal

    print(
        f"{library.path}, {view} view: {counted(done.models, 'model')} of "
        f"{counted(done.units, 'unit')}, {counted(done.outputs, 'output')}; space "
        f"{done.space[:12]}…; seed {seed}"
    )
    print(f"{weighed(done.unusual, done.telling, done.tried)}")
    _table(done.calibrations, "outputs")
    control = next(iter(done.calibrations.values())).control_cllr
    print(
        f"Control with shuffled labels: Cllr {significant(control)} (1 says nothing, as it should)"
    )
    if done.relatives_above_1 is not None:
        share = f"{100 * done.relatives_above_1:.0f}%"
        print(f"Relatives: {share} of pairs within a unit get a ratio above 1 for same_weights")
    for why_not in done.left_out.values():
        print(for_terminal(f"No ratio for {why_not}", 300))
    for kind, closed in sorted(done.closed.items()):
        named = f" ({kind})" if kind else ""
        said = f"No closed set{named}: {closed}" if isinstance(closed, str) else in_order(closed)
        print(for_terminal(said, 300))
    if done.across and not all(a.holds for a in done.across):
        print("Ratios do not hold on a genre that was left out: each genre has its own")
    print()


def _print_matched(matched: Matched) -> None:
    from provenance.dossier.numbers import counted, significant
    from provenance.dossier.text import for_terminal

    print(
        f"Same prompts, canonical view: {counted(matched.models, 'model')} on "
        f"{counted(matched.prompts, 'prompt')}, {counted(matched.draws, 'draw')} of each to spare"
    )
    if matched.calibrations:
        _table(matched.calibrations, "prompts")
        control = next(iter(matched.calibrations.values())).control_cllr
        print(f"Control with shuffled labels: Cllr {significant(control)}")
    for why_not in matched.left_out.values():
        print(for_terminal(f"No ratio on {why_not}", 300))
    print()


def _table(made: dict[str, Calibration], counted: str) -> None:
    from provenance.cli.words import columns
    from provenance.dossier.numbers import significant
    from provenance.dossier.text import for_terminal

    rows = [("Hypothesis", counted, "Cllr", "min", "floor", "LR between", "LR>100, others")]
    for hypothesis, calibration in made.items():
        for g in calibration.grades:
            low, high = g.bounds
            rows.append(
                (
                    for_terminal(hypothesis, 60),
                    str(g.outputs),
                    significant(g.cllr),
                    significant(g.cllr_min),
                    significant(g.floor),
                    f"{significant(10**low)} and {significant(10**high, 3)}",
                    "unknown"
                    if g.misleading_above_100 is None
                    else f"{100 * g.misleading_above_100:.2g}%",
                )
            )
    for line in columns(rows, indent=""):
        print(line)
