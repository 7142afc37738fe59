"""``provenance library``: models whose answers are known. `library_add` holds the verb ``add``."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from provenance.cli import options

if TYPE_CHECKING:
    from provenance.library.population import Bundle, Library, Model
    from provenance.library.population.texts import Statistics

LIST_EPILOG = """
Examples:
  The panels that ship, and what is in one:
    provenance library list
    provenance library list core
    provenance library list mine.json --json
  The models of a library:
    provenance library list --library models

Exit codes:
  0   done    2   there is no such panel or library
"""
SHOW_EPILOG = """
Examples:
  What the library that ships covers, and how good its calibrations are:
    provenance library show
  The same of a library, with Tippett and reliability plots, map and tree:
    provenance library show --library models --plots figures
  provenance library show gpt-x --library models
  provenance library show gpt-x@2026-03 --library models --json

Exit codes:
  0   done    2   there is no such model
"""
EXPORT_EPILOG = """
Examples:
  Share a library without a text of it:
    provenance library export --library models --out models-profiles.parquet
  Whoever gets the file, and the file of the space beside it:
    provenance library add models-profiles.parquet --library theirs

Exit codes:
  0   done    2   there is nothing to export    14  a profile that was changed
"""

Where = Annotated[Path, typer.Option("--library", metavar="DIR", help="The library: a folder.")]
OptionalWhere = Annotated[
    Path | None, typer.Option("--library", metavar="DIR", help="The library: a folder.")
]


def list_(
    panel: Annotated[
        str | None,
        typer.Argument(metavar="[PANEL|FILE|DIR]", help="Show the members of this one."),
    ] = None,
    library: OptionalWhere = None,
    json: options.Json = False,
) -> None:
    """List the panels of substitutes, the members of one, or the models of a library."""
    from provenance.errors import UsageError
    from provenance.library.panel import Panel
    from provenance.library.population import is_library

    if library is not None and panel is not None:
        raise UsageError(f"either the panel {panel} or --library {library}, not both")
    if library is None and panel is not None and is_library(Path(panel)):
        library = Path(panel)
    if library is not None:
        _list_library(library, json=json)
    elif panel is not None:
        _list_panel(Panel.load(panel), json=json)
    else:
        _list_panels([Panel.load(name) for name in Panel.shipped()], json=json)


def _list_panel(panel: Any, *, json: bool) -> None:
    from provenance.cli import outcome
    from provenance.dossier.text import for_terminal

    if json:
        outcome.print_json(panel.model_dump(mode="json"))
        return
    rows = [("Member", "cells", "answers", "")]
    for m in panel.members:
        answers = sum(sum(c.values()) for c in m.cells.values())
        rows.append(
            (
                for_terminal(m.name, 60),
                str(len(m.cells)),
                f"{answers:,}",
                for_terminal(m.note, 200),
            )
        )
    _print_table(rows)


def _list_panels(panels: list[Any], *, json: bool) -> None:
    from provenance.cli import outcome

    if json:
        outcome.print_json({p.name: [m.name for m in p.members] for p in panels})
        return
    rows = [("Panel", "members", "measured")]
    _print_table(rows + [(p.name, str(len(p.members)), p.measured_utc[:10]) for p in panels])


def _list_library(path: Path, *, json: bool) -> None:
    from provenance.cli import outcome
    from provenance.dossier.numbers import counted
    from provenance.dossier.text import for_terminal
    from provenance.library.population import Library

    library = Library.open(path)
    models, spaces = library.models(), library.spaces()
    if json:
        outcome.print_json(
            {
                "library": library.manifest.model_dump(mode="json"),
                "spaces": spaces,
                "models": [_model_json(m) for m in models],
            }
        )
        return
    bundles, outputs = sum(len(m.bundles) for m in models), sum(m.outputs for m in models)
    print(
        for_terminal(library.manifest.name, 60)
        + f": {counted(len(models), 'model')}, {counted(bundles, 'session')}, "
        + f"{counted(outputs, 'output')}, {counted(len(spaces), 'space')}"
    )
    now = datetime.now(UTC)
    rows = [("Model", "sessions", "outputs", "age", "space", "family", "battery")]
    rows += [
        (
            for_terminal(m.name, 48),
            str(len(m.bundles)),
            f"{m.outputs:,}",
            _age(m.last_utc, now),
            ", ".join(s[:8] for s in m.spaces) or "none",
            for_terminal(m.label.family or "", 24),
            for_terminal(", ".join(_batteries(m)), 60),
        )
        for m in models
    ]
    _print_table(rows)
    if not models:
        print("No model yet: `provenance library add --help`.")


def show(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="A model, or MODEL@VERSION for one version. Without: the library's scope and the "
            "quality of its calibrations.",
        ),
    ] = None,
    library: Annotated[
        Path | None,
        typer.Option(
            "--library", metavar="DIR", help="The library: a folder. Default: the one that ships."
        ),
    ] = None,
    plots: Annotated[
        Path | None,
        typer.Option(
            "--plots",
            metavar="DIR",
            help="Write Tippett and reliability plots, map and tree there, as SVG and PDF.",
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Show a library's calibrations and scope, or one model: labels, sessions, how texts look."""
    from provenance.cli import library_quality, outcome
    from provenance.study import libraries

    found = libraries.opened(library)
    if plots is not None:
        for path in library_quality.plots(found, plots):
            print(path, file=sys.stderr)
    if name is None:
        library_quality.show(found, json=json)
        return
    for model in (models := found.models([name])):
        bundles = [found.bundle(id) for id in model.bundles]
        statistics = {b.id: found.statistics(b) for b in bundles}
        if not json:
            _show(model, bundles, statistics)
    if json:
        outcome.print_json([_shown_json(found, m) for m in models])


