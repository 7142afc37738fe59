import re
import tomllib
from collections import Counter

import pytest

from provenance import Battery, resources
from provenance.battery import families, load_family
from provenance.library.panel import Panel
from provenance.library.probe_checks import SIMILAR, check, check_probes, masked, similarity

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


def asking(text, id="asked", language="en"):
    message = ALL[0].messages[0].model_copy(update={"content": text})
    return ALL[0].model_copy(update={"messages": (message,), "id": id, "language": language})


@pytest.mark.parametrize(
    ("one", "other", "language"),
    [
        ("What would Alice do at 7?", "What would Bob do at 19?", "en"),
        ("Pick 5 of 30.", "pick  3 of\n100.", "en"),
        ('Another word for "big"?', "Another word for “small”?", "en"),
        ("Как зовут друга Ивана?", "Как зовут друга Петра?", "ru"),
        ("Повтори: «дом»", "Повтори: «сад»", "ru"),
        ("请重复：「山」", "请重复：「水」", "zh"),
        ("¿Qué haría Ñandú a las 7?", "¿Qué haría Álvaro a las 9?", "es"),
    ],
)
def test_digits_names_and_quotations_are_masked(one, other, language):
    one, other = asking(one, "one", language), asking(other, "other", language)
    assert masked(one) == masked(other)
    assert [p.where for p in check_probes([one, other])] == ["other"]


def test_what_is_asked_is_not_masked():
    assert masked(asking("Name a colour.")) != masked(asking("Name a fruit."))
    # German nouns have capitals, names or not.
    one, other = (
        asking("Nenne eine Farbe.", language="de"),
        asking("Nenne ein Tier.", language="de"),
    )
    assert masked(one) != masked(other)


def test_a_wording_that_is_hardly_changed_is_found():
    one = asking("Give me a random animal that lives in the forest, in a single word.", "one")
    other = asking("Give me a random animal that lives in the desert, in a single word.", "other")
    (problem,) = check_probes([one, other])
    assert problem.where == "other"
    assert "worded almost like 'one'" in problem.message
    assert similarity(one, other) == similarity(other, one) > SIMILAR
    assert similarity(one, one) == 1
    assert check_probes([one, asking("Welches Tier lebt im Wald?", "third")]) == []


@pytest.mark.parametrize("name", Battery.shipped())
def test_every_shipped_battery_loads_and_passes_its_check(name):
    assert Battery.load(name).probes
    assert check(name) == []


@pytest.mark.parametrize("name", Battery.shipped())
def test_a_digest_is_stable(name):
    battery = Battery.load(name)
    assert battery.digest == Battery.load(name).digest == battery.with_draws(1).digest
    assert len({Battery.load(other).digest for other in Battery.shipped()}) == len(
        Battery.shipped()
    )


def test_answers_to_quick_stay_answers_to_quick():
    # The wordings that the panel and the recordings of the demo were measured on.
    assert Battery.load("quick").digest.startswith("d2559e59534b8832")


def test_quick_is_quick():
    battery = Battery.load("quick")
    draws = [cell.draws for cell in battery.cells]
    short = [c.draws for c in battery.cells if c.max_visible_tokens <= 8]
    assert sum(draws) <= 120
    assert sum(short) > 0.8 * sum(draws)
    assert len({p.language for p in battery.probes}) >= 4


def test_core_asks_enough_different_things():
    core = Battery.load("core")
    by_family = Counter(p.family for p in core.probes)
    assert len(core.probes) >= 150
    assert len(by_family) >= 11
    assert all(n >= 8 for family, n in by_family.items() if family != "short_text")
    choices = [p for p in core.probes if p.family.startswith("one_token")]
    for language in ("en", "zh", "ru", "ar", "es"):
        assert len([p for p in choices if p.language == language]) >= 6
    spoken = {p.language for p in core.probes if p.family == "multilingual"}
    assert spoken >= {"en", "zh", "ru", "ar", "es", "fr", "de", "ja", "hi", "pt"}


def test_what_is_asked_often_is_tested_by_itself():
    for battery in (Battery.load("core"), Battery.load("deep")):
        draws = {
            f: {p.draws for p in battery.probes if p.family == f}
            for f in {p.family for p in battery.probes}
        }
        assert all(len(own) == 1 for own in draws.values())
        often = max(draws, key=lambda f: max(draws[f]))
        assert often == "one_token"
        asked = {p.id for p in battery.probes if p.family == often}
        assert {p.id for p in Battery.load("quick").probes} <= asked


