"""Which model of a library a suspect would be, if it is one of them.

The question that a closed set asks, beside the open set of `identification`: it needs one output
where that needs ten, and it takes for granted what that tests. The order comes from a discriminant
(`library.discriminant`); how often such an order was right was measured on bundles of known models,
on other prompts (`closed_fit`).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from provenance.attribution.calibration import Case, Scope
from provenance.attribution.closed_fit import FOLDER, HALVES, SIZES, Halves
from provenance.attribution.compared import Suspect
from provenance.attribution.enrolled import Enrolled
from provenance.attribution.layouts import CANONICAL, RAW, unlike
from provenance.attribution.ratios import Told
from provenance.errors import EvidenceError, UsageError
from provenance.findings import ClosedMember, ClosedSet, ClosedTests
from provenance.library.discriminant import Discriminant, Trials
from provenance.library.parts import PARTS
from provenance.library.population import Library
from provenance.signatures.document import Source

__all__ = ["Closed", "closed_set", "summary", "unlike_formats"]

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Closed:
    """The discriminants of one space, two a kind of prompts, in the order of their files."""

    found: tuple[Discriminant, ...]

    @classmethod
    def of(cls, library: Library, space: str) -> Closed | None:
        """Those that a library keeps for a space; None where there is none.

        One that signatures of another version made is left out, as if it had not been made: it
        decides nothing.
        """
        found = []
        for path in sorted((library.path / FOLDER).glob("*.npz")):
            try:
                one = Discriminant.load(path)
            except UsageError:
                continue
            try:
                there = _scope(one).space
            except (KeyError, ValidationError) as error:
                raise EvidenceError(f"{path} does not say what it covers: {error}") from None
            if there == space:
                found.append(one)
        return cls(tuple(found)) if found else None

    def within(self, genre: str) -> Closed:
        """Those that cover a genre; all where it is empty."""
        covers = (d for d in self.found if not genre or genre in (_scope(d).genres or (genre,)))
        return Closed(tuple(covers))

    def to_json(self) -> dict[str, Any]:
        """As kept in the evidence of a study."""
        return {"files": [base64.b64encode(d.to_bytes()).decode("ascii") for d in self.found]}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Closed:
        """Read back `to_json`; raises as `Discriminant.load`."""
        try:
            files = [base64.b64decode(file) for file in content["files"]]
        except (KeyError, TypeError, ValueError) as error:
            raise EvidenceError(f"the copy of the discriminants cannot be read: {error}") from None
        return cls(tuple(Discriminant.from_bytes(file) for file in files))

    def pairs(self) -> list[Halves]:
        """The two of each kind of prompts."""
        made = []
        for one in self.found:
            if one.about["half"] == HALVES[0]:
                rest = (d for d in self.found if d.about == one.about | {"half": HALVES[1]})
                other = next((d for d in rest if d.models == one.models), None)
                made += [] if other is None else [Halves(one, other)]
        return made

    def covering(self, genre: str) -> Halves | None:
        """The first whose models answered this genre; None where there is none."""
        return next((h for h in self.pairs() if genre in (scope_of(h).genres or (genre,))), None)


def scope_of(found: Halves) -> Scope:
    """Which cases they were tested on."""
    return _scope(found.enrolled)


def _scope(found: Discriminant) -> Scope:
    return Scope.model_validate(found.about["scope"])


def summary(found: Halves) -> dict[str, Any]:
    """What they are and how they did, by the number of outputs of a bundle."""
    tested = found.tested
    sizes = [n for n in SIZES if (tested.outputs == n).any()]
    return {
        "digests": [d.digest for d in found.both],
        "view": found.enrolled.view,
        "genres": list(scope_of(found).genres),
        "models": len(found.models),
        "tests": [_counts(tested.of_size(n), n) for n in sizes],
    }


def unlike_formats(suspect: Suspect, enrolled: Enrolled) -> dict[str, bool]:
    """Whether the suspect is laid out unlike each model, by the model's name with its version."""
    every = tuple(range(PARTS))
    theirs = [enrolled.formats_of(m.sessions, every) for m in enrolled.models]
    strange = unlike([suspect.formats_of(every)], theirs)[0]
    return dict(zip((m.called for m in enrolled.models), strange.tolist(), strict=True))


