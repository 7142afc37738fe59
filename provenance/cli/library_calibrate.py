"""``provenance library calibrate``: from texts of known models to likelihood ratios."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from provenance.cli import library_calibrated, options

if TYPE_CHECKING:
    from provenance.library.population import Library

EPILOG = """
Examples:
  A folder of recordings, with what is known about their models:
    provenance library calibrate --corpus recordings --relations models.toml \\
      --library models
  A library that has its texts and labels already; other seeds give other folds:
    provenance library calibrate --corpus models --seed 7
  One view only, with nothing tried twice, in a quarter of the time:
    provenance library calibrate --corpus models --view raw --telling 0.25

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
_MOST_NETWORKS = 8


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
    networks: Annotated[
        str,
        _option(
            "--networks",
            _FIT,
            "Beside a linear net, to say which model it would be if it is one of these. 0 takes a "
            "fifth of the time and tells single outputs apart less well; none: no closed set.",
            "N|none",
        ),
    ] = "2",
    telling: Annotated[
        float | None,
        _option(
            "--telling",
            _FIT,
            "How much it counts how well a column of the texts tells models apart, 0 to 1. "
            "Default: 0 or 0.25, as known pairs say; a number halves the time of scoring.",
            "X",
        ),
    ] = None,
    seed: Annotated[
        int | None, _option("--seed", _FIT, "Fixes every draw. Default: drawn, and printed.", "N")
    ] = None,
    json: options.Json = False,
) -> None:
    """Fit a space and likelihood ratios on known models, and store them with profiles of all.

    Pairs of bundles are scored in spaces that neither of their makers was in, and the ratios are
    validated with makers left out. What the pairs cannot support is cut off at a bound, and a
    hypothesis with too few pairs gets no ratio at all. How often a maker outside the library gets
    a set from `identify` is measured in spaces that never saw it.
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
    if telling is not None and not 0 <= telling <= 1:
        raise UsageError(f"--telling {telling:g}: expected a number from 0 to 1, such as 0.25")
    sizes, nets = _sizes(outputs), _networks(networks)
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
            tellings=None if telling is None else (telling,),
            networks=nets,
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
    library_calibrated.show(found, done, matched, seed, json=json)


def _sizes(text: str) -> list[int]:
    from provenance.errors import UsageError

    try:
        sizes = [int(part) for part in text.split(",")]
    except ValueError:
        sizes = []
    if not sizes or min(sizes) < 2:
        raise UsageError(f"--outputs {text}: expected numbers of 2 or more, such as 25,100")
    return sizes


def _networks(text: str) -> int | None:
    from provenance.errors import UsageError

    if text == "none":
        return None
    if not text.isascii() or not text.isdecimal() or int(text) > _MOST_NETWORKS:
        raise UsageError(f"--networks {text}: expected 0 to {_MOST_NETWORKS}, or none")
    return int(text)


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
