"""Identifying: which model of a library a suspect's texts cannot be told from."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from provenance import dossier
from provenance.attribution.origin import analyse_identification
from provenance.battery import Cell
from provenance.endpoint import Endpoint
from provenance.evidence.store import Store
from provenance.findings import StudyDocument
from provenance.providers.base import Provider
from provenance.sampling.prepare import Prepared
from provenance.sampling.prepare import prepare as prepare_sides
from provenance.sampling.runner import ProgressCallback
from provenance.settings import Settings
from provenance.study.asking import choose
from provenance.study.finished import Study
from provenance.study.libraries import read_copies
from provenance.study.recording import record
from provenance.study.sides import Side, settings_of, side_of
from provenance.study.waiting import wait
from provenance.transcript import Transcript


def identify(
    suspect: Side,
    *,
    library: str | Path | None = None,
    space: str | None = None,
    genre: str | None = None,
    settings: Settings | None = None,
    progress: ProgressCallback | None = None,
    **options: Any,
) -> Study:
    """Find the models of a library that cannot be excluded as the origin of a suspect's texts.

    Parameters
    ----------
    suspect
        An endpoint string, an `Endpoint`, a provider of your own, or the folder of a store. Unless
        ``battery`` says otherwise a live endpoint is asked ``arithmetic`` for the library that
        ships, whose calibrations cover that genre, and ``style`` for one of your own; a recording
        brings its own prompts.
    library
        Folder of a library with profiles in a space (``provenance library calibrate``); None: the
        one that ships (``provenance library show``).
    space
        Digest of the space, or its beginning. None: the library's space of texts as they stand,
        with that of the canonical view beside it.
    genre
        Of the suspect's prompts, if it is one that the library names. None: as the library's
        own prompts among them say, else as the battery says, if all of it is of one genre, else
        not stated.
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
            genre=genre,
            settings=settings,
            progress=progress,
            **options,
        )
    )


async def aidentify(
    suspect: Side,
    *,
    library: str | Path | None = None,
    space: str | None = None,
    genre: str | None = None,
    settings: Settings | None = None,
    progress: ProgressCallback | None = None,
    **options: Any,
) -> Study:
    """`identify` as a coroutine."""
    settings, config = settings_of(settings, options)
    dossier.require(settings.formats)
    prepared = await asyncio.to_thread(
        prepare_identification, side_of(suspect, config), library, settings, space, genre
    )
    return await _run(prepared, progress)


def conclude_identification(prepared: Prepared, progress: ProgressCallback | None = None) -> Study:
    """Ask what a prepared identification has left to ask, analyse it and write the dossiers."""
    return wait(lambda: _run(prepared, progress))


async def _run(prepared: Prepared, progress: ProgressCallback | None) -> Study:
    path = await record(prepared, progress)
    return await asyncio.to_thread(_conclude, path, prepared.settings, progress)


def prepare_identification(
    suspect: Endpoint | Provider,
    library: str | Path | None,
    settings: Settings,
    space: str | None = None,
    genre: str | None = None,
) -> Prepared:
    """Plan an identification and send nothing."""
    settings, copies = choose(suspect, library, settings, space, genre, closed=True)
    return prepare_sides(
        {"suspect": suspect},
        settings,
        environment=os.environ,
        question="identify",
        copies=copies.content,
    )


def analysed(store: Store) -> StudyDocument:
    """The study document of an identification, recomputed from its store; codes not spelt out."""
    return analyse_identification(
        store.plan,
        [Cell.model_validate(cell) for cell in store.battery["cells"]],
        Transcript(store.records()),
        store.notes(),
        plan_digest=store.plan_digest,
        root=store.root,
        known=read_copies(store),
    )


def _conclude(path: Path, settings: Settings, progress: ProgressCallback | None) -> Study:
    from provenance.study.analysis import conclude

    return conclude(path, settings, progress)
