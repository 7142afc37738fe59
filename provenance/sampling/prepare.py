"""From two endpoints and settings to a plan, what it will cost, and where it will be kept.

Nothing here sends a request; recordings are read because they decide what can be asked.
"""

from __future__ import annotations

import platform
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from provenance import __version__
from provenance.canonical import digest
from provenance.endpoint import Endpoint
from provenance.errors import UsageError
from provenance.findings import Sensitivity
from provenance.library.panel import Panel
from provenance.library.sensitivity import planned_sensitivity
from provenance.providers import create
from provenance.providers.base import Provider
from provenance.sampling import pilot
from provenance.sampling.budget import Price, estimated_tokens, find_price
from provenance.sampling.plan import RULES, Plan, make_plan
from provenance.sampling.questions import Questions, choose, reference_warnings
from provenance.sampling.replayed import check_panel
from provenance.settings import Settings
from provenance.transcript import Role

UNASKED_LIMIT = 20_000
_REMOTE_SECONDS = (0.3, 4.0)  # a short answer from a hosted model, low and high
_LOCAL_SECONDS = (0.0005, 0.3)
_LADDER_FROM = 300  # draws a side from which the ladder's questions are less than 5% of a study
# (prompt, completion) tokens of a pilot request, without thinking: that is what it is to learn.
_PILOT_LOW, _PILOT_HIGH = (20, 1), (48, 32)


@dataclass(frozen=True, slots=True)
class HostEstimate:
    """What one host will be asked."""

    host: str
    requests: int
    tokens_high: int | None
    usd_high: float | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a plan will cost, as ranges; None where a price is unknown.

    Pilot requests are in it. Thinking is not: how much of it there is, the pilot finds out.
    """

    requests: int
    tokens_low: int | None
    tokens_high: int | None
    usd_low: float | None
    usd_high: float | None
    seconds_low: float | None
    seconds_high: float | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A study that is ready to start.

    Attributes
    ----------
    key
        SHA-256 of everything that decides what is asked and concluded, but the seed.
    store_path
        Where its evidence goes unless the user says otherwise.
    likelihood
        Whether all texts are scored under the reference's weights.
    copies
        What the analysis reads beside the records, kept with them.
    """

    question: str
    plan: Plan
    questions: Questions
    endpoints: Mapping[Role, Endpoint]
    providers: Mapping[Role, Provider]
    prices: Mapping[Role, Price | None]
    settings: Settings
    panel: Panel | None
    ladder: bool
    likelihood: bool
    hosts: tuple[HostEstimate, ...]
    estimate: Estimate
    warnings: tuple[str, ...]
    key: str
    store_path: Path
    copies: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reference(self) -> Endpoint:
        """The endpoint that is known."""
        return self.endpoints["reference"]

    @property
    def suspect(self) -> Endpoint:
        """The endpoint in question."""
        return self.endpoints["suspect"]

    @property
    def sensitivity(self) -> tuple[Sensitivity, ...]:
        """What the plan could see: the smallest detectable share of each panel member."""
        if self.panel is None or "suspect" not in self.endpoints:
            return ()
        return planned_sensitivity(
            self.plan.cells,
            self.plan.draws("reference"),
            self.plan.draws("suspect"),
            alpha=self.settings.alpha,
            panel=self.panel,
        )


