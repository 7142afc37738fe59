"""Ratios on genres that were left out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from provenance.attribution import genres
from provenance.attribution.known_pairs import Scored

UNITS = 10


def scored(rng: np.random.Generator, kinds: list[str], shift: dict[str, float]) -> Scored:
    """Twenty models a kind, two a unit; same-source pairs score 4 more than others."""
    models = [(kind, u) for kind in ("a", "b") for u in range(UNITS) for _ in range(2)]
    rows = []
    for i, (kind, u) in enumerate(models):
        for j, (other, _) in enumerate(models):
            if kind != other or kind not in kinds:
                continue
            rows.append((rng.normal(4.0 * (i == j) + shift[kind]), i, j, u % 3))
    score, a, b, fold = (np.array(x) for x in zip(*rows, strict=True))
    units = tuple(f"u{u}" for _, u in models)
    inside = np.array([u % 3 for _, u in models])
    kept = inside[a] == inside[b]
    n = np.full(int(kept.sum()), 20)
    return Scored(
        score[kept], a[kept], b[kept], n, n, fold[kept], tuple(f"m{i}" for i in range(len(models))),
        units, tuple(k for k, _ in models), np.zeros(len(n), dtype=bool),
    )  # fmt: skip


def leave_out(monkeypatch: pytest.MonkeyPatch, shift: dict[str, float]) -> Any:
    rng = np.random.default_rng(4)
    fitted: list[tuple[Any, Any]] = []

    def score_pairs(population: Any, *, kinds: Any, fit_on: Any, **_: Any) -> Scored:
        fitted.append((tuple(kinds), tuple(fit_on)))
        return scored(rng, list(kinds), shift)

    monkeypatch.setattr(genres, "score_pairs", score_pairs)
    kinds = ("a",) * 20 + ("b",) * 20
    units = tuple(f"u{u}" for _ in "ab" for u in range(UNITS) for _ in range(2))
    population: Any = SimpleNamespace(
        kinds=kinds, units=units, training=SimpleNamespace(view="raw")
    )
    found = genres.left_out(population, rng=rng)
    # What is tested was never fitted on.
    assert fitted == [(("b",), ("b",)), (("a",), ("b",)), (("a",), ("a",)), (("b",), ("a",))]
    return {a.left_out: a for a in found}


def test_a_line_that_carries_over_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    found = leave_out(monkeypatch, {"a": 0.0, "b": 0.0})
    assert set(found) == {"a", "b"}
    assert all(a.holds and a.cllr < 0.4 and a.units == UNITS for a in found.values())
    assert all(a.misleading_above_10 < 0.1 for a in found.values())


def test_a_genre_in_which_all_are_alike_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything in b scores 4 more: a line from a takes strangers there for one model."""
    found = leave_out(monkeypatch, {"a": 0.0, "b": 4.0})
    assert not found["b"].holds
    assert found["b"].misleading_above_1 > 0.5


def test_one_genre_has_nothing_to_be_left_out() -> None:
    population: Any = SimpleNamespace(kinds=("a",) * 9, units=tuple("abcdefghi"))
    assert genres.left_out(population, rng=np.random.default_rng(1)) == ()
