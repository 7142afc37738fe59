"""The descriptive parts of a study document: who answered, how much, at what cost, and what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from provenance import __version__
from provenance.attribution.observations import CellObservations, Observations
from provenance.battery import Cell
from provenance.endpoint import Endpoint
from provenance.findings import (
    BatteryRef,
    CellCounts,
    Coverage,
    Declaration,
    EvidenceRef,
    FailureCount,
    Reason,
    Side,
    UsageTotal,
)
from provenance.transcript import ROLES, Completion, Record, Role, Transcript

_MOST_CATEGORIES = 40
_OTHER = "…other"
_LONGEST_CATEGORY = 80
_LONGEST_EXAMPLE = 600
_LONGEST_PROMPT = 600
_MOST_NAMES = 20


def asked(plan: Mapping[str, Any], cells: Sequence[Cell], plan_digest: str) -> dict[str, Any]:
    """What was asked, by whom and with which settings: the fields that every study has."""
    return {
        "tool_version": __version__,
        "created_utc": plan["created_utc"],
        "question": plan["question"],
        "declaration": Declaration(**plan["declaration"]),
        "battery": BatteryRef(
            name=plan["battery"]["name"], digest=plan["battery"]["digest"], cells=len(cells)
        ),
        "plan_digest": plan_digest,
        "settings": dict(plan["settings"]) | {"rules": dict(plan["rules"])},
        "environment": plan["environment"],
        "seed": int(plan["seed"]),
    }


def reasons(coded: Iterable[tuple[str, dict[str, Any]]]) -> tuple[Reason, ...]:
    """Codes with their values; the words are a renderer's."""
    return tuple(Reason(code=code, text="", values=values) for code, values in coded)


def evidence(plan: Mapping[str, Any], transcript: Transcript, root: str | None) -> EvidenceRef:
    """Where it can be checked."""
    earlier = plan.get("earlier_runs", 0)
    return EvidenceRef(records=len(transcript.attempts), root=root, earlier_runs=earlier)


def side(
    endpoint: Endpoint,
    other: Endpoint | None,
    records: Sequence[Record],
    capabilities: Mapping[str, Any],
) -> Side:
    """One endpoint as it was asked for and as it answered, named apart from the other if any."""
    answers = [r.completion for r in records if r.completion is not None]
    served = Counter(c.served_model for c in answers if c.served_model)
    prints = Counter(c.system_fingerprint for c in answers if c.system_fingerprint)
    times = sorted(r.started_utc for r in records if r.started_utc)
    return Side(
        requested=str(endpoint),
        label=endpoint.label if other is None else endpoint.label_beside(other),
        served={_clip(k, 200): n for k, n in served.most_common(_MOST_NAMES)},
        fingerprints={_clip(k, 200): n for k, n in prints.most_common(_MOST_NAMES)},
        options={name: endpoint.option(name) for name, _ in endpoint.options},
        capabilities=dict(capabilities),
        first_utc=times[0] if times else None,
        last_utc=times[-1] if times else None,
    )


def cell_counts(observed: CellObservations) -> CellCounts:
    """What each side answered in one cell."""
    reference, suspect = observed.counts("reference"), observed.counts("suspect")
    n, m = reference.total(), suspect.total()
    difference = None
    if n and m:
        categories = {**reference, **suspect}  # in a fixed order: sums of floats depend on it
        difference = sum(abs(reference[c] / n - suspect[c] / m) for c in categories) / 2
    examples = {}
    for role in ROLES:
        text = next(
            (
                t
                for r, t in zip(observed.records, observed.texts, strict=True)
                if r.role == role and t
            ),
            None,
        )
        if text is not None:
            examples[role] = _clip(text, _LONGEST_EXAMPLE)
    prompt = "\n\n".join(m.content for m in observed.cell.messages)
    return CellCounts(
        id=observed.cell.id,
        family=observed.cell.family,
        reading=observed.cell.reading,
        prompt=_clip(prompt, _LONGEST_PROMPT),
        reference=_most_common(reference),
        suspect=_most_common(suspect),
        n_reference=n,
        n_suspect=m,
        difference=difference,
        examples=examples,
    )


def coverage(
    observations: Observations, transcript: Transcript, planned: Mapping[Role, Sequence[int]]
) -> Coverage:
    """Draws planned, answered and used."""
    answered = {role: len(transcript.completed(role)) for role in ROLES}
    return Coverage(
        planned=sum(sum(n) for n in planned.values()),
        completed=sum(answered.values()),
        used=sum(len(c.records) for c in observations.used()),
        reference=answered["reference"],
        suspect=answered["suspect"],
        cells_planned=len(observations.cells),
        cells_used=len(observations.used()),
        blocks_excluded_for_lag=observations.blocks_out_of_time,
    )


