"""Private probes: wordings and values drawn from a secret, read as the published ones are.

A relay can know every published question and send those, and only those, to the real model. It
cannot know what a secret picks from the templates. The same secret always gives the same battery,
so both sides of a dispute can make it again once the secret is told; before that its digest can
be published as a commitment.

What it does not do: the templates are public, so a relay can learn to recognise their *kind*. How
many wordings a template has is printed (`wordings`); a determined relay that recognises them all
is answered by templates of one's own (``--templates FILE``).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator

from provenance import resources
from provenance.battery import Battery, Probe, explain
from provenance.errors import BatteryError, UsageError
from provenance.library.probe_checks import SIMILAR, masked, similarity
from provenance.transcript import Frozen, Message

LEAST_SECRET = 16
_PART = re.compile(r"\{([a-z_]+)\}")
_TRIES = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SENTENCE_START = re.compile(r"(^|[.!?] )([^\W\d_])")


class Template(Frozen):
    """A family of wordings that mean the same kind of question."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=40)
    family: str
    language: str = "en"
    reading: str
    max_visible_tokens: int = Field(ge=1, le=8192)
    wording: str
    rationale: str
    parts: dict[str, tuple[str | int, ...]]

    @model_validator(mode="after")
    def _whole(self) -> Template:
        used = set(_PART.findall(self.wording))
        if used != set(self.parts) or not all(self.parts.values()):
            raise ValueError(f"wording uses {sorted(used)}, parts are {sorted(self.parts)}")
        return self

    @property
    def wordings(self) -> int:
        """How many different questions it can make."""
        return math.prod(len(set(entries)) for entries in self.parts.values())


class _File(Frozen):
    template: tuple[Template, ...] = Field(min_length=1)


def load_templates(path: Path | None = None) -> tuple[Template, ...]:
    """The shipped templates, or those of a file.

    Raises
    ------
    BatteryError
        If they cannot be read; says what is wrong.
    """
    path = path or resources.probes() / "templates" / "private.toml"
    try:
        file = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise BatteryError(f"cannot read the templates {path}: {error.strerror}") from None
    except ValidationError as error:
        raise BatteryError(f"{path}: {explain(error)}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BatteryError(f"{path}: not TOML: {error}") from None
    return file.template


def generate(
    secret: bytes,
    *,
    probes: int,
    draws: int,
    templates: Sequence[Template],
    avoid: Sequence[Probe] = (),
) -> Battery:
    """A battery that only the secret determines.

    Parameters
    ----------
    secret
        At least 16 bytes; never stored.
    probes
        How many questions; templates take turns.
    draws
        Of each.
    templates
        As from `load_templates`.
    avoid
        Published probes that no question may resemble (`probe_checks.similarity`).

    Raises
    ------
    UsageError
        If the secret is short.
    BatteryError
        If the templates cannot make so many different questions.
    """
    if len(secret) < LEAST_SECRET:
        raise UsageError(
            f"the secret has {len(secret)} bytes, fewer than {LEAST_SECRET}: make one with "
            "`openssl rand -hex 32`"
        )
    published = {masked(probe) for probe in avoid}
    made: list[Probe] = []
    per_template: dict[str, list[Probe]] = {}
    for number in range(probes):
        template = templates[number % len(templates)]
        siblings = per_template.setdefault(template.id, [])
        probe = next(
            (
                candidate
                for candidate in _candidates(secret, template, number, draws)
                if masked(candidate) not in published
                and all(similarity(candidate, other) <= SIMILAR for other in siblings)
            ),
            None,
        )
        if probe is None:
            raise BatteryError(
                f"the template {template.id!r} makes no further question that differs enough from "
                f"its {len(siblings)} others: ask for fewer than {probes} probes"
            )
        siblings.append(probe)
        made.append(probe)
    return Battery(name="private", description=_DESCRIPTION, probes=tuple(made))


_DESCRIPTION = "Generated from a secret; to be kept private until the study is over."


def to_toml(battery: Battery) -> str:
    """The battery as a file for ``--battery``; its probes have no conditions."""
    lines = [
        f"# {battery.description}",
        f"# Battery digest {battery.digest}: publish it beforehand to show later what was planned.",
        f"name = {_string(battery.name)}",
        f"description = {_string(battery.description)}",
    ]
    for probe in battery.probes:
        messages = ", ".join(
            f"{{role = {_string(m.role)}, content = {_string(m.content)}}}" for m in probe.messages
        )
        lines += [
            "",
            "[[probe]]",
            f"id = {_string(probe.id)}",
            f"family = {_string(probe.family)}",
            f"version = {probe.version}",
            f"messages = [{messages}]",
            f"max_visible_tokens = {probe.max_visible_tokens}",
            *([f"decoding = {_table(probe.decoding)}"] if probe.decoding else []),
            f"draws = {probe.draws}",
            f"reading = {_string(probe.reading)}",
            f"language = {_string(probe.language)}",
            f"rationale = {_string(probe.rationale)}",
            f"source = {_string(probe.source)}",
        ]
    return "\n".join(lines) + "\n"


def _candidates(secret: bytes, template: Template, number: int, draws: int) -> Iterator[Probe]:
    for attempt in range(_TRIES):
        stream = _Choices(secret, f"{template.id}/{number}/{attempt}")
        text = template.wording
        for name, entries in template.parts.items():
            text = text.replace(f"{{{name}}}", str(stream.pick(entries)))
        text = _SENTENCE_START.sub(lambda match: match[1] + match[2].upper(), text)
        yield Probe(
            id=f"{template.id}-{number + 1}",
            family=template.family,
            version=1,
            messages=(Message(role="user", content=text),),
            max_visible_tokens=template.max_visible_tokens,
            draws=draws,
            reading=template.reading,
            language=template.language,
            rationale=template.rationale,
            source="generated from a secret",
        )


class _Choices:
    """Choices that nobody foresees without the secret: HMAC-SHA256 in counter mode."""

    def __init__(self, secret: bytes, label: str) -> None:
        self._secret = secret
        self._label = label
        self._count = 0

    def pick(self, entries: Sequence[str | int]) -> str | int:
        self._count += 1
        message = f"llm-provenance private probe 1/{self._label}/{self._count}".encode()
        number = int.from_bytes(hmac.new(self._secret, message, hashlib.sha256).digest())
        return entries[number % len(entries)]  # 256 bits: the bias of the remainder is nil


def _string(text: str) -> str:
    """A TOML basic string; control characters are written as escapes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    escaped = _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04X}", escaped)
    return f'"{escaped}"'


def _table(values: Mapping[str, Any]) -> str:
    """An inline TOML table of numbers, switches and texts."""
    entries = [
        f"{_string(key)} = {_string(value) if isinstance(value, str) else json.dumps(value)}"
        for key, value in values.items()
    ]
    return "{" + ", ".join(entries) + "}"
