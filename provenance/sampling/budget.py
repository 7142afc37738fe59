"""What a study may spend: attempts and dollars, with a hard stop before the limit is passed.

A request is allowed only if its worst case still fits: the price of its prompt (one token for two
bytes, at least 16) and of all the tokens that it may produce, thinking included. When the answer
comes, the server's own count replaces the reservation; where a server counts more than the worst
case (it may add a prompt of its own), later reservations are larger by as much. An attempt that
may have been billed though no answer came counts as its worst case.
"""

from __future__ import annotations

import fnmatch
import math
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from provenance import resources
from provenance.endpoint import Endpoint
from provenance.errors import BudgetExhausted, SettingsError
from provenance.transcript import Completion, Failure, FailureKind, Record, Request, Role

# Prices change: older ones are said to be old.
STALE_DAYS = 180
# The day of a snapshot, as vendors append it to a model's name.
_SNAPSHOT = re.compile(r"[-@](?:latest|20\d{2}-?\d{2}-?\d{2})$")
# What a server may bill though we got no answer of it: tokens were generated, or may have been.
_MAY_BE_BILLED: frozenset[FailureKind] = frozenset(
    {"timeout", "reset", "malformed", "too_large", "starved"}
)


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens, and the day (ISO 8601) on which that was the list price."""

    input: float
    output: float
    as_of: str

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Dollars for these tokens."""
        return (prompt_tokens * self.input + completion_tokens * self.output) / 1e6

    def age_days(self, today: date) -> int | None:
        """Days since the price was looked up; None for what costs nothing anyway."""
        return (today - date.fromisoformat(self.as_of)).days if self.as_of else None


@dataclass(frozen=True, slots=True)
class Reservation:
    """Dollars set aside for one attempt: ``worst``, of which ``base`` is what was estimated."""

    worst: float
    base: float


FREE = Price(0.0, 0.0, "")


def find_price(endpoint: Endpoint, file: Path | None = None) -> Price | None:
    """The price of an endpoint, `FREE` if nothing leaves this machine, None if unknown.

    A row fits a model of its name, or that name with the day of a snapshot after it; the first
    row that fits wins.

    Raises
    ------
    SettingsError
        If the price file cannot be read.
    """
    if endpoint.is_loopback:
        return FREE
    host = urlsplit(endpoint.url or "").hostname or ""
    path = file or resources.configs() / "prices.toml"
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8")).get("price", [])
        prices = [(str(row["model"]), str(row.get("host", "*")), _price(row)) for row in rows]
    except OSError as error:
        raise SettingsError(f"cannot read the price file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise SettingsError(
            f"price file {path}: every [[price]] needs model, input, output (dollars for a million "
            f"tokens) and as_of (a day, such as 2026-11-04): {error}"
        ) from None
    for name in (endpoint.model, _SNAPSHOT.sub("", endpoint.model)):
        for model, where, price in prices:
            if fnmatch.fnmatchcase(name, model) and fnmatch.fnmatchcase(host, where):
                return price
    return None


def _price(row: Mapping[str, Any]) -> Price:
    day = row["as_of"]
    price = Price(
        float(row["input"]),
        float(row["output"]),
        (day if isinstance(day, date) else date.fromisoformat(day)).isoformat(),
    )
    if not all(0 <= rate < math.inf for rate in (price.input, price.output)):
        raise ValueError(f"{row['model']}: a price is a number from 0")
    return price


def cost_warnings(
    prices: Mapping[Role, Price | None],
    usd_range: tuple[float | None, float | None],
    budget_usd: float | None,
    today: date,
) -> list[str]:
    """What a person should know about the money before a study starts.

    Parameters
    ----------
    usd_range
        Least and most that the plan is expected to cost, without thinking; None if unknown.
    """
    warnings = []
    for role, price in prices.items():
        age = None if price is None else price.age_days(today)
        if price is not None and age is not None and age > STALE_DAYS:
            warnings.append(
                f"the price of the {role}'s model was looked up on {price.as_of}, {age} days ago: "
                "check it, or give your own with --prices FILE"
            )
    low, high = usd_range
    if budget_usd is not None and low is not None and high is not None and high > budget_usd:
        reach = "will" if low > budget_usd else "may"
        warnings.append(
            f"--budget-usd {budget_usd:g} {reach} not reach the end of the plan, which costs "
            f"${low:.2f} to ${high:.2f}: the study would stop, keep its answers, and resume with a "
            "larger budget"
        )
    return warnings


def prompt_bytes(request: Request) -> int:
    """Bytes of all messages of a request."""
    return sum(len(m.content.encode()) for m in request.messages)


