"""What a reader meets: on a wide screen, a phone, paper, in the dark, by ear and by keyboard."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provenance import StudyDocument

Make = Callable[[str], StudyDocument]
Page = Callable[[StudyDocument], Path]

# The least contrast of every piece of text with what lies behind it (WCAG 2.2).
CONTRAST = """
(() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = colour => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = c => c.slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c[3] === 255) return c;
    }
    return [255, 255, 255, 255];
  };
  let least = 99, count = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || e.closest('title, desc')) continue;
    const style = getComputedStyle(e);
    const text = rgb(e.closest('svg') ? style.fill : style.color);
    const [a, b] = [luminance(text), luminance(behind(e))].sort((x, y) => y - x);
    least = Math.min(least, (a + 0.05) / (b + 0.05));
    count += 1;
  }
  return [least, count];
})()
"""


@pytest.fixture(autouse=True)
def plain_screen(browser: Any) -> None:
    browser.media()


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_hangs_over_the_edge(
    browser: Any, page: Page, document: StudyDocument, width: int
) -> None:
    browser.open(page(document), width=width, phone=width < 700)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    outside = """
      [...document.querySelectorAll('svg text')].filter(e => {
        const box = e.getBoundingClientRect();
        return box.left < 0 || box.right > innerWidth;
      }).map(e => e.textContent)
    """
    assert browser.evaluate(outside) == []


def test_type_is_large_enough_on_a_phone(browser: Any, page: Page, make: Make) -> None:
    browser.open(page(make("different")), width=390, phone=True)
    sizes = "[...document.querySelectorAll('main *')].map(e => getComputedStyle(e).fontSize)"
    assert min(float(size.removesuffix("px")) for size in browser.evaluate(sizes)) >= 11
    drawn = browser.evaluate("document.querySelector('svg .name').getBoundingClientRect().height")
    assert drawn >= 11


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_can_be_read_in_both_schemes(
    browser: Any, page: Page, document: StudyDocument, scheme: str
) -> None:
    browser.media(scheme=scheme)
    browser.open(page(document))
    least, count = browser.evaluate(CONTRAST)
    assert count > 100
    assert least >= 4.5


def test_the_schemes_differ_and_paper_is_white(browser: Any, page: Page, make: Make) -> None:
    browser.open(page(make("different")))
    ground = "getComputedStyle(document.body).backgroundColor"
    found = {}
    for scheme, media in (("light", "screen"), ("dark", "screen"), ("dark", "print")):
        browser.media(scheme=scheme, media=media)
        found[scheme, media] = browser.evaluate(ground)
    assert found == {
        ("light", "screen"): "rgb(253, 253, 251)",
        ("dark", "screen"): "rgb(23, 24, 26)",
        ("dark", "print"): "rgb(255, 255, 255)",
    }


def test_it_prints(browser: Any, page: Page, make: Make) -> None:
    pypdf = pytest.importorskip("pypdf")
    browser.media(scheme="dark")
    browser.open(page(make("different")))
    printed = pypdf.PdfReader(io.BytesIO(browser.pdf()))
    assert 4 <= len(printed.pages) <= 12
    text = " ".join(p.extract_text() for p in printed.pages)
    for words in ("DIFFERENT", "Families of probes", "11/18 = 61%", "Declaration"):
        assert words in text


def test_it_is_whole_without_scripts(browser: Any, page: Page, make: Make) -> None:
    path = page(make("different"))
    browser.open(path)
    words = browser.evaluate("document.body.innerText")
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(path)
        assert browser.evaluate("document.body.innerText") == words
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_language_title_and_headings(browser: Any, page: Page, document: StudyDocument) -> None:
    browser.open(page(document))
    assert browser.evaluate("document.documentElement.lang") == "en"
    assert browser.evaluate("document.title").startswith(
        ("Comparison of", "Attribution of", "Identification of", "Study of")
    )
    assert browser.evaluate("document.compatMode") == "CSS1Compat"
    headings = "[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(e => +e.tagName[1])"
    levels = browser.evaluate(headings)
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_tables_and_figures_name_themselves(
    browser: Any, page: Page, document: StudyDocument
) -> None:
    browser.open(page(document))
    browser.call("Accessibility.enable")
    bad = "[...document.querySelectorAll('table')].filter(t => !t.caption?.textContent.trim())"
    assert browser.evaluate(f"{bad}.length") == 0
    assert browser.evaluate("document.querySelectorAll('th:not([scope])').length") == 0
    rows = "[...document.querySelectorAll('tbody tr')].filter(r => r.cells[0].scope !== 'row')"
    assert browser.evaluate(f"{rows}.length") == 0
    ids = browser.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    figures = [n for n in nodes if n.get("role", {}).get("value") == "image"]
    assert len(figures) == browser.evaluate("document.querySelectorAll('figure').length")
    for node in figures:
        assert len(node["name"]["value"]) > 20


def test_what_scrolls_can_be_scrolled_by_keyboard(browser: Any, page: Page, make: Make) -> None:
    browser.open(page(make("different")), width=390, phone=True)
    stuck = """
      [...document.querySelectorAll('*')].filter(e => e.scrollWidth > e.clientWidth + 1
        && getComputedStyle(e).overflowX === 'auto')
      .filter(e => e.tabIndex !== 0 || !e.getAttribute('aria-label')).length
    """
    assert browser.evaluate(stuck) == 0


def test_the_console_stays_silent(browser: Any, page: Page, document: StudyDocument) -> None:
    browser.open(page(document))
    loud = [m for m, _ in browser.events if m in ("Log.entryAdded", "Audits.issueAdded")]
    assert loud == []
    sent = [p["request"]["url"] for m, p in browser.events if m == "Network.requestWillBeSent"]
    assert len(sent) == 1
    assert sent[0].startswith("file:")
