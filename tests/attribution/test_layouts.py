"""Unlike formats, for many pairs at once."""

from __future__ import annotations

import numpy as np

from provenance.attribution.layouts import unlike
from provenance.library.space.formats import CLASSES, Formats, mismatch


def test_it_is_mismatch_of_every_pair() -> None:
    rng = np.random.default_rng(1)
    found = []
    for _ in range(60):
        n = int(rng.integers(0, 60))
        rates = rng.choice([0.0, 0.01, 0.1, 0.3, 0.9], len(CLASSES))
        found.append(Formats(n, tuple(rng.binomial(n, rates).tolist()), 100 * n))
    expected = [[mismatch(a, b) is not None for b in found] for a in found[:20]]
    assert unlike(found[:20], found).tolist() == expected
    assert 0.1 < np.mean(expected) < 0.99


def test_what_is_not_known_is_not_unlike() -> None:
    shouting = Formats(100, (100, *[0] * (len(CLASSES) - 1)), 1)
    plain = Formats(100, (0,) * len(CLASSES), 1)
    assert unlike([shouting, None], [plain, None]).tolist() == [[True, False], [False, False]]
    assert unlike([None], [None]).tolist() == [[False]]