def estimated_tokens(request: Request) -> tuple[int, int, int]:
    """(prompt low, prompt high, completion high) in tokens, before anything is sent."""
    size = prompt_bytes(request)
    overhead = 8 * len(request.messages)
    completion = request.max_visible_tokens + request.thinking_tokens
    return size // 5 + overhead, size // 2 + overhead + 16, completion


@dataclass(slots=True)
class Purse:
    """What the parts of one study spend together: attempts, dollars, and dollars set aside.

    Dollars are 0 where prices are unknown.
    """

    requests: int = 0
    usd: float = 0.0
    reserved: float = 0.0


class Budget:
    """Counts attempts, tokens and dollars of a study, and refuses what would pass a limit.

    Parameters
    ----------
    prices
        Per side; None where the price is unknown, which with a dollar limit is an error.
    max_requests, usd
        Limits; None for none.
    recorded
        Sides that are read from a recording: nothing is sent for them, so nothing is counted.
    purse
        Shared with other parts of the same study; the limits hold for all of them together.
    """

    def __init__(
        self,
        prices: Mapping[Role, Price | None],
        *,
        max_requests: int | None = None,
        usd: float | None = None,
        recorded: Collection[Role] = (),
        purse: Purse | None = None,
    ) -> None:
        for role, price in prices.items():
            if usd is not None and price is None:
                raise SettingsError(
                    f"--budget-usd needs the price of the {role}'s model, which is in no price "
                    "file: give one with --prices FILE"
                )
        self._prices = prices
        self._max_requests = max_requests
        self._usd_limit = usd
        self._recorded = frozenset(recorded)
        self._purse = Purse() if purse is None else purse
        self._beyond = dict.fromkeys(prices, 1.0)
        self.tokens = 0
        self.tokens_known = False

    @property
    def requests(self) -> int:
        """Attempts, those of other parts of the study included."""
        return self._purse.requests

    @property
    def usd(self) -> float | None:
        """Dollars spent, None if a price is unknown."""
        return None if None in self._prices.values() else self._purse.usd

    @property
    def waits_for_answers(self) -> bool:
        """Whether dollars are set aside for answers that have not come yet."""
        return self._purse.reserved > 1e-12

    def replay(self, record: Record, request: Request) -> None:
        """Count an attempt of an earlier session of this study."""
        if record.role not in self._recorded:
            self._purse.requests += 1
            self._count(record.role, record.completion or record.failure, self._worst(request))

    def replay_pilot(self, role: Role, completion: Completion | None) -> None:
        """Count a pilot request of an earlier session of this study."""
        self._purse.requests += 1
        self._count(role, completion, 0.0)

    def reserve(self, request: Request) -> Reservation:
        """Make room for one attempt; returns the reservation for `settle`.

        Raises
        ------
        BudgetExhausted
            If the worst case of this attempt would pass a limit.
        """
        base = self._worst(request)
        worst = base * self._beyond[request.role]
        if request.role in self._recorded:
            return Reservation(0.0, 0.0)
        if self._max_requests is not None and self.requests >= self._max_requests:
            raise BudgetExhausted(
                f"stopped by --max-requests {self._max_requests}: {self.requests:,} requests were "
                "sent. Everything is kept; the same command with a larger number resumes"
            )
        spent = self._purse.usd
        if self._usd_limit is not None and spent + self._purse.reserved + worst > self._usd_limit:
            raise BudgetExhausted(
                f"stopped by --budget-usd {self._usd_limit:g}: ${spent:.4f} spent, and the "
                f"next request may cost up to ${worst:.4f}. Everything is kept; the same command "
                "with a larger budget resumes"
            )
        self._purse.requests += 1
        self._purse.reserved += worst
        return Reservation(worst, base)

    def settle(
        self, role: Role, reservation: Reservation, outcome: Completion | Failure | None
    ) -> None:
        """Replace a reservation by what the attempt really used."""
        if role in self._recorded:
            return
        self._purse.reserved -= reservation.worst
        spent = self._count(role, outcome, reservation.worst)
        if reservation.base > 0:
            self._beyond[role] = max(self._beyond[role], spent / reservation.base)

    def _worst(self, request: Request) -> float:
        _, prompt, completion = estimated_tokens(request)
        return (self._prices[request.role] or FREE).of(prompt, completion)

    def _count(self, role: Role, outcome: Completion | Failure | None, worst: float) -> float:
        """Add an attempt; returns its dollars, ``worst`` where the server did not say."""
        spent = 0.0
        if isinstance(outcome, Completion):
            prompt, produced = outcome.usage.prompt_tokens, outcome.usage.billed_completion
            if prompt is None or produced is None:
                spent = worst
            else:
                self.tokens += prompt + produced
                self.tokens_known = True
                spent = (self._prices[role] or FREE).of(prompt, produced)
        elif outcome is not None and outcome.kind in _MAY_BE_BILLED:
            spent = worst
        self._purse.usd += spent
        return spent
