"""Sketched similarities of large cells beside the whole ones."""

import numpy as np
import pytest
from scipy.stats import kstest

from provenance.stats import grams, kernels
from provenance.stats.fused import KERNELS, fused_test
from provenance.stats.grams import Sketched, Whole, hamming_gram, ngram_gram
from provenance.stats.layout import CellDraws
from provenance.stats.permutation import PermutationNull

WORDS = ("alpha", "beta", "gamma", "delta", "eta", "theta", "iota", "kappa", "mu", "nu", "xi")


def _texts(rng, n):
    """Texts that begin in one of three ways, so that they are alike by more than chance."""
    begins = rng.choice(("I think that ", "Well, the ", "One "), n, p=(0.5, 0.3, 0.2))
    return [b + " ".join(rng.choice(WORDS, rng.integers(3, 9))) for b in begins]


def test_products_of_features_are_the_matrix_in_every_respect():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(9, 4))
    unit = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2])
    v, z = rng.random(9), rng.normal(size=(5, 9))
    whole, sketched = Whole(features @ features.T), Sketched(features)
    for one, other in (
        (whole, sketched),
        (whole.centred(unit), sketched.centred(unit)),
        (whole.times(2.5), sketched.times(2.5)),
    ):
        np.testing.assert_allclose(one.diagonal(), other.diagonal(), atol=1e-12)
        np.testing.assert_allclose(one.form(z), other.form(z), atol=1e-12)
        np.testing.assert_allclose(one.typicality(), other.typicality(), atol=1e-12)
        assert one.variance(v) == pytest.approx(other.variance(v))
        assert one.scale() == pytest.approx(other.scale())


def _pair(monkeypatch, make):
    whole = make()
    monkeypatch.setattr(grams, "GRAM_DRAWS", 1)
    return whole, make()


@pytest.mark.parametrize("kind", ["hamming", "ngram"])
def test_sketch_against_the_whole_kernel(monkeypatch, kind):
    rng = np.random.default_rng(1)
    texts = [*_texts(rng, 200), "", ""]
    counts = kernels.ngram_counts(texts)
    whole, sketched = _pair(
        monkeypatch, lambda: hamming_gram(texts) if kind == "hamming" else ngram_gram(counts)
    )
    assert isinstance(whole, Whole)
    assert isinstance(sketched, Sketched)
    # Single entries, read off by unit vectors: z = e_i + e_j gives K_ii + K_jj + 2·K_ij.
    pairs = np.array([rng.choice(202, 2, replace=False) for _ in range(2_000)])
    z = np.zeros((2_000, 202))
    np.put_along_axis(z, pairs, 1.0, axis=1)
    true, found = ((g.form(z) - g.diagonal()[pairs].sum(axis=1)) / 2 for g in (whole, sketched))
    # Errors of pairs share the signs, so they need not cancel; sqrt(2/1024) bounds their size.
    assert np.sqrt(((found - true) ** 2).mean()) < 0.0442
    # Any labels: at most sqrt(2/1024) = 4.4% in deviation, the diagonal included.
    labels = rng.random((200, 202)) < 0.5
    z = labels - labels.mean(axis=1, keepdims=True)
    ratio = sketched.form(z) / whole.form(z)
    assert abs(ratio.mean() - 1) < 0.05
    assert ratio.std() < 0.05
    # What is centred and without its diagonal moves alike under relabelling: power survives.
    unit = np.zeros(202, dtype=np.intp)
    one, two = (g.centred(unit).form(z) - z**2 @ g.diagonal() for g in (whole, sketched))
    assert np.corrcoef(one, two)[0, 1] > 0.9


@pytest.mark.parametrize("kind", ["hamming", "ngram"])
def test_empty_texts_are_like_each_other_in_a_sketch(monkeypatch, kind):
    monkeypatch.setattr(grams, "GRAM_DRAWS", 1)
    texts = ["", "", ""]
    gram = hamming_gram(texts) if kind == "hamming" else ngram_gram(kernels.ngram_counts(texts))
    np.testing.assert_allclose(gram.typicality(), 1.0)


def test_same_texts_same_sketch(monkeypatch):
    monkeypatch.setattr(grams, "GRAM_DRAWS", 1)
    texts = _texts(np.random.default_rng(2), 30)
    z = np.random.default_rng(3).normal(size=(4, 30))
    np.testing.assert_array_equal(hamming_gram(texts).form(z), hamming_gram(texts).form(z))


def test_null_p_values_of_a_sketched_fusion_are_uniform(monkeypatch):
    # 4 + 3 draws a cell: 35² relabellings, so that p is nearly continuous.
    monkeypatch.setattr(grams, "GRAM_DRAWS", 4)
    p_values = []
    for run in range(200):
        rng = np.random.default_rng([4, run])
        cells = [
            CellDraws(rng.integers(0, 3, 7), tuple(_texts(rng, 7)), np.arange(7) >= 4, None)
            for _ in range(2)
        ]
        null = PermutationNull(rng, 99, exact_limit=0)
        p_values.append(fused_test(cells, null=null, kernels=KERNELS).p_value)
    assert kstest(p_values, "uniform").pvalue > 1e-3


def test_a_difference_is_seen_through_the_sketch(monkeypatch):
    monkeypatch.setattr(grams, "GRAM_DRAWS", 4)
    rng = np.random.default_rng(5)
    texts = [*_texts(rng, 20), *(t.upper() for t in _texts(rng, 20))]
    cell = CellDraws(np.zeros(40, dtype=np.intp), tuple(texts), np.arange(40) >= 20, None)
    for kernel in ("hamming", "ngram", "typicality"):
        null = PermutationNull(np.random.default_rng(6), 999)
        found = fused_test([cell], null=null, kernels=(kernel,))
        assert kernel == "typicality" or found.p_value <= 0.002
