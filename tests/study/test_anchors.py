"""Anchors and the benign band over the whole way, with simulated hosts.

The host effect of these tests: the host answers half of what would be "7" with "13", in every
model. Cells "*" of all models hold numbers only, so that every cell is the same question.
"""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from provenance import Endpoint, compare, sample, verify
from provenance.errors import (
    BudgetExhausted,
    EvidenceError,
    ReferenceStale,
    TamperedEvidence,
    UsageError,
)
from provenance.evidence.store import Store
from provenance.findings import StudyDocument
from provenance.providers.simulated import SimulatedProvider
from provenance.study import analyse
from provenance.transcript import Failure

ALPHA = 0.05


@pytest.fixture(scope="module")
def battery(tmp_path_factory, number_battery):
    """Eight questions for numbers."""
    path = tmp_path_factory.mktemp("battery") / "numbers.toml"
    return number_battery(path, ["one_token"] * 8, 12)


def table(weights):
    return ", ".join(f'"{answer}" = {w:.6f}' for answer, w in weights.items())


def moved(weights, share=0.5):
    """What the host makes of a model: a share of its sevens become thirteens."""
    return {**weights, "7": (1 - share) * weights["7"], "13": weights["13"] + share * weights["7"]}


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    """Models ``m0`` … on the reference's host, ``h0`` … on the suspect's; ``other`` is another."""
    rng = np.random.default_rng(5)
    text = ""
    for i in range(21):
        seven, rest = 0.5 + 0.2 * rng.random(), rng.dirichlet(np.ones(3))
        own = {"7": seven, "13": 0.05, "42": 0, "3": 0, "99": 0}
        for answer, w in zip(("42", "3", "99"), rest, strict=True):
            own[answer] = (0.95 - seven) * w
        text += f'[models.m{i}.cells]\n"*" = {{{table(own)}}}\n'
        text += f'[models.h{i}.cells]\n"*" = {{{table(moved(own))}}}\n'
    text += '[models.other.cells]\n"*" = {"7" = 0.05, "3" = 0.15, "8" = 0.8}\n'
    text += '[models.cached]\nbase = "h1"\ncache = 0.8\n'
    text += '[models.switching]\nbase = "m0"\ndrift = {to = "other", after = 96, over = 0}\n'
    path = tmp_path_factory.mktemp("hosts") / "models.toml"
    path.write_text(text, encoding="utf-8")
    return lambda name: f"simulated:{path},model={name}"


@pytest.fixture(scope="module")
def anchored(hosts, battery, tmp_path_factory):
    """The store of a study with one anchor."""
    return compare(
        hosts("m0"), hosts("h0"), anchors=[(hosts("m1"), hosts("h1"))],
        battery=battery, draws=2, seed=3, formats=[], store=tmp_path_factory.mktemp("one") / "s",
    ).store  # fmt: skip


@pytest.fixture
def study(hosts, battery, tmp_path):
    """``study("h0", [("m1", "h1")])`` compares m0 with a suspect."""

    def run(suspect, anchors=(), **options):
        return compare(
            hosts("m0"),
            hosts(suspect),
            anchors=[(hosts(a), hosts(b)) for a, b in anchors],
            **({"battery": battery, "seed": 3, "alpha": ALPHA, "formats": []} | options),
            store=tmp_path / "s",
        )

    return run


def codes(found):
    return [reason.code for reason in found.verdict.reasons]


def anchors_of(found):
    return next(f for f in found.findings if f.name == "anchors")


def test_without_anchors_a_host_effect_is_different_and_names_other_causes(study):
    found = study("h0")
    assert found.verdict.label == "different"
    assert found.verdict.null == "same_deployment"
    assert "engine, another precision or a system prompt" in found.verdict.reasons[0].text
    assert found.document.anchors == ()


def test_one_anchor_with_the_same_host_effect_takes_it_back(study, tmp_path):
    """Null of the anchor: the host effect is the same for both models. It is here."""
    found = study("h0", [("m1", "h1")])
    assert found.verdict.label == "inconclusive"
    assert codes(found) == ["rejects_same_deployment", "anchors_shift_alike"]
    finding = anchors_of(found)
    assert (finding.p_value, finding.exactness) == (None, "descriptive")
    assert finding.values["smallest_p"] == 0.5
    assert finding.values["p_difference_in_differences"] > ALPHA
    assert "hosts can be the cause" in found.verdict.reasons[1].text
    assert "p-value of α = 0.05 needs 19" in found.verdict.reasons[1].text
    (anchor,) = found.document.anchors
    assert anchor.used
    assert anchor.distance > 0
    assert verify(tmp_path / "s").ok


def test_another_model_stays_different_beside_the_same_anchor(study):
    found = study("other", [("m1", "h1")])
    assert found.verdict.label == "different"
    assert codes(found)[:2] == ["rejects_same_deployment", "beyond_anchors"]
    assert "cannot confirm one" in found.verdict.reasons[1].text


