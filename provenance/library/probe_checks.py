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
# Two wordings that share more of their character trigrams than this ask the same thing twice.
# The shipped probes stay below a third; a sentence of twelve words with one replaced is at .7.
SIMILAR = 0.6

_QUOTED = re.compile(r"\"[^\"\n]+\"|“[^”\n]+”|„[^“”\n]+[“”]|«[^»\n]+»|「[^」\n]+」|`[^`\n]+`")
_NAME = re.compile(r"(?<=[^\W\d_.!?:¿¡][ ,])[A-ZÄÖÜÁÉÍÓÚÑÀÂÇÈÊÎÔА-ЯЁ][\w’'-]*")
# Languages that write nouns with a capital, where a capital says nothing about names.
_CAPITAL_NOUNS = {"de"}


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
    seen: dict[tuple[str, str], str] = {}
    first: list[Probe] = []
    for probe in probes:
        # The same question at another temperature is another cell.
        other = seen.setdefault((masked(probe), _decoded(probe)), probe.id)
        if other == probe.id:
            first.append(probe)
        else:
            problems.append(
                Problem(
                    probe.id,
                    f"asks the same as {other!r} once digits, names and quotations are masked: "
                    "one of them adds cost and no information",
                )
            )
    return problems + _near_duplicates(first)


def masked(probe: Probe) -> str:
    """The wording without what a template would fill in.

    Digits, quotations and names (words with a capital inside a sentence) are replaced; case and
    spacing are folded.
    """
    text = "\n".join(f"{m.role}: {m.content}" for m in probe.messages)
    text = re.sub(r"\d+", "#", _QUOTED.sub("“”", text))
    if probe.language not in _CAPITAL_NOUNS:
        text = _NAME.sub("Name", text)
    return " ".join(text.split()).casefold()


def similarity(one: Probe, other: Probe) -> float:
    """Share of the character trigrams of two masked wordings that they have in common (Jaccard).

    Returns
    -------
    float
        In [0, 1]; 1 for equal wordings.
    """
    return _jaccard(_trigrams(one), _trigrams(other))


def _near_duplicates(probes: Sequence[Probe]) -> list[Problem]:
    grams = [_trigrams(probe) for probe in probes]
    found = []
    for later, probe in enumerate(probes):
        for earlier in range(later):
            if _decoded(probes[earlier]) != _decoded(probe):
                continue
            shared = _jaccard(grams[earlier], grams[later])
            if shared > SIMILAR:
                found.append(
                    Problem(
                        probe.id,
                        f"is worded almost like {probes[earlier].id!r}: they share {shared:.0%} of "
                        f"their trigrams, more than {SIMILAR:.0%}",
                    )
                )
    return found


def _decoded(probe: Probe) -> str:
    return repr(sorted(probe.decoding.items()))


def _trigrams(probe: Probe) -> frozenset[str]:
    text = f"  {masked(probe).removeprefix('user: ')}  "
    return frozenset(text[i : i + 3] for i in range(len(text) - 2))


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


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
