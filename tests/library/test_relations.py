"""Labels of models: what a file may say, and what follows from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.errors import SettingsError
from provenance.library.relations import LABELS, Link, Relation, Relations

FILE = """
format = 1
name = "ours"

[models.base-chat]
family = "chat"
unit = "Base"
maker = "Base Inc"
base = "base-7b"
teachers = []
released = 2024-04-18
certainty = "sure"

[models.student]
family = "student"
parent = "base-chat"
teachers = ["teacher"]
certainty = {parent = "sure", teachers = "likely"}

[models.hosted]
same_weights_as = "student"
kind = "served"

[models."hosted@2"]
released = 2025-01-01

[models.cousin]
base = "base-7b"
unit = "Base"
certainty = "unknown"
"""


@pytest.fixture
def relations(tmp_path):
    path = tmp_path / "models.toml"
    path.write_text(FILE, encoding="utf-8")
    return Relations.load(path)


def test_units_and_families_follow_weights_and_parents(relations):
    assert {relations.unit_of(m) for m in ("student", "hosted", "hosted@2", "cousin")} == {"Base"}
    assert relations.family_of("hosted@2") == "student"
    assert relations.family_of("cousin") == "Base"
    assert relations.unit_of("stranger") == "model:stranger"
    assert relations.unit_of("stranger@7") == "model:stranger@7"


def test_a_version_says_only_what_differs(relations):
    assert relations.of("hosted", "2").same_weights_as == "student"
    assert relations.of("hosted", "3").released is None
    assert relations.of("stranger") is None


@pytest.mark.parametrize(
    ("model", "other", "axis", "holds", "certainty"),
    [
        ("hosted", "student", "same_weights", True, "likely"),
        ("student", "base-chat", "derived", True, "sure"),
        ("hosted", "base-chat", "derived", True, "likely"),
        ("base-chat", "student", "derived", False, "likely"),
        ("hosted", "student", "derived", False, "likely"),
        ("teacher", "student", "derived", None, "unknown"),
        ("cousin", "student", "common_base", True, "unknown"),
        ("teacher", "student", "common_base", None, "unknown"),
        ("hosted", "teacher", "trained_on_outputs", True, "likely"),
        ("base-chat", "teacher", "trained_on_outputs", False, "sure"),
        ("cousin", "teacher", "trained_on_outputs", None, "unknown"),
    ],
)
def test_links(relations, model, other, axis, holds, certainty):
    found = relations.link(model, other, axis)
    assert found.holds is holds
    if model != "hosted" or axis == "same_weights":
        assert found == Link(holds, certainty)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[models.a]\nfamly = 'x'", r"models\.a\.famly"),
        ("[models.a]\ncertainty = 'maybe'", "certainty"),
        ("[models.a]\ncertainty = {colour = 'sure'}", "no label 'colour'"),
        ("[models.a]\nparent = 'a'", "names the model itself"),
        ("[models.a]\nteachers = ['a']", "not its own teacher"),
        ("[models.a]\nteachers = ['b', 'b']", "named twice"),
        ("[models.a]\nkind = 'served'", "needs same_weights_as"),
        ("[models.a]\nkind = 'robot'", "kind"),
        ("[models.a]\nreleased = 'soon'", "released"),
        ("[models.a]\nparent = 'b'\n[models.b]\nparent = 'a'", "a circle of parents"),
        (
            "[models.a]\nunit = 'x'\nparent = 'b'\n[models.b]\nunit = 'y'",
            "belong to one unit",
        ),
        ("format = 2", "format"),
        ("[models.a", "not TOML"),
    ],
)
def test_mistakes_name_the_model_and_the_key(tmp_path, content, says):
    path = tmp_path / "models.toml"
    path.write_text(content)
    with pytest.raises(SettingsError, match=says):
        Relations.load(path)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(SettingsError, match="cannot read the relations"):
        Relations.load(tmp_path / "none.toml")


def test_a_csv_says_the_same(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text(
        "model,family,unit,teachers,released,certainty\n"
        '"a, b",f,u,t1; t2,2024-01-02,sure\n'
        "c,,u,none,,\n"
    )
    found = Relations.load(path)
    assert found.models["a, b"].teachers == ("t1", "t2")
    assert found.models["a, b"].certain("teachers") == "sure"
    assert found.models["c"].teachers == ()
    assert found.models["c"].family is None


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("model,famly\na,b\n", "found famly"),
        ("family\na\n", "no column model"),
        ("model\na\na\n", "a is there twice"),
        ("model,unit\na,b,c\n", "more fields"),
    ],
)
def test_a_csv_with_mistakes_is_refused(tmp_path, content, says):
    path = tmp_path / "m.csv"
    path.write_text(content)
    with pytest.raises(SettingsError, match=says):
        Relations.load(path)


names = st.text(min_size=1, max_size=12).filter(lambda t: t.strip())


@given(
    st.dictionaries(
        names,
        st.builds(
            Relation,
            family=st.none() | names,
            unit=st.none() | names,
            released=st.none() | st.dates(),
            teachers=st.none() | st.lists(names.map(lambda t: "§" + t), unique=True).map(tuple),
            note=st.text(max_size=20),
            certainty=st.dictionaries(
                st.sampled_from(LABELS), st.sampled_from(["sure", "likely", "unknown"])
            ),
        ),
        max_size=4,
    )
)
def test_what_is_written_is_read_back(models):
    import tomllib

    made = Relations(models=models, name="n")
    assert Relations.model_validate(tomllib.loads(made.to_toml())) == made