def _show(model: Model, bundles: list[Bundle], statistics: dict[str, Statistics | None]) -> None:
    from provenance.cli.words import columns
    from provenance.dossier.text import for_terminal
    from provenance.library.relations import LABELS

    print(for_terminal(model.name, 100))
    rows = []
    for label in LABELS:
        value = getattr(model.label, label)
        if value is not None:
            said = ", ".join(value) or "none" if isinstance(value, tuple) else str(value)
            sure = model.label.certain(label)
            rows.append((label.replace("_", " "), for_terminal(f"{said} ({sure})", 160)))
    rows += [("kind", model.label.kind)] if model.label.kind != "model" else []
    rows.append(("profiles", ", ".join(s[:12] for s in model.spaces) or "in no space"))
    for line in columns(rows or [("labels", "none")]):
        print(line)
    now = datetime.now(UTC)
    for bundle in bundles:
        found = statistics[bundle.id]
        rows = [
            (
                "recorded",
                f"{bundle.date_utc[:10] or 'date unknown'} ({_age(bundle.date_utc, now)})",
            ),
            ("host", bundle.host),
            ("served as", ", ".join([*bundle.served, *bundle.fingerprints]) or "not said"),
            ("battery", f"{bundle.battery_name} {bundle.battery}"),
            ("outputs", f"{bundle.outputs:,} to {bundle.prompts:,} prompts"),
            ("tokens", f"{bundle.tokens:,}" if bundle.tokens is not None else "not counted"),
            ("source", f"{bundle.source} (licence: {bundle.licence})"),
            ("digest", bundle.digest),
        ]
        if found is None:
            rows.append(("texts", "not here: only the profile was shared"))
        else:
            low, middle, high = found.characters
            rows.append(
                (
                    "texts",
                    f"{middle:,.0f} characters (90% of them {low:,.0f} to {high:,.0f}), "
                    f"{found.empty:,} empty, {found.distinct:,} distinct within their cells",
                )
            )
        print()
        print(for_terminal(f"session {bundle.session}", 100))
        for line in columns([(a, for_terminal(b, 160)) for a, b in rows]):
            print(line)
    print()


