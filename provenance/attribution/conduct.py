"""How the servers behaved beside their answers: thinking, parameters heeded. Descriptive only.

Two hosts of the same weights may differ in all of it, so nothing here has a p-value or decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from provenance.canonical import clean_text
from provenance.findings import Finding
from provenance.transcript import ROLES, Completion, Role, Transcript

_HEEDED = {"supported", "accepted"}
_NOT_HEEDED = {"ignored", "refused"}


def capabilities(events: Sequence[Mapping[str, Any]], role: Role) -> dict[str, str]:
    """Parameter -> state of one side; what the ladder found comes before what errors showed."""
    found: dict[str, str] = {}
    for kind, key in (("capabilities", "found"), ("piloted", "capabilities")):
        for event in events:
            if event["kind"] == kind and event["values"]["role"] == role:
                found |= {clean_text(str(k)): str(v) for k, v in event["values"][key].items()}
    return found


def pilot_answers(events: Sequence[Mapping[str, Any]], role: Role) -> list[Completion | None]:
    """The pilot requests of a side, an entry each; None where there was no answer."""
    return [
        None
        if event["values"]["completion"] is None
        else Completion.model_validate(event["values"]["completion"])
        for event in events
        if event["kind"] == "pilot" and event["values"]["role"] == role
    ]


def examine_conduct(
    transcript: Transcript, events: Sequence[Mapping[str, Any]]
) -> tuple[Finding, ...]:
    """Whether the sides thought, and which parameters only one of them heeds."""
    return (*_thinking(transcript, events), *_differing(events))


def _thinking(transcript: Transcript, events: Sequence[Mapping[str, Any]]) -> list[Finding]:
    shown: dict[Role, list[int]] = {}
    answers: dict[Role, int] = {}
    for role in ROLES:
        completions = [r.completion for r in transcript.completed(role) if r.completion]
        answers[role] = len(completions)
        shown[role] = [
            c.usage.reasoning_tokens or 0
            for c in completions
            if c.reasoning or c.usage.reasoning_tokens
        ]
    piloted = {e["values"]["role"]: e["values"] for e in events if e["kind"] == "piloted"}
    on = {role: bool(shown[role]) or bool(piloted.get(role, {}).get("thinks")) for role in ROLES}
    if not any(on.values()):
        return []
    share = {role: len(shown[role]) / answers[role] if answers[role] else None for role in ROLES}
    reference, suspect = share["reference"], share["suspect"]
    return [
        Finding(
            name="thinking",
            effect=None if reference is None or suspect is None else suspect - reference,
            estimand="share of answers that show thinking, suspect minus reference",
            exactness="descriptive",
            n_reference=answers["reference"],
            n_suspect=answers["suspect"],
            method=(
                "Answers with thinking text or thinking tokens, counted. Thinking was "
                + " and ".join(f"{'on' if on[role] else 'off'} for the {role}" for role in ROLES)
            ),
            values={
                str(role): {
                    "on": on[role],
                    "answers": answers[role],
                    "thinking": len(shown[role]),
                    "median_tokens": median(shown[role]) if shown[role] else None,
                    "room_tokens": piloted.get(role, {}).get("thinking_tokens"),
                }
                for role in ROLES
            },
        )
    ]


def _differing(events: Sequence[Mapping[str, Any]]) -> list[Finding]:
    found = {role: capabilities(events, role) for role in ROLES}
    both = sorted(found["reference"].keys() & found["suspect"].keys())
    known = [
        name for name in both if all(found[role][name] in _HEEDED | _NOT_HEEDED for role in ROLES)
    ]
    differing = [
        name
        for name in known
        if (found["reference"][name] in _HEEDED) != (found["suspect"][name] in _HEEDED)
    ]
    if not known:
        return []
    named = "; ".join(
        f"{name}: reference {found['reference'][name]}, suspect {found['suspect'][name]}"
        for name in differing
    )
    return [
        Finding(
            name="capabilities",
            effect=float(len(differing)),
            estimand="number of parameters that one side heeds and the other does not",
            exactness="descriptive",
            method=(
                f"{len(known)} parameters, by what the answers show. Differing: {named or 'none'}"
            ),
            values={
                "compared": known,
                "differing": {
                    name: {str(role): found[role][name] for role in ROLES} for name in differing
                },
            },
        )
    ]
