from datetime import date
from types import SimpleNamespace

import pytest

from provenance.endpoint import Endpoint
from provenance.errors import BudgetExhausted, SettingsError
from provenance.sampling.budget import (
    FREE,
    STALE_DAYS,
    Budget,
    Price,
    estimated_tokens,
    find_price,
)
from provenance.transcript import Completion, Failure, Message, Request, Usage

DEAR = Price(1000.0, 1000.0, "2026-11-01")


def request(role="suspect", visible=8, thinking=0):
    message = Message(role="user", content="?" * 40)
    return Request(0, role, "c", 0, 1, (message,), visible, thinking_tokens=thinking)


def answer(prompt=10, completion=10, reasoning=None):
    usage = Usage(prompt_tokens=prompt, completion_tokens=completion, reasoning_tokens=reasoning)
    return Completion(text="7", usage=usage)


def failure(kind):
    return Failure(kind=kind, message=kind)


@pytest.fixture
def budget():
    return Budget({"reference": DEAR, "suspect": DEAR}, usd=1.0)


def spend(budget, outcome, **fields):
    asked = request(**fields)
    budget.settle(asked.role, budget.reserve(asked), outcome)
    return budget.usd


@pytest.mark.parametrize(
    ("endpoint", "price"),
    [
        ("openai:gpt-4o-mini", (0.15, 0.6)),
        ("openai:gpt-4o-2024-08-06", (2.5, 10)),
        ("openai:gpt-4o-2024-05-13", (5, 15)),  # a snapshot with a price of its own
        ("compatible:gpt-5@https://api.openai.com/v1", (1.25, 10)),
        ("openai:gpt-5-2025-08-07", (1.25, 10)),
        ("anthropic:claude-opus-4-1", (15, 75)),
        ("anthropic:claude-opus-4-5-20251101", (5, 25)),
        ("anthropic:claude-sonnet-4-20250514", (3, 15)),
        ("anthropic:claude-3-5-haiku-latest", (0.8, 4)),
        ("compatible:meta/llama:free@https://openrouter.ai/api/v1", (0, 0)),
    ],
)
def test_shipped_prices(endpoint, price):
    found = find_price(Endpoint.parse(endpoint))
    assert (found.input, found.output) == price
    assert found.age_days(date(2026, 11, 23)) == 19


@pytest.mark.parametrize(
    "endpoint",
    [
        "openai:gpt-4o-audio-preview",  # another product with a name that begins alike
        "openai:gpt-99",
        "openai:gpt-4o@https://relay.example/v1",  # a relay has prices of its own
        "compatible:gpt-4o@https://relay.example/v1",
    ],
)
def test_what_is_not_listed_is_unknown(endpoint):
    assert find_price(Endpoint.parse(endpoint)) is None


@pytest.mark.parametrize(
    "endpoint", ["simulated:m.toml,model=a", "compatible:m@http://127.0.0.1:8000/v1"]
)
def test_this_machine_costs_nothing(endpoint):
    assert find_price(Endpoint.parse(endpoint)) is FREE
    assert FREE.age_days(date(2026, 11, 23)) is None


def test_every_shipped_price_is_dated_and_reachable():
    import tomllib

    from provenance import resources

    path = resources.configs() / "prices.toml"
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["price"]
    assert len(rows) > 60
    for row in rows:
        assert date.fromisoformat(row["as_of"]) >= date(2026, 11, 4)
        if not set("*?[") & set(row["model"] + row["host"]):
            found = find_price(Endpoint.parse(f"compatible:{row['model']}@https://{row['host']}"))
            assert (found.input, found.output) == (row["input"], row["output"]), row["model"]