def closed_set(
    texts: Sequence[Source],
    told: Told,
    by_view: Mapping[str, Closed | None],
    strange: Mapping[str, bool],
    names: Sequence[str] | None = None,
) -> ClosedSet | None:
    """The order of the models, and how often such an order was right.

    Parameters
    ----------
    texts
        The suspect's outputs, one or more.
    told
        Their genre, language and length.
    by_view
        The library's discriminants, "raw" and "canonical".
    strange
        Which models the suspect is laid out unlike (`unlike_formats`); empty where no view sees it.
    names
        The library's models of this genre, with their versions; None: those of the discriminants.
        Those that the discriminants lack are named; where they lack most, nothing is said.

    Returns
    -------
    ClosedSet or None
        None where the library has no discriminant for the genre.

    Notes
    -----
    Outputs count as independent given the model, and models as equally likely beforehand. Nothing
    here is a probability of a model: the shares are those of bundles of known models, as many of
    each, and they hold if the suspect is one of these, answers prompts of this genre as recorded
    models do, and no host changes its texts. Tests of bundles of fewer outputs stand for a suspect
    with a number in between; its lead is taken per output then, so that the shares are those of a
    harder case.

    Texts are looked at as they stand, unless the model that fits them best in the canonical view is
    laid out unlike them, as where a host re-formats: then that view decides. Without it nothing is
    said of a suspect that is laid out unlike most models.
    """
    raw, plain = (_of(by_view.get(view), told.genre) for view in (RAW, CANONICAL))
    found = raw or plain
    if found is None:
        return None
    case = Case(
        space=scope_of(found).space,
        genre=told.genre,
        language=told.language,
        outputs=len(texts),
        characters=told.characters,
    )
    missing = tuple(n for n in names or () if n not in found.models)
    why_not = scope_of(found).covers(case)
    if 2 * len(missing) > len(names or ()):
        why_not = "models_differ"
    if why_not is not None:
        return _withheld(found, why_not, len(texts))
    if raw is not None and plain is not None and any(strange.values()):
        total = _totals(plain, texts)
        if strange.get(plain.models[int(total.argmax())], False):
            return _in_order(plain, total, texts, told, missing)
    elif plain is None and 2 * sum(strange.values()) > len(strange):
        return _withheld(found, "format_mismatch", len(texts))
    return _in_order(found, _totals(found, texts), texts, told, missing)


def _of(closed: Closed | None, genre: str) -> Halves | None:
    return None if closed is None else closed.covering(genre)


def _totals(found: Halves, texts: Sequence[Source]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = found.logs(texts).sum(axis=0, dtype=np.float64)
    return total


def _in_order(
    found: Halves,
    total: NDArray[np.float64],
    texts: Sequence[Source],
    told: Told,
    missing: tuple[str, ...],
) -> ClosedSet:
    order = np.argsort(-total, kind="stable")
    lead = float(total[order[0]] - total[order[1]])
    return ClosedSet(
        models=len(found.models),
        outputs=len(texts),
        genre=told.genre or None,
        view=found.enrolled.view,
        discriminants=tuple(d.digest for d in found.both),
        first=tuple(
            ClosedMember(name=found.models[i], family=found.enrolled.families[i])
            for i in order[:_SHOWN].tolist()
        ),
        lead=lead,
        missing=missing,
        tests=_tests(found.tested, len(texts), lead),
    )


def _withheld(found: Halves, why_not: str, outputs: int) -> ClosedSet:
    return ClosedSet(
        models=len(found.models),
        outputs=outputs,
        view=found.enrolled.view,
        discriminants=tuple(d.digest for d in found.both),
        why_not=why_not,
    )


def _tests(tested: Trials, outputs: int, lead: float) -> ClosedTests | None:
    sizes = [n for n in SIZES if n <= outputs and (tested.outputs == n).any()]
    if not sizes:
        return None
    own = tested.of_size(sizes[-1])
    as_far = own.lead >= lead * sizes[-1] / outputs
    return ClosedTests(
        **_counts(own, sizes[-1]),
        as_far_ahead=int(as_far.sum()),
        as_far_ahead_first=int((own.rank[as_far] == 0).sum()),
    )


def _counts(own: Trials, outputs: int) -> dict[str, int]:
    return {
        "outputs": outputs,
        "bundles": len(own.rank),
        "first": int((own.rank == 0).sum()),
        "first_three": int((own.rank < 3).sum()),
        "family": int(own.family.sum()),
    }
