"""The models of a library in one space, as a study needs them: arrays that fit into its evidence.

A store keeps a copy, so that whoever verifies the study needs neither the library nor its texts.
Numbers are rounded to float32 when the copy is made, and the study computes with these.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from provenance.errors import EvidenceError, UsageError
from provenance.library.parts import PARTS
from provenance.library.population import Bundle, Library, Moments, combined, duck, texts
from provenance.library.space.formats import CLASSES, Formats

__all__ = ["Enrolled", "EnrolledModel"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EnrolledModel:
    """One model, a version of it, in one genre.

    Attributes
    ----------
    sessions
        Rows of its bundles, the oldest first.
    released
        ISO date, or empty.
    genre
        Of its prompts; empty where the library does not say.
    """

    name: str
    version: str
    family: str
    unit: str
    maker: str
    released: str
    sessions: tuple[int, ...]
    genre: str = ""

    @property
    def called(self) -> str:
        """``name`` or ``name@version``."""
        return f"{self.name}@{self.version}" if self.version else self.name


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
        Digests of the prompts that the bundles answer, by prompt id, or by themselves where ids
        are not at hand or stand for several. Ids are how a recording without the words of its
        prompts is told to share them. None where nothing is known of them.
    several
        Ids that stand for several prompts, as where the library holds two corpora that count
        theirs from 0, with the digests of these.
    genres
        Digests of prompts to the genre of the bundles that answer them, where it is stated.
    sources
        Where the texts come from, with their terms.
    n, mean, variance
        Shapes (bundles, parts), (bundles, parts, d) twice: over each part of the prompts.
    formats
        Shape (bundles, parts, classes + 1), as in `Profile`; None where one of them lacks it.
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
    formats: Ints | None = None
    genres: Mapping[str, str] = field(default_factory=dict)
    several: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

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
        rows: dict[tuple[str, str, str], list[int]] = {}
        for row, bundle in enumerate(found.bundles):
            rows.setdefault((bundle.model, bundle.version, bundle.genre), []).append(row)
        enrolled = []
        for (model, version, genre), sessions in sorted(rows.items()):
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
                    genre=genre,
                )
            )
        made = hashlib.sha256("".join(sorted(found.digests)).encode("ascii"))
        prompts, several = _prompts(library, found.bundles)
        sources = sorted({f"{b.source} ({b.licence})" for b in found.bundles})
        return cls(
            library=library.manifest.name,
            digest=made.hexdigest(),
            space=found.space,
            models=tuple(enrolled),
            prompts=prompts,
            sources=tuple(sources),
            n=found.part_n,
            mean=_rounded(found.part_mean),
            variance=_rounded(found.part_variance),
            formats=_stacked(found.formats),
            genres=_genres(library, found.bundles),
            several=several,
        )

    def __len__(self) -> int:
        return len(self.models)

    @property
    def asked(self) -> frozenset[str] | None:
        """Digests of the prompts that the bundles answer."""
        return None if self.prompts is None else frozenset(self.prompts.values())

    @property
    def stated_genres(self) -> tuple[str, ...]:
        """Genres of its models, where they are stated."""
        return tuple(sorted({m.genre for m in self.models if m.genre}))

    def by_id(self, genre: str = "") -> Mapping[str, str]:
        """Digests of prompts by id, for recordings without words.

        An id that stands for several prompts is there only if one of them is of ``genre``, as the
        user states it: taken for any of them, a recording of one corpus would pass for another.
        """
        of_genre = {
            prompt: [d for d in digests if genre and self.genres.get(d) == genre]
            for prompt, digests in self.several.items()
        }
        found = {prompt: own[0] for prompt, own in of_genre.items() if len(own) == 1}
        return {**(self.prompts or {}), **found}

    def genre_of(self, prompts: Iterable[str]) -> str:
        """The genre that half of some prompts or more are known to be of.

        Empty if there is none, or two have half each.

        Parameters
        ----------
        prompts
            Their digests.
        """
        asked = list(prompts)
        known = [self.genres[p] for p in asked if p in self.genres]
        found = [g for g in self.stated_genres if 2 * known.count(g) >= max(1, len(asked))]
        return found[0] if len(found) == 1 else ""

    def within(self, genre: str) -> Enrolled:
        """With the models of one genre only."""
        return replace(self, models=tuple(m for m in self.models if m.genre == genre))

    def formats_of(self, rows: Sequence[int], parts: Iterable[int]) -> Formats | None:
        """How some bundles are laid out over some parts of the prompts; None where not known."""
        if self.formats is None:
            return None
        where = np.ix_(list(rows), list(parts))
        total = self.formats[where].sum(axis=(0, 1))
        return Formats(int(self.n[where].sum()), tuple(total[:-1].tolist()), int(total[-1]))

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
                [
                    m.name,
                    m.version,
                    m.family,
                    m.unit,
                    m.maker,
                    m.released,
                    list(m.sessions),
                    m.genre,
                ]
                for m in self.models
            ],
            "prompts": None if self.prompts is None else dict(sorted(self.prompts.items())),
            "sources": list(self.sources),
            "shape": list(self.mean.shape),
            "n": self.n.ravel().tolist(),
            "mean": _packed(self.mean),
            "variance": _packed(self.variance),
            "formats": None if self.formats is None else self.formats.ravel().tolist(),
            "genres": dict(sorted(self.genres.items())),
            **({"several": {k: list(v) for k, v in self.several.items()}} if self.several else {}),
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
                models=tuple(_model(row) for row in content["models"]),
                prompts=None if content["prompts"] is None else dict(content["prompts"]),
                sources=tuple(content["sources"]),
                n=np.array(content["n"], dtype=np.int64).reshape(bundles, parts),
                mean=_unpacked(content["mean"]).reshape(bundles, parts, d),
                variance=_unpacked(content["variance"]).reshape(bundles, parts, d),
                formats=_read_formats(content.get("formats"), bundles, parts),
                genres=dict(content.get("genres", {})),
                several={k: tuple(v) for k, v in content.get("several", {}).items()},
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


def _model(row: Sequence[Any]) -> EnrolledModel:
    """From a row of the copy; copies of older versions name no genre."""
    name, version, family, unit, maker, released, sessions, *genre = row
    return EnrolledModel(
        name, version, family, unit, maker, released, tuple(sessions), *map(str, genre[:1])
    )


def _stacked(found: Sequence[Ints | None]) -> Ints | None:
    kept = [f for f in found if f is not None]
    return np.array(kept, dtype=np.int64) if kept and len(kept) == len(found) else None


def _read_formats(values: Sequence[int] | None, bundles: int, parts: int) -> Ints | None:
    """None, too, where another version counted other classes."""
    if values is None or len(values) != bundles * parts * (len(CLASSES) + 1):
        return None
    return np.array(values, dtype=np.int64).reshape(bundles, parts, -1)


def _genres(library: Library, bundles: Sequence[Bundle]) -> dict[str, str]:
    """A prompt that bundles of two genres answer belongs to none."""
    found: dict[str, str] = {}
    stated = {b.id: b for b in bundles if b.genre}
    answered = library.prompts_of(stated.values()) if stated else {}
    for bundle, prompts in answered.items():
        genre = stated[bundle].genre
        for prompt in prompts:
            found[prompt] = genre if found.get(prompt, genre) == genre else ""
    return {prompt: genre for prompt, genre in found.items() if genre}


def _prompts(
    library: Library, bundles: Sequence[Bundle]
) -> tuple[dict[str, str] | None, dict[str, tuple[str, ...]]]:
    """Digests by id, or by themselves; and of ids that stand for several."""
    if not all(bundle.has_texts for bundle in bundles):
        every = library.prompt_digests(bundles)
        return {prompt: prompt for prompt in sorted(every)} or None, {}
    files = [texts.file_of(library.path, bundle) for bundle in bundles]
    found = duck.select(
        files,
        "SELECT prompt_id, list_sort(list(DISTINCT prompt_digest)) AS words FROM rows "
        "GROUP BY prompt_id ORDER BY prompt_id",
    )
    ids, words = (found.column(name).to_pylist() for name in ("prompt_id", "words"))
    pairs = list(zip(ids, words, strict=True))
    several = {prompt: tuple(own) for prompt, own in pairs if len(own) > 1}
    alone = {prompt: own[0] for prompt, own in pairs if len(own) == 1}
    return {**alone, **{d: d for own in several.values() for d in own}}, several


def _rounded(values: Floats) -> Floats:
    return values.astype(np.float32).astype(np.float64)


def _packed(values: Floats) -> str:
    return base64.b64encode(values.astype("<f4").tobytes()).decode("ascii")


def _unpacked(text: str) -> Floats:
    return np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4").astype(np.float64)
