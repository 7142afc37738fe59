"""What a study may spend: attempts and dollars, with a hard stop before the limit is passed.

A request is allowed only if its worst case still fits: the price of its prompt (one token for two
bytes, at least 16) and of all the tokens that it may produce. When the answer comes, the server's
own count replaces the reservation.
"""

from __future__ import annotations

import fnmatch
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from provenance import resources
from provenance.endpoint import Endpoint
from provenance.errors import BudgetExhausted, SettingsError
from provenance.transcript import Completion, Record, Request, Role


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens, and the day on which that was true."""

    input: float
    output: float
    as_of: str

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Dollars for these tokens."""
        return (prompt_tokens * self.input + completion_tokens * self.output) / 1e6


FREE = Price(0.0, 0.0, "")


def find_price(endpoint: Endpoint, file: Path | None = None) -> Price | None:
    """The price of an endpoint, `FREE` if nothing leaves this machine, None if unknown.

    Raises
    ------
    SettingsError
        If the price file cannot be read.
    """
    if endpoint.is_loopback and endpoint.provider not in ("openai", "anthropic"):
        return FREE
    path = file or resources.configs() / "prices.toml"
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8")).get("price", [])
        host = urlsplit(endpoint.base_url or "").hostname or ""
        for row in rows:
            if fnmatch.fnmatchcase(endpoint.model, row["model"]) and fnmatch.fnmatchcase(
                host, row.get("host", "*")
            ):
                return Price(float(row["input"]), float(row["output"]), str(row["as_of"]))
    except OSError as error:
        raise SettingsError(f"cannot read the price file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise SettingsError(
            f"price file {path}: every [[price]] needs model, input, output, as_of ({error})"
        ) from None
    return None


def prompt_bytes(request: Request) -> int:
    """Bytes of all messages of a request."""
    return sum(len(m.content.encode()) for m in request.messages)


def estimated_tokens(request: Request) -> tuple[int, int, int]:
    """(prompt low, prompt high, completion high) in tokens, before anything is sent."""
    size = prompt_bytes(request)
    overhead = 8 * len(request.messages)
    completion = request.max_visible_tokens + request.thinking_tokens
    return size // 5 + overhead, size // 2 + overhead + 16, completion


class Budget:
    """Counts attempts, tokens and dollars of a study, and refuses what would pass a limit.

    Parameters
    ----------
    prices
        Per side; None where the price is unknown, which with a dollar limit is an error.
    max_requests, usd
        Limits; None for none.
    """

    def __init__(
        self,
        prices: Mapping[Role, Price | None],
        *,
        max_requests: int | None = None,
        usd: float | None = None,
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
        self._reserved = 0.0
        self.requests = 0
        self.tokens = 0
        self.tokens_known = False
        self._usd = 0.0

    @property
    def usd(self) -> float | None:
        """Dollars spent, None if a price is unknown."""
        return None if None in self._prices.values() else self._usd

    @property
    def waits_for_answers(self) -> bool:
        """Whether dollars are set aside for answers that have not come yet."""
        return self._reserved > 1e-12

    def replay(self, record: Record) -> None:
        """Count an attempt of an earlier session of this study."""
        self.replay_pilot(record.role, record.completion)

    def replay_pilot(self, role: Role, completion: Completion | None) -> None:
        """Count a pilot request of an earlier session of this study."""
        self.requests += 1
        self._count(role, completion)

    def reserve(self, request: Request) -> float:
        """Make room for one attempt; returns the reservation for `settle`.

        Raises
        ------
        BudgetExhausted
            If the worst case of this attempt would pass a limit.
        """
        _, prompt, completion = estimated_tokens(request)
        price = self._prices[request.role] or FREE
        worst = price.of(prompt, completion)
        if self._max_requests is not None and self.requests >= self._max_requests:
            raise BudgetExhausted(
                f"stopped by --max-requests {self._max_requests}; the same command with a larger "
                "one resumes"
            )
        if self._usd_limit is not None and self._usd + self._reserved + worst > self._usd_limit:
            raise BudgetExhausted(
                f"stopped by --budget-usd {self._usd_limit:g}: ${self._usd:.4f} spent, and the "
                "next request might pass it; the same command with a larger one resumes"
            )
        self.requests += 1
        self._reserved += worst
        return worst

    def settle(self, role: Role, reservation: float, outcome: Completion | None) -> None:
        """Replace a reservation by what the attempt really used."""
        self._reserved -= reservation
        if not self._count(role, outcome) and outcome is not None:
            self._usd += reservation  # the server did not say: assume the worst

    def _count(self, role: Role, completion: Completion | None) -> bool:
        if completion is None:
            return False
        usage = completion.usage
        if usage.prompt_tokens is None or usage.completion_tokens is None:
            return False
        self.tokens += usage.prompt_tokens + usage.completion_tokens
        self.tokens_known = True
        price = self._prices[role] or FREE
        self._usd += price.of(usage.prompt_tokens, usage.completion_tokens)
        return True
