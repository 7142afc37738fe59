"""Prompts on which a model is undecided: found on a reference alone, for use in later comparisons.

A small change of the weights (8 bits instead of 16, another engine) turns the answer at temperature
0 of a prompt whose two favourites nearly tie, and of no other. A chosen prompt becomes two cells:
one at temperature 0, where 5 draws a side that all turned over give p = 2/252, two such cells
4/252² (2/32 and 4/32² where the sides are asked in pairs), at a few tokens a draw; and one at the
model's own temperature.

Two ways to choose. Where the reference lists log probabilities, one token of each candidate shows
how far its two likeliest first tokens lie apart. Where it does not, candidates are asked a few
times at the model's own temperature, and those stay whose two commonest answers are the likeliest
to tie; that is far blunter, as few draws cannot tell a gap of a tenth of a nat from one of five
tenths. Of 100 prompts to SmolLM2 (135M; weights changed by 1%, first-token KL .008) the first token
at temperature 0 turned over in 10; of the 8 nearest by log probabilities in 4, of the 8 nearest by
752 answers in .9 on average.

Choosing cells is learning. It is done on draws that no test ever reads, so that the test on the
chosen cells is as exact as on any others, however the choice was made.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from provenance.battery import Battery, Probe
from provenance.errors import UsageError

# Draws of each candidate in a round; after each round but the last the better half stays.
ROUND = 4
# Answers of more tokens cost more than they say.
SHORT_TOKENS = 16
FAMILY_GREEDY, FAMILY_FREE = "border_greedy", "border_free"
_ID_LENGTH = 64


@dataclass(frozen=True, slots=True)
class NearTie:
    """A cell and its two commonest answers.

    Attributes
    ----------
    cell
        Its id.
    first, second
        Categories; ``second`` is "" where there was only one answer.
    counts
        Of the two.
    draws
        Answers of the cell, others included.
    nearness
        See `nearness`; by log probabilities, the ratio of the two.
    gap
        Nats between the two likeliest first tokens; None where it was not listed.
    """

    cell: str
    first: str
    second: str
    counts: tuple[int, int]
    draws: int
    nearness: float
    gap: float | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a selection took: answers, and tokens where the server counted them."""

    answers: int
    prompt_tokens: int
    completion_tokens: int

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.answers + other.answers,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )


def nearness(counts: Sequence[int]) -> float:
    """How dense the two commonest answers' log odds lie at 0, given how often they came.

    With n₁ and n₂ draws of the two and Jeffreys' prior the share of the first among both is
    Beta(n₁ + ½, n₂ + ½); its log odds have at 0 the density 2^−(n₁+n₂+1)/B(n₁ + ½, n₂ + ½). Times
    the width of a change's effect on the log odds it is the probability that the change turns the
    answer over. One to one among few draws is worth less than five to five.

    Parameters
    ----------
    counts
        Draws of each answer of one cell, in any order.

    Returns
    -------
    float
        Positive, larger the nearer; 0 without a draw.
    """
    if not any(counts):
        return 0.0
    first, second = sorted((*counts, 0), reverse=True)[:2]
    a, b = first + 0.5, second + 0.5
    return math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) - (a + b) * math.log(2))


def near_ties(answers: Mapping[str, Iterable[str]], keep: int) -> list[NearTie]:
    """The cells nearest the border, nearest first.

    Parameters
    ----------
    answers
        By cell, the answers of the reference as they were read (`readings.read`), in any order.
        They are used up: no test may read them.
    keep
        Cells wanted, at most. A cell without a second answer is never chosen.

    Returns
    -------
    list of NearTie
        Ties of nearness go to the cell that comes first in ``answers``.
    """
    return [tie for tie in _ranked(answers) if tie.second][:keep]


def nearest_tokens(listed: Mapping[str, Mapping[str, float]], keep: int) -> list[NearTie]:
    """The cells whose two likeliest first tokens lie nearest each other, nearest first.

    Parameters
    ----------
    listed
        By cell, log probabilities of first tokens. A cell that lists fewer than two is left out.
    keep
        Cells wanted, at most.
    """
    found = []
    for cell, tokens in listed.items():
        if len(tokens) >= 2:
            (first, high), (second, low) = sorted(tokens.items(), key=lambda t: -t[1])[:2]
            gap = high - low
            found.append(NearTie(cell, first, second, (0, 0), 0, math.exp(-gap), gap))
    return sorted(found, key=lambda tie: -tie.nearness)[:keep]


