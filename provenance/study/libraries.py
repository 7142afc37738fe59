"""The library behind a study: opened, copied into the evidence, and read back from there."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provenance import resources
from provenance.attribution.answered import Answered
from provenance.attribution.closed_set import Closed
from provenance.attribution.enrolled import Enrolled, require_space
from provenance.attribution.habits import Habits
from provenance.attribution.known import InSpace, Known, Matched
from provenance.attribution.layouts import CANONICAL, RAW
from provenance.attribution.outsiders import Outsiders
from provenance.attribution.own_draws import relative_space
from provenance.attribution.ratios import Ratios
from provenance.errors import UsageError
from provenance.evidence.store import Store
from provenance.library.population import Library, answers
from provenance.library.relations import Relations
from provenance.library.space import Space

__all__ = ["DEFAULT", "Copies", "copies_of", "opened", "read_copies"]

DEFAULT = "default"
_SECOND = "-canonical"  # ends the names of copies of the canonical view


@dataclass(frozen=True, slots=True)
class Copies:
    """What a store keeps of a library; its models, and the genre of the suspect's prompts."""

    content: dict[str, Any]
    enrolled: Enrolled
    genre: str


def opened(library: str | Path | None) -> Library:
    """The library in a folder; None: the one that ships.

    Raises
    ------
    UsageError
        If there is none.
    """
    if library is not None:
        return Library.open(Path(library))
    path = resources.configs() / "libraries" / DEFAULT
    if not path.is_dir():
        raise UsageError("no library ships with this installation: name one with --library DIR")
    return Library.open(path)


def copies_of(
    library: Library,
    space: str | None = None,
    genre: str | None = None,
    *,
    declared: str = "",
    closed: bool = False,
) -> Copies:
    """What an analysis reads of a library, as JSON.

    Parameters
    ----------
    space
        (The beginning of) a digest: this space alone. None: the library's only space, or its space
        of texts as they stand and that of the canonical view.
    genre
        Of the suspect's prompts, as the user states it.
    declared
        As the battery says: for prompts whose genre neither the user nor the library tells. The
        library need not have it.
    closed
        With the discriminants of closed sets, and what new makers see, of the suspect's genre
        where that is known.

    Raises
    ------
    UsageError
        If it is not clear which spaces are meant, or the library names other genres only.
    """
    main, plain = _spaces(library, space)
    asked = (genre or declared) if closed else None
    content, enrolled = _in_space(library, main, "", asked)
    if plain is not None:
        content |= _in_space(library, plain, _SECOND, asked)[0]
    named = {*enrolled.stated_genres, *_scoped(library, (main, plain))}
    if genre and genre not in named:
        known = ", ".join(sorted(named)) or "none"
        raise UsageError(f"the library {enrolled.library} has no genre {genre!r}; it has: {known}")
    answered = Answered.of(library)
    if answered is not None:
        content["answers"] = answered.to_json()
        if (matched := Ratios.of(library, answered.scheme)) is not None:
            content["calibrations-matched"] = matched.to_json()
        if (relative := Ratios.of(library, relative_space(answered.scheme))) is not None:
            content["calibrations-relative"] = relative.to_json()
    habits = Habits.of(library)
    if habits is not None:
        content["habits"] = habits.to_json()
    case: dict[str, Any] = {}
    if genre or declared:
        case = {"genre": genre} if genre else {"declared": declared}
    if answered is None and answers.outdated(library):
        case["outdated"] = True
    if case:
        content["case"] = case
    return Copies(content, enrolled, genre or declared)


def _scoped(library: Library, spaces: Iterable[Space | None]) -> set[str]:
    """Genres that calibrations of the library's spaces cover."""
    found = [Ratios.of(library, s.digest) for s in spaces if s is not None]
    return {g for r in found if r is not None for c in r.calibrations for g in c.scope.genres}


def _spaces(library: Library, space: str | None) -> tuple[Space, Space | None]:
    digests = library.spaces()
    if space is not None or len(digests) != 2:
        return library.space(space), None
    found = {s.view: s for s in map(library.space, digests)}
    if set(found) != {RAW, CANONICAL}:
        return library.space(None), None  # says that it has several, and how to choose
    return found[RAW], found[CANONICAL]


def _in_space(
    library: Library, space: Space, suffix: str, closed: str | None
) -> tuple[dict[str, Any], Enrolled]:
    enrolled = Enrolled.of(library, space.digest)
    ratios = Ratios.of(library, space.digest)
    content: dict[str, Any] = {
        f"population{suffix}": enrolled.to_json(),
        f"space{suffix}": {
            "digest": space.digest,
            "file": base64.b64encode(space.to_bytes()).decode("ascii"),
        },
    }
    if ratios is not None:
        content[f"calibrations{suffix}"] = ratios.to_json()
    found = None if closed is None else Closed.of(library, space.digest)
    if closed is not None and found is not None:
        content[f"closed{suffix}"] = found.within(closed).to_json()
    seen = () if closed is None else Outsiders.within(library, space.digest, closed)
    if seen:
        content[f"outsiders{suffix}"] = {"files": [one.to_json() for one in seen]}
    return content, enrolled


def read_copies(store: Store) -> Known:
    """Read back `copies_of` from a store.

    Raises
    ------
    EvidenceError, UsageError
        If a copy cannot be read by this version.
    """
    copies = store.copies
    habits, case = copies.get("habits"), copies.get("case", {})
    return Known(
        main=_read(store, ""),
        plain=_read(store, _SECOND) if f"space{_SECOND}" in copies else None,
        habits=None if habits is None else Habits.from_json(habits),
        relations=Relations.model_validate(copies.get("relations", {})),
        genre=case.get("genre", ""),
        declared=case.get("declared", ""),
        matched=_matched(copies),
        outdated=case.get("outdated") is True,
    )


def _matched(copies: Mapping[str, Any]) -> Matched | None:
    if "answers" not in copies:
        return None
    ratios = (copies.get(f"calibrations-{kind}") for kind in ("matched", "relative"))
    return Matched(
        Answered.from_json(copies["answers"]),
        *(None if found is None else Ratios.from_json(found) for found in ratios),
    )


def _read(store: Store, suffix: str) -> InSpace:
    copies = store.copies
    enrolled = Enrolled.from_json(copies[f"population{suffix}"])
    file = base64.b64decode(copies[f"space{suffix}"]["file"])
    space = Space.from_bytes(file, str(store.path))
    require_space(enrolled, space.digest)
    ratios = copies.get(f"calibrations{suffix}")
    closed = copies.get(f"closed{suffix}")
    outsiders = copies.get(f"outsiders{suffix}", {}).get("files", ())
    return InSpace(
        enrolled,
        space,
        None if ratios is None else Ratios.from_json(ratios),
        None if closed is None else Closed.from_json(closed),
        tuple(Outsiders.from_json(one) for one in outsiders),
    )
