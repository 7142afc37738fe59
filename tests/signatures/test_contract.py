"""What every signature keeps to: finite, the same every time, never an error."""

import time

import numpy as np
import pytest

from provenance.signatures import DEFAULT, CanonicalView, matrix

TEXTS = [
    "Sure! Here are **three** ideas:\n\n1. Tea\n2. Coffee\n3. Water\n\nLet me know if it helps.",
    "First, we add 12 and 30. That gives 42. Wait, let me check: 12 + 30 = 42. So it is 42.",
    "```python\ndef f(x):\n    # double it\n    return x * 2\n```",
    "",
    "今天天气很好。我们去公园吧！",
]


def entries(rows):
    """Row, column and value of all that is not zero."""
    found = rows.tocoo() if hasattr(rows, "tocoo") else None
    if found is None:
        row, column = np.nonzero(rows)
        return sorted(zip(row, column, rows[row, column], strict=True))
    return sorted(zip(found.row, found.col, found.data, strict=True))


@pytest.fixture(params=DEFAULT, ids=lambda s: s.name)
def signature(request):
    return request.param


@pytest.mark.parametrize("view", [None, CanonicalView()], ids=["raw", "canonical"])
def test_rows_are_finite_one_a_document_and_the_same_every_time(signature, view):
    one, two = (matrix(signature, TEXTS, view=view) for _ in range(2))
    assert one.shape == (len(TEXTS), signature.width)
    assert np.isfinite([value for _, _, value in entries(one)]).all()
    assert entries(one) == entries(two)
    last = matrix(signature, TEXTS[-1:], view=view)
    assert entries(last) == [(0, c, v) for r, c, v in entries(one) if r == len(TEXTS) - 1]


def test_hostile_texts_are_read_in_time(signature, hostile):
    began = time.process_time()
    rows = matrix(signature, [hostile, hostile[:50]])
    assert np.isfinite([value for _, _, value in entries(rows)]).all()
    assert time.process_time() - began < 10
