import pytest

from provenance.battery import Battery, load_family
from provenance.errors import BatteryError

PROBE = """
[[probe]]
id = "{id}"
family = "mine"
version = 1
messages = [{{role = "user", content = "Say something."}}]
max_visible_tokens = 8
draws = 3
reading = "word"
rationale = "To be seen in a test."
source = "here"
"""


def write(tmp_path, text):
    path = tmp_path / "b.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_of_ones_own_may_hold_probes_and_name_shipped_ones(tmp_path):
    include = '[[include]]\nfamily = "one_token"\nprobes = ["coin-en"]\ndraws = 4\n'
    battery = Battery.load(write(tmp_path, include + PROBE.format(id="mine-1")))
    assert battery.name == "b"
    assert [(c.id, c.draws) for c in battery.cells] == [("coin-en", 4), ("mine-1", 3)]


def test_probes_of_one_family_can_be_tested_apart(tmp_path):
    often = '[[include]]\nfamily = "one_token"\nprobes = ["letter-en"]\ndraws = 30\n'
    seldom = '[[include]]\nfamily = "one_token"\nprobes = ["coin-en"]\ntested_as = "wide"\n'
    battery = Battery.load(write(tmp_path, often + seldom))
    assert [(c.id, c.family) for c in battery.cells] == [
        ("letter-en", "one_token"),
        ("coin-en", "wide"),
    ]
    rest = '[[include]]\nfamily = "one_token"\nprobes = "rest"\ntested_as = "others"\n'
    whole = Battery.load(write(tmp_path, often + seldom + rest))
    assert len(whole.probes) == len(load_family("one_token"))
    assert {p.family for p in whole.probes} == {"one_token", "wide", "others"}
    with pytest.raises(BatteryError, match=r"include\.0\.tested_as"):
        Battery.load(write(tmp_path, seldom.replace("wide", "Two words")))


def test_a_condition_is_a_cell_of_its_own(tmp_path):
    condition = '\n[[probe.conditions]]\nid = "pirate"\nsystem = "Talk like a pirate."\n'
    plain, pirate = Battery.load(write(tmp_path, PROBE.format(id="p") + condition)).cells
    assert (plain.id, pirate.id) == ("p", "p/pirate")
    assert [m.role for m in pirate.messages] == ["system", "user"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no probe"),
        ("x = = 1", "not TOML"),
        (PROBE.format(id="a") * 2, "two probes share the id 'a'"),
        (PROBE.format(id="a").replace('rationale = "To be seen in a test."', ""), "rationale"),
        (PROBE.format(id="a") + "colour = 1", r"probe\.0\.colour"),
        (PROBE.format(id="A b"), r"probe\.0\.id"),
        ('[[include]]\nfamily = "nope"', "no family 'nope'"),
        ('[[include]]\nfamily = "one_token"\nprobes = ["nope"]', "has no probe 'nope'"),
    ],
)
def test_a_mistake_names_file_and_key(tmp_path, text, says):
    with pytest.raises(BatteryError, match=says):
        Battery.load(write(tmp_path, text))


def test_what_is_not_there_is_said():
    with pytest.raises(BatteryError, match=r"shipped: .*quick"):
        Battery.load("nope")
    with pytest.raises(BatteryError, match="no battery file"):
        Battery.load("nope.toml")
    with pytest.raises(BatteryError, match="shipped families"):
        load_family("nope")
