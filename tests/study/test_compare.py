import asyncio
import json
import time

import pytest

from provenance import Endpoint, Study, acompare, compare, sample
from provenance.errors import BudgetExhausted, ReferenceStale, StoreFinished, UsageError
from provenance.providers.simulated import SimulatedProvider


def test_a_model_with_itself_is_not_different(endpoint, tmp_path):
    study = compare(endpoint("a"), endpoint("same"), seed=1, formats=[], store=tmp_path / "s")
    assert study.verdict.label == "inconclusive"
    assert study.verdict.reasons[0].code == "no_difference_found"
    assert study.document.coverage.used == study.document.coverage.planned


@pytest.mark.parametrize("suspect", ["other", "mixed"])
def test_another_model_and_a_dilution_are_different(endpoint, tmp_path, suspect):
    study = compare(endpoint("a"), endpoint(suspect), seed=1, formats=[], store=tmp_path / "s")
    assert study.verdict.label == "different"
    assert study.verdict.null == "same_deployment"
    assert study.verdict.reasons[0].code == "rejects_same_deployment"
    assert study.verdict.reasons[0].text
    assert min(f.p_adjusted for f in study.findings if f.p_adjusted) <= 0.01


def test_a_quick_study_takes_under_five_seconds(endpoint, tmp_path):
    compare(endpoint("a"), endpoint("a"), seed=1, formats=[], store=tmp_path / "warm")
    began = time.process_time()
    compare(endpoint("a"), endpoint("other"), seed=1, formats=[], store=tmp_path / "s")
    assert time.process_time() - began < 5


def test_same_seed_same_numbers_whatever_the_concurrency(endpoint, tmp_path):
    documents = []
    for number, concurrency in enumerate([1, 64]):
        study = compare(
            endpoint("a"),
            endpoint("mixed"),
            seed=5,
            concurrency=concurrency,
            formats=[],
            store=tmp_path / str(number),
        )
        documents.append(study.document)
    one, two = documents
    assert one.findings == two.findings
    assert one.cells == two.cells
    assert one.verdict == two.verdict


def test_it_works_inside_a_running_loop(endpoint, tmp_path):
    async def both():
        inside = compare(endpoint("a"), endpoint("a"), formats=[], store=tmp_path / "x")
        awaited = await acompare(endpoint("a"), endpoint("a"), formats=[], store=tmp_path / "y")
        return inside, awaited

    inside, awaited = asyncio.run(both())
    assert isinstance(inside, Study)
    assert isinstance(awaited, Study)


def test_a_constant_cell_is_no_evidence(endpoint, tmp_path):
    study = compare(
        endpoint("constant"), endpoint("constant"), formats=[], store=tmp_path / "s", seed=2
    )
    assert study.verdict.label == "inconclusive"
    assert all(f.p_value == 1 for f in study.findings if f.p_value is not None)


def test_a_cache_raises_a_diagnostic_and_no_verdict(endpoint, tmp_path):
    labels = set()
    for seed in range(3):
        study = compare(
            endpoint("a"), endpoint("cached"), seed=seed, formats=[], store=tmp_path / str(seed)
        )
        labels.add(study.verdict.label)
        assert "serial_dependence" in [r.code for r in study.verdict.reasons]
    assert labels == {"inconclusive"}


def test_frames(endpoint, tmp_path):
    study = compare(endpoint("a"), endpoint("mixed"), seed=3, formats=[], store=tmp_path / "s")
    cells, findings, answers = map(study.frame, ["cells", "findings", "completions"])
    assert cells["count"].sum() == study.document.coverage.used == len(answers)
    assert set(answers["role"]) == {"reference", "suspect"}
    assert "p_value" in findings
    with pytest.raises(UsageError, match="cells, findings or completions"):
        study.frame("nonsense")


def test_dossiers_are_written_where_asked(endpoint, tmp_path):
    study = compare(
        endpoint("a"),
        endpoint("mixed"),
        formats=["md", "json"],
        store=tmp_path / "s",
        out=tmp_path / "out",
    )
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"dossier.md", "study.json"}
    assert json.loads((tmp_path / "out" / "study.json").read_text())["schema_version"] == 1
    assert study.write(tmp_path / "x.md").read_text() == study.written["md"].read_text()


