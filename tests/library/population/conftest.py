import hashlib

import numpy as np
import pytest

from provenance.library.population import Library, Moments, Output, Recorded


class FakeSpace:
    """Length and vowels of a text, in two dimensions; stands for a fitted space."""

    def __init__(self, name="fake"):
        self.digest = hashlib.sha256(name.encode()).hexdigest()


def _summarise(space, texts):
    rows = np.array([[len(t), sum(t.count(v) for v in "aeiou")] for t in texts], dtype=float)
    spread = rows.var(axis=0, ddof=1) if len(rows) > 1 else np.full(2, np.nan)
    return Moments(len(rows), rows.mean(axis=0), spread)


def _recorded(words="a text", *, prompts=20, samples=2, **stated):
    outputs = [
        Output(f"p{p}", f"{words} {p} {'x' * (p * s)}", sample=s)
        for p in range(prompts)
        for s in range(samples)
    ]
    return Recorded(outputs, **{"session": "s1", "date_utc": "2026-11-01", **stated})


@pytest.fixture
def library(tmp_path):
    return Library.create(tmp_path / "models")


@pytest.fixture
def space():
    return FakeSpace()


@pytest.fixture
def recorded():
    """``recorded("words", prompts=20, samples=2, **stated)`` is a session."""
    return _recorded


@pytest.fixture
def summarise():
    """(space, texts) → summary, in the place of ``Summary.of``."""
    return _summarise


@pytest.fixture
def another_space():
    return FakeSpace("another")
