"""A store of ours as a recording: one side of it, with times, bytes, failures and battery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from provenance.endpoint import Endpoint
from provenance.errors import EndpointError, UsageError
from provenance.evidence.draws import digest_of
from provenance.evidence.store import Store
from provenance.providers.replay.rows import RecordedCell
from provenance.transcript import ROLES, Completion, Exchange, Record, Role, Transcript


class StoreRecording:
    """One side of a store.

    Failures are draws too: left out, a suspect that withholds some answers would look like one
    that gave fewer. They are not tried again.

    Parameters
    ----------
    path
        The store's folder.
    model
        "reference", "suspect", the model as it was requested, or a name that it was served under;
        None if the store holds only one side.

    Raises
    ------
    UsageError
        If it is not clear which side is meant.
    TamperedEvidence
        If the chain does not hold.
    """

    def __init__(self, path: Path, model: str | None) -> None:
        self._store = Store.open(path)
        transcript = Transcript(self._store.records())
        role = _which(path, transcript, self._store.plan.get("endpoints"), model)
        self._records: dict[str, list[Record]] = {}
        for record in sorted((r for r in transcript if r.role == role), key=lambda r: r.draw):
            self._records.setdefault(record.cell, []).append(record)
        prompts = _prompts(self._store.battery)
        order = {cell: n for n, cell in enumerate(prompts)}
        self.cells = {
            cell: RecordedCell(cell, prompts.get(cell), len(self._records[cell]))
            for cell in sorted(self._records, key=lambda c: (order.get(c, len(order)), c))
        }
        times = [r.started_utc for found in self._records.values() for r in found]
        self.times: Sequence[str] | None = [t for t in times if t is not None]
        if len(self.times) < len(times):
            self.times = None
        digest = self._store.battery.get("digest")
        self.battery_digest = digest if isinstance(digest, str) else None

    @property
    def root(self) -> str:
        """As the store stands."""
        return self._store.root

    def digests(self) -> frozenset[str]:
        """Which draws these are."""
        return frozenset(digest_of(r) for found in self._records.values() for r in found)

    def exchange(self, cell: str, draw: int) -> Exchange:
        """One recorded exchange: its bytes, its times, its outcome.

        Raises
        ------
        TamperedEvidence
            If its bytes are not those that were recorded.
        """
        record = self._records[cell][draw]
        outcome = record.completion or record.failure
        assert outcome is not None
        if not isinstance(outcome, Completion):
            outcome = outcome.model_copy(update={"retryable": False, "retry_after_s": None})
        return Exchange(
            request=self._store.blob(record.request_sha256),
            response=self._store.blob(record.response_sha256),
            outcome=outcome,
            started_utc=record.started_utc,
            elapsed_s=record.elapsed_s,
            first_byte_s=record.first_byte_s,
            status=record.status,
            headers=dict(record.headers),
        )


def model_of(path: Path, model: str | None) -> str | None:
    """The model that was asked on the side that `StoreRecording` gives, as it was requested."""
    store = Store.open(path)
    endpoints = store.plan.get("endpoints")
    role = _which(path, Transcript(store.records()), endpoints, model)
    requested = endpoints.get(role) if isinstance(endpoints, Mapping) else None
    if not isinstance(requested, str):
        return None
    try:
        asked = Endpoint.parse(requested)
    except EndpointError:
        return None
    if asked.provider == "replay" and asked.option("model") is None:
        return None  # a path is no model's name
    return asked.option("model") or asked.model


def _which(path: Path, transcript: Transcript, endpoints: Any, model: str | None) -> Role:
    sides: dict[Role, set[str]] = {}
    for role in ROLES:
        records = [r for r in transcript if r.role == role]
        if records:
            served = {r.completion.served_model for r in records if r.completion}
            requested = endpoints.get(role) if isinstance(endpoints, Mapping) else None
            sides[role] = {role, *_requested(requested), *(s for s in served if s)}
    if not sides:
        raise UsageError(f"the store {path} holds no answers")
    fitting = [role for role, names in sides.items() if model is None or model in names]
    if len(fitting) == 1:
        return fitting[0]
    choices = ", ".join(f"model={role}" for role in sides)
    known = "; ".join(f"{role}: {', '.join(sorted(n - {role}))}" for role, n in sides.items())
    if not fitting:
        raise UsageError(f"{path} has no recording of {model!r}; choose {choices} ({known})")
    raise UsageError(
        f"{path} holds several recordings; say which one is meant: {choices} ({known})"
    )


def _requested(endpoint: object) -> set[str]:
    """Names under which the plan's endpoint asked for its model."""
    if not isinstance(endpoint, str):
        return set()
    try:
        parsed = Endpoint.parse(endpoint)
    except EndpointError:
        return {endpoint}
    inner = parsed.option("model")
    return {endpoint, parsed.model, *([inner] if inner is not None else [])}


def _prompts(battery: Mapping[str, Any]) -> dict[str, str | None]:
    """The prompt of each cell that is one plain message."""
    prompts: dict[str, str | None] = {}
    for cell in battery.get("cells", ()):
        messages = cell["messages"]
        plain = len(messages) == 1 and messages[0]["role"] == "user"
        prompts[cell["id"]] = messages[0]["content"] if plain else None
    return prompts
