import asyncio
import random
from collections import Counter
from itertools import pairwise

import pytest
from scipy.stats import chisquare

from provenance.endpoint import Endpoint
from provenance.errors import ProviderError, UsageError
from provenance.providers.simulated import SimulatedProvider
from provenance.transcript import Failure, Request

FILE = """
[models.a.cells]
"*" = {"7" = 0.6, "42" = 0.3, "no" = 0.1}
[models.b]
base = "a"
dilute_with = "c"
epsilon = 0.25
[models.c.cells]
"*" = {"x" = 1.0}
[models.cached]
base = "flat"
cache = 0.4
[models.flat.cells]
"*" = {"0"=0.1,"1"=0.1,"2"=0.1,"3"=0.1,"4"=0.1,"5"=0.1,"6"=0.1,"7"=0.1,"8"=0.1,"9"=0.1}
[models.drifting]
base = "a"
drift = {to = "c", after = 1000, over = 1000}
[models.failing]
base = "a"
fail_rate = 0.5
[models.narrow.cells]
known = {"yes" = 1.0}
[models.child]
base = "b"
cells.special = {"s" = 1.0}
"""


@pytest.fixture
def make(tmp_path):
    def build(name, text=FILE):
        path = tmp_path / "m.toml"
        path.write_text(text, encoding="utf-8")
        options = () if name is None else (("model", name),)
        return SimulatedProvider(Endpoint("simulated", str(path), None, options), environment={})

    return build


def request(draw=0, *, slot=None, role="suspect", cell="c", seed=1):
    return Request(draw if slot is None else slot, role, cell, draw, 1, (), 8, {}, seed)


def draw_all(provider, requests):
    async def run():
        return [(await provider.draw(r)).outcome for r in requests]

    return asyncio.run(run())


def texts(provider, n, **options):
    return [o.text for o in draw_all(provider, [request(i, **options) for i in range(n)])]


def test_frequencies_are_those_of_the_table(make):
    counts = Counter(texts(make("a"), 3000))
    observed = [counts[k] for k in ("7", "42", "no")]
    assert chisquare(observed, [1800, 900, 300]).pvalue > 0.001


def test_answers_depend_on_seed_role_cell_and_draw_and_on_nothing_else(make):
    requests = [request(d, cell=c) for c in "xyz" for d in range(40)]
    shuffled = random.Random(1).sample(requests, len(requests))
    keyed = dict(
        zip([(r.cell, r.draw) for r in shuffled], draw_all(make("cached"), shuffled), strict=True)
    )
    assert [keyed[r.cell, r.draw] for r in requests] == draw_all(make("cached"), requests)
    for change in ({"role": "reference"}, {"cell": "other"}, {"seed": 2}):
        assert texts(make("a"), 60) != texts(make("a"), 60, **change)


def test_a_share_is_answered_by_the_other_model(make):
    share = Counter(texts(make("b"), 3000))["x"] / 3000
    assert share == pytest.approx(0.25, abs=0.03)


def test_a_cache_repeats_the_answer_before(make):
    answers = texts(make("cached"), 3000)
    repeats = sum(a == b for a, b in pairwise(answers)) / 2999
    assert repeats == pytest.approx(0.4 + 0.6 * 0.1, abs=0.04)


def test_a_full_cache_gives_one_answer_without_walking_back_each_time(make):
    provider = make(None, '[models.a]\ncache = 1.0\ncells."*" = {"1" = 0.5, "2" = 0.5}')
    asked = []
    uniform = provider._uniform
    provider._uniform = lambda *key: asked.append(key) or uniform(*key)
    assert len(set(texts(provider, 400))) == 1
    assert len(asked) < 400 * 6


def test_drift_goes_from_one_model_to_the_other_by_slot(make):
    provider = make("drifting")
    at = lambda slot: Counter(texts(provider, 600, slot=slot))["x"] / 600  # noqa: E731
    assert at(999) == 0
    assert at(1500) == pytest.approx(0.5, abs=0.08)
    assert at(2000) == 1


def test_failures_are_by_attempt_so_a_retry_gets_through(make):
    provider = make("failing")
    outcomes = [draw_all(provider, [request(d)] * 12) for d in range(50)]
    failed = [isinstance(o, Failure) for row in outcomes for o in row]
    assert sum(failed) / len(failed) == pytest.approx(0.5, abs=0.1)
    assert all(not all(isinstance(o, Failure) for o in row) for row in outcomes)
    assert len({o.text for o in outcomes[0] if not isinstance(o, Failure)}) == 1


def test_a_child_has_what_its_base_has(make):
    assert set(texts(make("child"), 50, cell="special")) == {"s", "x"}
    assert "x" in texts(make("child"), 50)


def test_an_unknown_cell_without_a_fallback_is_an_error(make):
    with pytest.raises(ProviderError, match=r"'narrow' has no cell 'c'"):
        texts(make("narrow"), 1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[models.a.cells]\nx = {"1" = 0.5}', "model 'a', cell 'x': the weights sum to 0.5"),
        ('[models.a.cells]\nx = {"1" = -1.0, "2" = 2.0}', "weights from 0 to 1"),
        ("[models.a]\ncolour = 1", "known keys of a model: cells, base"),
        ('[models.a]\nbase = "a"', "its own base"),
        ('[models.a]\nbase = "b"', "which is not there"),
        ('[models.a]\ndilute_with = "b"\nepsilon = 0.1', "names 'b'"),
        ("[models.a]\nepsilon = 0.1", "go together"),
        ("[models.a]\nlatency_ms = inf", "latency_ms"),
        ("[models", "not TOML"),
        ("", "models"),
    ],
)
def test_a_mistake_in_the_file_is_named(make, text, says):
    with pytest.raises(UsageError, match=says):
        make(None, text)


def test_weights_are_normalised_within_a_thousandth(make):
    provider = make(None, '[models.a.cells]\n"*" = {"1" = 0.3335, "2" = 0.6669}')
    assert set(texts(provider, 50)) == {"1", "2"}


def test_which_model_is_meant(make):
    with pytest.raises(UsageError, match="holds several models"):
        make(None)
    with pytest.raises(UsageError, match="has no model 'z'"):
        make("z")