def test_the_library_starts_another_run_and_counts_the_earlier_ones(
    endpoint, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    one = compare(endpoint("a"), endpoint("same"), formats=[])
    two = compare(endpoint("a"), endpoint("same"), formats=[])
    assert one.store != two.store
    assert [one.document.evidence.earlier_runs, two.document.evidence.earlier_runs] == [0, 1]
    with pytest.raises(StoreFinished, match="--new"):
        compare(endpoint("a"), endpoint("same"), formats=[], new=False)


def test_a_new_run_in_a_folder_of_ones_own_keeps_the_earlier_one(endpoint, tmp_path):
    store = tmp_path / "mine"
    options = {"formats": [], "store": store, "new": True}
    first = compare(endpoint("a"), endpoint("same"), seed=1, **options)
    second = compare(endpoint("a"), endpoint("same"), seed=2, **options)
    assert (store / "earlier-1" / "study.json").is_file()
    assert second.document.evidence.earlier_runs == 1
    assert second.document.seed == 2
    assert first.document.seed == 1


def test_the_budget_stops_hard_and_resumes(endpoint, tmp_path):
    store = tmp_path / "s"
    with pytest.raises(BudgetExhausted, match="--max-requests 50"):
        compare(endpoint("a"), endpoint("mixed"), seed=9, store=store, formats=[], max_requests=50)
    assert len((store / "transcript.jsonl").read_bytes().splitlines()) == 50
    resumed = compare(endpoint("a"), endpoint("mixed"), seed=1, store=store, formats=[])
    whole = compare(endpoint("a"), endpoint("mixed"), seed=9, store=tmp_path / "t", formats=[])
    assert resumed.document.seed == 9
    assert resumed.document.findings == whole.document.findings


def test_another_study_does_not_resume_in_this_store(endpoint, tmp_path):
    with pytest.raises(BudgetExhausted):
        compare(endpoint("a"), endpoint("same"), store=tmp_path / "s", max_requests=5)
    with pytest.raises(UsageError, match="another --store"):
        compare(endpoint("a"), endpoint("other"), store=tmp_path / "s")


def test_an_unknown_option_is_named(endpoint):
    with pytest.raises(UsageError, match="unknown setting 'drwas'"):
        compare(endpoint("a"), endpoint("a"), drwas=3)


@pytest.fixture
def recorded(endpoint, tmp_path):
    """A store that holds one side only."""
    return sample(endpoint("a"), seed=4, store=tmp_path / "reference")


def test_a_fresh_store_can_be_the_reference(recorded, endpoint, tmp_path):
    study = compare(recorded, endpoint("other"), formats=[], store=tmp_path / "s", seed=1)
    assert study.verdict.label == "different"
    assert study.findings[0].null == "reference_as_recorded"
    assert any("reference is a recording" in text for text in study.document.limits)
    same = compare(f"replay:{recorded}", endpoint("same"), formats=[], store=tmp_path / "t")
    assert same.document.coverage.used == same.document.coverage.planned


def test_a_stored_reference_grows_old(recorded, endpoint, tmp_path):
    with pytest.raises(ReferenceStale, match="--max-age 1e-09"):
        compare(recorded, endpoint("a"), store=tmp_path / "s", max_age=1e-9)


def test_a_stored_reference_that_was_asked_other_questions_is_refused(recorded, endpoint, tmp_path):
    battery = tmp_path / "mine.toml"
    battery.write_text('[[include]]\nfamily = "one_token"\nprobes = ["coin-en", "letter-en"]\n')
    with pytest.raises(ReferenceStale, match="another battery"):
        compare(recorded, endpoint("a"), battery=str(battery), store=tmp_path / "s")


def test_a_provider_of_ones_own(endpoint, tmp_path):
    class Mine(SimulatedProvider):
        asked = 0

        async def draw(self, request):
            Mine.asked += 1
            return await super().draw(request)

    mine = Mine(Endpoint.parse(endpoint("a")), environment={})
    study = compare(endpoint("a"), mine, formats=[], store=tmp_path / "s")
    assert Mine.asked == study.document.coverage.suspect == 120
