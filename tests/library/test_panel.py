import json

import pytest

from provenance.battery import Battery
from provenance.errors import SettingsError
from provenance.library.panel import Member, Panel
from provenance.library.sensitivity import planned_sensitivity

CELLS = Battery.load("quick").cells[:6]


def member(name, table, **more):
    cells = {c.id: dict(table) for c in CELLS}
    return Member(name=name, source="made", licence="none", cells=cells, **more)


PANEL = Panel(
    name="made",
    measured_utc="2026-01-01T00:00:00+00:00",
    members=(
        member("usual", {"7": 50, "42": 30, "13": 20}),
        member("same", {"7": 50, "42": 30, "13": 20}, derivative=True),
        member("near", {"7": 40, "42": 35, "13": 25}, derivative=True),
        member("far", {"3": 90, "99": 10}, derivative=True),
    ),
)


def detectable(draws):
    found = planned_sensitivity(CELLS, [draws] * 6, [draws] * 6, alpha=0.01, panel=PANEL)
    return {s.alternative: s.minimum_detectable for s in found}


def test_more_draws_see_smaller_shares():
    few, many = detectable(8), detectable(40)
    assert many["far"] < few["far"] < 1


def test_what_answers_alike_is_not_seen():
    assert detectable(40)["same"] is None
    assert detectable(8)["near"] is None


def test_the_same_seed_gives_the_same_figures():
    assert detectable(10) == detectable(10)


def test_the_shipped_panel_holds_the_figures_of_its_battery_at_its_own_draws():
    battery, panel = Battery.load("quick"), Panel.load("quick")
    draws = [c.draws for c in battery.cells]
    shipped = planned_sensitivity(battery.cells, draws, draws, alpha=0.01, panel=panel)
    bare = panel.model_copy(update={"planned": {}})
    assert panel.planned
    assert shipped == planned_sensitivity(battery.cells, draws, draws, alpha=0.01, panel=bare)


def test_cells_that_no_member_knows_give_no_figure():
    other = [c.model_copy(update={"id": f"x{i}"}) for i, c in enumerate(CELLS)]
    assert planned_sensitivity(other, [9] * 6, [9] * 6, alpha=0.01, panel=PANEL) == ()


def test_a_panel_is_found_by_name_or_file(tmp_path):
    path = tmp_path / "p.json"
    path.write_text(json.dumps(PANEL.model_dump(mode="json")))
    assert Panel.load(path) == PANEL
    assert Panel.load("quick").members
    assert "quick" in Panel.shipped()


@pytest.mark.parametrize(
    ("content", "says"), [(None, "no panel"), ("{", "not JSON"), ('{"name": "x"}', "members")]
)
def test_a_panel_that_cannot_be_used_is_named(tmp_path, content, says):
    path = tmp_path / "p.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingsError, match=says):
        Panel.load(path)


def test_a_file_of_brackets_is_no_panel(tmp_path):
    path = tmp_path / "deep.json"
    path.write_text("[" * 200_000)
    with pytest.raises(SettingsError, match="is not JSON"):
        Panel.load(path)