def export(
    library: Where,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="A new .parquet file for the profiles.")
    ],
    model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="NAME", help="Only this model; repeatable. Default: all."),
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
            "--space", metavar="DIGEST", help="Profiles in this space. Default: in all of them."
        ),
    ] = None,
    answers: Annotated[
        bool,
        typer.Option(
            "--answers",
            help="With sketches of single answers, for suspects that answered the same prompts. "
            "Whoever has a text can tell whether it is one of them.",
        ),
    ] = False,
    json: options.Json = False,
) -> None:
    """Write profiles to one file: counts, means, variances and labels, and not one text.

    Prints the file's SHA-256, so that whoever gets it can tell that it is the same.
    """
    from provenance.cli import outcome
    from provenance.dossier.numbers import counted
    from provenance.library.population import Library
    from provenance.library.population.exchange import export as write

    done = write(Library.open(library), out, models=model or None, space=space, sketched=answers)
    if json:
        outcome.print_json(
            {
                "file": str(out),
                "sha256": done.sha256,
                "profiles": done.profiles,
                "models": done.models,
                "spaces": done.spaces,
            }
        )
        return
    print(
        f"{out}: {counted(done.profiles, 'profile')} of {counted(done.models, 'model')}, no texts"
    )
    print(f"SHA-256  {done.sha256}")
    for digest in done.spaces:
        print(f"Space    {digest}: its file goes along, {library}/spaces/")


def _model_json(model: Model) -> dict[str, Any]:
    return {
        "model": model.model,
        "version": model.version,
        "label": model.label.model_dump(mode="json", exclude_unset=True),
        "sessions": len(model.bundles),
        "outputs": model.outputs,
        "prompts": model.prompts,
        "batteries": model.batteries,
        "hosts": model.hosts,
        "first_utc": model.first_utc or None,
        "last_utc": model.last_utc or None,
        "spaces": model.spaces,
    }


def _shown_json(library: Library, model: Model) -> dict[str, Any]:
    sessions = []
    for id in model.bundles:
        bundle = library.bundle(id)
        found = library.statistics(bundle)
        sessions.append(
            {
                **bundle.model_dump(mode="json"),
                "statistics": None
                if found is None
                else {
                    "empty": found.empty,
                    "distinct": found.distinct,
                    "characters_p5_p50_p95": found.characters,
                },
            }
        )
    return {**_model_json(model), "sessions": sessions}


def _batteries(model: Model) -> list[str]:
    return [f"{name} {digest[:8]}" for digest, name in model.batteries.items()]


def _age(date_utc: str, now: datetime) -> str:
    if not date_utc:
        return "unknown"
    moment = datetime.fromisoformat(date_utc)
    days = (now - (moment if moment.tzinfo else moment.replace(tzinfo=UTC))).days
    return f"{max(days, 0):,} d"


def _print_table(rows: list[Any]) -> None:
    from provenance.cli import outcome
    from provenance.cli.words import columns

    for line in columns(rows, indent=""):
        print(line if len(line) <= outcome.width() else line[: outcome.width() - 1] + "…")


class Counter:
    """How far a long piece of work is, on stderr: a line that changes, or one now and then."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._said = time.monotonic()
        self._open = False

    def __call__(self, done: int, total: int, name: str) -> None:
        """Show it."""
        from provenance.dossier.text import for_terminal

        line = f"{self._what} {done:,}/{total:,} {for_terminal(name, 40)}".rstrip()
        if sys.stderr.isatty():
            end = "\n" if done == total else ""
            print(f"\r{line[:78]:<78}", end=end, file=sys.stderr, flush=True)
        elif time.monotonic() - self._said > 10 or (done == total and total > 1):
            self._said = time.monotonic()
            print(line, file=sys.stderr, flush=True)
