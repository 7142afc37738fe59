"""What was asked of whom, what came back, at what cost, and how to check it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from provenance.dossier import failures as failed_requests
from provenance.dossier import wording
from provenance.dossier.blocks import Block, Bullets, Code, Column, Heading, Paragraph, Table
from provenance.dossier.numbers import UNKNOWN, count, moment, percent, usd
from provenance.findings import Side, StudyDocument

_NAME_VALUE = (Column("", "text", 1), Column("", "code", 2.4))
_PER_SIDE = (
    Column("", "text", 1),
    Column("Reference", "code", 1.7),
    Column("Suspect", "code", 1.7),
)
MOST_FAILURES = 60


def coverage(document: StudyDocument) -> list[Block]:
    """Draws planned, answered and used; failures by side, kind and family."""
    c = document.coverage
    done = percent(c.completed / c.planned) if c.planned else UNKNOWN
    rows = (
        ("Draws planned", count(c.planned)),
        ("Draws answered", f"{count(c.completed)} ({done})"),
        ("Answers of the reference", count(c.reference)),
        ("Answers of the suspect", count(c.suspect)),
        ("Draws used in tests", count(c.used)),
        ("Cells used, of planned", f"{count(c.cells_used)} of {count(c.cells_planned)}"),
        ("Blocks left out for lag", count(c.blocks_excluded_for_lag)),
    )
    columns = (Column("", "text", 1), Column("", "text", 1))
    blocks: list[Block] = [Heading("Coverage and failures")]
    blocks.append(Table("Coverage.", columns, rows, header=False))
    if not document.failures:
        return [*blocks, Paragraph("No request failed for good.")]
    failed = tuple(
        (f.side, failed_requests.words(f.kind), f.family, count(f.count), f.example or UNKNOWN)
        for f in document.failures[:MOST_FAILURES]
    )
    titles = (
        Column("Side", "text", 0),
        Column("Kind", "text", 1),
        Column("Family", "code", 1.2),
        Column("Count", "number", 0),
        Column("Example", "code", 2.4),
    )
    caption = "Final failures. They lower coverage and are never evidence of a difference."
    blocks.append(Table(caption, titles, failed))
    rest = len(document.failures) - MOST_FAILURES
    if rest > 0:
        blocks.append(Paragraph(f"{rest:,} more rows in study.json.", small=True))
    to_do = failed_requests.kinds(document)
    return [*blocks, Bullets(tuple(to_do))] if to_do else blocks


def endpoints(document: StudyDocument) -> list[Block]:
    """The two endpoints, side by side."""
    sides = (document.reference, document.suspect)
    rows = (
        ("Requested as", *(s.requested for s in sides)),
        ("Served model names", *(_tally(s.served) for s in sides)),
        ("System fingerprints", *(_tally(s.fingerprints) for s in sides)),
        ("Options", *(_pairs(s.options) for s in sides)),
        ("Capabilities found", *(_pairs(s.capabilities) for s in sides)),
        ("Sampled from", *(moment(s.first_utc) for s in sides)),
        ("Sampled until", *(moment(s.last_utc) for s in sides)),
    )
    note = "Served names and fingerprints are claims of the servers; figures are counts of answers."
    return [
        Heading("The two endpoints"),
        Table("Endpoints as requested and as they answered.", _PER_SIDE, rows),
        Paragraph(note, small=True),
    ]


def settings(document: StudyDocument) -> list[Block]:
    """Battery, plan, seed, settings, environment, versions."""
    battery = document.battery
    design = (
        ("Battery", f"{battery.name}, {count(battery.cells)} cells"),
        ("Battery digest", battery.digest),
        ("Plan digest", document.plan_digest),
        ("Seed", str(document.seed)),
        ("Tool version", document.tool_version),
        ("Schema version", str(document.schema_version)),
    )
    blocks: list[Block] = [Heading("Design and settings")]
    blocks.append(Table("Design, fixed before the first request.", _NAME_VALUE, design, False))
    chosen = tuple(_flat(document.settings))
    if chosen:
        blocks.append(Table("Settings.", _NAME_VALUE, chosen, header=False))
    if document.environment:
        rows = tuple(document.environment.items())
        blocks.append(Table("Environment.", _NAME_VALUE, rows, header=False))
    return blocks


def usage(document: StudyDocument) -> list[Block]:
    """Requests, tokens, dollars."""
    u = document.usage
    names: list[str] = [n for n in ("reference", "suspect") if n in u.by_side]
    names += sorted(set(u.by_side) - {"reference", "suspect"})
    columns = (
        Column("", "text", 1),
        Column("Requests", "number", 0),
        Column("Prompt tokens", "number", 0),
        Column("Completion tokens", "number", 0),
        Column("Cost", "number", 0),
    )
    rows = [
        (
            name.capitalize(),
            _whole(u.by_side[name].get("requests")),
            _whole(u.by_side[name].get("prompt_tokens")),
            _whole(u.by_side[name].get("completion_tokens")),
            usd(u.by_side[name].get("usd")),
        )
        for name in names
    ]
    total = (count(u.requests), count(u.prompt_tokens), count(u.completion_tokens), usd(u.usd))
    rows.append(("Total", *total))
    caption = "Attempts, tokens as the servers counted them, and cost where prices are known."
    return [Heading("Usage"), Table(caption, columns, tuple(rows))]


def limits(document: StudyDocument) -> list[Block]:
    """Limits and deviations from the plan."""
    named = document.limits or wording.DEFAULT_LIMITS
    blocks: list[Block] = [
        Heading("Limits"),
        Bullets(tuple(wording.sentence(wording.LIMITS, limit) for limit in named)),
        Heading("Deviations from the plan"),
    ]
    if not document.deviations:
        return [*blocks, Paragraph("None recorded.")]
    items = tuple(wording.sentence(wording.DEVIATIONS, d) for d in document.deviations)
    return [*blocks, Bullets(items)]


def verify(document: StudyDocument) -> list[Block]:
    """How to check the evidence, and what that shows."""
    evidence = document.evidence
    rows = (
        ("Records", count(evidence.records)),
        ("Root of the evidence", evidence.root or UNKNOWN),
        ("Earlier runs of the same study", count(evidence.earlier_runs)),
    )
    return [
        Heading("How to verify"),
        Paragraph(wording.VERIFY),
        Code("provenance verify STORE"),
        Table("Evidence.", _NAME_VALUE, rows, header=False),
        Paragraph(wording.VERIFY_LIMIT),
    ]


def declaration(document: StudyDocument) -> list[Block]:
    """Who asked, why, and with whose authority, as stated by the user."""
    d = document.declaration
    rows = (
        ("Asked by", d.asked_by or wording.NOT_STATED),
        ("Purpose", d.purpose or wording.NOT_STATED),
        ("Authorised by", d.authorised_by or wording.NOT_STATED),
    )
    columns = (Column("", "text", 1), Column("", "text", 2.4))
    return [Heading("Declaration"), Table("As stated by the user.", columns, rows, header=False)]


def _tally(counts: Mapping[str, int]) -> str:
    if not counts:
        return UNKNOWN
    return ", ".join(f"{name or '(empty)'}: {n:,}" for name, n in list(counts.items())[:8]) + (
        f" and {len(counts) - 8:,} more" if len(counts) > 8 else ""
    )


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{k} = {_plain(v)}" for k, v in values.items()) or "none"


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Names and values; one table inside another is written with a dot."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value and not prefix:
            yield from _flat(value, f"{name}.")
        else:
            yield f"{prefix}{name}", _plain(value)


def _plain(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _whole(value: float | None) -> str:
    return count(None if value is None else int(value))


def label(side: Side) -> str:
    """A side's short name."""
    return side.label or side.requested
