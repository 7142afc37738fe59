import tomllib

import pytest

from provenance import Battery, resources
from provenance.battery import families, load_family
from provenance.library.panel import Panel
from provenance.library.probe_checks import check, check_probes, masked

ALL = [probe for family in families() for probe in load_family(family)]


def test_no_two_probes_are_alike_once_digits_and_names_are_masked():
    assert check_probes(ALL) == []
    assert len({p.id for p in ALL}) == len(ALL)


def test_the_check_can_fail():
    one = ALL[0]
    twin = one.model_copy(update={"id": "twin"})
    broken = one.model_copy(update={"id": "b", "reading": "nonsense", "rationale": "TODO"})
    found = {(p.where, p.message.split(" ")[0]) for p in check_probes([one, twin, broken])}
    assert {("twin", "asks"), ("b", "unknown"), ("b", "the")} <= found


def test_names_and_digits_are_masked():
    probe = ALL[0]
    ask = lambda text: probe.model_copy(  # noqa: E731
        update={"messages": (probe.messages[0].model_copy(update={"content": text}),)}
    )
    assert masked(ask("What would Alice do at 7?")) == masked(ask("What would Bob do at 19?"))
    assert masked(ask("Name a colour.")) != masked(ask("Name a fruit."))


@pytest.mark.parametrize("name", Battery.shipped())
def test_every_shipped_battery_loads_and_passes_its_check(name):
    assert Battery.load(name).probes
    assert check(name) == []


def test_quick_is_quick():
    battery = Battery.load("quick")
    draws = [cell.draws for cell in battery.cells]
    short = [c.draws for c in battery.cells if c.max_visible_tokens <= 8]
    assert sum(draws) <= 120
    assert sum(short) > 0.8 * sum(draws)
    assert len({p.language for p in battery.probes}) >= 4


def test_the_panel_of_quick_was_measured_on_its_wording():
    panel = Panel.load("quick")
    battery = Battery.load("quick")
    assert panel.battery_digest == battery.digest
    cells = {cell.id for cell in battery.cells}
    assert all(set(member.cells) <= cells for member in panel.members)
    assert all(member.source and member.licence for member in panel.members)


def test_a_digest_names_what_is_sent_and_read():
    battery = Battery.load("quick")
    first, *rest = battery.probes
    assert battery.with_draws(3).digest == battery.digest
    words = first.messages[0].model_copy(update={"content": "Another question?"})
    for change, same in (
        ({"rationale": "another rationale, long enough"}, True),
        ({"messages": (words,)}, False),
        ({"reading": "number"}, False),
        ({"max_visible_tokens": 9}, False),
        ({"decoding": {"temperature": 0}}, False),
    ):
        changed = Battery(name="x", probes=(first.model_copy(update=change), *rest))
        assert (changed.digest == battery.digest) is same


@pytest.mark.parametrize("path", sorted(resources.configs().rglob("*.toml")), ids=lambda p: p.name)
def test_every_shipped_config_is_toml(path):
    assert tomllib.loads(path.read_text(encoding="utf-8"))