def survivors(answers: Mapping[str, Iterable[str]], keep: int) -> list[str]:
    """Cells worth asking again, at most ``keep``; one answer so far does not rule a cell out."""
    return [tie.cell for tie in _ranked(answers)][:keep]


def rounds(candidates: int, cells: int, draws: int) -> list[tuple[int, int]]:
    """How many candidates are asked in each round, and how often each.

    Parameters
    ----------
    candidates
        In the first round.
    cells
        That are to be chosen: a round never asks fewer, if there are so many.
    draws
        Of a candidate that stays to the end.
    """
    plan, left = [], candidates
    for start in range(0, draws, ROUND):
        plan.append((left, min(ROUND, draws - start)))
        left = min(left, max(cells, math.ceil(left / 2)))
    return plan


def candidates_of(probes: Iterable[Probe]) -> tuple[Probe, ...]:
    """The probes that can be candidates: short, and asked as a model is asked by default."""
    return tuple(
        probe.model_copy(update={"conditions": ()})
        for probe in probes
        if probe.max_visible_tokens <= SHORT_TOKENS and not probe.decoding
    )


def battery_of(
    probes: Sequence[Probe],
    ties: Sequence[NearTie],
    *,
    greedy_draws: int,
    free_draws: int,
    spent: Spent,
    source: str,
    name: str = "border",
) -> Battery:
    """The chosen prompts as a battery: each at temperature 0, and as it was asked.

    At temperature 0 an answer is read character by character, else as the probe says.

    Parameters
    ----------
    probes
        The candidates.
    ties
        As chosen; at least one.
    greedy_draws, free_draws
        Of each cell; 0 leaves the cells of a kind out, not both.
    spent
        Written into every rationale, so that nobody forgets what the choice has cost.
    source
        Who was asked, and when.

    Raises
    ------
    UsageError
        If nothing was chosen, or nothing is to be drawn.
    """
    if not ties:
        raise UsageError(
            "no candidate had a second answer: ask more of them, or more often, or a reference "
            "that does not sample at temperature 0"
        )
    if not greedy_draws and not free_draws:
        raise UsageError("expected draws at temperature 0 or at the default one, found neither")
    by_id = {probe.id: probe for probe in probes}
    made = []
    for number, tie in enumerate(ties, 1):
        probe = by_id[tie.cell]
        told = {"version": 1, "conditions": (), "source": source, "rationale": _why(tie, spent)}
        short = probe.id
        if len(short) > _ID_LENGTH - len("-greedy"):
            short = f"{short[:50]}-{number}"
        if greedy_draws:
            greedy = {
                "id": f"{short}-greedy",
                "family": FAMILY_GREEDY,
                "reading": "verbatim",
                "decoding": {"temperature": 0},
                "draws": greedy_draws,
            }
            made.append(probe.model_copy(update={**told, **greedy}))
        if free_draws:
            free = {"id": f"{short}-free", "family": FAMILY_FREE, "draws": free_draws}
            made.append(probe.model_copy(update={**told, **free}))
    return Battery(name=name, description=_DESCRIPTION, probes=tuple(made))


def _why(tie: NearTie, spent: Spent) -> str:
    near = (
        f"of {tie.draws} answers of the reference {tie.counts[0]} and {tie.counts[1]} were its two "
        "commonest"
        if tie.gap is None
        else f"the reference's two likeliest first tokens are {tie.gap:.3f} nats apart"
    )
    return (
        f"Near a tie: {near}. Found among {spent.answers:,} answers of "
        f"{spent.completion_tokens:,} tokens (prompts: {spent.prompt_tokens:,}), which no test "
        "reads."
    )


_DESCRIPTION = "Prompts on which the reference is undecided, chosen on draws that no test reads."


def _ranked(answers: Mapping[str, Iterable[str]]) -> list[NearTie]:
    found = []
    for cell, given in answers.items():
        counted = Counter(given)
        (first, n), (second, m) = [*counted.most_common(2), ("", 0), ("", 0)][:2]
        found.append(
            NearTie(cell, first, second, (n, m), counted.total(), nearness([*counted.values()]))
        )
    return sorted(found, key=lambda tie: -tie.nearness)
