"""What a library holds: outputs, bundles of them, models."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import Field

from provenance.canonical import clean_text
from provenance.errors import UsageError
from provenance.library.parts import prompt_digest
from provenance.library.relations import Relation
from provenance.signatures.document import Source
from provenance.transcript import Completion, Frozen

_DIGEST = r"^[0-9a-f]{64}$"
RECORDED = "recorded"  # the battery's name where prompts were recorded without one


@dataclass(frozen=True, slots=True)
class Output:
    """One answer.

    Attributes
    ----------
    prompt_id
        What was asked, whatever the condition.
    cell
        The prompt under one condition; the prompt's id if there was none.
    sample
        Number of the draw in its cell.
    n_tokens
        As the server counted them; None where it did not say.
    prompt_digest
        `provenance.library.parts.prompt_digest` of the prompt's words; of its id where the words
        were not recorded. It decides the prompt's part.
    reasoning
        What the model thought, if the server gave it apart from the answer.
    """

    prompt_id: str
    output: str
    cell: str = ""
    sample: int = 0
    n_tokens: int | None = None
    prompt_digest: str = ""
    reasoning: str | None = None

    def seen(self) -> Source:
        """As signatures see it."""
        if self.reasoning is None:
            return self.output
        return Completion(text=self.output, reasoning=self.reasoning)


@dataclass(frozen=True, slots=True)
class Recorded:
    """The outputs of one session with one host, not yet in a library.

    Attributes
    ----------
    outputs
        Consumed once, as a stream.
    session
        Names the session; equal sessions of a model are one.
    host
        Who served it: a host name, or the provider for local models.
    date_utc
        ISO 8601; empty where it is not known.
    battery, battery_name
        Digest and name of the battery. Without one: a digest over the prompts (`prompts_digest`)
        and `RECORDED`.
    served, fingerprints
        Model names and system fingerprints that the server gave.
    source, licence
        Where the texts come from, and their terms. Never a key or a URL with one.
    genre
        What kind of prompts these answer, in a word; empty where it is not stated. Bundles of two
        genres are never compared, because a change of genre looks like a change of model.
    """

    outputs: Iterable[Output]
    session: str
    host: str = "unknown"
    date_utc: str = ""
    battery: str = ""
    battery_name: str = RECORDED
    served: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()
    source: str = "not stated"
    licence: str = "not stated"
    genre: str = ""


class Bundle(Frozen):
    """One session in a library: what is known of it without its texts.

    Attributes
    ----------
    id
        Sixteen digits of ``digest``.
    prompts, outputs, tokens
        How many; ``tokens`` is None where the server did not count them.
    digest
        SHA-256 over all that is stored of it, texts included.
    has_texts
        False where only a profile of it was imported.
    """

    id: str = Field(pattern=r"^[0-9a-f]{16}$")
    model: str
    version: str = ""
    session: str
    host: str
    date_utc: str
    battery: str = Field(pattern=_DIGEST)  # it names a folder
    battery_name: str
    prompts: int = Field(ge=1)
    outputs: int = Field(ge=1)
    tokens: int | None = None
    served: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()
    source: str
    licence: str
    genre: str = ""
    digest: str = Field(pattern=_DIGEST)
    has_texts: bool = True

    @property
    def name(self) -> str:
        """``model`` or ``model@version``."""
        return f"{self.model}@{self.version}" if self.version else self.model

    def age(self, now: datetime) -> timedelta | None:
        """Time since it was recorded; None where that is not known."""
        if not self.date_utc:
            return None
        moment = datetime.fromisoformat(self.date_utc)
        return now - (moment if moment.tzinfo else moment.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Model:
    """One version of a model in a library.

    Attributes
    ----------
    label
        What is known about it; all None if nothing was said.
    bundles
        Ids of its sessions, the oldest first.
    batteries
        Digest to name.
    spaces
        Digests of the spaces in which it has a profile.
    """

    model: str
    version: str
    label: Relation
    bundles: tuple[str, ...]
    outputs: int
    prompts: int
    batteries: dict[str, str]
    hosts: tuple[str, ...]
    first_utc: str
    last_utc: str
    spaces: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        """``model`` or ``model@version``."""
        return f"{self.model}@{self.version}" if self.version else self.model

    @classmethod
    def of(
        cls, found: Sequence[Bundle], label: Relation, spaces: Mapping[str, Sequence[str]]
    ) -> Model:
        """From all bundles of one version, and the spaces of each bundle."""
        dates = sorted(b.date_utc for b in found if b.date_utc) or [""]
        return cls(
            model=found[0].model,
            version=found[0].version,
            label=label,
            bundles=tuple(b.id for b in found),
            outputs=sum(b.outputs for b in found),
            prompts=max(b.prompts for b in found),
            batteries={b.battery: b.battery_name for b in found},
            hosts=tuple(sorted({b.host for b in found})),
            first_utc=dates[0],
            last_utc=dates[-1],
            spaces=tuple(sorted({s for b in found for s in spaces.get(b.id, ())})),
        )


def prompts_digest(prompts: Iterable[str]) -> str:
    """Stands for the digest of a battery where only the ids of prompts were recorded."""
    content = json.dumps({"recorded": sorted(set(prompts))})
    return hashlib.sha256(content.encode("ascii")).hexdigest()


class Hash:
    """SHA-256 over a bundle, one output at a time, whatever file it is in."""

    def __init__(self, head: dict[str, Any]) -> None:
        self._hash = hashlib.sha256(_line(head))

    def add(self, output: Output) -> None:
        """Take one output in, in the order of storage."""
        self._hash.update(_line([getattr(output, name) for name in Output.__slots__]))

    def hexdigest(self) -> str:
        """So far."""
        return self._hash.hexdigest()


def clean(output: Output) -> Output:
    """As it can be stored: UTF-8 knows no lone surrogates, so U+FFFD stands for them."""
    return Output(
        clean_text(output.prompt_id),
        clean_text(output.output),
        clean_text(output.cell or output.prompt_id),
        output.sample,
        output.n_tokens,
        output.prompt_digest or prompt_digest(output.prompt_id),
        None if output.reasoning is None else clean_text(output.reasoning),
    )


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True, sort_keys=True).encode("ascii") + b"\n"


def cleaned(recorded: Recorded) -> Recorded:
    """The same, as it can be stored.

    Raises
    ------
    UsageError
        If its date cannot be read, or the battery's digest is none.
    """
    if recorded.battery and not re.fullmatch(_DIGEST, recorded.battery):
        raise UsageError(f"the battery's digest is {recorded.battery[:80]!r}, expected SHA-256")
    strings = (
        "genre",
        "session",
        "host",
        "date_utc",
        "battery",
        "battery_name",
        "source",
        "licence",
    )
    if recorded.date_utc:
        try:
            datetime.fromisoformat(recorded.date_utc)
        except ValueError:
            raise UsageError(
                f"the date is {recorded.date_utc[:40]!r}, expected ISO 8601 such as 2026-11-23"
            ) from None
    texts: dict[str, str] = {name: clean_text(getattr(recorded, name)) for name in strings}
    return replace(
        recorded,
        **texts,  # type: ignore[arg-type]
        served=tuple(sorted({clean_text(s) for s in recorded.served})),
        fingerprints=tuple(sorted({clean_text(s) for s in recorded.fingerprints})),
    )
