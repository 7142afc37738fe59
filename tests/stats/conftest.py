from collections.abc import Callable

import numpy as np
import pytest

from provenance.stats.layout import CellDraws

Make = Callable[..., CellDraws]


@pytest.fixture
def make() -> Make:
    """A cell from the codes of each side; ``block`` a number a draw, reference first."""

    def cell(reference, suspect, block=None, texts=()):
        return CellDraws(
            np.array([*reference, *suspect], dtype=np.intp),
            tuple(texts),
            np.array([False] * len(reference) + [True] * len(suspect), dtype=np.bool_),
            None if block is None else np.array(block, dtype=np.intp),
        )

    return cell


@pytest.fixture
def simulate(make: Make):
    """Cells drawn from probabilities a side; ``ratio`` reference draws to one of the suspect."""

    def cells(rng, reference, suspect, n, *, ratio=1, blocked=False):
        block = [*np.repeat(np.arange(n), ratio), *range(n)] if blocked else None
        return [
            make(
                rng.choice(len(p), n * ratio, p=p),
                rng.choice(len(q), n, p=q),
                block,
            )
            for p, q in zip(reference, suspect, strict=True)
        ]

    return cells
