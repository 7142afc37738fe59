"""``provenance library calibrate``: from texts of known models to likelihood ratios."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from provenance.cli import options

if TYPE_CHECKING:
    from provenance.attribution.calibration import Calibration
    from provenance.attribution.matched_pairs import Matched
    from provenance.attribution.populations import Calibrated
    from provenance.library.population import Library

EPILOG = """
Examples:
  A folder of recordings, with what is known about their models:
    provenance library calibrate --corpus recordings --relations models.toml \\
      --library models
  A library that has its texts and labels already; other seeds give other folds:
    provenance library calibrate --corpus models --seed 7
  One view only, in half of the time:
    provenance library calibrate --corpus models --view raw

What it needs: models of 8 makers or more, each with some 100 outputs (20 at
least) to the same kind of prompts. Units, in the relations file, hold models
that share weights: they are never on both sides of a split. With two draws or
sessions of each prompt, suspects that answer the same prompts are compared
prompt by prompt, which needs a tenth of the outputs; three draws tell more.

The relations file, TOML (configs/relations.toml is an example with every key;
`pydoc provenance.library.relations` says what each means):
    [models."our-student"]
    unit = "Meta"                        # whose weights: never split
    family = "ours"                      # hard to tell apart
    parent = "llama-3-8b-instruct"       # the checkpoint it was made from
    teachers = ["big-teacher"]           # whose outputs it was trained on
    released = 2025-02-01
    certainty = {parent = "sure", teachers = "likely"}

Two views are fitted: texts as they stand, and the canonical view (without
case, Markdown and spacing) for pairs whose formats are unlike.

Exit codes:
  0   done    2   too few models, makers or outputs; mistakes in the labels
