"""The models of a library in one space, as a study needs them: arrays that fit into its evidence.

A store keeps a copy, so that whoever verifies the study needs neither the library nor its texts.
Numbers are rounded to float32 when the copy is made, and the study computes with these.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from provenance.errors import EvidenceError, UsageError
from provenance.library.parts import PARTS
from provenance.library.population import Bundle, Library, Moments, combined, duck, texts

__all__ = ["Enrolled", "EnrolledModel"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EnrolledModel:
    """One model, a version of it.

    Attributes
    ----------
    sessions
        Rows of its bundles, the oldest first.
    released
        ISO date, or empty.
    """

    name: str
    version: str
    family: str
    unit: str
    maker: str
    released: str
    sessions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Bundles of known models.

    Attributes
    ----------
    library, digest
        Name, and SHA-256 over the digests of the profiles.
    space
        Digest of the space.
    models
        Who they are.
    prompts
        Digests of the prompts that the bundles answer, by prompt id; None where texts are not at
        hand. Ids are how a recording without the words of its prompts is told to share them.
    sources
        Where the texts come from, with their terms.
    n, mean, variance
        Shapes (bundles, parts), (bundles, parts, d) twice: over each part of the prompts.
    """

    library: str
    digest: str
    space: str
    models: tuple[EnrolledModel, ...]
    prompts: Mapping[str, str] | None
    sources: tuple[str, ...]
    n: Ints
    mean: Floats
    variance: Floats

    @classmethod
    def of(
        cls, library: Library, space: str | None = None, *, models: Iterable[str] | None = None
    ) -> Enrolled:
        """Take the profiles of a library.

        Raises
        ------
        UsageError
            If it has no profile in the space, or no such model.
        """
        import hashlib

        found = library.profiles(space, models=models, parts=True)
        assert found.part_n is not None
        assert found.part_mean is not None
        assert found.part_variance is not None
        known = {m.name: m for m in library.models()}
        relations = library.relations()
        rows: dict[tuple[str, str], list[int]] = found.of_models()
        enrolled = []
        for (model, version), sessions in sorted(rows.items()):
            name = f"{model}@{version}" if version else model
            label = known[name].label
            enrolled.append(
                EnrolledModel(
                    name=model,
                    version=version,
                    family=relations.family_of(model),
                    unit=relations.unit_of(model),
                    maker=label.maker or "",
                    released=label.released.isoformat() if label.released else "",
                    sessions=tuple(sorted(sessions, key=lambda r: found.bundles[r].date_utc)),
                )
            )
        made = hashlib.sha256("".join(sorted(found.digests)).encode("ascii"))
        sources = sorted({f"{b.source} ({b.licence})" for b in found.bundles})
        return cls(
            library=library.manifest.name,
            digest=made.hexdigest(),
            space=found.space,
            models=tuple(enrolled),
            prompts=_prompts(library, found.bundles),
            sources=tuple(sources),
            n=found.part_n,
            mean=_rounded(found.part_mean),
            variance=_rounded(found.part_variance),
        )

    def __len__(self) -> int:
        return len(self.models)

    @property
    def asked(self) -> frozenset[str] | None:
        """Digests of the prompts that the bundles answer."""
        return None if self.prompts is None else frozenset(self.prompts.values())

    def moments(self, rows: Sequence[int], parts: Iterable[int]) -> Moments | None:
        """Some bundles over some parts of the prompts; None where they hold no output."""
        where = np.ix_(list(rows), list(parts))
        n = self.n[where].ravel()
        if not n.any():
            return None
        d = self.mean.shape[-1]
        return combined(n, self.mean[where].reshape(-1, d), self.variance[where].reshape(-1, d))

    def to_json(self) -> dict[str, Any]:
        """As kept in the evidence of a study."""
        return {
            "library": self.library,
            "digest": self.digest,
            "space": self.space,
            "models": [
                [m.name, m.version, m.family, m.unit, m.maker, m.released, list(m.sessions)]
                for m in self.models
            ],
            "prompts": None if self.prompts is None else dict(sorted(self.prompts.items())),
            "sources": list(self.sources),
            "shape": list(self.mean.shape),
            "n": self.n.ravel().tolist(),
            "mean": _packed(self.mean),
            "variance": _packed(self.variance),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Enrolled:
        """Read back `to_json`.

        Raises
        ------
        EvidenceError
            If it is not what `to_json` writes.
        """
        try:
            bundles, parts, d = content["shape"]
            if parts != PARTS:
                raise ValueError(f"{parts} parts of the prompts instead of {PARTS}")
            return cls(
                library=content["library"],
                digest=content["digest"],
                space=content["space"],
                models=tuple(
                    EnrolledModel(name, version, family, unit, maker, released, tuple(sessions))
                    for name, version, family, unit, maker, released, sessions in content["models"]
                ),
                prompts=None if content["prompts"] is None else dict(content["prompts"]),
                sources=tuple(content["sources"]),
                n=np.array(content["n"], dtype=np.int64).reshape(bundles, parts),
                mean=_unpacked(content["mean"]).reshape(bundles, parts, d),
                variance=_unpacked(content["variance"]).reshape(bundles, parts, d),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise EvidenceError(f"the copy of the library in the evidence: {error}") from None


def require_space(enrolled: Enrolled, space: str) -> None:
    """Refuse profiles of another space.

    Raises
    ------
    UsageError
        If they differ: rows of two spaces cannot be compared.
    """
    if enrolled.space != space:
        raise UsageError(
            f"the profiles of {enrolled.library} are in the space {enrolled.space[:12]}…, not "
            f"{space[:12]}…: `provenance library calibrate` makes them anew"
        )


def _prompts(library: Library, bundles: Sequence[Bundle]) -> dict[str, str] | None:
    if not all(bundle.has_texts for bundle in bundles):
        return None
    files = [texts.file_of(library.path, bundle) for bundle in bundles]
    found = duck.select(
        files, "SELECT prompt_id, min(prompt_digest) AS words FROM rows GROUP BY prompt_id"
    )
    pairs = zip(
        found.column("prompt_id").to_pylist(), found.column("words").to_pylist(), strict=True
    )
    return dict(pairs)


def _rounded(values: Floats) -> Floats:
    return values.astype(np.float32).astype(np.float64)


def _packed(values: Floats) -> str:
    return base64.b64encode(values.astype("<f4").tobytes()).decode("ascii")


def _unpacked(text: str) -> Floats:
    return np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4").astype(np.float64)
