import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.stats.multiplicity import holm, resamples_needed


def test_holm_by_hand():
    # R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])


def test_holm_of_nothing_and_of_one():
    assert holm([]).size == 0
    assert holm([0.2]).tolist() == [0.2]


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=12))
def test_holm_keeps_order_and_bounds(p):
    adjusted = holm(p)
    assert ((adjusted >= p) & (adjusted <= 1)).all()
    assert (adjusted <= np.minimum(1, np.array(p) * len(p)) + 1e-12).all()
    order = np.argsort(p)
    assert (np.diff(adjusted[order]) >= 0).all()


@pytest.mark.parametrize("p", [[0.0], [1.1], [float("nan")]])
def test_holm_refuses_what_is_no_p_value(p):
    with pytest.raises(ValueError, match="p-values"):
        holm(p)


def test_resamples_needed():
    assert resamples_needed(0.01, 1) == 99
    assert resamples_needed(0.01, 3) == 299
    assert resamples_needed(0.05, 9) == 179
    with pytest.raises(ValueError, match="alpha"):
        resamples_needed(0, 1)
    with pytest.raises(ValueError, match="hypothesis"):
        resamples_needed(0.01, 0)
