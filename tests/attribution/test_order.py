"""Copies of long answers: told of free draws, expected at temperature 0."""

import pytest

from provenance.attribution.observations import observe
from provenance.attribution.order import examine_order
from provenance.battery import Cell
from provenance.sampling.plan import RULES
from provenance.transcript import Completion, Message, Record, Transcript

LONG = "A long answer that is the same every time it is given, word for word, to the end of it all."


def _records():
    return [
        Record(
            slot=slot,
            role="suspect" if slot % 2 else "reference",
            cell="c",
            draw=slot // 2,
            block=None,
            attempt=1,
            final=True,
            started_utc=None,
            elapsed_s=None,
            request_sha256="0",
            response_sha256="0",
            completion=Completion(text=LONG, response_id="one id" if slot < 3 else None),
        )
        for slot in range(8)
    ]


@pytest.mark.parametrize("decoding", [{}, {"temperature": 0}])
def test_copies_at_temperature_0_are_no_news_but_repeated_ids_are(decoding):
    cell = Cell(
        id="c",
        probe="c",
        family="f",
        reading="text",
        messages=(Message(role="user", content="Go on."),),
        max_visible_tokens=64,
        decoding=decoding,
    )
    observed = observe(Transcript(_records()), [cell], blocked=False, max_lag_s=600)
    found = {f.name: f for f in examine_order(observed, rules=RULES, seed=1).findings}
    # Two of the reference's answers came under one id.
    assert found["copies/reference"].effect == (None if decoding else 0.75)
    assert ("copies/suspect" in found) is not bool(decoding)
