"""Identifying: which model of a library a suspect's texts cannot be told from."""

from __future__ import annotations

import asyncio
import base64
import os
from pathlib import Path
from typing import Any

from provenance import dossier
from provenance.attribution.enrolled import Enrolled, require_space
from provenance.attribution.habits import Habits
from provenance.attribution.origin import analyse_identification
from provenance.attribution.ratios import Ratios
from provenance.battery import Cell
from provenance.endpoint import Endpoint
from provenance.evidence.store import Store
from provenance.findings import StudyDocument
from provenance.library.population import Library
from provenance.library.space import Space
from provenance.providers.base import Provider
from provenance.sampling.prepare import Prepared
from provenance.sampling.prepare import prepare as prepare_sides
from provenance.sampling.runner import ProgressCallback
from provenance.settings import Settings
from provenance.study.finished import Study
from provenance.study.recording import record
from provenance.study.sides import Side, settings_of, side_of
from provenance.study.waiting import wait
from provenance.transcript import Transcript

BATTERY = "style"


def identify(
    suspect: Side,
    *,
    library: str | Path,
    space: str | None = None,
    settings: Settings | None = None,
    progress: ProgressCallback | None = None,
    **options: Any,
) -> Study:
    """Find the models of a library that cannot be excluded as the origin of a suspect's texts.

    Parameters
    ----------
    suspect
        An endpoint string, an `Endpoint`, a provider of your own, or the folder of a store. A live
        endpoint is asked the battery ``style`` unless ``battery`` says otherwise; a recording
        brings its own prompts.
    library
        Folder of a library with profiles in a space (``provenance library calibrate``).
    space
        Digest of the space, or its beginning, where the library has several.
    settings, progress, **options
        As in `compare`.

    Returns
    -------
    Study
        Its ``verdict.label`` is "known", "none_of_these" or "inconclusive"; ``document.candidates``
        holds every model with its p-value, and whether it is in the set.

    Raises
    ------
    UsageError, ProviderError, BudgetExhausted, ReferenceStale, EvidenceError
        See `provenance.errors`.
    """
    return wait(
        lambda: aidentify(
            suspect,
            library=library,
            space=space,
            settings=settings,
            progress=progress,
            **options,
        )
    )


async def aidentify(
    suspect: Side,
    *,
    library: str | Path,
    space: str | None = None,
    settings: Settings | None = None,
    progress: ProgressCallback | None = None,
    **options: Any,
) -> Study:
    """`identify` as a coroutine."""
    settings, config = settings_of(settings, options)
    dossier.require(settings.formats)
    prepared = await asyncio.to_thread(
        prepare_identification, side_of(suspect, config), Path(library), settings, space
    )
    return await _run(prepared, progress)


def conclude_identification(prepared: Prepared, progress: ProgressCallback | None = None) -> Study:
    """Ask what a prepared identification has left to ask, analyse it and write the dossiers."""
    return wait(lambda: _run(prepared, progress))


async def _run(prepared: Prepared, progress: ProgressCallback | None) -> Study:
    path = await record(prepared, progress)
    return await asyncio.to_thread(_conclude, path, prepared.settings, progress)


def prepare_identification(
    suspect: Endpoint | Provider, library: Path, settings: Settings, space: str | None = None
) -> Prepared:
    """Plan an identification and send nothing."""
    endpoint = suspect if isinstance(suspect, Endpoint) else suspect.endpoint
    if settings.battery is None and endpoint.provider != "replay":
        settings = settings.model_copy(update={"battery": BATTERY})
    return prepare_sides(
        {"suspect": suspect},
        settings,
        environment=os.environ,
        question="identify",
        copies=copies_of(Library.open(library), space),
    )


def copies_of(library: Library, space: str | None = None) -> dict[str, Any]:
    """What an analysis reads of a library, as JSON: models, space, calibrations, habits."""
    found = library.space(space)
    enrolled = Enrolled.of(library, found.digest)
    ratios = Ratios.of(library, found.digest)
    habits = Habits.of(library)
    copies: dict[str, Any] = {
        "population": enrolled.to_json(),
        "space": {
            "digest": found.digest,
            "file": base64.b64encode(found.to_bytes()).decode("ascii"),
        },
    }
    if ratios is not None:
        copies["calibrations"] = ratios.to_json()
    if habits is not None:
        copies["habits"] = habits.to_json()
    return copies


def read_copies(store: Store) -> tuple[Enrolled, Space, Ratios | None, Habits | None]:
    """Read back `copies_of` from a store.

    Raises
    ------
    EvidenceError, UsageError
        If a copy cannot be read by this version.
    """
    enrolled = Enrolled.from_json(store.copies["population"])
    space = Space.from_bytes(base64.b64decode(store.copies["space"]["file"]), str(store.path))
    require_space(enrolled, space.digest)
    ratios, habits = store.copies.get("calibrations"), store.copies.get("habits")
    return (
        enrolled,
        space,
        None if ratios is None else Ratios.from_json(ratios),
        None if habits is None else Habits.from_json(habits),
    )


def analysed(store: Store) -> StudyDocument:
    """The study document of an identification, recomputed from its store; codes not spelt out."""
    enrolled, space, ratios, habits = read_copies(store)
    return analyse_identification(
        store.plan,
        [Cell.model_validate(cell) for cell in store.battery["cells"]],
        Transcript(store.records()),
        store.notes(),
        plan_digest=store.plan_digest,
        root=store.root,
        enrolled=enrolled,
        space=space,
        ratios=ratios,
        habits=habits,
    )


def _conclude(path: Path, settings: Settings, progress: ProgressCallback | None) -> Study:
    from provenance.study.analysis import conclude

    return conclude(path, settings, progress)
