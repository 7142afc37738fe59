"""Scores under the reference's own weights: recorded once, analysed from the store."""

import json
import math

import pytest

from provenance import Endpoint, Settings, analyse, compare, verify
from provenance.errors import UsageError
from provenance.evidence.store import Store
from provenance.providers.simulated import SimulatedProvider

# What the reference's weights make of each answer: log p + H of its own distribution.
SHARES = {"7": 0.5, "42": 0.3, "13": 0.2}
ENTROPY = -sum(p * math.log(p) for p in SHARES.values())
MODELS = """
[models.reference.cells]
"*" = {"7" = 0.5, "42" = 0.3, "13" = 0.2}
[models.sharper.cells]
"*" = {"7" = 0.85, "42" = 0.1, "13" = 0.05}
[models.flatter.cells]
"*" = {"7" = 0.1, "42" = 0.3, "13" = 0.6}
"""


class Scoring(SimulatedProvider):
    """A simulated model that can say what it makes of a text; None of what it never says."""

    fingerprint = "weights"

    def __init__(self, endpoint):
        super().__init__(endpoint, environment={})
        self.asked = []

    async def score(self, messages, texts):
        self.asked.append((messages, tuple(texts)))
        return [(math.log(SHARES[t]) + ENTROPY, 1) if t in SHARES else (None, 0) for t in texts]


@pytest.fixture
def sides(tmp_path, number_battery):
    (tmp_path / "models.toml").write_text(MODELS, encoding="utf-8")
    number_battery(tmp_path / "b.toml", ["numbers"] * 4, 16)
    return lambda name: Endpoint.parse(f"simulated:{tmp_path / 'models.toml'},model={name}")


@pytest.fixture
def study(sides, tmp_path):
    def run(name, reference=None, **options):
        options = {"seed": 5, "formats": [], "store": tmp_path / name} | options
        battery = str(tmp_path / "b.toml")
        return compare(
            reference or Scoring(sides("reference")), sides(name), battery=battery, **options
        )

    return run


def _found(done, name):
    return next((f for f in done.findings if f.name == name), None)


@pytest.mark.parametrize(("name", "sign"), [("sharper", 1), ("flatter", -1)])
def test_the_direction_is_named_and_the_kernel_runs(study, name, sign):
    done = study(name)
    found = _found(done, "likelihood")
    assert found.values["reading"] == name
    assert found.effect * sign > 0
    assert found.exploratory
    assert found.p_adjusted is None
    assert "likelihood" in _found(done, "equality/numbers").values["kernels_exploratory"]
    assert any("hint and no test" in limit for limit in done.document.limits)


def test_equal_sides_have_no_direction(study):
    found = _found(study("reference"), "likelihood")
    assert found.values["reading"] == "none"
    # Means over tokens of a score whose expectation is 0.
    for side in ("reference", "suspect"):
        assert abs(found.values[side]["mean"]) < 0.4


def test_the_analysis_needs_the_store_alone(study, tmp_path):
    done = study("sharper")
    assert verify(done.store).ok
    assert analyse(done.store) == done.document
    with Store.open(done.store) as store:
        events = [e["values"] for e in store.notes() if e["kind"] == "likelihood"]
    assert len(events) == 4
    assert {e["weights"] for e in events} == {"weights"}
    assert sum(len(e["scores"]) for e in events) == 4 * 16 * 2
    # A score that was changed afterwards is found by its digest.
    file = done.store / "events.jsonl"
    text = file.read_text(encoding="utf-8")
    value = json.dumps(events[0]["scores"][0][1])
    assert value in text
    file.write_text(text.replace(value, "9.5", 1), encoding="utf-8")
    assert not verify(done.store).ok


def test_both_sides_texts_are_scored_alike_and_equal_texts_once(study, sides):
    reference = Scoring(sides("reference"))
    study("flatter", reference)
    assert len(reference.asked) == 4
    for messages, texts in reference.asked:
        assert messages[0].content.startswith("Name a number")
        assert sorted(texts) == ["13", "42", "7"]


def test_a_cell_with_a_text_that_cannot_be_scored_is_left_out(study, sides, monkeypatch):
    monkeypatch.delitem(SHARES, "13")
    done = study("flatter", Scoring(sides("reference")))
    assert _found(done, "likelihood") is None
    assert "likelihood" not in _found(done, "equality/numbers").method


def test_it_is_on_where_weights_are_here_and_can_be_turned_off(study, sides, tmp_path):
    off = study("sharper", likelihood=False, store=tmp_path / "off")
    assert _found(off, "likelihood") is None
    plain = study("sharper", sides("reference"), store=tmp_path / "plain")
    assert _found(plain, "likelihood") is None
    with pytest.raises(UsageError, match="transformers:PATH"):
        study("sharper", sides("reference"), store=tmp_path / "on", likelihood=True)
    assert "likelihood" not in Settings(likelihood=True).analysis()


def test_a_study_that_was_interrupted_scores_what_is_left(study, sides):
    class Breaking(Scoring):
        async def score(self, messages, texts):
            if len(self.asked) == 2:
                raise KeyboardInterrupt
            return await super().score(messages, texts)

    with pytest.raises(KeyboardInterrupt):
        study("sharper", Breaking(sides("reference")))
    again = Scoring(sides("reference"))
    done = study("sharper", again)
    assert len(again.asked) == 2
    assert _found(done, "likelihood").values["cells"] == 4


def test_an_anchor_needs_no_weights_and_is_not_scored(sides, tmp_path):
    from provenance.sampling.prepare import prepare

    settings = Settings(battery=str(tmp_path / "b.toml"), likelihood=True)
    for question, scored in (("anchor", False), ("compare", True)):
        pair = {"reference": Scoring(sides("reference")), "suspect": sides("reference")}
        made = prepare(pair, settings, environment={}, question=question)
        assert made.likelihood is scored
    pair["reference"] = sides("flatter")
    assert not prepare(pair, settings, environment={}, question="anchor").likelihood


@pytest.mark.local
@pytest.mark.slow
@pytest.mark.xdist_group("local")
def test_a_lower_temperature_of_a_real_model_reads_as_sharper(tmp_path, smollm2_path):
    """Null: one deployment; unit: a pair of answers in its block; exact over swaps of ten pairs.

    Estimand: log p + H under the reference's weights, about 0 for its own draws and 1.1 nats a
    token above at temperature 0.4: six seeds out of six read "sharper". It breaks if texts are
    scored at another temperature than 1, or beside another prompt than they answered.
    """
    pytest.importorskip("torch")
    base = f"transformers:{smollm2_path},dtype=float32"
    probes = "".join(
        f"""
[[probe]]
id = "open-{i}"
family = "open"
version = 1
messages = [{{role = "user", content = "{text}"}}]
max_visible_tokens = 8
draws = 5
rationale = "For tests."
source = "none"
"""
        for i, text in enumerate(("Describe a lake.", "Why do cats purr?"))
    )
    (tmp_path / "b.toml").write_text(f'name = "open"\n{probes}', encoding="utf-8")
    done = compare(
        base,
        f"{base},temperature=0.4",
        battery=str(tmp_path / "b.toml"),
        seed=7,
        formats=[],
        store=tmp_path / "s",
    )
    found = _found(done, "likelihood")
    assert found.values["reading"] == "sharper"
    assert abs(found.values["reference"]["mean"]) < abs(found.values["suspect"]["mean"])
    assert verify(done.store).ok
