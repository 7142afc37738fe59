"""Recording a comparison with its anchors."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from provenance.evidence.others import OTHERS
from provenance.evidence.store import Store, is_store
from provenance.sampling.budget import Purse
from provenance.sampling.plan import Plan
from provenance.sampling.prepare import Prepared
from provenance.sampling.runner import ProgressCallback
from provenance.sampling.runs import open_run
from provenance.study.anchors import read_anchor
from provenance.study.recording import ask
from provenance.study.sides import shared_gates
from provenance.study.turns import Merged, Place, Turns
from provenance.study.waiting import tell

_NOT_SERVED = ("replay", "transformers", "gguf")


async def record_comparison(
    main: Prepared, anchors: Sequence[Prepared], progress: ProgressCallback | None
) -> Path:
    """Ask a study and its anchors; every anchor into a store of its own, sealed.

    Anchors at servers are asked in turn with the study, block by block, so that a change of a host
    meets all of them. Recordings are replayed afterwards, as they come from another time anyway;
    so are anchors with a model on this machine: such models would all have to be in memory at once.
    """
    purse = Purse()
    store, plan = open_run(main)
    path = store.path
    try:
        left = [
            _in_folder(anchor, path, number)
            for number, anchor in enumerate(anchors)
            if not _is_done(path, number, purse)
        ]
        beside = [anchor for anchor in left if _served(anchor)]
        runs = [open_run(anchor) for anchor in beside]
    except BaseException:
        store.close()
        raise
    await _in_turn([main, *beside], [(store, plan), *runs], purse, progress)
    for anchor in left:
        if not _served(anchor):
            tell(progress, f"asking the anchor {anchor.endpoints['suspect'].label}")
            own, its_plan = open_run(anchor)
            await ask(anchor, own, its_plan, progress=progress, purse=purse)
    for anchor in left:
        with Store.open(anchor.store_path, write=True) as sealed:
            sealed.seal()
    if anchors:
        _note_roots(path, len(anchors))
    return path


async def _in_turn(
    parts: Sequence[Prepared],
    runs: Sequence[tuple[Store, Plan]],
    purse: Purse,
    progress: ProgressCallback | None,
) -> None:
    if len(parts) == 1:
        await ask(parts[0], *runs[0], progress=progress, purse=purse)
        return
    plans = [plan for _, plan in runs]
    turns, gates = Turns(plans), shared_gates(parts)
    merged = None if progress is None else Merged(progress, [len(plan.slots) for plan in plans])
    done = await asyncio.gather(
        *(
            ask(
                part,
                store,
                plan,
                progress=None if merged is None else merged.of(number),
                purse=purse,
                place=Place(turns, number, gates[number]),
            )
            for number, (part, (store, plan)) in enumerate(zip(parts, runs, strict=True))
        ),
        return_exceptions=True,
    )
    for error in done:
        if error is not None:
            raise error


def _name(number: int) -> str:
    """Of the folder that an anchor has among the others."""
    return f"{number}-anchor"


def _in_folder(anchor: Prepared, study: Path, number: int) -> Prepared:
    folder = study / OTHERS / _name(number)
    own = anchor.settings.model_copy(update={"store": folder, "new": None})
    return replace(anchor, settings=own, store_path=folder)


def _is_done(study: Path, number: int, purse: Purse) -> bool:
    """Whether an anchor was recorded to its end before; then what it cost goes into the purse."""
    folder = study / OTHERS / _name(number)
    if not is_store(folder) or not Store.open(folder).finished:
        return False
    used = read_anchor(folder).usage()
    purse.requests += used.requests
    purse.usd += used.usd or 0.0
    return True


def _served(anchor: Prepared) -> bool:
    """Whether both sides answer now, and neither needs a model in this machine's memory."""
    return not any(e.provider in _NOT_SERVED for e in anchor.endpoints.values())


def _note_roots(path: Path, anchors: int) -> None:
    with Store.open(path, write=True) as store:
        noted = {event["values"]["folder"] for event in store.notes() if event["kind"] == "other"}
        for number in range(anchors):
            folder = _name(number)
            if folder not in noted:
                root = Store.open(path / OTHERS / folder).root
                store.note("other", {"folder": folder, "role": "anchor", "root": root})