def failures(transcript: Transcript, cells: Sequence[Cell]) -> tuple[FailureCount, ...]:
    """Final failures by side, kind and family, with one message each."""
    family = {cell.id: cell.family for cell in cells}
    counts: Counter[tuple[Role, str, str]] = Counter()
    example: dict[tuple[Role, str, str], str] = {}
    for record in transcript:
        if record.failure is not None:
            key = (record.role, record.failure.kind, family[record.cell])
            counts[key] += 1
            example.setdefault(key, record.failure.message)
    return tuple(
        FailureCount(side=key[0], kind=key[1], family=key[2], count=n, example=example[key])
        for key, n in sorted(counts.items())
    )


def usage(
    transcript: Transcript,
    prices: Mapping[str, Any],
    endpoints: Mapping[Role, Endpoint],
    pilots: Mapping[Role, Sequence[Completion | None]],
) -> UsageTotal:
    """Attempts and tokens of the whole study; a recording is read, not asked, and costs nothing.

    Parameters
    ----------
    prices
        Per side {"input", "output"} in dollars per million tokens, or None if unknown.
    endpoints
        Per side.
    pilots
        Per side, the answers to pilot requests; None for one without.
    """
    by_side: dict[str, dict[str, float | int | None]] = {}
    for role in endpoints:
        asked = endpoints[role].provider != "replay"
        attempts = [r for r in transcript.attempts if r.role == role and asked]
        answers = [*(r.completion for r in attempts), *pilots[role]]
        uses = [completion.usage for completion in answers if completion is not None]
        prompt = _total([u.prompt_tokens for u in uses])
        completion = _total([u.billed_completion for u in uses])
        price = prices.get(role)
        usd = None
        if not asked or price == {"input": 0.0, "output": 0.0}:
            usd = 0.0
        elif price is not None and prompt is not None and completion is not None:
            usd = (prompt * price["input"] + completion * price["output"]) / 1e6
        by_side[role] = {
            "requests": len(answers),
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "usd": usd,
        }
    prompt = _total([s["prompt_tokens"] for s in by_side.values()])
    completion = _total([s["completion_tokens"] for s in by_side.values()])
    dollars = [s["usd"] for s in by_side.values()]
    return UsageTotal(
        requests=sum(int(s["requests"] or 0) for s in by_side.values()),
        prompt_tokens=prompt,
        completion_tokens=completion,
        tokens=None if prompt is None or completion is None else prompt + completion,
        usd=sum(d for d in dollars if d is not None) if None not in dollars else None,
        by_side=by_side,
    )


def with_anchors(own: UsageTotal, anchors: Sequence[UsageTotal]) -> UsageTotal:
    """The usage of a study with that of its anchors, as a row of their own."""
    if not anchors:
        return own
    dollars = [total.usd for total in anchors]
    row: dict[str, float | int | None] = {
        "requests": sum(total.requests for total in anchors),
        "prompt_tokens": _total([total.prompt_tokens for total in anchors]),
        "completion_tokens": _total([total.completion_tokens for total in anchors]),
        "usd": sum(d for d in dollars if d is not None) if None not in dollars else None,
    }
    prompt = _total([own.prompt_tokens, row["prompt_tokens"]])
    completion = _total([own.completion_tokens, row["completion_tokens"]])
    usd = row["usd"]
    return UsageTotal(
        requests=own.requests + int(row["requests"] or 0),
        prompt_tokens=prompt,
        completion_tokens=completion,
        tokens=None if prompt is None or completion is None else prompt + completion,
        usd=None if own.usd is None or usd is None else own.usd + usd,
        by_side={**own.by_side, "anchors": row},
    )


def _total(values: Sequence[float | int | None]) -> int | None:
    """The sum, or None where nothing was counted or something was not."""
    known = [int(v) for v in values if v is not None]
    return sum(known) if values and len(known) == len(values) else None


def _most_common(counts: Counter[str]) -> dict[str, int]:
    shown: dict[str, int] = {}
    for category, n in counts.most_common(_MOST_CATEGORIES):
        name = _clip(category, _LONGEST_CATEGORY)
        shown[name] = shown.get(name, 0) + n
    rest = counts.total() - sum(shown.values())
    if rest:
        shown[_OTHER] = shown.get(_OTHER, 0) + rest
    return shown


def _clip(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
