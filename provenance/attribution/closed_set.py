"""Which model of a library a suspect would be, if it is one of them.

The question that a closed set asks, beside the open set of `identification`: it needs one output
where that needs ten, and it takes for granted what that tests. The order comes from a discriminant
(`library.discriminant`); how often such an order was right was measured on bundles of known models,
on other prompts, with discriminants of half the size (`closed_fit`).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.calibration import Case, Scope
from provenance.attribution.closed_fit import FOLDER, SIZES
from provenance.attribution.enrolled import Enrolled
from provenance.attribution.identification import Suspect
from provenance.attribution.layouts import CANONICAL, RAW, unlike
from provenance.attribution.ratios import Told
from provenance.errors import UsageError
from provenance.findings import ClosedMember, ClosedSet, ClosedTests
from provenance.library.discriminant import Discriminant, Trials
from provenance.library.parts import PARTS
from provenance.library.population import Library
from provenance.signatures.document import Source

__all__ = ["Closed", "closed_set", "summary", "unlike_formats"]

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Closed:
    """The discriminants of one space, one a kind of prompts, in the order of their files."""

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
            if scope_of(one).space == space:
                found.append(one)
        return cls(tuple(found)) if found else None

    def to_json(self) -> dict[str, Any]:
        """As kept in the evidence of a study."""
        return {"files": [base64.b64encode(d.to_bytes()).decode("ascii") for d in self.found]}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Closed:
        """Read back `to_json`; raises as `Discriminant.load`."""
        files = map(base64.b64decode, content["files"])
        return cls(tuple(Discriminant.from_bytes(file) for file in files))

    def covering(self, genre: str) -> Discriminant | None:
        """The first one whose models answered this genre; None where there is none."""
        covers = (d for d in self.found if genre in (scope_of(d).genres or (genre,)))
        return next(covers, None)


def scope_of(found: Discriminant) -> Scope:
    """Which cases it was tested on."""
    return Scope.model_validate(found.about["scope"])


def summary(found: Discriminant) -> dict[str, Any]:
    """What it is and how its like did, by the number of outputs of a bundle."""
    tested = found.tested
    sizes = [] if tested is None else [n for n in SIZES if (tested.outputs == n).any()]
    return {
        "digest": found.digest,
        "view": found.view,
        "genres": list(scope_of(found).genres),
        "models": len(found.models),
        "tests": [] if tested is None else [_counts(tested.of_size(n), n) for n in sizes],
    }


def unlike_formats(suspect: Suspect, enrolled: Enrolled) -> dict[str, bool]:
    """Whether the suspect is laid out unlike each model, by the model's name with its version."""
    every = tuple(range(PARTS))
    theirs = [enrolled.formats_of(m.sessions, every) for m in enrolled.models]
    strange = unlike([suspect.formats_of(every)], theirs)[0]
    names = [f"{m.name}@{m.version}" if m.version else m.name for m in enrolled.models]
    return dict(zip(names, strange.tolist(), strict=True))


def closed_set(
    texts: Sequence[Source],
    told: Told,
    by_view: Mapping[str, Closed | None],
    strange: Mapping[str, bool],
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
    why_not = scope_of(found).covers(case)
    if why_not is not None:
        return _withheld(found, why_not, len(texts))
    if raw is not None and plain is not None and any(strange.values()):
        total = _totals(plain, texts)
        if strange.get(plain.models[int(total.argmax())], False):
            return _in_order(plain, total, texts, told)
    elif plain is None and 2 * sum(strange.values()) > len(strange):
        return _withheld(found, "format_mismatch", len(texts))
    return _in_order(found, _totals(found, texts), texts, told)


def _of(closed: Closed | None, genre: str) -> Discriminant | None:
    return None if closed is None else closed.covering(genre)


def _totals(found: Discriminant, texts: Sequence[Source]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = found.logs(texts).sum(axis=0, dtype=np.float64)
    return total


def _in_order(
    found: Discriminant, total: NDArray[np.float64], texts: Sequence[Source], told: Told
) -> ClosedSet:
    order = np.argsort(-total, kind="stable")
    lead = float(total[order[0]] - total[order[1]])
    return ClosedSet(
        models=len(found.models),
        outputs=len(texts),
        genre=told.genre or None,
        view=found.view,
        discriminant=found.digest,
        first=tuple(
            ClosedMember(name=found.models[i], family=found.families[i])
            for i in order[:_SHOWN].tolist()
        ),
        lead=lead,
        tests=None if found.tested is None else _tests(found.tested, len(texts), lead),
    )


def _withheld(found: Discriminant, why_not: str, outputs: int) -> ClosedSet:
    return ClosedSet(
        models=len(found.models),
        outputs=outputs,
        view=found.view,
        discriminant=found.digest,
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
