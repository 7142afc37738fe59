"""Sketches that a library keeps of its answers."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest

from provenance.errors import EvidenceError, TamperedEvidence
from provenance.library.population import Library, Output, Recorded, answers


@pytest.fixture
def library(tmp_path):
    made = Library.create(tmp_path / "library", name="made up")
    for model in ("a", "b"):
        outputs = [
            Output(f"p{i}", f"answer {k} of {model} to question {i}", sample=k)
            for i in range(6)
            for k in range(3)
        ]
        made.add(model, Recorded([*outputs, Output("p0", "  ", sample=9)], session="one"))
    return made


def test_every_answer_with_words_is_kept_once(library):
    assert answers.make(library) == 2
    assert answers.make(library) == 0
    found = answers.load(library, library.bundles())
    assert set(found) == {b.id for b in library.bundles()}
    for own in found.values():
        assert len(own.prompts) == 18
        assert own.sketches.shape[0] == 18
        assert sorted(own.prompts) == list(own.prompts)


def test_sketches_of_another_version_are_known_to_be(library):
    assert not answers.outdated(library)
    answers.make(library)
    assert not answers.outdated(library)
    (kept,) = (library.path / "answers").iterdir()
    kept.rename(kept.with_name(f"scheme={'0' * 64}"))
    assert answers.outdated(library)
    answers.make(library)
    assert not answers.outdated(library)


def test_prompts_and_draws_are_bounded_and_chosen_by_digests_alone(monkeypatch):
    asked = [f"{i:016x}" for i in range(300) for _ in range(9)]
    kept = answers.chosen(asked)
    assert len(kept) == answers.MOST_PROMPTS * answers.MOST_DRAWS
    assert {asked[i] for i in kept} == set(sorted(set(asked))[: answers.MOST_PROMPTS])
    # Another order of the prompts keeps the same draws of each.
    other = asked[9:] + asked[:9]
    again = answers.chosen(other)
    for prompt in (asked[0], asked[900]):
        one = [i - asked.index(prompt) for i in kept if asked[i] == prompt]
        two = [i - other.index(prompt) for i in again if other[i] == prompt]
        assert one == two
    # Neighbouring draws do not stay neighbours in every prompt.
    firsts = [[i % 9 for i in kept if asked[i] == p] for p in sorted(set(asked))[:40]]
    assert len({tuple(f) for f in firsts}) > 20


def test_changed_sketches_are_found(library):
    answers.make(library)
    (file,) = (library.path / "answers").rglob("*.parquet")
    table = pq.read_table(file)
    rows = table.to_pylist()
    changed = np.frombuffer(rows[0]["sketches"], dtype=np.int8).copy()
    changed[0] += 1
    rows[0]["sketches"] = changed.tobytes()
    pq.write_table(table.from_pylist(rows, schema=table.schema), file)
    with pytest.raises(TamperedEvidence, match="not what was stored"):
        answers.load(library, library.bundles())


def test_shared_sketches_of_another_version_are_refused_and_it_says_what_to_do():
    row = {"bundle": "b", "prompts": ["p"], "sketches": b"\0" * 806, "digest": ""}
    with pytest.raises(EvidenceError, match=r"another version of this tool .* export it again"):
        answers.read("shared.parquet", row)


def test_a_library_without_sketches_has_none(library):
    assert answers.load(library, library.bundles()) == {}
