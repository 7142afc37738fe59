"""The converter from a corpus's table of models to a relations file."""

import importlib.util
from pathlib import Path

import pytest

HEAD = (
    "corpus,model,kind,vendor,family,supergroup,base_model,size,parent_checkpoint,"
    "trained_on_outputs_of,notes,confidence,temperature\n"
)
ROWS = """one,base-chat,model,Lab,chat,Base-3,base-3-8b,8B,,,,sure,
one,base-chat_short,prompt_variant,Lab,chat,Base-3,base-3-8b,8B,base-chat,,short answers,sure,
one,student,model,?,student,Base-3,base-3-8b,8B,base-chat,big;unknown mix,"a, b",likely,0.7
one,human,model,Uni,human,Base-3,base-3-8b,8B,,none (human),,sure,
one,big,model,Other,big,Other,big?,?,,,API,sure,
two,base-chat,model,Lab,,Lab,,,,,,sure,
two,base-2,model,Lab,,Lab,,,,,,sure,
"""


@pytest.fixture(scope="module")
def benchmark():
    path = Path(__file__).parents[2] / "benchmarks" / "relations.py"
    specification = importlib.util.spec_from_file_location("corpus_labels", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "models.csv"
    path.write_text(HEAD + ROWS)
    return path


def test_labels_are_taken_over_and_guesses_are_not(benchmark, table):
    found = benchmark.convert(table, ["one"])
    assert found.models["base-chat_short"].same_weights_as == "base-chat"
    assert found.models["student"].parent == "base-chat"
    assert found.models["student"].teachers == ("big",)
    assert found.models["student"].maker is None
    assert found.models["student"].certain("parent") == "likely"
    assert found.models["human"].teachers == ()
    assert found.models["big"].teachers is None
    assert found.models["big"].base is None
    assert found.link("student", "big", "trained_on_outputs").holds


def test_one_group_under_two_names_is_one_unit(benchmark, table):
    alone = benchmark.convert(table, ["one"])
    assert {alone.unit_of(m) for m in alone.models} == {"Base-3", "Other"}
    both = benchmark.convert(table)
    assert {both.unit_of(m) for m in ("base-chat", "base-2", "student")} == {"Base-3"}
    assert both.models["base-chat"].family == "chat"


def test_what_is_written_is_read(benchmark, table, tmp_path):
    from provenance.library.relations import Relations

    made = benchmark.convert(table)
    (tmp_path / "m.toml").write_text(made.to_toml(), encoding="utf-8")
    assert Relations.load(tmp_path / "m.toml") == made