def prepare(
    sides: Mapping[Role, Endpoint | Provider],
    settings: Settings,
    *,
    environment: Mapping[str, str],
    question: str = "compare",
    copies: Mapping[str, Any] | None = None,
) -> Prepared:
    """Plan a study.

    Parameters
    ----------
    sides
        One or both of reference and suspect.
    settings
        As merged by `settings.load`.
    environment
        Where providers look up keys by name.
    question
        "compare", "attribute", or "sample" and "identify" for one side.
    copies
        JSON that the analysis reads beside the records; its digests are part of the study's key.

    Raises
    ------
    UsageError
        If the sides cannot be compared, or the plan holds over 20,000 requests unasked.
    ReferenceStale
        If a stored reference is too old or was asked other questions, or the panel was learnt
        from draws that a side replays.
    """
    providers: dict[Role, Provider] = {
        role: create(side, environment=environment) if isinstance(side, Endpoint) else side
        for role, side in sides.items()
    }
    endpoints: dict[Role, Endpoint] = {r: provider.endpoint for r, provider in providers.items()}
    questions = choose(providers, settings)
    panel = _panel(questions, settings) if question in ("compare", "sample") else None
    if panel is not None and question == "compare":
        check_panel(panel, providers)
    replays = [role for role, endpoint in endpoints.items() if endpoint.provider == "replay"]
    total = sum(sum(d) for d in questions.draws.values())
    asked = sum(sum(d) for role, d in questions.draws.items() if role not in replays)
    if asked > UNASKED_LIMIT and settings.max_requests is None:
        raise UsageError(
            f"the plan holds {asked:,} requests, more than {UNASKED_LIMIT:,}: say "
            f"--max-requests {asked} if that is meant, or ask for fewer --draws"
        )
    identity = {
        "question": question,
        **{str(role): str(endpoint) for role, endpoint in endpoints.items()},
        "battery": questions.digest,
        "settings": settings.analysis(),
    }
    if copies:
        identity["copies"] = {name: digest(content) for name, content in copies.items()}
    key = digest(identity)
    ladder = settings.ladder
    if ladder is None:
        ladder = max(sum(d) for d in questions.draws.values()) >= _LADDER_FROM
    likelihood = question == "compare" and _scored(providers, settings)
    price_file = Path(settings.prices) if settings.prices else None
    prices = {role: find_price(endpoint, price_file) for role, endpoint in endpoints.items()}
    header = {
        "format": 1,
        "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "question": question,
        "key": key,
        "endpoints": {role: str(endpoint) for role, endpoint in endpoints.items()},
        "battery": {"name": questions.name, "digest": questions.digest},
        "settings": settings.analysis(),
        "declaration": dict(settings.declaration),
        "rules": RULES,
        "blocked": not replays,
        "pilot": {
            str(role): pilot.requests(provider, with_ladder=ladder)
            for role, provider in providers.items()
        },
        "notes": list(questions.notes),
        "prices": {str(role): _rates(price) for role, price in prices.items()},
        "environment": _environment(),
        **({"likelihood": True} if likelihood else {}),
    }
    seed = secrets.randbelow(2**32) if settings.seed is None else settings.seed
    plan = make_plan(header, questions.cells, questions.draws, seed=seed, blocked=not replays)
    hosts, estimate = _estimate(plan, providers, prices, settings, ladder=ladder)
    subject = endpoints.get("suspect") or endpoints["reference"]
    store = settings.store or Path("reports") / f"{subject.slug}-{key[:8]}"
    warnings = [
        *questions.notes,
        *reference_warnings(
            questions,
            replays,
            sequential=settings.sequential,
            panel=panel is not None and question == "compare",
        ),
    ]
    if total == 0:
        raise UsageError("the plan holds no request")
    return Prepared(
        question=question,
        plan=plan,
        questions=questions,
        endpoints=endpoints,
        providers=providers,
        prices=prices,
        settings=settings,
        panel=panel,
        ladder=ladder,
        likelihood=likelihood,
        hosts=hosts,
        estimate=estimate,
        warnings=tuple(warnings),
        key=key,
        store_path=store,
        copies=copies or {},
    )


def with_pilots(prepared: Prepared, pilots: Mapping[Role, pilot.Pilot]) -> Prepared:
    """The same study with the thinking that pilot requests showed in its estimate."""
    thinking = {
        role: (found.thought, found.thinking_tokens) if found.thinks else (0, 0)
        for role, found in pilots.items()
    }
    hosts, estimate = _estimate(
        prepared.plan,
        prepared.providers,
        prepared.prices,
        prepared.settings,
        ladder=prepared.ladder,
        thinking=thinking,
    )
    return replace(prepared, hosts=hosts, estimate=estimate)


def pilot_estimate(prepared: Prepared) -> tuple[tuple[HostEstimate, ...], Estimate]:
    """What pilot requests alone will take, without the thinking that they are to find."""
    hosts: dict[str, list[Any]] = {}
    total = 0
    for role, provider in prepared.providers.items():
        n = pilot.requests(provider, with_ladder=False)
        total += n
        if provider.host is not None and n:
            _add(
                hosts.setdefault(provider.host, [0, 0, 0.0]), n, _PILOT_HIGH, prepared.prices[role]
            )
    rows = tuple(HostEstimate(host, n, tokens, usd) for host, (n, tokens, usd) in hosts.items())
    tokens = total * sum(_PILOT_HIGH)
    return rows, Estimate(total, None, tokens, None, None, None, total * _REMOTE_SECONDS[1])


