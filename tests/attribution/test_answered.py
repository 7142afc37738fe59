"""The copy of a library's answers: halves that share no draw, batteries, and the way to JSON."""

from __future__ import annotations

import numpy as np
import pytest

from provenance.attribution import answered
from provenance.attribution.answered import Answered, AnsweredModel
from provenance.errors import EvidenceError
from provenance.library.sketches import DIMENSIONS, scheme


def made(rows):
    """From (model, prompt, session) an answer; its first number says which answer it is."""
    models = sorted({m for m, _, _ in rows})
    prompts = sorted({p for _, p, _ in rows})
    sketched = np.zeros((len(rows), DIMENSIONS), dtype=np.int8)
    sketched[:, 0] = np.arange(1, len(rows) + 1)
    return Answered(
        scheme(),
        tuple(AnsweredModel(m, "", f"unit {m}", "", "") for m in models),
        tuple(prompts),
        np.array([models.index(m) for m, _, _ in rows]),
        np.array([prompts.index(p) for _, p, _ in rows]),
        np.array([s for _, _, s in rows]),
        sketched,
    )


def test_halves_share_no_draw_and_prefer_another_session():
    rows = [("a", "p", 0)] * 3 + [("b", "p", 0), ("b", "p", 1), ("b", "p", 2), ("c", "p", 0)]
    found = made(rows)
    first, second = found.halves(2)
    assert first[:, 0, 0].tolist() == [1.5, 4, 7]  # draws 1 and 2; the oldest session; the only one
    assert second[:2, 0, 0].tolist() == [3, 5]
    assert np.isnan(second[2, 0, 0])
    assert found.spare() == 1
    assert not found.sessions()  # a's stand-in is of its own session
    assert made([("b", "p", 0), ("b", "p", 1)]).sessions()
    assert found.first(1)[:, 0, 0].tolist() == [1, 4, 7]
    assert found.everything()[0, 0, 0] == 2


def test_own_draws_are_the_enrolled_ones_alone():
    """Two of three draws are enrolled: where they are equal the likeness is 1, whatever the third.

    Of two draws one is enrolled, and there is no second to compare it with; the two are still
    compared for use on other prompts.
    """
    rng = np.random.default_rng(1)
    prompts = [f"p{i}" for i in range(3)]
    thrice = made([(m, p, 0) for m in "abcdef" for p in prompts for _ in range(3)])
    thrice.sketches[:] = rng.integers(-99, 99, thrice.sketches.shape)
    thrice.sketches[1::3] = thrice.sketches[0::3]
    own = thrice.own_draws()
    assert own.draws.tolist() == [2.0] * 6
    assert np.allclose(own.enrolled.total, own.enrolled.weight)
    assert (own.enrolled.weight > 0).all()
    twice = made([(m, p, 0) for m in "abcdef" for p in prompts for _ in range(2)])
    twice.sketches[:] = rng.integers(-99, 99, twice.sketches.shape)
    own = twice.own_draws()
    assert own.draws.tolist() == [1.0] * 6
    assert not own.enrolled.weight.any()
    assert (own.every.weight > 0).all()
    assert (own.every.total < 0.5 * own.every.weight).all()


def test_batteries_hold_prompts_that_half_of_the_models_answered():
    rows = [(m, f"p{i}", 0) for m in "abcd" for i in range(6)] + [("a", "rare", 0)]
    found = made(rows)
    (battery,) = found.batteries()
    assert battery.prompts == tuple(f"p{i}" for i in range(6))
    own = found.within(battery)
    assert own.prompts == battery.prompts
    assert len(own.model) == 24
    assert battery.digest == own.batteries()[0].digest
    assert made([("a", "p", 0), ("b", "p", 0)]).batteries() == []


def test_json_and_back():
    found = made([("a", "p", 0), ("a", "q", 0), ("b", "p", 0)])
    again = Answered.from_json(found.to_json())
    assert again.to_json() == found.to_json()
    assert np.array_equal(again.sketches, found.sketches)


@pytest.mark.parametrize(
    "change",
    [
        {"scheme": "0" * 64},
        {"model": [0, 0, 7]},
        {"prompt": [0, -1, 0]},
        {"session": [0]},
        {"sketches": "AAAA"},
        {"models": [["a"]]},
        {"prompts": None},
    ],
)
def test_a_copy_that_is_not_whole_is_refused(change):
    content = made([("a", "p", 0), ("a", "q", 0), ("b", "p", 0)]).to_json()
    with pytest.raises(EvidenceError, match="the library's answers"):
        Answered.from_json(content | change)


def test_a_copy_of_many_models_keeps_two_draws_and_then_fewer_prompts(monkeypatch):
    monkeypatch.setattr(answered, "MOST", 300)
    rows = [(m, f"p{i:02d}", 0) for m in "abcd" for i in range(40) for _ in range(4)]
    found = made(rows)._bounded()
    assert np.bincount(found.prompt, minlength=40).tolist() == [8] * 37 + [0] * 3
    assert found.spare() == 1
    few = made(rows[:160])
    assert few._bounded() is few