@pytest.mark.parametrize(
    "row",
    [
        'model = "m"\ninput = 1\noutput = 1',
        'model = "m"\ninput = 1\noutput = 1\nas_of = "yesterday"',
        'model = "m"\ninput = nan\noutput = 1\nas_of = 2026-11-04',
        'model = "m"\ninput = -1\noutput = 1\nas_of = 2026-11-04',
        'model = "m"\ninput = "one"\noutput = 1\nas_of = 2026-11-04',
    ],
)
def test_a_bad_row_is_named(tmp_path, row):
    file = tmp_path / "prices.toml"
    file.write_text(f"[[price]]\n{row}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"prices\.toml: every \[\[price\]\] needs"):
        find_price(Endpoint.parse("openai:gpt-5"), file)


def test_a_day_may_be_a_day_of_toml(tmp_path):
    file = tmp_path / "prices.toml"
    file.write_text('[[price]]\nmodel = "m"\ninput = 1\noutput = 1\nas_of = 2026-01-31\n')
    found = find_price(Endpoint.parse("compatible:m@https://a.example/v1"), file)
    assert found.as_of == "2026-01-31"
    assert found.age_days(date(2026, 8, 1)) > STALE_DAYS


def test_thinking_is_in_the_worst_case(budget):
    assert estimated_tokens(request(thinking=500))[2] == 508
    with pytest.raises(BudgetExhausted, match=r"\$0\.0000 spent, .* up to \$1\.0440"):
        budget.reserve(request(thinking=1000 - 8))


def test_thinking_that_is_counted_apart_is_paid_for(budget):
    assert answer(10, 10, 4).usage.billed_completion == 10
    assert answer(10, 10, 200).usage.billed_completion == 210
    assert spend(budget, answer(10, 10, 200)) == pytest.approx(0.22)


def test_the_servers_count_replaces_the_worst_case(budget):
    assert spend(budget, answer(10, 10)) == pytest.approx(0.02)
    assert not budget.waits_for_answers


def test_a_server_that_does_not_count_costs_the_worst_case(budget):
    assert spend(budget, answer(None, None)) == pytest.approx(0.052)


@pytest.mark.parametrize("kind", ["timeout", "reset", "malformed", "too_large", "starved"])
def test_what_may_be_billed_costs_the_worst_case(budget, kind):
    assert spend(budget, failure(kind)) == pytest.approx(0.052)


@pytest.mark.parametrize("kind", ["auth", "payment", "rate_limited", "server_error", "unreachable"])
def test_what_is_not_billed_costs_nothing(budget, kind):
    assert spend(budget, failure(kind)) == 0.0


def test_a_server_that_adds_a_prompt_makes_later_reservations_larger(budget):
    spend(budget, answer(198, 10))  # four times the worst case
    for _ in range(3):
        budget.reserve(request())
    with pytest.raises(BudgetExhausted, match=r"\$0\.2080 spent, .* up to \$0\.2080"):
        budget.reserve(request())


@pytest.mark.parametrize("outcome", [answer(10, 10), answer(None, None), failure("starved")])
def test_a_resumed_study_counts_what_it_spent(budget, outcome):
    spent = spend(budget, outcome, thinking=100)
    resumed = Budget({"reference": DEAR, "suspect": DEAR}, usd=1.0)
    good = isinstance(outcome, Completion)
    record = SimpleNamespace(
        role="suspect",
        completion=outcome if good else None,
        failure=None if good else outcome,
    )
    resumed.replay(record, request(thinking=100))
    assert resumed.usd == pytest.approx(spent)
    assert resumed.requests == 1


def test_a_limit_in_dollars_needs_prices():
    with pytest.raises(SettingsError, match="price of the suspect's model"):
        Budget({"reference": FREE, "suspect": None}, usd=1.0)
    assert Budget({"reference": FREE, "suspect": None}).usd is None


def test_what_is_read_from_a_recording_is_not_counted():
    made = Budget({"reference": DEAR, "suspect": DEAR}, max_requests=1, recorded=["reference"])
    for _ in range(3):
        reservation = made.reserve(request("reference"))
        made.settle("reference", reservation, None)
    assert made.requests == 0
    made.reserve(request("suspect"))
    with pytest.raises(BudgetExhausted):
        made.reserve(request("suspect"))