def test_anchors_that_the_hosts_leave_alone_do_not_excuse_the_suspect(study):
    """The suspect's host effect without that of the anchors: it is the suspect's own."""
    found = study("h0", [("m1", "m1,seed=11"), ("m2", "m2,seed=12")])
    assert found.verdict.label == "different"
    assert "beyond_anchors" in codes(found)


@pytest.fixture(scope="module")
def nineteen():
    return [(f"m{i}", f"h{i}") for i in range(1, 20)]


def test_nineteen_anchors_give_a_p_value_at_a_twentieth(study, nineteen):
    found = study("other", nineteen, draws=6)
    assert found.verdict.label == "different"
    finding = anchors_of(found)
    assert (finding.p_value, finding.exactness) == (1 / 20, "calibrated")
    assert finding.null == "host_effect"
    assert "rejects an effect of the hosts" in found.verdict.reasons[1].text
    usage = found.document.usage
    assert usage.by_side["anchors"]["requests"] == 19 * 2 * 48
    assert usage.requests == 20 * 2 * 48


def test_nineteen_anchors_take_a_shared_effect_back(study, nineteen):
    found = study("h0", nineteen, draws=7)
    assert found.verdict.label == "inconclusive"
    assert anchors_of(found).p_value > ALPHA
    assert "anchors_shift_alike" in codes(found)


def test_a_model_with_itself_gains_nothing_from_anchors(study):
    """Anchors never reject: without a rejection of same deployment they add no reason."""
    found = study("m0", [("m1", "h1")])
    assert found.verdict.label == "inconclusive"
    assert codes(found)[0] == "no_difference_found"
    assert not {"anchors_shift_alike", "beyond_anchors"} & set(codes(found))


def test_a_host_that_fails_its_anchors_gains_nothing(hosts, battery, tmp_path):
    """Two requests in three are refused: what is left is too little, and changes nothing."""

    class Failing(SimulatedProvider):
        async def draw(self, request):
            exchange = await super().draw(request)
            if request.draw % 3 == 0:
                return exchange
            failure = Failure(kind="server_error", message="no", status=500, retryable=False)
            return replace(exchange, outcome=failure, status=500)

    failing = Failing(Endpoint.parse(hosts("h1")), environment={})
    found = compare(
        hosts("m0"), hosts("other"), anchors=[(hosts("m1"), failing)],
        battery=battery, seed=3, alpha=ALPHA, formats=[], store=tmp_path / "s",
    )  # fmt: skip
    assert found.verdict.label == "different"
    assert codes(found) == ["rejects_same_deployment", "anchors_left_out"]
    (anchor,) = found.document.anchors
    assert (anchor.used, anchor.distance) == (False, None)
    assert "Too few of its answers" in anchor.why_not
    assert not [f for f in found.findings if f.name == "anchors"]


def test_an_anchor_behind_a_cache_is_left_out(study):
    found = study("other", [("m1", "cached"), ("m2", "h2")])
    assert [a.used for a in found.document.anchors] == [False, True]
    assert "repeat" in found.document.anchors[0].why_not
    assert anchors_of(found).values["anchors"] == 1


def test_hostile_answers_of_an_anchor_stay_text(hosts, battery, tmp_path):
    """Control characters, markup and a lone surrogate in an anchor reach no renderer raw."""

    class Hostile(SimulatedProvider):
        async def draw(self, request):
            exchange = await super().draw(request)
            text = "<script>\x1b[31m\ud800" + "A" * 5000 + str(request.draw % 3)
            outcome = exchange.outcome.model_copy(
                update={"text": text, "served_model": "x\x1b]0;owned\x07"}
            )
            return replace(exchange, outcome=outcome)

    hostile = Hostile(Endpoint.parse(hosts("h1")), environment={})
    found = compare(
        hosts("m0"), hosts("other"), anchors=[(hosts("m1"), hostile)],
        battery=battery, seed=1, alpha=ALPHA, formats=["md", "html", "pdf"], store=tmp_path / "s",
    )  # fmt: skip
    assert found.document.anchors[0].used
    for path in found.written.values():
        assert b"\x1b" not in path.read_bytes() or path.suffix == ".pdf"
        assert b"<script>\x1b" not in path.read_bytes()
    assert verify(tmp_path / "s").ok


def test_the_evidence_holds_the_anchors(study, tmp_path):
    found = study("h0", [("m1", "h1")])
    store = tmp_path / "s"
    assert analyse(store) == found.document
    transcript = store / "others" / "0-anchor" / "transcript.jsonl"
    before = transcript.read_bytes()
    transcript.write_bytes(before.replace(b'"text":"13"', b'"text":"42"', 1))
    broken = verify(store)
    assert not broken.ok
    assert broken.problems[0].startswith("others/0-anchor")
    transcript.write_bytes(before)
    assert verify(store).ok
    shutil.rmtree(store / "others")
    assert "is missing" in verify(store).problems[0]
    with pytest.raises(EvidenceError, match="store of an anchor"):
        analyse(store)


