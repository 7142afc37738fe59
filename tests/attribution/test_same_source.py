"""The same-source score against computations by hand."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from math import log

import numpy as np
import pytest

from provenance.attribution.same_source import parts, score, scores
from provenance.errors import EvidenceError
from provenance.library.population import Moments
from provenance.library.space import Labelled, Sizes, Space, fit, read


@pytest.fixture(scope="module")
def plane() -> Space:
    """Two dimensions: variance between models 3.6 and .2, of one output within a model 4 and 2."""
    documents = [
        Labelled(f"m{i}", f"u{i}", f"p{j}", f"w{i} w{j}. " * (1 + j))
        for i in range(8)
        for j in range(3)
    ]
    sizes = Sizes(columns=60, rank=3, between=2, dimensions=2, sample=60, folds=2)
    made = fit(read(documents), rng=np.random.default_rng(1), sizes=sizes)
    return replace(made, between=np.array([3.6, 0.2]), within=np.array([4.0, 2.0]))


def bundle(n: int, mean: list[float], variance: list[float]) -> Moments:
    return Moments(n, np.array(mean), np.array(variance))


def test_two_bundles_by_hand(plane: Space) -> None:
    """Twenty outputs a side, so τ = ½; the first side's spread is 1.5 times the usual on average.

    v_a = (½·1.5·(4, 2) + ½·(8, 2))/20 = (.35, .125), v_b = (4, 2)/20 = (.2, .1). The distance is
    .4 in both dimensions: .16/(.55, .225). Weights (3.6/4)² and (.2/.4)².
    """
    a, b = bundle(20, [1.0, 0.0], [8.0, 2.0]), bundle(20, [1.4, 0.4], [4.0, 2.0])
    distance = (0.81 * 0.16 / 0.55 + 0.25 * 0.16 / 0.225) / (0.81 + 0.25)
    unusual = (1.44 / (3.6 + 0.55 / 4) + 0.04 / (0.2 + 0.225 / 4)) / 2
    by_hand = -log(distance) + 1.2 * 25 / 45 * log(unusual)
    assert score(a, b, plane) == pytest.approx(by_hand, rel=1e-12)
    close, strange = parts([a], [b], plane)
    assert close[0, 0] == pytest.approx(-log(distance), rel=1e-12)
    assert strange[0, 0] == pytest.approx(log(unusual), rel=1e-12)


def test_one_output_has_the_usual_spread(plane: Space) -> None:
    """With n = 1 and n = 25: harmonic mean 50/26, τ of the second side 20/45."""
    a, b = bundle(1, [2.0, 0.5], [0.0, 0.0]), bundle(25, [1.0, 0.5], [4.0, 2.0])
    noise = 1 + 1 / 25
    weights = (3.6 / (3.6 + 4 * noise)) ** 2, (0.2 / (0.2 + 2 * noise)) ** 2
    distance = weights[0] * (1 / (4 * noise)) / sum(weights)
    assert distance < 0.25  # closer than two bundles of one model come: counted as .25
    unusual = (2.25 / (3.6 + 4 * noise / 4) + 0.25 / (0.2 + 2 * noise / 4)) / 2
    by_hand = -log(0.25) + 1.2 * 25 / (25 + 50 / 26) * log(unusual)
    assert score(a, b, plane) == pytest.approx(by_hand, rel=1e-12)


def test_one_text_many_times_gains_nothing_over_the_closest(plane: Space) -> None:
    """Two constant bundles at one place: D is cut at .25, far from the middle T is cut at 4."""
    far = bundle(100, [90.0, 90.0], [0.0, 0.0])
    assert score(far, far, plane) == pytest.approx(-log(0.25) + 1.2 * 25 / 125 * log(4.0))


def test_one_strange_dimension_cannot_decide(plane: Space) -> None:
    """A distance of 10⁶ counts 30 squared standard errors in its dimension, and no more."""
    a, b = bundle(20, [0.0, 0.0], [4.0, 2.0]), bundle(20, [0.0, 1e6], [4.0, 2.0])
    distance = 0.25 * 30 / (0.81 + 0.25)
    assert score(a, b, plane) == pytest.approx(-log(distance) + 1.2 * 25 / 45 * log(4.0))


def test_symmetric_and_each_pair_as_if_alone(plane: Space) -> None:
    rng = np.random.default_rng(2)
    a, b = (
        [Moments(int(n), rng.normal(size=2), rng.uniform(1, 5, 2)) for n in rng.integers(1, 80, k)]
        for k in (5, 7)
    )
    found = scores(a, b, plane)
    assert found.shape == (5, 7)
    assert scores(b, a, plane) == pytest.approx(found.T)
    assert score(a[2], b[6], plane) == pytest.approx(found[2, 6])


def test_more_outputs_part_two_models_further(plane: Space) -> None:
    """The same two means: what is chance at 10 outputs is a difference at 100."""
    at = [
        score(bundle(n, [1.0, 0.2], [4.0, 2.0]), bundle(n, [2.5, -0.2], [4.0, 2.0]), plane)
        for n in (10, 100, 400)
    ]
    assert at == sorted(at, reverse=True)


def test_the_weight_of_the_unusual_is_that_of_the_space(plane: Space) -> None:
    a, b = bundle(20, [1.0, 0.0], [8.0, 2.0]), bundle(20, [1.4, 0.4], [4.0, 2.0])
    close, strange = parts([a], [b], plane)
    other = replace(plane, unusual=0.3)
    assert score(a, b, other) == pytest.approx(close[0, 0] + 0.3 * 25 / 45 * strange[0, 0])
    assert other.digest != plane.digest
    assert Space.from_bytes(other.to_bytes()).unusual == 0.3


def test_a_space_of_the_usual_weight_is_written_as_before_there_was_another(plane: Space) -> None:
    with zipfile.ZipFile(io.BytesIO(plane.to_bytes())) as archive:
        assert "unusual" not in json.loads(archive.read("about.json"))
    assert Space.from_bytes(plane.to_bytes()).digest == plane.digest


def test_a_weight_out_of_range_is_no_space(plane: Space) -> None:
    with pytest.raises(EvidenceError, match="weight of the unusual"):
        Space.from_bytes(replace(plane, unusual=-1.0).to_bytes())
