"""A store of ours as a recording: one side of it, with times, bytes and battery."""

from __future__ import annotations

from pathlib import Path

from provenance.errors import UsageError
from provenance.evidence.store import Store
from provenance.transcript import ROLES, Record, Role, Transcript


def read_side(path: Path, model: str | None) -> list[Record]:
    """Final records of one side, in the order of cell and draw.

    Parameters
    ----------
    model
        "reference", "suspect", the model as it was requested, or a name that it was served under.

    Raises
    ------
    UsageError
        If it is not clear which side is meant.
    """
    with Store.open(path) as store:
        transcript = Transcript(store.records())
        endpoints = dict(store.plan["endpoints"])
    names: dict[Role, set[str]] = {}
    for role in ROLES:
        records = [r for r in transcript if r.role == role]
        if records:
            served = {r.completion.served_model for r in records if r.completion}
            names[role] = {role, endpoints.get(role, role), *(s for s in served if s)}
            requested = endpoints.get(role, "").split(":", 1)
            names[role].add(requested[-1].split("@http")[0].split(",")[0])
    if not names:
        raise UsageError(f"the store {path} holds no answers")
    fitting = [role for role, known in names.items() if model is None or model in known]
    if len(fitting) != 1:
        choices = ", ".join(f"model={role}" for role in names)
        raise UsageError(f"{path} holds several recordings; say which one is meant: {choices}")
    return sorted((r for r in transcript if r.role == fitting[0]), key=lambda r: (r.cell, r.draw))


def battery_digest(path: Path) -> str:
    """Digest of the battery that was asked."""
    with Store.open(path) as store:
        return str(store.battery["digest"])


def response(path: Path, record: Record) -> bytes:
    """The recorded bytes of an answer."""
    with Store.open(path) as store:
        return store.blob(record.response_sha256)
