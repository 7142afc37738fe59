"""Members of one's own: from a recording of a model to an entry of a panel."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path

from provenance.battery import Cell
from provenance.canonical import canonical_json
from provenance.endpoint import Endpoint
from provenance.errors import EvidenceError, ReferenceStale, UsageError
from provenance.evidence.draws import sketch
from provenance.evidence.files import write_atomically
from provenance.evidence.integrity import check_integrity
from provenance.evidence.store import Store
from provenance.library.panel import Member, Panel
from provenance.readings import read
from provenance.transcript import Role, Transcript


def member_of(
    store: Path,
    *,
    name: str | None = None,
    role: Role = "reference",
    licence: str = "not stated",
    note: str = "",
    derivative: bool = False,
) -> tuple[Member, str]:
    """The answer tables of a recorded model, and the digest of the battery that it was asked.

    Parameters
    ----------
    store
        As `provenance sample` makes it, or the store of a comparison.
    name
        Of the member; None: the label of its endpoint.
    role
        Which side of a comparison.

    Raises
    ------
    EvidenceError
        If the store was changed, or the side gave no answer.
    """
    problems = [p.text for p in check_integrity(store).details if p.kind != "seal_missing"]
    if problems:
        raise EvidenceError(f"{store} was changed: {problems[0]}")
    with Store.open(store) as opened:
        cells = {c["id"]: Cell.model_validate(c) for c in opened.battery["cells"]}
        endpoint = opened.plan["endpoints"].get(role)
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        records = Transcript(opened.records()).completed(role)
        for record in records:
            completion = record.completion
            if completion is not None and not completion.blocked:
                category = read(cells[record.cell].reading, completion.text)
                counts[record.cell][category] += 1
        battery, recorded = opened.battery["digest"], opened.plan["created_utc"]
        root = opened.root
    if endpoint is None or not counts:
        raise EvidenceError(f"{store} holds no answer of a {role}")
    member = Member(
        name=name or Endpoint.parse(endpoint).label,
        source=f"recorded {recorded[:10]}",
        licence=licence,
        note=note,
        derivative=derivative,
        recorded_root=root,
        draws=sketch(records),
        cells={cell: dict(found.most_common()) for cell, found in counts.items()},
    )
    return member, battery


def add(member: Member, battery: str, panel: Path) -> Panel:
    """Write a panel with one more member; a new file if there is none.

    Raises
    ------
    ReferenceStale
        If the panel was measured on other questions.
    UsageError
        If it has a member of that name.
    """
    if panel.suffix != ".json":
        raise UsageError(f"a panel is a .json file, not {panel}")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    if panel.is_file():
        known = Panel.load(panel)
        if known.battery_digest not in (None, battery):
            raise ReferenceStale(
                f"{panel} was measured on the battery {str(known.battery_digest)[:12]}…, this "
                f"recording on {battery[:12]}…: record the model again with that battery"
            )
        if any(m.name == member.name for m in known.members):
            raise UsageError(f"{panel} has a member {member.name!r}: give another --name")
        members = (*known.members, member)
    else:
        known = Panel(name=panel.stem, measured_utc=now, battery_digest=battery, members=(member,))
        members = known.members
    # Figures that were computed for the old members do not hold for the new panel.
    made = known.model_copy(update={"members": members, "measured_utc": now, "planned": {}})
    write_atomically(panel, canonical_json(made.model_dump(mode="json")))
    return made
