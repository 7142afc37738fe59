"""What `identify` and `attribute` share: texts in a space, and a library to hold them against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.answered import FEWEST_PROMPTS
from provenance.attribution.compared import Scores, Suspect
from provenance.attribution.known import Known
from provenance.attribution.wrapping import Shared, bare, shared
from provenance.battery import Cell
from provenance.findings import Coverage, Population
from provenance.library.parts import PARTS, prompt_digest
from provenance.library.space import Formats, Space
from provenance.transcript import Completion, Record, Role, Transcript

__all__ = [
    "Texts",
    "covered",
    "other_genre",
    "outdated",
    "population_of",
    "scores_in",
    "without_shared",
]

_FEWEST_COPIES = 4  # outputs below which copies are not spoken of


@dataclass(frozen=True, slots=True)
class Texts:
    """Completions with the digests of their prompts.

    ``by_id``: those of the library's prompts among them that are told by their ids alone.
    """

    completions: tuple[Completion, ...]
    prompts: tuple[str, ...]
    by_id: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, records: Iterable[Record], cells: Sequence[Cell], known: Mapping[str, str] | None
    ) -> Texts:
        """The answered draws.

        Parameters
        ----------
        known
            Prompt ids of the library with the digests of their words, for recordings that keep no
            words. An id that is not there stands for itself.
        """
        digests, by_id = {}, set()
        for cell in cells:
            words = "\n".join(m.content for m in cell.messages)
            # Words come first: another set of prompts may have the same ids.
            found = None if words else (known or {}).get(cell.probe)
            by_id |= {found} - {None}
            digests[cell.id] = found or prompt_digest(words or cell.probe)
        answered = [(r.completion, digests[r.cell]) for r in records if r.completion is not None]
        kept = [(c, d) for c, d in answered if c.text.strip()]
        told = frozenset(d for _, d in kept if d in by_id)
        return cls(tuple(c for c, _ in kept), tuple(d for _, d in kept), told)

    def copies(self) -> list[tuple[str, dict[str, Any]]]:
        """The reason that most are copies: no bundle of outputs that stand for their model."""
        n, distinct = len(self.completions), len({c.text.strip() for c in self.completions})
        if n < _FEWEST_COPIES or 2 * distinct >= n:
            return []
        return [("repeated_answers", {"outputs": n, "distinct": distinct})]

    def shared(self) -> Shared:
        """What nearly all of them begin or end with, on prompts enough; nothing of copies."""
        if len(set(self.prompts)) < FEWEST_PROMPTS or self.copies():
            return Shared()
        return shared([c.text for c in self.completions])

    def bare(self, openings: Sequence[str], closings: Sequence[str]) -> Texts:
        """The same without these words, where they begin or end with them (`wrapping.bare`)."""
        without = (
            c.model_copy(update={"text": bare(c.text, openings, closings)})
            for c in self.completions
        )
        return replace(self, completions=tuple(without))

    def laid_out(self) -> NDArray[np.int64]:
        """Formats of each output, shape (outputs, classes + 1)."""
        found = [Formats.of([c]) for c in self.completions]
        return np.array([[*f.having, f.characters] for f in found], dtype=np.int64)

    def in_space(self, space: Space, formats: NDArray[np.int64] | None = None) -> Suspect:
        """Their rows, parts and prompts; ``formats`` where `laid_out` is known already."""
        return Suspect(
            rows=np.asarray(space.rows(self.completions), dtype=np.float64),
            parts=np.array([int(d, 16) % PARTS for d in self.prompts], dtype=np.int64),
            prompts=frozenset(self.prompts),
            asked=self.prompts,
            formats=self.laid_out() if formats is None else formats,
        )


def without_shared(
    texts: Mapping[Role, Texts],
) -> tuple[dict[Role, Texts], list[tuple[str, dict[str, Any]]]]:
    """Both sides without the words that nearly all outputs of either share, and the reasons.

    A host of one side adds what tells it from its own model, a host of both what makes any two
    models alike. Taken off both sides, words do neither; a model that begins so by itself loses
    what they said of it. Measured on 20 outputs a side of 44 models of arithmetic, with the words
    and without: ratios of a model with itself below 1/10 where a host adds words to the suspect,
    1.00 and .00; of two makers above 10 where one host adds them to both, .06 and .00; of a model
    with itself above 10 where no host does, .74 and .72.
    """
    found = {role: own.shared() for role, own in texts.items()}
    openings = [piece for one in found.values() for piece in one.pieces]
    closings = [one.closing for one in found.values() if one.closing]
    if not openings and not closings:
        return dict(texts), []
    said = [
        ("words_taken_off", {"side": role, "outputs": len(texts[role].completions)} | one.counts())
        for role, one in found.items()
        if one
    ]
    return {role: own.bare(openings, closings) for role, own in texts.items()}, said


def scores_in(space: Space) -> Scores:
    """The score of every pair of bundles in a space."""
    from provenance.attribution.same_source import scores

    return lambda a, b: scores(a, b, space)


def other_genre(known: Known, genre: str) -> tuple[str, dict[str, Any]]:
    """Why outputs cannot be held against the library's."""
    return "other_genre", {"genre": genre, "genres": list(known.main.enrolled.stated_genres)}


def outdated(known: Known, *sides: Texts) -> list[tuple[str, dict[str, Any]]]:
    """That answers to the library's prompts could not be compared with its old sketches."""
    asked = known.main.enrolled.asked or frozenset()
    shared = asked.intersection(*(side.prompts for side in sides))
    if not known.outdated or len(shared) < FEWEST_PROMPTS:
        return []
    return [("sketches_outdated", {"prompts": len(shared)})]


def population_of(
    known: Known,
    genre: str,
    used: Iterable[tuple[float, float] | None],
    **values: Any,
) -> Population:
    """What a study's numbers rest on: names and scope of the library.

    ``used``: bounds of the grades that gave ratios for "the same model"; others of the library say
    nothing about this case.
    """
    enrolled = known.main.enrolled
    sides = [s.ratios for s in (known.main, known.plain) if s is not None and s.ratios is not None]
    bounds = [b for b in used if b is not None]
    return Population(
        name=enrolled.library,
        digest=enrolled.digest,
        models=len(enrolled),
        units=len({m.unit for m in enrolled.models}),
        space=enrolled.space,
        calibration=", ".join(r.name for r in sides) or None,
        sources=enrolled.sources,
        genre=genre or None,
        genres=enrolled.stated_genres,
        languages=tuple(sorted({x for r in sides for x in r.languages})),
        ratio_bounds=(min(b[0] for b in bounds), max(b[1] for b in bounds)) if bounds else None,
        **values,
    )


def covered(
    plan: Mapping[str, Any], cells: Sequence[Cell], transcript: Transcript, texts: Texts
) -> Coverage:
    """Draws planned and answered; used are those with words."""
    completed = transcript.completed("suspect")
    reference = len(transcript.completed("reference"))
    return Coverage(
        planned=len(plan["slots"]),
        completed=len(completed) + reference,
        used=len(texts.completions),
        reference=reference,
        suspect=len(completed),
        cells_planned=len(cells),
        cells_used=len({r.cell for r in completed}),
    )
