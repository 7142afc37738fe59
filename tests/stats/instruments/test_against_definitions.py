"""Statistics against their definitions in plain Python, or against another implementation."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, cramervonmises, kstest
from scipy.stats.contingency import crosstab

from provenance.stats import distance, kernels
from provenance.stats.instruments import (
    border,
    border_halves,
    edit,
    first_token,
    hamming,
    hamming_published,
    length,
    likelihood,
    likelihood_ratio,
    ngram,
    prefix,
    rank_uniformity,
    rarity,
    total_variation,
)
from provenance.stats.instruments.border import border_inputs
from provenance.stats.instruments.edit import EDIT_CHARACTERS, EDIT_DRAWS, edit_distances
from provenance.stats.instruments.first_difference import first_differences
from provenance.stats.instruments.likelihood import direction
from provenance.stats.instruments.rank_uniformity import finite_sample_rank
from provenance.stats.layout import CellDraws
from provenance.stats.permutation import PermutationNull


def _null(resamples=19, **options):
    return PermutationNull(np.random.default_rng(0), resamples, exact_limit=0, **options)


def _texts(reference, suspect):
    texts = (*reference, *suspect)
    labels = np.repeat([False, True], [len(reference), len(suspect)])
    return CellDraws(np.zeros(len(texts), dtype=np.intp), texts, labels, None)


CELLS = [
    _texts(["abcd", "abed", "xbcd"], ["abcd", "zz", "abxdefg"]),
    _texts(["", "hello", "help", "helium"], ["help", "hen"]),
    _texts(["one", "two"], ["one and more", "three", "one too"]),
]


def _mean(values):
    values = list(values)
    return sum(values) / len(values)


def _discrepancy(cells, similar):
    """MMD² by pairs of texts, mean over cells."""

    def one(cell):
        r = [t for t, s in zip(cell.texts, cell.suspect, strict=True) if not s]
        s = [t for t, s in zip(cell.texts, cell.suspect, strict=True) if s]
        return (
            _mean(similar(a, b) for a, b in itertools.permutations(r, 2))
            + _mean(similar(a, b) for a, b in itertools.permutations(s, 2))
            - 2 * _mean(similar(a, b) for a in r for b in s)
        )

    return _mean(one(cell) for cell in cells)


def _agree(a, b, positions):
    a, b = a.ljust(positions, "\0"), b.ljust(positions, "\0")
    return sum(x == y for x, y in zip(a, b, strict=True)) / positions


def test_hamming_against_pairs():
    widths = [max(map(len, cell.texts)) for cell in CELLS]
    expected = _mean(
        _discrepancy([cell], lambda a, b, n=width: _agree(a, b, n))
        for cell, width in zip(CELLS, widths, strict=True)
    )
    assert hamming(CELLS, null=_null()).statistic == pytest.approx(expected)


def test_hamming_published_against_the_published_definition():
    # Kernel of all texts of both sides, 0 across prompts, means over the pairs of one prompt.
    prompt = np.concatenate([np.full(c.n, i) for i, c in enumerate(CELLS)])
    label = np.concatenate([c.suspect for c in CELLS])
    texts = [t for c in CELLS for t in c.texts]
    longest = max(map(len, texts))
    kernel = np.array([[_agree(a, b, longest) for b in texts] for a in texts])
    pair = (prompt[:, None] == prompt) & ~np.eye(len(texts), dtype=bool)
    sides = [np.ix_(label == a, label == b) for a, b in ((0, 0), (0, 1), (1, 1))]
    rr, rs, ss = (kernel[s][pair[s]].mean() for s in sides)
    found = hamming_published(CELLS, null=_null()).statistic
    assert found == pytest.approx(rr - 2 * rs + ss, rel=1e-12)


def test_hamming_variants_agree_where_cells_are_alike():
    rng = np.random.default_rng(1)
    cells = [
        _texts(*(["".join(rng.choice(list("ab"), 9)) for _ in range(4)] for _ in range(2)))
        for _ in range(3)
    ]
    first = hamming(cells, null=_null())
    second = hamming_published(cells, null=_null())
    assert first.statistic == pytest.approx(second.statistic)
    np.testing.assert_allclose(first.null, second.null, atol=1e-12)


def test_hamming_reads_so_many_characters():
    cells = [_texts(["aax", "aay"], ["aaz", "aaw"])]
    assert hamming(cells, null=_null(), characters=2).p_value == 1
    with pytest.raises(ValueError, match="at least one character"):
        hamming(cells, null=_null(), characters=0)


def test_prefix_against_pairs():
    for cell in CELLS:
        width = max(map(len, cell.texts))

        def similar(a, b, width=width):
            a, b = a.ljust(width, "\0"), b.ljust(width, "\0")
            lengths = range(1, width + 1)
            return sum(1 / n for n in lengths if a[:n] == b[:n]) / sum(1 / n for n in lengths)

        found = prefix([cell], null=_null()).statistic
        assert found == pytest.approx(_discrepancy([cell], similar))


def _edit(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


@given(st.lists(st.text(st.characters(codec=None), max_size=8) | st.text("ab", max_size=150)))
def test_edit_distances_against_the_textbook(texts):
    found = edit_distances(texts)
    assert found.shape == (len(texts), len(texts))
    for (i, a), (j, b) in itertools.product(enumerate(texts), repeat=2):
        assert found[i, j] == pytest.approx(_edit(a, b) / max(len(a), len(b), 1))


@pytest.mark.parametrize("size", [63, 64, 65, 127, 128, 129, EDIT_CHARACTERS])
def test_edit_distances_across_machine_words(size):
    rng = np.random.default_rng(size)
    texts = ["".join(rng.choice(list("abc"), size + d)) for d in (-1, 0, 0) for _ in range(3)]
    found = edit_distances([*texts, ""])
    for (i, a), (j, b) in itertools.product(enumerate([*texts, ""]), repeat=2):
        assert found[i, j] == pytest.approx(_edit(a, b) / max(len(a), len(b), 1))


def test_edit_against_pairs_and_its_limits():
    def similar(a, b):
        return -_edit(a, b) / max(len(a), len(b), 1)

    assert edit(CELLS, null=_null()).statistic == pytest.approx(_discrepancy(CELLS, similar))
    crowd = _texts(["a"] * EDIT_DRAWS, ["b"])
    with pytest.raises(ValueError, match="at most"):
        edit([crowd], null=_null())


def test_first_differences_follow_the_commonest_path():
    texts = ["abcd", "abcx", "abcd", "zbcd", "ab", ""]
    # Path: a, b, c, d.
    assert first_differences(texts).tolist() == [4, 3, 4, 0, 2, 0]
    # A tie goes to the smaller code point, and a draw that is left alone makes no path.
    assert first_differences(["bcd", "acd"]).tolist() == [0, 1]
    assert first_differences([]).tolist() == []


def test_likelihood_ratio_against_scipy(make):
    cells = [make([0, 0, 1, 2, 5], [1, 1, 5]), make([3, 3, 0], [0, 0, 0, 1])]
    expected = sum(
        chi2_contingency(
            crosstab(c.categories, c.suspect).count, correction=False, lambda_="log-likelihood"
        ).statistic
        for c in cells
    )
    assert likelihood_ratio(cells, null=_null()).statistic == pytest.approx(expected)


def test_likelihood_ratio_follows_chi_squared_at_large_counts(make):
    rng = np.random.default_rng(2)
    cell = make(rng.integers(0, 4, 400), rng.integers(0, 4, 400))
    assert kstest(likelihood_ratio([cell], null=_null(2_000)).null, "chi2", (3,)).pvalue > 1e-3


def test_total_variation_against_tables(make):
    cells = [make([0, 0, 1, 2, 5], [1, 1, 5]), make([3, 3, 0], [0, 0, 0, 1])]
    tables = [
        np.vstack([np.bincount(c.categories[c.suspect == s], minlength=6) for s in (0, 1)])
        for c in cells
    ]
    expected = np.mean([distance.total_variation(*t) for t in tables])
    assert total_variation(cells, null=_null()).statistic == pytest.approx(expected)


def test_rank_statistic_by_hand():
    null = _null(5)
    cell = CellDraws(
        np.zeros(5, dtype=np.intp),
        (),
        np.array([False, True, False, True, False]),
        None,
        np.array([[2.0], [2.0], [-np.inf], [7.0], [2.0]]),
    )
    found = rank_uniformity([cell], null=null).statistic
    # The generator's first numbers are the U, in the order of (score, draw).
    u = 1 - np.random.default_rng(0).random(5)
    ranks = sorted([(1 + u[2] * 3) / 4, (3 + u[4]) / 4])
    assert found == pytest.approx(cramervonmises(ranks, "uniform").statistic)


@pytest.mark.parametrize("m", [1, 2, 7])
def test_finite_sample_rank_is_uniform_with_ties_at_every_m(m):
    rng = np.random.default_rng(m)
    ranks = [
        finite_sample_rank(rng.integers(0, 3, m), rng.integers(0, 3, 1), rng)[0]
        for _ in range(4_000)
    ]
    assert kstest(ranks, "uniform").pvalue > 1e-3


def test_rank_refuses_what_is_not_a_score():
    cell = CellDraws(np.zeros(2, dtype=np.intp), (), np.array([False, True]), None)
    for values in (np.array([[np.nan], [1.0]]), np.ones((2, 2))):
        with pytest.raises(ValueError, match="expected"):
            rank_uniformity(
                [CellDraws(cell.categories, (), cell.suspect, None, values)], null=_null()
            )


def test_first_token_against_means_and_what_was_not_listed():
    values = np.array([[-1.0, -2.0], [-1.5, np.nan], [-2.0, -np.inf], [np.nan, np.nan]])
    labels = np.array([False, False, True, True])
    cell = CellDraws(np.zeros(4, dtype=np.intp), (), labels, None, values)
    filled = np.array([[-1.0, -2.0], [-1.5, -1.5], [-2.0, -2.0], [-2.0, -2.0]])
    expected = np.abs(filled[2:].mean(axis=0) - filled[:2].mean(axis=0)).mean()
    assert first_token([cell], null=_null()).statistic == pytest.approx(expected)
    above = CellDraws(cell.categories, (), labels, None, np.full((4, 1), 0.5))
    with pytest.raises(ValueError, match="above 0"):
        first_token([above], null=_null())


def test_ngram_against_pairs():
    cells = [c for c in CELLS if len(set(c.texts)) == c.n]
    for cell in cells:
        kernel = kernels.ngram(kernels.ngram_counts(cell.texts))
        place = {text: i for i, text in enumerate(cell.texts)}
        expected = _discrepancy([cell], lambda a, b, k=kernel, at=place: float(k[at[a], at[b]]))
        assert ngram([cell], null=_null()).statistic == pytest.approx(expected, abs=1e-6)
    assert len(cells) == 1


def test_length_adds_up_shifts_of_one_sign_only():
    longer = _texts(["a", "aa", "aaa", "aaaa"], ["a" * 5, "a" * 6, "a" * 7, "a" * 8])
    shorter = _texts(longer.texts[4:], longer.texts[:4])
    assert length([longer] * 2, null=_null()).statistic > 8
    assert length([longer, shorter], null=_null()).statistic == pytest.approx(0, abs=1e-9)


def test_hostile_texts_in_every_instrument():
    texts = ["", "\ud800\udfff", "\x00" * 9, "a" * 3_000_000, "𝔘" * 10, "\u202e\n"]
    cell = _texts(texts, texts)
    for test in (hamming, hamming_published, ngram, prefix, edit, length):
        assert 0 < test([cell], null=_null()).p_value <= 1


def _squares(cells, score, weight):
    """Σ over cells of weight·(difference of means)², each over its variance under relabelling."""
    total = 0.0
    for cell in cells:
        h = np.array([score(cell, c) for c in cell.categories.tolist()], dtype=float)
        n, m = cell.n, cell.n_suspect
        variance = m * (n - m) / (n * (n - 1)) * ((h - h.mean()) ** 2).sum()
        if variance > 0:
            total += weight(cell) * ((cell.suspect - m / n) @ h) ** 2 / variance
    return total


def _counted(codes):
    return sorted(((list(codes).count(c), -c) for c in set(codes)), reverse=True)


def _tie(codes):
    counted = _counted(codes)
    return 2 * counted[1][0] / len(codes) if len(counted) > 1 else 0.0


def _balance(codes):
    first, second = [-c for _, c in _counted(codes)][:2]
    return lambda _, code: (code == first) - float(code == second)


def test_border_against_means_of_each_cell(make):
    cells = [make([0, 0, 1, 2, 5], [1, 1, 5]), make([3, 3, 0], [0, 0, 0, 1])]
    expected = sum(
        _squares([c], _balance(c.categories.tolist()), lambda c: _tie(c.categories.tolist()))
        for c in cells
    )
    one_answer = make([4, 4], [4, 4])
    assert border([*cells, one_answer], null=_null()).statistic == pytest.approx(expected)


def test_border_halves_learns_from_draws_that_it_does_not_test(make):
    # Blocks of two reference draws and one of the suspect: one of the two is learnt from.
    cell = make([0, 0, 1, 1, 0, 0], [1, 1, 0], block=[0, 0, 1, 1, 2, 2, 0, 1, 2])
    found = border_halves([cell], null=_null())
    # Learnt 0, 1, 0: 0 before 1, tie 2/3. Tested beside the suspect: 0, 1, 0 in blocks of two.
    h = np.array([1.0, -1, -1, -1, 1, 1])
    assert (found.n_reference, found.n_suspect) == (6, 3)
    pairs = np.array([[h[0], -1], [h[1], -1], [1, 1]])
    gaps = (pairs[:, 1] - pairs[:, 0]) / 2
    assert found.statistic == pytest.approx(2 / 3 * gaps.sum() ** 2 / (gaps**2).sum())


def test_border_inputs_are_the_nearest_ties_of_the_reference(make):
    cells = [
        make([0, 0, 0, 0], [1] * 9),
        make([0, 0, 1, 1], []),
        make([0, 0, 0, 1], [0]),
        make([0, 1, 2, 3], [5]),
    ]
    assert border_inputs(cells, 9) == [1, 2, 3]
    assert border_inputs(cells, 1) == [1]


def test_rarity_against_means_over_all_cells(make):
    cells = [make([0, 0, 1, 2, 5], [1, 1, 5]), make([3, 3, 0], [0, 0, 0, 1])]
    shift = variance = 0.0
    for cell in cells:
        codes = cell.categories.tolist()
        h = np.log([codes.count(c) / cell.n for c in codes])
        n, m = cell.n, cell.n_suspect
        shift += (cell.suspect - m / n) @ h
        variance += m * (n - m) / (n * (n - 1)) * ((h - h.mean()) ** 2).sum()
    assert rarity(cells, null=_null()).statistic == pytest.approx(shift**2 / variance)


def _scored(reference, suspect):
    values = np.array([*reference, *suspect], dtype=float)
    labels = np.repeat([False, True], [len(reference), len(suspect)])
    return CellDraws(np.zeros(len(values), dtype=np.intp), (), labels, None, values[:, None])


def test_likelihood_against_means_and_its_direction():
    cells = [_scored([-1.0, -2, -4], [0, 0.5]), _scored([2.0, 1], [8, 5, 3])]
    shift = variance = 0.0
    for cell in cells:
        h = cell.values[:, 0] / cell.values[:, 0].std()
        n, m = cell.n, cell.n_suspect
        shift += (cell.suspect - m / n) @ h
        variance += m * (n - m) / (n * (n - 1)) * ((h - h.mean()) ** 2).sum()
    assert likelihood(cells, null=_null()).statistic == pytest.approx(shift**2 / variance)
    found = direction(cells)
    assert found.reading == "sharper"
    gaps = [0.25 + 7 / 3, 16 / 3 - 1.5]
    assert found.difference == pytest.approx(np.average(gaps, weights=[6 / 5, 6 / 5]))
    turned = [dataclasses.replace(c, suspect=~c.suspect) for c in cells]
    assert direction(turned).reading == "flatter"
    with pytest.raises(ValueError, match="finite score"):
        likelihood([_scored([np.inf], [1.0])], null=_null())


def test_log_probabilities_that_differ_by_rounding_are_equal():
    exact = -np.linspace(0.1, 3, 8).reshape(4, 2)
    rounded = np.round(exact, 3)
    cell = CellDraws(
        np.zeros(8, dtype=np.intp),
        (),
        np.repeat([False, True], 4),
        None,
        np.vstack([np.tile(exact[:1], (4, 1)), np.tile(rounded[:1] - 1e-4, (4, 1))]),
    )
    assert first_token([cell], null=_null()).p_value == 1.0
