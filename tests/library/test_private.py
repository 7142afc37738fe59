"""Private probes: what a secret makes, and a relay that knows the published questions."""

import hashlib
import json
import re
import tomllib

import pytest

from provenance.battery import Battery, families, load_family
from provenance.errors import BatteryError, UsageError
from provenance.library.private import generate, load_templates, to_toml
from provenance.library.probe_checks import check_probes, masked
from provenance.readings import READINGS

SECRET = b"0123456789abcdef0123456789abcdef"


def made(secret=SECRET, probes=30, **options):
    published = [p for name in families() for p in load_family(name)]
    options = {"draws": 8, "templates": load_templates(), "avoid": published} | options
    return generate(secret, probes=probes, **options)


def test_the_same_secret_makes_the_same_battery_and_another_one_another():
    assert made() == made()
    texts = {p.messages[0].content for p in made().probes}
    others = {p.messages[0].content for p in made(b"another secret of some length").probes}
    assert len(texts & others) <= 2


def test_the_choices_are_pinned():
    """Another derivation would make old secrets useless: then the number in its label goes up."""
    text = json.dumps([p.messages[0].content for p in made(avoid=()).probes], ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "4ac248af50a08750"


def test_they_ask_nothing_that_is_published_and_no_thing_twice():
    published = {masked(p) for name in families() for p in load_family(name)}
    battery = made(probes=200)
    assert not {masked(p) for p in battery.probes} & published
    assert check_probes(battery.probes) == []
    assert {p.reading for p in battery.probes} <= set(READINGS)
    assert {p.language for p in battery.probes} == {"en", "zh", "ru", "es"}


def test_every_wording_is_whole():
    for template in load_templates():
        assert template.wordings >= 500
    for probe in made(probes=200).probes:
        text = probe.messages[0].content
        assert not re.search(r"[{}]|  |\s[.,!?]", text), text
        assert text[0].upper() == text[0]
        numbers = [int(n) for n in re.findall(r"\d+", text)]
        assert numbers == sorted(numbers)


def test_the_file_is_the_battery(tmp_path):
    battery = made()
    path = tmp_path / "private.toml"
    path.write_text(to_toml(battery), encoding="utf-8")
    assert Battery.load(path).digest == battery.digest
    assert Battery.load(path).probes == battery.probes
    assert tomllib.loads(path.read_text())["name"] == "private"
    assert SECRET not in path.read_bytes()


def test_a_short_secret_and_too_many_questions_are_refused():
    with pytest.raises(UsageError, match="fewer than 16"):
        made(b"short")
    small = tuple(
        t.model_copy(update={"parts": {k: v[:1] for k, v in t.parts.items()}})
        for t in load_templates()[:1]
    )
    with pytest.raises(BatteryError, match="makes no further question"):
        made(probes=2, templates=small)


def test_templates_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        '[[template]]\nid = "mine"\nfamily = "one_token"\nreading = "word"\n'
        'max_visible_tokens = 4\nwording = "{a} {b}"\nrationale = "mine"\n'
        '[template.parts]\na = ["x"]\n'
    )
    with pytest.raises(BatteryError, match="wording uses"):
        load_templates(path)
    with pytest.raises(BatteryError, match="cannot read the templates"):
        load_templates(tmp_path / "none.toml")