def test_core_is_affordable():
    core = Battery.load("core")
    draws = sum(cell.draws for cell in core.cells)
    short = sum(cell.draws for cell in core.cells if cell.max_visible_tokens <= 16)
    answers = sum(cell.draws * cell.max_visible_tokens for cell in core.cells)
    asked = sum(cell.draws * sum(len(m.content) for m in cell.messages) for cell in core.cells)
    assert draws <= 1_200
    assert short > 0.6 * draws
    # Four characters a token over all scripts, and eight tokens around a message.
    assert answers + asked / 4 + 8 * draws <= 60_000


def test_deep_asks_all_of_core_more_often():
    core, deep = Battery.load("core"), Battery.load("deep")
    draws = {cell.id: cell.draws for cell in deep.cells}
    assert all(draws[cell.id] >= 2 * cell.draws for cell in core.cells)
    longest = max(cell.max_visible_tokens for cell in core.cells)
    assert any(cell.max_visible_tokens > 2 * longest for cell in deep.cells)


def test_style_has_eight_prompts_a_genre():
    style = Battery.load("style")
    genres = Counter(p.genre for p in style.probes)
    assert set(genres) == {"explanation", "story", "reasoning", "code", "dialogue"}
    assert all(n >= 8 for n in genres.values())
    assert all(p.max_visible_tokens >= 300 and p.draws <= 2 for p in style.probes)


def test_arithmetic_asks_sixty_problems_of_one_genre_once():
    battery = Battery.load("arithmetic")
    assert len(battery.cells) == 60
    assert {(p.genre, p.draws, p.language) for p in battery.probes} == {("arithmetic", 1, "en")}
    # JSON that is cut off is another format: the models of the genre wrote 238 to 1,086 characters
    # on average, and digits and braces take a token each.
    assert all(p.max_visible_tokens >= 1_086 / 2.5 for p in battery.probes)
    problems, asked = zip(
        *(p.messages[0].content.rsplit("\n\n", 1) for p in battery.probes), strict=True
    )
    assert len(set(asked)) == 1
    assert all(f'"{key}"' in asked[0] for key in ("reasoning", "answer"))
    assert len(set(problems)) == 60


def test_greedy_is_cold_long_and_affordable():
    greedy = Battery.load("greedy")
    assert all(cell.decoding == {"temperature": 0} for cell in greedy.cells)
    # Long answers: every token may be nearly tied, and the first that turns over shows.
    assert all(cell.max_visible_tokens >= 16 for cell in greedy.cells)
    # In pairs of draws a cell that turned over has 2 of 2^draws relabellings: one is enough.
    assert all(2 / 2**cell.draws < 0.01 for cell in greedy.cells)
    assert sum(cell.draws * cell.max_visible_tokens for cell in greedy.cells) <= 3_500
    assert len({p.language for p in greedy.probes}) >= 4


def test_self_identification_is_labelled_weak_and_contradicted():
    probes = load_family("self_id")
    assert all(p.rationale.startswith("Weak evidence: ") for p in probes)
    assert any(c.system for p in probes for c in p.conditions)


SCRIPTS = {
    "zh": r"[\u4e00-\u9fff]",
    "ru": r"[а-яё]",
    "ar": r"[\u0620-\u064a]",
    "ja": r"[\u3040-\u30ff]",
    "hi": r"[\u0900-\u097f]",
    "es": r"[a-záéíóúñ]",
}


def test_every_probe_is_written_in_its_language():
    for probe in ALL:
        text = probe.messages[-1].content.casefold()
        assert re.search(SCRIPTS.get(probe.language, ""), text), probe.id
        for language in ("zh", "ru", "ar", "hi"):
            written = re.findall(SCRIPTS[language], text)
            if probe.family != "tokenizer" and language != probe.language != "ja":
                assert len(written) <= 2, probe.id


def test_every_probe_says_why_and_whence_in_its_own_words():
    assert max(Counter(p.rationale for p in ALL).values()) == 1
    sources = {p.source for p in ALL}
    assert "the project's own" in sources
    assert all(re.match(r"arXiv:\d{4}\.\d{5}$|the project's own$|.+ \d{4}, ", s) for s in sources)


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
