"""How good a library's calibrations are: what ``provenance library show`` prints without a name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provenance.attribution.calibration import Calibration
    from provenance.attribution.closed_fit import Halves
    from provenance.library.population import Library
    from provenance.library.space import Space

_ON_THE_MAP = 40


def calibrations_of(library: Library) -> list[Calibration]:
    """All of them, by name."""
    from provenance.attribution.own_draws import relative_space
    from provenance.attribution.ratios import Ratios
    from provenance.library.sketches import scheme

    # Sketches are compared without a space.
    kept = [*library.spaces(), scheme(), relative_space(scheme())]
    found = [r for s in kept if (r := Ratios.of(library, s)) is not None]
    return sorted((c for r in found for c in r.calibrations), key=lambda c: c.name)


def discriminants_of(library: Library) -> list[Halves]:
    """Those of its spaces, which say which model it would be, if it is one of these."""
    from provenance.attribution.closed_set import Closed

    found = [c for s in library.spaces() if (c := Closed.of(library, s)) is not None]
    pairs = [h for c in found for h in c.pairs()]
    return sorted(pairs, key=lambda h: (h.enrolled.view != "raw", h.enrolled.digest))


def in_order(found: Halves) -> str:
    """What one is worth, in a line."""
    from provenance.attribution.closed_set import summary
    from provenance.dossier.numbers import counted, percent

    said = summary(found)
    named = f" ({', '.join(said['genres'])})" if said["genres"] else ""
    rates = ", ".join(
        f"{percent(t['first'] / t['bundles'])} at {t['outputs']}" for t in said["tests"]
    )
    return (
        f"If it is one of {counted(said['models'], 'model')}{named}, {said['view']} view: first "
        f"place right in {rates or 'an unknown share'} outputs"
    )


def new_makers(library: Library) -> list[dict[str, Any]]:
    """How often a maker outside the library gets a set, by genre, at the level that is usual."""
    from provenance.attribution.closed_set import Closed
    from provenance.attribution.enrolled import Enrolled
    from provenance.attribution.inclusion import NewMakers, Seen
    from provenance.attribution.known import level_for
    from provenance.attribution.margins import Margins
    from provenance.attribution.outsiders import Outsiders

    spaces = [s for s in _spaces(library) if not isinstance(s, str)]
    if not spaces or len({s.view for s in spaces}) < len(spaces):
        return []
    enrolled = Enrolled.of(library, spaces[0].digest)
    every = [Outsiders.within(library, s.digest, "") for s in spaces]
    closed = [Closed.of(library, s.digest) for s in spaces]
    found = []
    for kind in (o.kind for o in every[0]):
        own = enrolled.within(kind) if kind in enrolled.stated_genres else enrolled
        alpha = level_for(enrolled, kind)
        views = []
        for outsiders, known in zip(every, closed, strict=True):
            halves = None if known is None else known.covering(kind)
            margins = None if halves is None else Margins.of(halves.enrolled, [], own)
            views += [Seen(o, margins) for o in outsiders if o.kind == kind]
        rates = NewMakers(own, *views).rates(alpha) if len(views) == len(spaces) else ()
        if rates:
            rows = [{"outputs": n, "rate": rate} for n, rate in rates]
            found.append({"genre": kind, "alpha": alpha, "rates": rows})
    return found


def of_new_makers(found: dict[str, Any]) -> str:
    """One of `new_makers`, in a line."""
    from provenance.dossier.numbers import percent

    named = f" ({found['genre']})" if found["genre"] else ""
    rates = ", ".join(f"{percent(r['rate'])} at {r['outputs']:,}" for r in found["rates"])
    return (
        f"A maker outside the library{named}: gets a set at α = {found['alpha']:g} in {rates} "
        "outputs"
    )


def show(library: Library, *, json: bool) -> None:
    """Models, scope and quality."""
    from provenance.attribution.closed_set import summary
    from provenance.cli import outcome
    from provenance.cli.words import columns
    from provenance.dossier.numbers import counted
    from provenance.dossier.text import for_terminal
    from provenance.library.population import answers

    found, closed = calibrations_of(library), discriminants_of(library)
    bundles = library.bundles()
    genres = sorted({b.genre for b in bundles if b.genre})
    sources = sorted({f"{b.source} ({b.licence})" for b in bundles})
    if json:
        outcome.print_json(
            {
                "library": library.manifest.model_dump(mode="json"),
                "models": len({b.name for b in bundles}),
                "genres": genres,
                "sources": sources,
                "spaces": library.spaces(),
                "weights": [
                    {
                        "space": s.digest,
                        "view": s.view,
                        "unusual": s.unusual,
                        "telling": s.about.get("telling"),
                        "telling_tried": s.about.get("telling_tried", {}),
                    }
                    for s in _spaces(library)
                    if not isinstance(s, str)
                ],
                "calibrations": [
                    c.model_dump(mode="json", exclude={"grades"}) | {"grades": c.summary()}
                    for c in found
                ],
                "closed": [summary(d) for d in closed],
                "outsiders": new_makers(library),
            }
        )
        return
    head = [
        ("library", f"{library.manifest.name}: {counted(len({b.name for b in bundles}), 'model')}"),
        ("genres", ", ".join(genres) or "not stated"),
        ("sources", "; ".join(sources)),
    ]
    head += [_space(s) for s in _spaces(library)]
    for line in columns([(a, for_terminal(b, 300)) for a, b in head], indent=""):
        print(line)
    if answers.outdated(library):
        print(
            "Its sketches of answers are of another version: suspects that answer its own prompts "
            "are compared on style alone until `provenance library calibrate` makes them anew."
        )
    if not found:
        print("No calibration: `provenance library calibrate` makes them.")
    for calibration in found:
        print()
        _print(calibration)
    if closed:
        print()
    for discriminant in closed:
        print(for_terminal(in_order(discriminant), 300))
    for one in new_makers(library):
        print(for_terminal(of_new_makers(one), 300))


def weighed(unusual: float, telling: float | None, tried: Mapping[Any, float]) -> str:
    """What was chosen on known pairs, or given, in words."""
    from provenance.dossier.numbers import significant

    said = "not stated" if telling is None else f"{telling:g}"
    costs = ", ".join(f"{float(t):g}: {significant(cost)} bits" for t, cost in tried.items())
    return f"the unusual weighs {unusual:g}; telling {said}{f' (cost {costs})' if costs else ''}"


def _spaces(library: Library) -> list[Space | str]:
    """Those whose file is here, the raw view first; or why one cannot be read."""
    from provenance.errors import UsageError

    there = [s for s in library.spaces() if (library.path / "spaces" / f"{s}.npz").is_file()]
    found: list[Space | str] = []
    for digest in there:
        try:
            found.append(library.space(digest))
        except UsageError as error:
            found.append(str(error))  # of another version: the rest can be shown
    return sorted(found, key=lambda s: isinstance(s, str) or s.view != "raw")


def _space(space: Space | str) -> tuple[str, str]:
    if isinstance(space, str):
        return "a space", space
    tried = space.about.get("telling_tried", {})
    said = weighed(space.unusual, space.about.get("telling"), tried)
    return f"{space.view} view", f"{space.digest[:12]}…; {said}"


def _print(c: Calibration) -> None:
    from provenance.cli.words import columns
    from provenance.dossier.numbers import significant
    from provenance.dossier.text import for_terminal

    scope = c.scope
    low, high = scope.characters or (0.0, float("inf"))
    covers = [
        f"genres {', '.join(scope.genres) or 'any'}",
        f"languages {', '.join(scope.languages) or 'any'}",
        f"{low:,.0f} to {high:,.0f} characters on average",
        *(["formats alike"] if scope.alike_only else []),
        *([f"answers to one battery, {scope.battery[:12]}…"] if scope.battery else []),
    ]
    print(for_terminal(f"{c.name}: {c.hypothesis} against {c.against}", 160))
    print(for_terminal(f"  {c.population}; units kept apart: {', '.join(c.units)}", 400))
    print(for_terminal(f"  covers {'; '.join(covers)}", 300))
    counted = "prompts" if scope.kind == "matched" else "outputs"
    rows = [(f"  {counted}", "Cllr", "min", "floor", "LR between", "LR>10, others", "at most")]
    rows += [
        (
            f"  {g.outputs}",
            significant(g.cllr),
            significant(g.cllr_min),
            significant(g.floor),
            f"1/{10 ** -g.bounds[0]:.0f} and {10 ** g.bounds[1]:.0f}",
            _share(g.misleading_above_10),
            _share(g.misleading_upper_10),
        )
        for g in c.grades
    ]
    for line in columns(rows, indent=""):
        print(line)
    tested = [g for g in c.grades if g.cllr is not None]
    if len(tested) < len(c.grades):
        print("  Without a Cllr the units were too few for a test, and no ratio is given.")
    most = max((10 ** g.bounds[1] for g in tested), default=1.0)
    if most <= 100:
        print(f"  Few units: a ratio cannot exceed {most:.0f}, whatever the texts.")
    print(f"  Shuffled labels: Cllr {significant(c.control_cllr)} (1 says nothing, as it should)")
    for a in c.across:
        said = "holds" if a.holds else "does not hold"
        print(
            for_terminal(
                f"  Without {a.left_out} in the fit, on it at {a.outputs} outputs: Cllr "
                f"{significant(a.cllr)}, {_share(a.misleading_above_10)} of others above 10: "
                f"{said}",
                200,
            )
        )


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:.2g}%"


def plots(library: Library, folder: Path) -> list[Path]:
    """Tippett and ECE curves of each calibration, map and tree of each space: SVG, and PDF."""
    from provenance.dossier import standalone
    from provenance.dossier.sections import quality
    from provenance.errors import EvidenceError, MissingExtra

    figures: dict[str, Any] = {}
    for c in calibrations_of(library):
        largest = next((g for g in reversed(c.grades) if g.curves is not None), None)
        if largest is not None and largest.curves is not None:
            figures[f"{c.name}-tippett"] = quality.tippett(largest.curves, c.name, largest.outputs)
            figures[f"{c.name}-ece"] = quality.ece(largest.curves, c.name, largest.outputs)
    figures |= _maps(library)
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            content = standalone.to_svg(figure)
            path = folder / f"{name}.svg"
            path.write_text(content, encoding="utf-8")
            written.append(path)
            try:
                made = standalone.to_pdf(content)
            except MissingExtra:
                continue  # SVG needs nothing
            path.with_suffix(".pdf").write_bytes(made)
            written.append(path.with_suffix(".pdf"))
    except OSError as error:
        raise EvidenceError(f"cannot write in {folder}: {error.strerror or error}") from None
    return written


def _maps(library: Library) -> dict[str, Any]:
    """Map and tree of each genre in the first space that texts are compared in as they stand."""
    from provenance.attribution.enrolled import Enrolled
    from provenance.attribution.maps import library_map
    from provenance.dossier.sections import origin

    spaces = [s for s in _spaces(library) if not isinstance(s, str)]
    if not spaces:
        return {}
    enrolled = Enrolled.of(library, spaces[0].digest)
    found: dict[str, Any] = {}
    for genre in enrolled.stated_genres or ("",):
        own = enrolled.within(genre) if genre else enrolled
        made = library_map(own, most=_ON_THE_MAP)
        if made is None:
            continue
        label = f"-{genre}" if genre else ""
        for kind, plot in zip(("map", "tree"), origin.plots(made), strict=False):
            found[f"{kind}{label}"] = plot
    return found
