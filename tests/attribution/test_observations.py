"""Numbers beside the answers: which are compared, and that no label decides it."""

import numpy as np
import pytest

from provenance.attribution.observations import first_tokens
from provenance.transcript import Completion, Record, TokenLogprob


def _record(slot, top, role="reference", blocked=False):
    logprobs = None if top is None else (TokenLogprob(token="x", logprob=-1, top=tuple(top)),)
    return Record(
        slot=slot,
        role=role,
        cell="c",
        draw=slot,
        block=None,
        attempt=1,
        final=True,
        started_utc=None,
        elapsed_s=None,
        request_sha256="0",
        response_sha256="0",
        completion=Completion(text="x", logprobs=logprobs, blocked=blocked),
    )


def test_tokens_by_how_many_draws_list_them_then_by_likelihood():
    records = [
        _record(0, [("a", -0.1), ("b", -2.0)]),
        _record(1, [("a", -0.2), ("c", -3.0)], "suspect"),
    ]
    # a, b, c; what is not listed gets the least likely that is.
    np.testing.assert_allclose(first_tokens(records), [[-0.1, -2.0, -2.0], [-0.2, -3.0, -3.0]])


def test_lists_are_cut_to_the_shortest():
    records = [_record(0, [("a", -0.1)]), _record(1, [("b", -2.5), ("a", -0.1), ("c", -3.0)])]
    np.testing.assert_allclose(first_tokens(records), [[-0.1], [-0.1]])


def test_relabelling_changes_nothing():
    rng = np.random.default_rng(0)
    tops = [[(t, float(-rng.exponential())) for t in rng.permutation(list("abcdef"))] for _ in "12"]
    one = first_tokens([_record(i, t, "reference") for i, t in enumerate(tops)])
    two = first_tokens([_record(i, t, "suspect") for i, t in enumerate(tops)])
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    "silent",
    [
        _record(1, None, "suspect"),
        _record(1, [], "suspect"),
        _record(1, [("a", -9999.0)], "suspect"),
        _record(1, [("a", float("-inf"))], "suspect"),
        _record(1, [("a", -0.1)], "suspect", blocked=True),
    ],
)
def test_a_draw_without_a_list_leaves_the_cell_out(silent):
    assert first_tokens([_record(0, [("a", -0.1)]), silent]) is None
    assert first_tokens([]) is None


def test_twenty_tokens_at_most_and_never_above_zero():
    top = [(f"t{i}", 0.2 - i / 10) for i in range(50)]
    found = first_tokens([_record(0, top), _record(1, top)])
    assert found.shape == (2, 20)
    assert found.max() == 0.0
