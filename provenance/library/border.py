"""Prompts on which a model is undecided: found on a reference alone, for use in later comparisons.

A small change of the weights (8 bits instead of 16, another engine) turns the answer at temperature
0 of a prompt whose two favourites nearly tie, and of no other. A chosen prompt becomes two cells:
one at temperature 0, where 9 draws a side that all turned over give p = 2/512 where the sides are
asked in pairs (5 draws: 2/32, and 2/252 unpaired), at a few tokens a draw; and one at the model's
own temperature.

Two ways to choose. Where the reference lists log probabilities, one token of each candidate shows
how far its two likeliest first tokens lie apart. Where it does not, candidates are asked a few
times at a low temperature τ, which multiplies every gap by 1/τ: at .1 a gap of a twentieth of a nat
still alternates (62 to 38), one of half a nat no longer does (150 to 1), and at 1 nobody could tell
the two apart by a few answers. So the search is a race in rounds: whoever alternates stays, the
rest is not asked again. Of 60 prompts to SmolLM2 (135M; 20 sets of prompts, answers of one token)
the 12 that 392 answers at .1 chose held 5.1 whose favourites lie within a tenth of a nat, the 12 of
468 answers at temperature 1 held 1.4, the 12 nearest by log probabilities, 60 answers, 6.2. Under
weights of 8 bits (first-token KL .002) 1.2, .6 and 1.4 of them turned over. To begin warm and to
fall (1, .3, .1) found 2.0 on the prompts where this was decided and beginning at .1 5.0: few
answers at 1 cannot tell a tie from two answers among many, and throw out what they should keep.

Choosing cells is learning. It is done on draws that no test ever reads, so that the test on the
chosen cells is as exact as on any others, however the choice was made.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from provenance.battery import Battery, Probe
from provenance.errors import UsageError

# Draws of each candidate in a round; after each round but the last at most the better half stays.
ROUND = 4
# Of the rounds; the last one holds for all that follow. None: the reference's own.
TEMPERATURES: tuple[float | None, ...] = (0.1,)
# Answers of more tokens cost more than they say.
SHORT_TOKENS = 16
FAMILY_GREEDY, FAMILY_FREE = "border_greedy", "border_free"
_ID_LENGTH, _HOTTEST = 64, 2.0


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
    temperature
        At which they were drawn; None: the reference's own.
    """

    cell: str
    first: str
    second: str
    counts: tuple[int, int]
    draws: int
    nearness: float
    gap: float | None = None
    temperature: float | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """One round of a search.

    Attributes
    ----------
    temperature
        Sent with every request; None sends none.
    candidates
        Asked, at most: fewer where fewer alternate.
    draws
        Of each.
    """

    temperature: float | None
    candidates: int
    draws: int

    @property
    def requests(self) -> int:
        """At most."""
        return self.candidates * self.draws


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


def near_ties(
    answers: Mapping[str, Iterable[str]], keep: int, temperature: float | None = None
) -> list[NearTie]:
    """The cells nearest the border, nearest first.

    Parameters
    ----------
    answers
        By cell, the answers of the reference as they were read (`readings.read`), in any order.
        They are used up: no test may read them.
    keep
        Cells wanted, at most. A cell without a second answer is never chosen.
    temperature
        At which all of them were drawn.

    Returns
    -------
    list of NearTie
        Ties of nearness go to the cell that comes first in ``answers``.
    """
    ties = [tie for tie in _ranked(answers) if tie.second][:keep]
    return [replace(tie, temperature=temperature) for tie in ties]


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


def survivors(answers: Mapping[str, Iterable[str]], keep: int, cells: int) -> list[str]:
    """Cells worth asking again: those whose answers alternate, nearest first.

    Parameters
    ----------
    answers
        As for `near_ties`, drawn at one temperature.
    keep
        At most so many.
    cells
        That are to be chosen in the end. Where fewer alternate, the rest is made up of cells with
        one answer or none so far, which few draws do not rule out.
    """
    ranked = _ranked(answers)
    alternating = sum(bool(tie.second) for tie in ranked)
    return [tie.cell for tie in ranked][: min(keep, max(cells, alternating))]


def rounds(
    candidates: int,
    cells: int,
    draws: int,
    temperatures: Sequence[float | None] = TEMPERATURES,
) -> list[Round]:
    """How many candidates are asked in each round, how often each, and how.

    Parameters
    ----------
    candidates
        In the first round.
    cells
        That are to be chosen: a round never asks fewer, if there are so many.
    draws
        Of a candidate that stays to the end.
    temperatures
        One a round, falling, the last for all that are left. Draws at one temperature add up;
        where it changes, those before have only decided who is asked again. None, the reference's
        own, can only be the first.

    Raises
    ------
    UsageError
        If the temperatures are none, or do not fall.
    """
    own = [t for t in temperatures[1:] if t is None]
    said = [t for t in temperatures if t is not None]
    if (
        not temperatures
        or own
        or not all(0 < t <= _HOTTEST for t in said)
        or said != sorted(set(said), reverse=True)
    ):
        raise UsageError(
            f"expected falling temperatures above 0 and at most {_HOTTEST:g}, the reference's own "
            f"('default') only as the first, found {_listed(temperatures)}"
        )
    plan, left = [], candidates
    for number, start in enumerate(range(0, draws, ROUND)):
        temperature = temperatures[min(number, len(temperatures) - 1)]
        plan.append(Round(temperature, left, min(ROUND, draws - start)))
        left = min(left, max(cells, math.ceil(left / 2)))
    return plan


def asked(probe: Probe, round_: Round) -> Probe:
    """A candidate as a round asks it.

    At a temperature of the search's own the whole answer is compared, as it is at temperature 0.
    """
    update: dict[str, object] = {"draws": round_.draws}
    if round_.temperature is not None:
        update |= {"decoding": {"temperature": round_.temperature}, "reading": "verbatim"}
    return probe.model_copy(update=update)


def candidates_of(probes: Iterable[Probe]) -> tuple[Probe, ...]:
    """The probes that can be candidates: short, and asked as a model is asked by default."""
    return tuple(
        probe.model_copy(update={"conditions": ()})
        for probe in probes
        if probe.max_visible_tokens <= SHORT_TOKENS and not probe.decoding
    )


def check_draws(greedy: int, free: int) -> None:
    """Before anything is asked: is something to be drawn of what is chosen?

    Raises
    ------
    UsageError
        If nothing is.
    """
    if not greedy and not free:
        raise UsageError("expected draws at temperature 0 or at the default one, found neither")


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
            "no candidate had a second answer: ask more of them, or more often (--draws), or at a "
            "higher temperature (--temperatures)"
        )
    check_draws(greedy_draws, free_draws)
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
    at = "" if tie.temperature is None else f" at temperature {tie.temperature:g}"
    near = (
        f"of {tie.draws} answers of the reference{at} {tie.counts[0]} and {tie.counts[1]} were its "
        "two commonest"
        if tie.gap is None
        else f"the reference's two likeliest first tokens are {tie.gap:.3f} nats apart"
    )
    return (
        f"Near a tie: {near}. Found among {spent.answers:,} answers of "
        f"{spent.completion_tokens:,} tokens (prompts: {spent.prompt_tokens:,}), which no test "
        "reads."
    )


def _listed(temperatures: Sequence[float | None]) -> str:
    return ", ".join("default" if t is None else f"{t:g}" for t in temperatures) or "none"


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
