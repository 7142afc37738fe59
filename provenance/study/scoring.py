"""Scores of both sides' texts under the reference's own weights, kept with the evidence.

They are computed once, after sampling, and written down: the analysis reads them from the store
and needs no weights, and whoever holds the weights can compute them again.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Protocol, runtime_checkable

from provenance.attribution.likelihoods import EVENT
from provenance.evidence.store import Store
from provenance.providers.base import Provider
from provenance.sampling.plan import Plan
from provenance.transcript import Message, Record, Transcript


@runtime_checkable
class Scorer(Protocol):
    """A provider that can say what its weights make of a text."""

    async def score(
        self, messages: tuple[Message, ...], texts: list[str]
    ) -> list[tuple[float | None, int]]:
        """Per text a score, None where there is none, and the tokens read."""


async def score_texts(plan: Plan, store: Store, reference: Provider) -> None:
    """Score every answer that was not scored yet, cell by cell, equal texts once.

    A score depends on the cell and the text, on nothing else: both sides are read alike, the side
    that wrote a text is not looked at.
    """
    if not isinstance(reference, Scorer):
        return
    scored = {e["values"]["cell"] for e in store.notes() if e["kind"] == EVENT}
    waiting: dict[str, list[Record]] = defaultdict(list)
    for record in Transcript(store.records()):
        if record.completion is not None and not record.completion.blocked:
            waiting[record.cell].append(record)
    for cell in plan.cells:
        records = waiting.get(cell.id, [])
        if not records or cell.id in scored:
            continue
        texts = {r.slot: r.completion.text for r in records if r.completion is not None}
        distinct = list(dict.fromkeys(texts.values()))
        found = dict(zip(distinct, await reference.score(cell.messages, distinct), strict=True))
        store.note(
            EVENT,
            {
                "cell": cell.id,
                "weights": getattr(reference, "fingerprint", None),
                "scores": [[slot, *found[text]] for slot, text in texts.items()],
            },
        )
