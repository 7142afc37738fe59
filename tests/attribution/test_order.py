"""Copies of long answers: told of free draws, expected at temperature 0."""

from random import Random

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


WORDS = ("river", "stone", "quiet", "lamp", "glass", "north", "under", "field", "paper", "seven")
CELLS = 6


def _written(rng, repeated):
    """Texts of both sides, cell after cell; the suspect repeats its last one at times."""
    records, last = [], ""
    for slot in range(24 * CELLS):
        last = last if slot % 24 else ""
        text = " ".join(rng.choices(WORDS, k=20))
        if slot % 2:
            last = last if last and rng.random() < repeated else text
            text = last
        records.append(
            Record(
                slot=slot,
                role="suspect" if slot % 2 else "reference",
                cell=f"c{slot // 24}",
                draw=slot % 24 // 2,
                block=slot // 2,
                attempt=1,
                final=True,
                started_utc=f"2026-01-01T00:{slot // 24:02}:{slot % 24:02}+00:00",
                elapsed_s=None,
                request_sha256="0",
                response_sha256="0",
                completion=Completion(text=text),
            )
        )
    return records


@pytest.mark.parametrize("repeated", [0, 0.4])
def test_a_cache_of_texts_is_seen_through_a_reading_that_sees_one_category(repeated):
    """Null: a side's answers to a cell are exchangeable in time, independent texts suffice; unit:
    a draw; exact (orders permuted). The reading gives every text one category, so only the texts,
    which the tests of equality compare, show copies. A copy of an older answer breaks it."""
    cells = [
        Cell(
            id=f"c{i}",
            probe=f"c{i}",
            family="f",
            reading="bullets",
            messages=(Message(role="user", content="Go on."),),
            max_visible_tokens=64,
        )
        for i in range(CELLS)
    ]
    found = []
    for seed in range(8):
        records = Transcript(_written(Random(seed), repeated))
        observed = observe(records, cells, blocked=True, max_lag_s=600)
        assert all(len(set(c.categories)) == 1 for c in observed.cells)
        found.append(examine_order(observed, rules=RULES | {"minimum_resamples": 999}, seed=seed))
    raised = [order.repeats["suspect"][0] <= 0.01 for order in found]
    assert sum(raised) >= 6 if repeated else not any(raised)
    assert not any(order.repeats["reference"][0] <= 0.01 for order in found)
    method = next(f.method for f in found[0].findings if f.name == "repeats/suspect")
    assert "texts beside categories" in method
