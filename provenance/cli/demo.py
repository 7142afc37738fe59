"""``provenance demo``: three comparisons of recorded answers, from the package alone."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from provenance.errors import SettingsError, UsageError

if TYPE_CHECKING:
    from provenance.endpoint import Endpoint

# Fixed, so that everybody sees the figures that the documentation shows.
SEED = 1
BATTERY = "quick"
EPILOG = """
Examples:
  provenance demo
  provenance demo --out /tmp/demo
  provenance verify reports/demo/CASE      compute one verdict again

Exit codes:
  0   done    1   a fault    2   usage
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison: two recordings, and what they are of."""

    name: str
    title: str
    reference: Endpoint
    suspect: Endpoint
    note: str


def demo(
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="Where to write; a folder for each case."),
    ] = Path("reports/demo"),
    recordings: Annotated[Path | None, typer.Option("--recordings", hidden=True)] = None,
) -> None:
    """Compare recorded answers of real models three times. Start here.

    The answers were recorded and ship in the package: nothing is asked, no key is needed.
    Everything after the asking is real: test, verdict, dossier, evidence.
    """
    from provenance import study
    from provenance.cli import outcome, prepared

    began = time.monotonic()
    cases = read_cases(recordings or _shipped())
    formats = prepared.renderable(("md", "pdf", "json"))
    for case in cases:
        _make_room(out / case.name)
    print("RECORDED answers of real models, replayed from this package. Nothing is asked live.")
    for case in cases:
        print(f"\n── {case.title}\n   {case.note}\n", flush=True)
        done = study.compare(
            case.reference,
            case.suspect,
            battery=BATTERY,
            seed=SEED,
            store=out / case.name,
            formats=formats,
            max_age=36_500,  # what is shown was true when it was recorded; that day is in the note
        )
        outcome.show(done.document, done.written, done.store)
    print(f"\n{len(cases)} recorded comparisons in {time.monotonic() - began:.0f} s.", end=" ")
    print(f"Check one: provenance verify {out / cases[-1].name}")
    print("Then your own: provenance compare --help", file=sys.stderr)


def read_cases(folder: Path) -> list[Case]:
    """The cases of ``cases.toml``.

    Raises
    ------
    SettingsError
        If the file is missing, not TOML, or lacks a key.
    """
    from provenance.endpoint import Endpoint
    from provenance.settings import read_config

    def recording(row: dict[str, Any], side: str) -> Endpoint:
        model = row.get(f"{side}_model")
        options = () if model is None else (("model", str(model)),)
        return Endpoint("replay", str(folder / row[side]), None, options)

    file = folder / "cases.toml"
    try:
        return [
            Case(
                name=row["name"],
                title=row["title"],
                reference=recording(row, "reference"),
                suspect=recording(row, "suspect"),
                note=row["note"],
            )
            for row in read_config(file)["case"]
        ]
    except KeyError as error:
        raise SettingsError(
            f"{file}: every [[case]] needs name, title, reference, suspect, note; "
            f"{error} is missing"
        ) from None


def _shipped() -> Path:
    from provenance import resources

    return resources.configs() / "demo"


def _make_room(folder: Path) -> None:
    """Remove what an earlier demo left; anything else is the user's and stays."""
    from provenance.evidence.store import is_store

    if is_store(folder):
        shutil.rmtree(folder)
    elif folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty and holds no demo: choose another --out")