def _panel(questions: Questions, settings: Settings) -> Panel | None:
    """The panel that was named, or the shipped one of this battery if there is one."""
    if settings.panel is not None:
        return Panel.load(settings.panel)
    return Panel.load(questions.name) if questions.name in Panel.shipped() else None


def _scored(providers: Mapping[Role, Provider], settings: Settings) -> bool:
    """Whether all texts are scored under the reference's weights.

    Raises
    ------
    UsageError
        If that is wished for and they are not here.
    """
    able = len(providers) == 2 and callable(getattr(providers["reference"], "score", None))
    if settings.likelihood and not able:
        raise UsageError(
            "--likelihood scores texts under the reference's own weights: the reference must be "
            f"transformers:PATH, not {providers['reference'].endpoint.label}"
        )
    return able and settings.likelihood is not False


def _rates(price: Price | None) -> dict[str, float] | None:
    return None if price is None else {"input": price.input, "output": price.output}


def _environment() -> dict[str, str]:
    import numpy as np

    return {
        "llm-provenance": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "system": platform.system(),
    }


def _estimate(
    plan: Plan,
    providers: Mapping[Role, Provider],
    prices: Mapping[Role, Price | None],
    settings: Settings,
    *,
    ladder: bool,
    thinking: Mapping[Role, tuple[int, int]] | None = None,
) -> tuple[tuple[HostEstimate, ...], Estimate]:
    # In the order of the sides; None as dollars where a price of the host is unknown.
    hosts: dict[str, list[Any]] = {
        p.host: [0, 0, 0.0] for p in providers.values() if p.host is not None
    }
    low = high = 0
    usd_low = usd_high = 0.0
    seconds = {role: [0.0, 0.0] for role in providers}
    for slot, request in plan.requests():
        provider, price = providers[slot.role], prices[slot.role]
        if provider.endpoint.provider == "replay":
            continue
        prompt_low, prompt_high, completion = estimated_tokens(request)
        thought, room = (thinking or {}).get(slot.role, (0, 0))
        completion += room
        low += prompt_low + 1 + thought
        high += prompt_high + completion
        if price is not None:
            usd_low += price.of(prompt_low, 1 + thought)
            usd_high += price.of(prompt_high, completion)
        if provider.host is not None:
            _add(hosts[provider.host], 1, (prompt_high, completion), price)
        span = _REMOTE_SECONDS if provider.host else _LOCAL_SECONDS
        places = settings.concurrency or provider.concurrency
        for i in (0, 1):
            seconds[slot.role][i] += span[i] / (places if provider.host else 1)
    pilots = {r: pilot.requests(p, with_ladder=ladder) for r, p in providers.items()}
    for role, provider in providers.items():
        n, price = pilots[role], prices[role]
        low += n * sum(_PILOT_LOW)
        high += n * sum(_PILOT_HIGH)
        if price is not None:
            usd_low += n * price.of(*_PILOT_LOW)
            usd_high += n * price.of(*_PILOT_HIGH)
        if provider.host is not None and n:
            _add(hosts[provider.host], n, _PILOT_HIGH, price)
        for i in (0, 1):
            seconds[role][i] += n * (_REMOTE_SECONDS if provider.host else _LOCAL_SECONDS)[i]
    for role, provider in providers.items():
        rpm = settings.rpm or provider.endpoint.option("rpm")
        if rpm:
            floor = (sum(plan.draws(role)) + pilots[role]) / rpm * 60
            seconds[role] = [max(s, floor) for s in seconds[role]]
    known = None not in prices.values()
    requests = sum(
        sum(plan.draws(role))
        for role, provider in providers.items()
        if provider.endpoint.provider != "replay"
    ) + sum(pilots.values())
    estimates = tuple(
        HostEstimate(host, n, tokens, usd) for host, (n, tokens, usd) in hosts.items()
    )
    return estimates, Estimate(
        requests=requests,
        tokens_low=low,
        tokens_high=high,
        usd_low=usd_low if known else None,
        usd_high=usd_high if known else None,
        # Lockstep: the slower side sets the pace.
        seconds_low=max(s[0] for s in seconds.values()),
        seconds_high=max(s[1] for s in seconds.values()),
    )


def _add(row: list[Any], requests: int, tokens: tuple[int, int], price: Price | None) -> None:
    """Add requests of so many (prompt, completion) tokens to a host's [requests, tokens, usd]."""
    row[0] += requests
    row[1] += requests * sum(tokens)
    row[2] = None if price is None or row[2] is None else row[2] + requests * price.of(*tokens)
