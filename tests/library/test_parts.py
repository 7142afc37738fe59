"""Prompts in parts."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from provenance.library.parts import ENROLLED, HELD_OUT, PARTS, part_of, prompt_digest


@given(st.text())
def test_every_text_has_one_part(prompt: str) -> None:
    assert part_of(prompt) in range(PARTS)
    assert part_of(prompt) == part_of(f"  {prompt}\n")


def test_white_space_and_case_do_not_make_another_prompt() -> None:
    assert prompt_digest("Tell me  a story.\n") == prompt_digest("tell me a STORY.")
    assert prompt_digest("Tell me a story.") != prompt_digest("Tell me a story")


def test_a_lone_surrogate_is_a_prompt() -> None:
    assert len(prompt_digest("\ud800")) == 16


def test_parts_are_even_and_cover_each_other_never() -> None:
    counts = Counter(part_of(f"prompt {i}") for i in range(8_000))
    assert sorted(counts) == list(range(PARTS))
    # Binomial(8000, 1/8): standard deviation 30.
    assert max(abs(n - 1_000) for n in counts.values()) < 150
    assert set(HELD_OUT).isdisjoint(ENROLLED)
    assert {*HELD_OUT, *ENROLLED} == set(range(PARTS))