"""

_TEXTS, _FIT = "Texts", "Fit"


def _option(flag: str, panel: str, help: str, metavar: str) -> Any:
    return typer.Option(flag, metavar=metavar, help=help, rich_help_panel=panel)


def calibrate(
    corpus: Annotated[
        Path,
        _option(
            "--corpus",
            _TEXTS,
            "A library, a file of recordings (model, prompt_id, sample, output), or a folder of "
            "them; prompts.parquet in it holds the words of the prompts.",
            "DIR|FILE",
        ),
    ],
    relations: Annotated[
        Path | None,
        _option("--relations", _TEXTS, "Labels of the models. Default: the library's.", "FILE"),
    ] = None,
    library: Annotated[
        Path | None,
        _option(
            "--library",
            _TEXTS,
            "Where texts, space, profiles and calibrations go. Default: the corpus if it is a "
            "library, else NAME-library here.",
            "DIR",
        ),
    ] = None,
    licence: Annotated[
        str | None, _option("--licence", _TEXTS, "Of recordings that are added.", "TEXT")
    ] = None,
    date: Annotated[
        str | None, _option("--date", _TEXTS, "Of recordings that name none, in UTC.", "DATE")
    ] = None,
    name: Annotated[
        str | None,
        _option("--name", _FIT, "Of the calibrations. Default: the library's.", "NAME"),
    ] = None,
    view: Annotated[
        str,
        _option("--view", _FIT, "both, raw, or canonical: what survives re-formatting.", "VIEW"),
    ] = "both",
    genre: Annotated[
        str,
        _option("--genre", _FIT, "Of texts that state none; a ratio holds for it alone.", "NAME"),
    ] = "",
    language: Annotated[
        str | None,
        _option(
            "--language",
            _FIT,
            "en or other; a ratio holds for it alone. Default: as the texts are.",
            "CODE",
        ),
    ] = None,
    outputs: Annotated[
        str,
        _option(
            "--outputs",
            _FIT,
            "Sizes of a suspect's bundle, a comma list; those that models lack are left out.",
            "LIST",
        ),
    ] = "5,10,25,50,100,188",
    seed: Annotated[
        int | None, _option("--seed", _FIT, "Fixes every draw. Default: drawn, and printed.", "N")
    ] = None,
    json: options.Json = False,
) -> None:
    """Fit a space and likelihood ratios on known models, and store them with profiles of all.

    Pairs of bundles are scored in spaces that neither of their makers was in, and the ratios are
    validated with makers left out. What the pairs cannot support is cut off at a bound, and a
    hypothesis with too few pairs gets no ratio at all.
    """
    import secrets

    import numpy as np

    from provenance.attribution import populations
    from provenance.attribution.matched_pairs import calibrate_matched
    from provenance.errors import UsageError
    from provenance.library.relations import Relations

    views = ("raw", "canonical") if view == "both" else (view,)
    if view not in ("both", "raw", "canonical"):
        raise UsageError(f"--view {view}: expected both, raw or canonical")
    if language not in (None, "en", "other"):
        raise UsageError(f"--language {language}: expected en or other")
    sizes = _sizes(outputs)
    labels = None if relations is None else Relations.load(relations)
    found = _library(corpus, library, labels, licence=licence, date=date)
    seed = secrets.randbelow(2**31) if seed is None else seed
    called = name or _plain(found.manifest.name)
    done = {
        one: populations.calibrate(
            found,
            name=called if one == "raw" else f"{called[:38]}-canonical",
            rng=np.random.default_rng(seed),
            relations=labels,
            view=one,
            genre=genre,
            language=language,
            outputs=sizes,
            about={"seed": seed},
            say=_say(),
        )
        for one in views
    }
    matched = calibrate_matched(
        found,
        name=called[:24],
        rng=np.random.default_rng([seed, 1]),
        relations=labels,
        genre=genre,
        language=language,
        say=_say(),
    )
    _show(found, done, matched, seed, json=json)


def _sizes(text: str) -> list[int]:
    from provenance.errors import UsageError

    try:
        sizes = [int(part) for part in text.split(",")]
    except ValueError:
        sizes = []
    if not sizes or min(sizes) < 2:
        raise UsageError(f"--outputs {text}: expected numbers of 2 or more, such as 25,100")
    return sizes


def _library(
    corpus: Path, library: Path | None, labels: Any, *, licence: str | None, date: str | None
) -> Library:
    """The library to work on, with the recordings of the corpus in it."""
    from provenance.cli.library import Counter
    from provenance.errors import UsageError
    from provenance.library.population import Library, intake, is_library, sources

    if is_library(corpus):
        if library is not None and library.resolve() != corpus.resolve():
            raise UsageError(f"{corpus} is a library already: leave --library out")
        return Library.open(corpus)
    files, others = sources.recordings(corpus)
    for file in others:
        print(f"left out: {file.name} holds no recordings", file=sys.stderr)
    prompts = (corpus if corpus.is_dir() else corpus.parent) / "prompts.parquet"
    wanted = intake.Wanted(
        name=intake.EVERY,
        sources=[str(f) for f in files],
        stated=sources.Stated(licence=licence, date_utc=date),
        relations=labels,
        prompts=prompts if prompts.is_file() else None,
    )
    made = Library.open(library or Path(f"{corpus.stem}-library"), create=True)
    intake.take_in(made, wanted, progress=Counter("Adding"))
    return made


def _plain(name: str) -> str:
    import re

    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:48] or "library"


def _say() -> Any:
    """Steps on stderr, each once; counts now and then."""
    from provenance.cli.library import Counter
    from provenance.dossier.text import for_terminal

    counters: dict[str, Counter] = {}

    def say(step: str, done: int | None = None, total: int = 0, name: str = "") -> None:
        if done is None:
            print(for_terminal(step, 120), file=sys.stderr, flush=True)
        else:
            counters.setdefault(step, Counter(step))(done, total, name)

    return say


def _show(
    library: Library, found: dict[str, Calibrated], matched: Matched, seed: int, *, json: bool
) -> None:
    from provenance.cli import outcome

    if json:
        outcome.print_json(
            {
                "library": str(library.path),
                "seed": seed,
                "views": {view: _json(done) for view, done in found.items()},
                "matched": _matched_json(matched),
            }
        )
        return
    for view, done in found.items():
        _print(library, done, seed, view)
    _print_matched(matched)
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
        "across": [a.model_dump() | {"holds": a.holds} for a in done.across],
        "calibrations": _calibrations_json(done.calibrations),
    }


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
    from provenance.dossier.numbers import counted, significant
    from provenance.dossier.text import for_terminal

    print(
        f"{library.path}, {view} view: {counted(done.models, 'model')} of "
        f"{counted(done.units, 'unit')}, {counted(done.outputs, 'output')}; space "
        f"{done.space[:12]}… (the unusual weighs {done.unusual:g}); seed {seed}"
    )
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
