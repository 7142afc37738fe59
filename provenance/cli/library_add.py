"""``provenance library add``: to a library of models, or to a panel of substitutes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from provenance.cli import options

if TYPE_CHECKING:
    from provenance.library.population import Bundle, Library

EPILOG = """
Examples:
  A model for `identify` and `attribute`: record it, then add the recording:
    provenance sample compatible:big@https://api.example.com/v1,key_env=KEY \\
      --battery style --store recorded/big
    provenance library add big recorded/big --library models --maker Example
  All models of a file of recordings, with what is known about them:
    provenance library add '*' corpus.parquet --library models \\
      --relations models.toml
  Profiles that somebody shared:
    provenance library add shared.parquet --library models
  A substitute that a relay might serve, for the panel of `compare`:
    provenance library add small recorded/small --panel mine.json
    provenance compare a b --config e.toml --battery core --panel mine.json

A relations file is TOML or CSV with family, unit, maker, base, parent, teachers
and how sure each is: `pydoc provenance.library.relations`.

Exit codes:
  0   done    1   a store that was changed    2   usage
  12  a panel of other questions; a session that another model served
  14  a shared profile that was changed
"""

_MODEL, _RECORDING, _PANEL = "The model", "The recording", "With --panel"


def _text(flag: str, panel: str, help: str, metavar: str | None = None) -> Any:
    return typer.Option(flag, metavar=metavar, help=help, rich_help_panel=panel)


def add(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME] SOURCE…",
            help="How the model is to be called, then its recordings: stores or replay: endpoints. "
            "'*' takes every model under its own name; a file of shared profiles needs no name.",
        ),
    ],
    library: Annotated[
        Path | None,
        typer.Option("--library", metavar="DIR", help="The library; made if there is none."),
    ] = None,
    panel: Annotated[
        Path | None,
        typer.Option("--panel", metavar="FILE", help="The panel; made if there is none."),
    ] = None,
    all_models: Annotated[
        bool,
        typer.Option("--all-models", help="As NAME '*': everything that is named is a SOURCE."),
    ] = False,
    version: Annotated[
        str, _text("--version", _MODEL, "Of the model: what the server calls it, or a date.", "V")
    ] = "",
    family: Annotated[
        str | None, _text("--family", _MODEL, "Models that are hard to tell apart.", "F")
    ] = None,
    unit: Annotated[
        str | None,
        _text("--unit", _MODEL, "All that shares weights; never on both sides of a split.", "U"),
    ] = None,
    maker: Annotated[str | None, _text("--maker", _MODEL, "Who made it.", "M")] = None,
    relations: Annotated[
        Path | None,
        _text("--relations", _MODEL, "Labels of models: TOML, or CSV of the same keys.", "FILE"),
    ] = None,
    side: Annotated[
        str | None,
        _text("--side", _RECORDING, "Of a comparison: reference or suspect.", "SIDE"),
    ] = None,
    host: Annotated[
        str | None, _text("--host", _RECORDING, "Who served it. Default: as recorded.", "HOST")
    ] = None,
    date: Annotated[
        str | None, _text("--date", _RECORDING, "When, in UTC. Default: as recorded.", "DATE")
    ] = None,
    session: Annotated[
        str | None, _text("--session", _RECORDING, "Its name. Default: a digest.", "NAME")
    ] = None,
    prompts: Annotated[
        Path | None,
        _text(
            "--prompts",
            _RECORDING,
            "Words of the prompts, where the recording has ids alone: Parquet or CSV with "
            "prompt_id and prompt.",
            "FILE",
        ),
    ] = None,
    licence: Annotated[
        str | None, _text("--licence", _RECORDING, "Of its answers.", "TEXT")
    ] = None,
    genre: Annotated[
        str | None,
        _text(
            "--genre", _RECORDING, "Of its prompts, in a word: genres are never compared.", "NAME"
        ),
    ] = None,
    name: Annotated[
        str | None, _text("--name", _PANEL, "Of the member. Default: its endpoint.", "NAME")
    ] = None,
    note: Annotated[str, _text("--note", _PANEL, "What a reader should know.", "TEXT")] = "",
    derivative: Annotated[
        bool,
        typer.Option(
            "--derivative", help="It is a version of another member.", rich_help_panel=_PANEL
        ),
    ] = False,
    json: options.Json = False,
) -> None:
    """Add a recorded model to a library, or to a panel of substitutes.

    A library is what `identify` and `attribute` look in. A panel is what `compare` looks for, and
    what `consistent` must exclude. Either way record many answers: what is not known of a model
    cannot be looked for.
    """
    from provenance.errors import UsageError

    if (library is None) == (panel is None):
        raise UsageError("give --library DIR or --panel FILE, one of them")
    if side not in (None, "reference", "suspect"):
        raise UsageError(f"--side {side}: expected reference or suspect")
    if panel is not None:
        _add_member(
            what, panel, name=name, side=side, licence=licence, note=note, derivative=derivative,
            json=json,
        )  # fmt: skip
        return
    assert library is not None
    if name is not None or note or derivative:
        raise UsageError("--name, --note and --derivative are for --panel; the name comes first")
    label = {"family": family, "unit": unit, "maker": maker}
    stated = {"host": host, "date_utc": date, "session": session, "licence": licence}
    stated["genre"] = genre
    _add_models(
        what,
        library,
        every=all_models,
        version=version,
        label={k: v for k, v in label.items() if v is not None},
        stated=stated,
        relations=relations,
        prompts=prompts,
        side=side,
        json=json,
    )


def _add_models(
    what: list[str],
    path: Path,
    *,
    every: bool,
    version: str,
    label: dict[str, str],
    stated: dict[str, str | None],
    relations: Path | None,
    prompts: Path | None,
    side: str | None,
    json: bool,
) -> None:
    from provenance.cli.library import Counter
    from provenance.errors import UsageError
    from provenance.library.population import Library
    from provenance.library.population.exchange import is_shared
    from provenance.library.population.intake import Wanted, take_in
    from provenance.library.population.sources import Stated
    from provenance.library.relations import Relations

    shared = [is_shared(Path(w)) for w in what]
    if any(shared):
        if not all(shared):
            raise UsageError("shared profiles are added by themselves: no NAME, nothing else")
        _take_shared(Library.open(path, create=True), what, json=json)
        return
    name, recordings = ("*", what) if every else (what[0], what[1:])
    if not recordings:
        raise UsageError(
            f"a name and a recording are needed, found only {what[0]!r}: provenance library add "
            "NAME SOURCE --library DIR"
        )
    wanted = Wanted(
        name=name,
        sources=recordings,
        version=version,
        stated=Stated(**stated),
        relations=None if relations is None else Relations.load(relations),
        label=label,
        prompts=prompts,
        side=side,
    )
    library = Library.open(path, create=True)
    before = {b.id for b in library.bundles()}
    added = take_in(library, wanted, progress=Counter("Adding"))
    profiled = _profiled(library, added)
    _say_added(library, [b for b in added if b.id not in before], added, profiled, json=json)


def _profiled(library: Library, added: list[Bundle]) -> int:
    """Profiles of what was added, in each space that the library has, and sketches beside them."""
    from provenance.cli.library import Counter
    from provenance.library.population import answers

    spaces = [s for s in library.spaces() if (library.path / "spaces" / f"{s}.npz").is_file()]
    if spaces:
        answers.make(library, bundles=added)
    return sum(
        library.profile(library.space(s), bundles=added, progress=Counter("Profiles"))
        for s in spaces
    )


def _say_added(
    library: Library, new: list[Bundle], added: list[Bundle], profiled: int, *, json: bool
) -> None:
    from provenance.cli import outcome
    from provenance.dossier.numbers import counted
    from provenance.dossier.text import for_terminal

    if json:
        outcome.print_json(
            {
                "library": str(library.path),
                "added": [b.model_dump(mode="json") for b in new],
                "already_there": [b.id for b in added if b not in new],
                "profiles": profiled,
            }
        )
        return
    models, outputs = len({b.name for b in new}), sum(b.outputs for b in new)
    print(
        f"{library.path}: added {counted(models, 'model')}, {counted(len(new), 'session')}, "
        f"{counted(outputs, 'output')}"
        + (f"; {len(added) - len(new)} were there already" if len(added) > len(new) else "")
    )
    for bundle in new[:10]:
        date = bundle.date_utc[:10] or "date unknown: say it with --date"
        said = f"{bundle.outputs:,} outputs to {bundle.prompts:,} prompts, {date}"
        print(for_terminal(f"  {bundle.name}: {said}", 200))
    if len(new) > 10:
        print(f"  … and {len(new) - 10} more: provenance library list --library {library.path}")
    if profiled:
        print(f"  {counted(profiled, 'profile')} made")


def _take_shared(library: Library, files: list[str], *, json: bool) -> None:
    from provenance.cli import outcome
    from provenance.dossier.numbers import counted
    from provenance.library.population.exchange import take

    done = [take(library, Path(file)) for file in files]
    spaces = sorted({s for d in done for s in d.spaces})
    missing = [s for s in spaces if not (library.path / "spaces" / f"{s}.npz").is_file()]
    if json:
        outcome.print_json(
            {
                "library": str(library.path),
                "files": [
                    {"file": f, "sha256": d.sha256, "profiles": d.profiles, "models": d.models}
                    for f, d in zip(files, done, strict=True)
                ],
                "spaces": spaces,
                "spaces_missing": missing,
            }
        )
        return
    for file, one in zip(files, done, strict=True):
        print(f"{file}: {counted(one.profiles, 'profile')} of {counted(one.models, 'model')}")
        print(f"SHA-256  {one.sha256}: compare it with what the sender says")
    for space in missing:
        print(f"Needed   the file of the space, at {library.path}/spaces/{space}.npz")


def _add_member(
    what: list[str],
    panel: Path,
    *,
    name: str | None,
    side: str | None,
    licence: str | None,
    note: str,
    derivative: bool,
    json: bool,
) -> None:
    from provenance.cli import outcome
    from provenance.dossier.text import for_terminal
    from provenance.errors import UsageError
    from provenance.library import measure

    if len(what) > 2 or (len(what) == 2 and name is not None):
        raise UsageError("a panel takes one recording: [NAME] STORE --panel FILE")
    member, battery = measure.member_of(
        Path(what[-1]),
        name=what[0] if len(what) == 2 else name,
        role="suspect" if side == "suspect" else "reference",
        licence=licence or "not stated",
        note=note,
        derivative=derivative,
    )
    made = measure.add(member, battery, panel)
    answers = sum(sum(c.values()) for c in member.cells.values())
    if json:
        outcome.print_json({"panel": str(panel), "members": [m.name for m in made.members]})
        return
    print(
        for_terminal(
            f"{panel}: {len(made.members)} members. Added {member.name}: {len(member.cells)} "
            f"cells, {answers:,} answers.",
            500,
        )
    )
