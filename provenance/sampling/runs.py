"""Where a study's evidence goes: resume what is unfinished, never touch what is finished."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from provenance.battery import Cell
from provenance.errors import StoreFinished, UsageError
from provenance.evidence.store import Store, is_store
from provenance.sampling.plan import Plan
from provenance.sampling.prepare import Prepared
from provenance.settings import Settings

_ARCHIVE = "earlier-"


def open_run(prepared: Prepared) -> tuple[Store, Plan]:
    """The store to write, with the plan that it holds.

    An unfinished store of the same study is resumed with its own seed and order. A finished one
    is left alone: an error if ``settings.new`` is False, else another run starts beside it and
    counts it.

    Raises
    ------
    StoreFinished
        If the study is complete and ``--new`` was not given.
    StoreLocked
        If another process is writing it.
    UsageError
        If the folder holds another study, or files that are not a study's.
    """
    settings, base = prepared.settings, prepared.store_path
    runs = _runs(base, alone=settings.store is not None)
    finished = [path for path in runs if Store.open(path).finished]
    unfinished = [path for path in runs if path not in finished]
    if settings.new is not True:
        for path in unfinished:
            return _resume(path, prepared)
        if finished and settings.new is False:
            raise StoreFinished(
                f"{finished[-1]} holds this study, finished. `provenance report {finished[-1]}` "
                "shows it again; --new asks everything anew and counts the earlier run"
            )
    path = _free(base, runs, settings)
    plan = replace(prepared.plan, header={**prepared.plan.header, "earlier_runs": len(finished)})
    battery = {
        "name": prepared.questions.name,
        "digest": prepared.questions.digest,
        "cells": [cell.model_dump(mode="json") for cell in plan.cells],
    }
    copies = dict(prepared.copies)
    if prepared.panel is not None:
        copies["panel"] = prepared.panel.model_dump(mode="json")
    return Store.create(path, plan=plan.to_json(), battery=battery, copies=copies), plan


def stored_plan(store: Store) -> Plan:
    """The plan of a store, with the cells of its own copy of the battery."""
    cells = [Cell.model_validate(c) for c in store.battery["cells"]]
    return Plan.from_json(store.plan, cells)


def _resume(path: Path, prepared: Prepared) -> tuple[Store, Plan]:
    store = Store.open(path, write=True)
    if store.plan.get("key") != prepared.key:
        store.close()
        raise UsageError(
            f"{path} holds an unfinished study of other endpoints or settings "
            f"({' vs '.join(store.plan['endpoints'].values())}): finish it, or choose another "
            "--store"
        )
    store.note("resumed", {"records": sum(1 for _ in store.records())})
    return store, stored_plan(store)


def _runs(base: Path, *, alone: bool) -> list[Path]:
    """Existing stores of this study, oldest first."""
    if alone:
        earlier = sorted(base.glob(f"{_ARCHIVE}*"), key=lambda p: int(p.name[len(_ARCHIVE) :]))
        return [p for p in [*earlier, base] if is_store(p)]
    runs, number = [], 1
    while is_store(path := _numbered(base, number)):
        runs.append(path)
        number += 1
    return runs


def _free(base: Path, runs: list[Path], settings: Settings) -> Path:
    if settings.store is None:
        return _numbered(base, len(runs) + 1)
    if is_store(base):
        # The folder is the user's choice: the earlier run moves into it, whole.
        archive = base / f"{_ARCHIVE}{len(runs)}"
        archive.mkdir()
        for item in list(base.iterdir()):
            if not item.name.startswith(_ARCHIVE):
                item.rename(archive / item.name)
    return base


def _numbered(base: Path, number: int) -> Path:
    return base if number == 1 else base.with_name(f"{base.name}-{number}")
