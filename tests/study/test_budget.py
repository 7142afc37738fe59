"""What a study may spend: a hard stop, resumable, and manners towards the hosts."""

import json
import threading

import pytest
from typer.testing import CliRunner

from provenance import analyse, compare
from provenance.cli import app
from provenance.errors import BudgetExhausted, UsageError
from provenance.evidence.store import Store
from provenance.settings import Settings
from provenance.study import prepare
from provenance.study.sides import gates_of

PRICES = """
[[price]]
model = "m"
input = 100
output = 4
as_of = "2026-11-04"
"""
DAY_OLD = PRICES.replace("2026-11-04", "2025-01-31")
SPENT = (20 * 100 + 2 * 4) / 1e6  # of one answer, as the server counts it


@pytest.fixture
def endpoints(serve, answer_bytes, tmp_path, monkeypatch):
    """Two endpoints on hosts that are reached through a proxy on this machine, and their server."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PROVENANCE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    url, server = serve(lambda number, body: (200, {}, answer_bytes("7")))
    (tmp_path / "prices.toml").write_text(PRICES, encoding="utf-8")
    proxy = url.removesuffix("/v1")
    return (
        f"compatible:m@http://vendor.example/v1,proxy={proxy}",
        f"compatible:m@http://relay.example/v1,proxy={proxy}",
        server,
    )


@pytest.fixture
def options(tmp_path):
    return {
        "prices": str(tmp_path / "prices.toml"),
        "store": tmp_path / "s",
        "formats": [],
        "seed": 1,
        "draws": 5,
        "concurrency": 4,
    }


def records(store):
    with Store.open(store) as opened:
        return list(opened.records())


def test_a_study_that_its_budget_stopped_resumes_and_counts_everything(endpoints, options):
    reference, suspect, server = endpoints
    limit, seen = 0.08, []
    with pytest.raises(BudgetExhausted, match="a larger budget resumes"):
        compare(reference, suspect, budget_usd=limit, progress=seen.append, **options)
    first = records(options["store"])
    assert 0 < len(first) < 60
    assert server.count * SPENT <= limit
    assert max(p.usd for p in seen if p.usd is not None) <= limit
    # The same budget stops it again at once: what was spent is not forgotten.
    count = server.count
    with pytest.raises(BudgetExhausted):
        compare(reference, suspect, budget_usd=limit, **options)
    assert server.count - count <= 1
    seen.clear()
    study = compare(reference, suspect, budget_usd=1.0, progress=seen.append, **options)
    final = [r for r in records(options["store"]) if r.final]
    assert sorted(r.slot for r in final) == list(range(60))
    assert final[: len(first)] == first
    assert study.document.coverage.completed == 60
    assert study.document.usage.requests == server.count
    assert study.document.usage.usd == pytest.approx(server.count * SPENT)
    assert max(p.usd for p in seen if p.usd is not None) == pytest.approx(server.count * SPENT)
    assert analyse(options["store"]).usage == study.document.usage


def test_thinking_is_paid_from_the_budget(serve, answer_bytes, tmp_path, endpoints, options):
    def thinks(number, body):
        answer = json.loads(answer_bytes("7"))
        answer["usage"] = {
            "prompt_tokens": 20,
            "completion_tokens": 302,
            "completion_tokens_details": {"reasoning_tokens": 300},
        }
        return 200, {}, json.dumps(answer).encode()

    reference, suspect, server = endpoints
    server.answer = thinks
    with pytest.raises(BudgetExhausted):
        compare(reference, suspect, budget_usd=0.12, **options)
    each = (20 * 100 + 302 * 4) / 1e6
    assert 0.05 < server.count * each <= 0.12
    study = compare(reference, suspect, budget_usd=30.0, **options)
    assert study.document.coverage.completed == 60
    assert study.document.usage.usd == pytest.approx(server.count * each)


def test_exit_20_and_the_same_command_goes_on(endpoints, tmp_path):
    reference, suspect, _ = endpoints
    command = ["compare", reference, suspect, "--draws", "5", "--prices", "prices.toml", "--yes"]
    command += ["--store", "s", "--format", "json", "--budget-usd"]
    stopped = CliRunner().invoke(app, [*command, "0.08"])
    assert stopped.exit_code == 20
    assert "stopped by --budget-usd 0.08" in stopped.stderr
    assert "will not reach the end of the plan" in stopped.stderr
    resumed = CliRunner().invoke(app, [*command, "1"])
    assert resumed.exit_code == 0, resumed.stderr
    assert "Coverage 60/60" in resumed.stdout


@pytest.mark.parametrize(("prices", "said"), [(PRICES, False), (DAY_OLD, True)])
def test_old_prices_are_said_to_be_old(endpoints, tmp_path, prices, said):
    reference, suspect, _ = endpoints
    (tmp_path / "prices.toml").write_text(prices, encoding="utf-8")
    done = CliRunner().invoke(app, ["plan", reference, suspect, "--prices", "prices.toml"])
    assert done.exit_code == 0
    warned = "looked up on 2025-01-31" in done.stderr
    assert warned == said
    assert "$100.00 in, $4.00 out per million tokens (as of 20" in done.stdout


def in_flight(server, answer):
    """Answer, and note in ``server.most`` how many requests were there at a time."""
    server.now = server.most = 0
    lock, full = threading.Lock(), threading.Event()

    def slow(number, body):
        with lock:
            server.now += 1
            server.most = max(server.most, server.now)
        full.wait(0.02)
        with lock:
            server.now -= 1
        return answer

    server.answer = slow


@pytest.mark.parametrize(
    ("hosts", "most"),
    [
        (("vendor.example", "relay.example"), 8),  # four to each
        (("vendor.example", "vendor.example"), 4),
        (("vendor.example", "VENDOR.example:80"), 4),
    ],
)
def test_four_at_a_time_to_a_host(endpoints, options, answer_bytes, hosts, most):
    reference, suspect, server = endpoints
    in_flight(server, (200, {}, answer_bytes("7")))
    reference = reference.replace("vendor.example", hosts[0])
    suspect = suspect.replace("relay.example", hosts[1])
    compare(reference, suspect, **{**options, "concurrency": None})
    assert most / 2 < server.most <= most


def test_the_lower_pace_holds_for_a_shared_host(endpoints):
    reference, suspect, _ = endpoints
    ready = prepare(
        f"{reference},rpm=60",
        f"{suspect.replace('relay', 'vendor')},rpm=3",
        Settings(draws=1),
    )
    gates = gates_of(ready)
    assert gates["reference"] is gates["suspect"]
    assert gates["reference"]._interval == 20.0


def test_twenty_thousand_requests_need_a_limit(endpoints):
    reference, suspect, _ = endpoints
    assert prepare(reference, suspect, Settings(draws=1_500)).estimate.requests < 20_000
    with pytest.raises(UsageError, match=r"say --max-requests 21000"):
        prepare(reference, suspect, Settings(draws=1_750))
    allowed = prepare(reference, suspect, Settings(draws=1_750, max_requests=21_000))
    assert allowed.estimate.requests > 21_000
