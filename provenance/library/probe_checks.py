"""Checks of probes beyond their schema: what a careful reviewer would look for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from provenance.battery import Battery, Probe, families, load_family
from provenance.readings import READINGS

# A request of more than this is no probe but an essay; somebody pays for it at every draw.
_LONGEST_PROMPT = 4_000
_PLACEHOLDER = re.compile(r"TODO|FIXME|lorem ipsum|\{[a-z_]+\}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Problem:
    """Where something is wrong, and what."""

    where: str
    message: str


def check(name_or_file: str | Path) -> list[Problem]:
    """Check a family file, a battery file, or a shipped battery by name.

    Raises
    ------
    BatteryError
        If it cannot be read at all.
    """
    path = Path(name_or_file)
    by_path = {file.resolve(): family for family, file in families().items()}
    if path.resolve() in by_path:
        return check_probes(load_family(by_path[path.resolve()]))
    return check_probes(Battery.load(name_or_file).probes)


def check_probes(probes: Sequence[Probe]) -> list[Problem]:
    """Problems of some probes, and of their being together."""
    problems = [problem for probe in probes for problem in _check_one(probe)]
    seen: dict[str, str] = {}
    for probe in probes:
        other = seen.setdefault(masked(probe), probe.id)
        if other != probe.id:
            problems.append(
                Problem(
                    probe.id,
                    f"asks the same as {other!r} once digits and names are masked: one of them "
                    "adds cost and no information",
                )
            )
    return problems


def masked(probe: Probe) -> str:
    """The wording without digits, names (words with a capital inside a sentence) and spacing."""
    text = "\n".join(f"{m.role}: {m.content}" for m in probe.messages)
    text = re.sub(r"\d+", "0", text)
    text = re.sub(r"(?<=[^\W\d_.!?:¿¡][ ,])[A-ZÄÖÜÁÉÍÓÚÑА-Я][\w’'-]*", "Name", text)
    return " ".join(text.split()).casefold()


def _check_one(probe: Probe) -> list[Problem]:
    found = []
    if probe.reading not in READINGS:
        known = ", ".join(READINGS)
        found.append(f"unknown reading {probe.reading!r}; readings: {known}")
    size = sum(len(m.content) for m in probe.messages)
    if size > _LONGEST_PROMPT:
        found.append(f"the prompt has {size} characters, more than {_LONGEST_PROMPT}")
    if probe.messages[-1].role == "system":
        found.append("the last message is a system message: nothing is asked")
    for message in probe.messages:
        if not message.content.strip():
            found.append("a message is empty")
        if _PLACEHOLDER.search(message.content):
            found.append("a message holds a placeholder")
    if _PLACEHOLDER.search(probe.rationale) or len(probe.rationale) < 20:
        found.append("the rationale does not say why the probe tells models apart")
    return [Problem(probe.id, message) for message in found]