@pytest.mark.parametrize(
    "name", ["../../elsewhere", "0-anchor/../../x", "/etc", "..", "", "0-anchor\n", 7, None]
)
def test_a_folder_that_a_bundle_made_up_is_not_followed(anchored, tmp_path, name):
    """Events name the folders of anchors; a sealed bundle of somebody else may name any path."""
    store = tmp_path / "bundle"
    shutil.copytree(anchored, store)
    events = [json.loads(line) for line in (store / "events.jsonl").read_bytes().splitlines()]
    for event in events:
        if event["kind"] == "other":
            event["values"]["folder"] = name
    (store / "events.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))
    with Store.open(store, write=True) as opened:
        opened.seal()
    with pytest.raises(TamperedEvidence, match=r"expected the name of a folder in others/"):
        analyse(store)
    found = verify(store)
    assert not found.ok
    assert "expected the name of a folder" in found.problems[0]


@pytest.mark.parametrize("limit", [100, 250, 450])
def test_a_budget_holds_for_the_study_and_its_anchors_together(study, tmp_path, limit):
    """192 requests a pair, asked in turn: stopped anywhere, and gone on with from there."""
    anchors = [("m1", "h1"), ("m2", "h2")]
    with pytest.raises(BudgetExhausted, match=f"max-requests {limit}"):
        study("h0", anchors, max_requests=limit)
    lines = [p.read_bytes().splitlines() for p in (tmp_path / "s").rglob("transcript.jsonl")]
    assert sum(map(len, lines)) == limit
    resumed = study("h0", anchors)
    assert resumed.verdict.label == "inconclusive"
    assert [a.used for a in resumed.document.anchors] == [True, True]
    assert verify(tmp_path / "s").ok


def test_recorded_anchors(hosts, battery, tmp_path):
    sides = [
        # Two seeds: with one the two recordings would share their random numbers.
        sample(hosts(name), battery=battery, seed=seed, store=tmp_path / name)
        for name, seed in (("m1", 8), ("h1", 9))
    ]
    found = compare(
        hosts("m0"), hosts("h0"), anchors=[tuple(sides)],
        battery=battery, seed=3, alpha=ALPHA, formats=[], store=tmp_path / "s",
    )  # fmt: skip
    assert found.verdict.label == "inconclusive"
    assert found.document.anchors[0].used


@pytest.mark.parametrize(
    ("anchors", "message"),
    [
        ([("m1", "h0")], "is the suspect itself"),
        ([("m0", "h1")], "is the reference itself"),
        ([("h0", "m1")], "wrong way round"),
        ([("m1", "m1")], "one endpoint twice"),
        ([("m1", "h1"), ("m1", "h1")], "named twice"),
    ],
)
def test_what_is_no_anchor_is_refused(study, tmp_path, anchors, message):
    with pytest.raises(UsageError, match=message):
        study("h0", anchors)
    assert not (tmp_path / "s").exists()


def test_an_anchor_of_another_battery_is_refused(hosts, battery, tmp_path):
    other = [
        sample(hosts(name), battery="quick", draws=1, seed=8, store=tmp_path / name)
        for name in ("m1", "h1")
    ]
    with pytest.raises(ReferenceStale, match="another battery"):
        compare(hosts("m0"), hosts("h0"), anchors=[tuple(other)], battery=battery, formats=[])


def test_an_anchor_on_another_host_is_refused(battery):
    def at(host, model):
        return f"compatible:{model}@http://{host}/v1"

    with pytest.raises(UsageError, match=r"asks b\.test where the study asks c\.test"):
        compare(
            at("a.test", "m"), at("c.test", "m"), battery=battery, formats=[],
            anchors=[(at("a.test", "n"), at("b.test", "n"))],
        )  # fmt: skip


def test_a_router_that_switches_is_reported_with_when(study):
    """From slot 96 of 192 on the suspect is another model: exploratory, beside the verdict."""
    found = study("switching")
    finding = next(f for f in found.findings if f.name == "switch/suspect")
    assert finding.exploratory
    assert finding.p_value <= 0.01
    assert finding.values["after"] == pytest.approx(0.5, abs=0.1)
    assert "changed_during_study" in codes(found)
    calm = next(f for f in found.findings if f.name == "switch/reference")
    assert calm.p_value > 0.01
    text = next(r.text for r in found.verdict.reasons if r.code == "changed_during_study")
    assert "UTC" in text
    assert "exploratory" in text


def test_a_cache_is_not_taken_for_a_switch(study):
    """Repeats remain on either side of every moment: no moment is named."""
    for seed in range(4):
        assert "changed_during_study" not in codes(study("cached", seed=seed, new=True))


def test_the_document_is_what_the_schema_says(study):
    found = study("h0", [("m1", "h1")])
    content = json.loads(found.document.model_dump_json())
    assert StudyDocument.model_validate(content) == found.document
