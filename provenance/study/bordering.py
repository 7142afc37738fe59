"""Finding border inputs: a reference is asked candidates in rounds; whoever alternates stays.

Every round is a recording of its own, in a folder beside the file that is made; so what was asked
is kept, a selection that was stopped resumes, and nothing is asked twice.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from provenance.battery import Battery, Probe, families, load_family
from provenance.canonical import clean_text
from provenance.endpoint import Endpoint
from provenance.errors import BudgetExhausted, ProviderError, UsageError
from provenance.evidence.files import write_atomically
from provenance.library import border
from provenance.library.border import NearTie, Round, Spent
from provenance.library.private import generate, load_templates, to_toml
from provenance.sampling import pilot
from provenance.sampling.prepare import UNASKED_LIMIT, Estimate, HostEstimate
from provenance.sampling.prepare import prepare as prepare_sides
from provenance.sampling.runner import ProgressCallback
from provenance.settings import Settings
from provenance.study.border_rounds import (
    REFERENCE,
    is_done,
    limits,
    recorded,
    settings_of_round,
    whole,
)
from provenance.study.comparison import sample
from provenance.study.sides import Side, side_of

Agree = Callable[[Sequence[HostEstimate], Estimate], None]


@dataclass(frozen=True, slots=True)
class Selection:
    """What was chosen and what that took.

    Attributes
    ----------
    battery
        The chosen prompts, for a later comparison.
    ties
        The chosen cells, nearest first.
    candidates
        Prompts asked in the first round.
    planned
        Requests over all rounds, at most, as it was told beforehand: draws of candidates, and what
        learns whether a server thinks. Repeats of failed ones come on top.
    requests
        Those that were sent.
    spent
        Answers and tokens over all rounds.
    stores
        A recording a round.
    """

    battery: Battery
    ties: tuple[NearTie, ...]
    candidates: int
    planned: int
    requests: int
    spent: Spent
    stores: tuple[Path, ...]


def select_border(
    reference: Side,
    candidates: Sequence[Probe],
    *,
    folder: Path,
    cells: int = 12,
    draws: int = 16,
    temperatures: Sequence[float | None] = border.TEMPERATURES,
    greedy_draws: int = 9,
    free_draws: int = 10,
    name: str = "border",
    settings: Settings | None = None,
    config: Path | None = None,
    agree: Agree = lambda hosts, estimate: None,
    progress: ProgressCallback | None = None,
) -> Selection:
    """Ask candidates of a reference and choose those that lie nearest the border.

    Parameters
    ----------
    reference
        The endpoint that is known; the suspect is never asked.
    candidates
        Prompts; long ones and those with decoding of their own are passed over.
    folder
        Where the rounds are recorded. What is there already is not asked again.
    cells
        Prompts wanted.
    draws
        Of a candidate that stays to the last round (`border.rounds`).
    temperatures
        Of the rounds, falling, the last for all that follow. None first sends none: for a
        reference that refuses the parameter.
    greedy_draws, free_draws
        Of each cell, in the battery that is made.
    settings
        Limits and pace. ``max_requests`` and ``budget_usd`` hold for all rounds together. With
        ``logprobs`` there is one round of one token a candidate, as the reference samples by
        default; ``draws`` and ``temperatures`` are not used.
    agree
        Told what all rounds will take before anything is sent; raises to stop.

    Raises
    ------
    UsageError
        If nothing can be asked or chosen.
    ProviderError
        If the reference gave no answer.
    BudgetExhausted
        With everything recorded so far kept; the same call with a larger budget resumes.
    """
    settings = settings or Settings()
    side = side_of(reference, config)
    endpoint = side if isinstance(side, Endpoint) else side.endpoint
    _check(endpoint)
    border.check_draws(greedy_draws, free_draws)
    usable = border.candidates_of(candidates)
    if not usable:
        raise UsageError(
            f"no candidate is usable: expected prompts of at most {border.SHORT_TOKENS} visible "
            f"tokens without decoding of their own, found {len(candidates)} others"
        )
    if settings.logprobs:
        # One token shows all that is asked of it.
        usable = tuple(p.model_copy(update={"max_visible_tokens": 1}) for p in usable)
    plan = border.rounds(len(usable), cells, draws, temperatures)
    if settings.logprobs:
        plan = [Round(None, len(usable), 1)]
    pilots = pilot.REQUESTS if endpoint.provider in pilot.PILOTED else 0  # of each recording
    total = sum(r.requests + pilots for r in plan)
    if total > UNASKED_LIMIT and settings.max_requests is None:
        raise UsageError(
            f"the selection holds {total:,} requests, more than {UNASKED_LIMIT:,}: say "
            f"--max-requests {total} if that is meant, or ask for fewer --draws or candidates"
        )
    seed = secrets.randbelow(2**32) if settings.seed is None else settings.seed
    answers: dict[str, list[str]] = {}
    listed: dict[str, dict[str, float]] = {}
    staying, spent, stores = [probe.id for probe in usable], Spent(0, 0, 0), []
    requests, usd, agreed = 0, 0.0, False
    for number, now in enumerate(plan, 1):
        if number > 1:
            given = {c: answers.get(c, []) for c in staying}
            staying = border.survivors(given, now.candidates, cells)
            if now.temperature != plan[number - 2].temperature:
                answers = {}
        chosen = frozenset(staying)
        asked = Battery(
            name=f"candidates-{number}",
            description=f"Round {number} of a search for border inputs.",
            probes=tuple(border.asked(p, now) for p in usable if p.id in chosen),
        )
        path = folder / f"round-{number}"
        if not is_done(path, endpoint, asked):
            file = folder / f"round-{number}.toml"
            write_atomically(file, to_toml(asked).encode())
            own = settings_of_round(settings, file, path, seed + number, requests, usd)
            if not agreed:
                ready = prepare_sides(
                    {REFERENCE: side}, own, environment=os.environ, question="sample"
                )
                left = sum(min(r.candidates, len(staying)) * r.draws for r in plan[number - 1 :])
                agree(*whole(ready, left, left + pilots * (len(plan) - number + 1)))
                agreed = True
            try:
                sample(side, settings=own, progress=progress)
            except BudgetExhausted:
                raise BudgetExhausted(
                    f"stopped in round {number} of {len(plan)} by "
                    f"{limits(settings)} for all rounds. Everything is kept in {folder}; the same "
                    "command with a larger limit resumes"
                ) from None
        stores.append(path)
        seen = recorded(path, side, settings)
        if now.temperature is not None and not seen.heeded:
            raise ProviderError(
                f"{endpoint.label} refuses a temperature, so round {number} was asked without: "
                "search at its own (--temperatures default, with another --out). It cannot be "
                "asked at temperature 0 either (--greedy-draws 0)"
            )
        for cell, found in seen.answers.items():
            answers.setdefault(cell, []).extend(found)
        listed |= seen.listed
        spent, requests, usd = spent + seen.spent, requests + seen.requests, usd + seen.usd
        if not spent.answers:
            raise ProviderError(
                f"{endpoint.label} gave no answer to any candidate; {folder} shows why. Remove it "
                "to ask again"
            )
    given = {c: answers.get(c, []) for c in staying}
    ties = border.near_ties(given, cells, plan[-1].temperature)
    if settings.logprobs:
        if not listed:
            raise UsageError(
                f"{endpoint.label} lists no log probabilities: leave --logprobs out, and {folder} "
                "behind (another --out)"
            )
        ties = border.nearest_tokens(listed, cells)
    source = f"{clean_text(endpoint.label)} asked on {datetime.now(UTC).date().isoformat()}"
    battery = border.battery_of(
        candidates,
        ties,
        greedy_draws=greedy_draws,
        free_draws=free_draws,
        spent=spent,
        source=source,
        name=name,
    )
    return Selection(battery, tuple(ties), len(usable), total, requests, spent, tuple(stores))


def generated(number: int, folder: Path) -> tuple[Probe, ...]:
    """Short prompts from the templates of private probes, the same ones when a selection resumes.

    Parameters
    ----------
    number
        How many, at most: the templates of short answers make so many different ones.
    folder
        Of the selection; keeps them.
    """
    file = folder / "generated.toml"
    if not file.is_file():
        templates = [t for t in load_templates() if t.max_visible_tokens <= border.SHORT_TOKENS]
        published = [p for name in families() for p in load_family(name)]
        made = generate(
            secrets.token_bytes(32), probes=number, draws=1, templates=templates, avoid=published
        )
        write_atomically(file, to_toml(made).encode())
    return Battery.load(file).probes


def _check(endpoint: Endpoint) -> None:
    if endpoint.provider == "replay":
        raise UsageError("a recording cannot be asked: border inputs need a live reference")
    if endpoint.option("temperature") is not None:
        raise UsageError(
            f"{endpoint.label} sets its own temperature, which would also hold for the cells at "
            "temperature 0: leave temperature= out of the endpoint"
        )
