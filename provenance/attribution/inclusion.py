"""How often a maker outside the library gets a set, where that was measured with new makers.

By the scores that a library keeps of its models as outsiders (`outsiders`), at the level and the
size of this suspect, and at other sizes: what asking more would bring.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.enrolled import Enrolled
from provenance.attribution.layouts import unlike
from provenance.attribution.margins import Margins
from provenance.attribution.open_set import Inclusion, Tables, false_inclusion
from provenance.attribution.outsiders import SUBSETS, Outsiders
from provenance.library.parts import ENROLLED, HELD_OUT

__all__ = ["NewMakers", "Seen"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Seen:
    """One view: how models score as outsiders, and what parts the models of the library."""

    outsiders: Outsiders
    margins: Margins | None = None


@dataclass(frozen=True, slots=True)
class NewMakers:
    """The models of a library as outsiders, in each view that decides.

    Attributes
    ----------
    enrolled
        The library.
    raw, plain
        Of texts as they stand, and of the canonical view, if that is compared besides.
    """

    enrolled: Enrolled
    raw: Seen
    plain: Seen | None = None

    def inclusion(self, parts: int, *, margins: bool, alpha: float) -> Inclusion | None:
        """For bundles of the first held-out parts, and beside it for other numbers of them.

        Parameters
        ----------
        parts
            How many stand in for the suspect.
        margins
            Whether what parts the models counts for it. By size it does, where it is known.
        alpha
            Level a model.

        Returns
        -------
        Inclusion or None
            None where too few of the library's models were measured, or without a unit too few
            are left for α.
        """
        found = self._of_parts(parts, margins=margins, alpha=alpha)
        if found is None:
            return None
        return replace(found, unseen=True, margins=margins, by_outputs=self.rates(alpha))

    def rates(self, alpha: float) -> tuple[tuple[int, float], ...]:
        """Outputs of a bundle, and the rate; as far as the library has bundles enough for α."""
        sizes: dict[int, float] = {}
        for parts in range(1, len(HELD_OUT) + 1):
            own = self._of_parts(parts, margins=True, alpha=alpha)
            if own is not None:
                sizes.setdefault(self._typical(parts), own.rate)
        return tuple(sorted(sizes.items()))

    def _of_parts(self, parts: int, *, margins: bool, alpha: float) -> Inclusion | None:
        names = [m.called for m in self.enrolled.models]
        places = self.raw.outsiders.places(names)
        if places is None:
            return None
        bundles = self.raw.outsiders.bundles(places, parts)
        if len(bundles) < 2:
            return None
        counted = self.raw.margins if margins else None
        tables = self.raw.outsiders.tables(places, bundles, parts, counted)
        second: tuple[Tables, NDArray[np.bool_]] | None = None
        if self.plain is not None:
            there = self.plain.outsiders.places(names)
            if there is None or (there[bundles[:, 1]] < 0).any():
                return None
            counted = self.plain.margins if margins else None
            plain = self.plain.outsiders.tables(there, bundles, parts, counted)
            second = (plain, self._unlike(bundles, parts))
        units = [m.unit for m in self.enrolled.models]
        return false_inclusion(tables, bundles[:, 1], units, alpha=alpha, plain=second)

    def _unlike(self, bundles: Ints, parts: int) -> NDArray[np.bool_]:
        formats = self.enrolled.formats_of
        models = self.enrolled.models
        theirs = [formats(m.sessions, ENROLLED) for m in models]
        subsets = SUBSETS[parts - 1]
        own = [formats(models[m].sessions, subsets[s]) for s, m in bundles.tolist()]
        return unlike(own, theirs)

    def _typical(self, parts: int) -> int:
        held = list(HELD_OUT[:parts])
        n = [int(self.enrolled.n[list(m.sessions)][:, held].sum()) for m in self.enrolled.models]
        return int(np.median([x for x in n if x] or [0]))
