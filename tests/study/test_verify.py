import json

import pytest

from provenance import compare, verification, verify
from provenance.errors import EvidenceError
from provenance.evidence.chain import chain_start, write_line
from provenance.evidence.files import digests
from provenance.evidence.store import Store
from provenance.sampling.plan import RULES


@pytest.fixture
def study(endpoint, tmp_path):
    return compare(endpoint("a"), endpoint("other"), seed=1, formats=["md"], store=tmp_path / "s")


def test_a_verdict_is_recomputed_from_the_records(study):
    found = verify(study.store)
    assert found.ok
    assert found.recomputed
    assert found.verdict_label == "different"
    assert found.root == study.document.evidence.root
    assert "does not show that an endpoint sent" in found.statement


def test_a_changed_answer_is_named_though_the_chain_was_made_anew(study):
    path = study.store / "transcript.jsonl"
    records = [json.loads(line)["record"] for line in path.read_bytes().splitlines()]
    records[17]["completion"]["text"] = "changed"
    previous, lines = chain_start(digests(study.store)), []
    for record in records:
        line, previous = write_line(previous, record)
        lines.append(line)
    path.write_bytes(b"".join(lines))
    found = verify(study.store)
    assert not found.ok
    assert found.first_record == 17
    assert not found.recomputed


def test_a_verdict_that_does_not_follow_is_caught_though_the_seal_was_made_anew(study):
    document = json.loads((study.store / "study.json").read_bytes())
    document["verdict"]["label"] = "inconclusive"
    with Store.open(study.store, write=True) as store:
        store.write_study(json.dumps(document).encode())
        store.seal()
    found = verify(study.store)
    assert found.problems == ("study.json: 'verdict' is not what the evidence gives",)


def test_the_last_digits_of_another_machine_are_no_change(study):
    """Six digits count, and eight places of a small p-value, which a change of a tenth moves."""
    document = json.loads((study.store / "study.json").read_bytes())
    p = document["findings"][0]["p_value"]
    for value, ok in ((p * (1 + 4e-7), True), (p * 1.1, False)):
        document["findings"][0]["p_value"] = value
        with Store.open(study.store, write=True) as store:
            store.write_study(json.dumps(document).encode())
            store.seal()
        assert verify(study.store).ok == ok


def test_a_p_value_that_does_not_follow_is_caught(study):
    document = json.loads((study.store / "study.json").read_bytes())
    document["findings"][0]["p_value"] *= 1.001
    with Store.open(study.store, write=True) as store:
        store.write_study(json.dumps(document).encode())
        store.seal()
    assert verify(study.store).problems == (
        "study.json: 'findings' is not what the evidence gives",
    )


def test_what_is_no_finished_store_is_said(tmp_path, endpoint):
    with pytest.raises(EvidenceError, match="is no store"):
        verify(tmp_path)


def test_another_version_is_named_where_the_analysis_differs(study, monkeypatch):
    document = json.loads((study.store / "study.json").read_bytes())
    document["findings"][0]["p_value"] *= 1.5
    document["tool_version"] = "0.0.1"
    with Store.open(study.store, write=True) as store:
        store.write_study(json.dumps(document).encode())
        store.seal()
    found = verify(study.store)
    assert not found.ok
    assert "pip install llm-provenance==0.0.1" in found.statement


@pytest.mark.parametrize("name", ["version", "readings"])
def test_other_rules_are_named_where_the_analysis_differs(study, monkeypatch, name):
    """The same package version before and after its tests changed: the plan tells them apart."""
    monkeypatch.setitem(verification.RULES, name, RULES[name] + 1)
    untouched = verify(study.store)
    assert untouched.ok
    assert "was planned with" not in untouched.statement
    document = json.loads((study.store / "study.json").read_bytes())
    document["findings"][0]["p_value"] *= 1.5
    with Store.open(study.store, write=True) as store:
        store.write_study(json.dumps(document).encode())
        store.seal()
    found = verify(study.store)
    assert not found.ok
    assert f"of version {RULES[name] - 1} (here {RULES[name]})" in found.statement
