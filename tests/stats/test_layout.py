import dataclasses

import numpy as np
import pytest

from provenance.stats.layout import (
    CellDraws,
    Layout,
    comparable,
    counts,
    first_appearance,
    validated,
)


def test_counts_table(make):
    assert counts(make([0, 0, 2], [1, 2])).tolist() == [[2, 0, 1], [0, 1, 1]]


def test_one_sided_blocks_and_cells_are_dropped(make):
    kept = comparable([make([0, 1, 1], [1, 0], block=[0, 1, 2, 0, 3]), make([0, 1], [])])
    assert len(kept) == 1
    assert kept[0].block.tolist() == [0, 0]
    assert kept[0].categories.tolist() == [0, 1]


def test_values_go_with_their_draws(make):
    cell = dataclasses.replace(
        make([0, 1, 1], [1, 0], block=[0, 1, 2, 0, 3]), values=np.arange(10).reshape(5, 2)
    )
    kept = comparable(validated([cell]))[0]
    assert kept.values.tolist() == [[0.0, 1.0], [6.0, 7.0]]


def test_first_appearance_forgets_names():
    assert first_appearance(np.array([7, 3, 7, 9])).tolist() == [0, 1, 0, 2]


def test_centred_labels_sum_to_zero_in_every_unit(make):
    layout = Layout.of([make([0, 1, 1], [1, 0], block=[0, 0, 1, 0, 1]), make([0, 0], [0])])
    z = layout.centred(layout.suspect[None])[0]
    np.testing.assert_allclose(np.bincount(layout.unit, weights=z), 0, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"categories": np.array([0, -1])}, "negative"),
        ({"categories": np.array([0])}, "2 integer categories"),
        ({"categories": np.array([0.5, 1.0])}, "integer categories"),
        ({"texts": ("a",)}, "2 texts or none"),
        ({"suspect": np.array([0, 1])}, "boolean label"),
        ({"block": np.array([0])}, "2 block numbers"),
        ({"values": np.array([0.5, 1.0])}, "row of values for each of 2 draws"),
        ({"values": np.ones((3, 1))}, "row of values for each of 2 draws"),
    ],
)
def test_unusable_cells_are_named(change, message):
    fields = {
        "categories": np.array([0, 1]),
        "texts": (),
        "suspect": np.array([False, True]),
        "block": None,
    } | change
    with pytest.raises(ValueError, match=message):
        validated([CellDraws(**fields)])


def test_no_cells_is_an_error():
    with pytest.raises(ValueError, match="at least one cell"):
        validated([])
