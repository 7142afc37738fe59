"""A page made of attacks: in every field of the study, none runs, loads or breaks out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provenance import StudyDocument

Make = Callable[[str], StudyDocument]
Page = Callable[[StudyDocument], Path]

RUN = "document.title='OWNED';console.log('OWNED');fetch('http://127.0.0.1:9/owned')"
ATTACKS = {
    "script": f"<script>{RUN}</script>",
    "image": f'<img src=http://127.0.0.1:9/x onerror="{RUN}"><svg/onload="{RUN}">',
    "style": f"</style></title></svg></desc><script>{RUN}</script>",
    "styled": "</style><style>@import 'http://127.0.0.1:9/x';main{display:none}</style>",
    "cdata": f"]]>--><!--<![CDATA[ ]]><script>{RUN}</script>--!>",
    "attribute": f"\" autofocus tabindex=0 onfocus={RUN} x=\" ' onmouseover='{RUN}' `",
    "comment": "<!-- <main> <plaintext> <template> <noscript> <xmp> <textarea> <table>",
    "frame": "<iframe src=http://127.0.0.1:9/x></iframe><object data=http://127.0.0.1:9/y>",
    "form": "<base href=http://127.0.0.1:9/><form><input autofocus onfocus=alert(1)><a ping=x>",
    "meta": '<meta http-equiv=refresh content="0;url=http://127.0.0.1:9/"><link rel=stylesheet '
    'href="http://127.0.0.1:9/x.css">',
    "svg": f"<foreignObject><body onload={RUN}></foreignObject><use href=http://127.0.0.1:9/x#y>"
    "<animate attributeName=href values=javascript:alert(1)><set>",
    "entity": "&lt;script&gt;alert(1)&lt;/script&gt; &#60;script&#62;alert(1) &amp;lt;b&gt; &quot;",
    "address": "javascript:alert(1) data:text/html,<script>alert(1)</script> vbscript:x",
    "template": "{{constructor.constructor('alert(1)')()}} ${alert(1)} <%= 1 %> {body} %s %(x)s",
    "bidi": "\u202e\u2066\u2067\u202dtxet desrever\u2069\u202c \u200f\u061c",
    "escape": "\x1b[2J\x1b[31m\x1b]8;;http://127.0.0.1:9\x07link\x1b]8;;\x07\x9b31m\x00\x7f\x08",
    "surrogate": "\ud800 \udfff\ud83d lone halves \ufffe\uffff \U000e0041",
    "newlines": "\r\n\r\n<h1>heading</h1>\n\x0b\x0c\x85\u2028\u2029 <p>",
    "utf7": "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
    "megabyte": "<b>" + "W" * 1_000_000,
}
# What decides between branches of the program, not what is shown.
KEPT = {"label", "exactness", "basis", "code"}
COUNT_OWN = "document.querySelectorAll(%r).length"
FOREIGN = (
    "script,img,image,picture,video,audio,source,track,iframe,frame,object,embed,applet,form,"
    "input,textarea,select,button,a,area,base,link,use,animate,set,foreignObject,template,"
    "noscript,plaintext,xmp,b,math,slot,portal"
)


def poisoned(value: Any, attack: str, key: str = "") -> Any:
    """``value`` with the attack in every string and behind every key."""
    if isinstance(value, str):
        return value if key in KEPT else attack
    if isinstance(value, dict):
        free = key in ("reference", "suspect", "options", "served", "environment", "settings")
        named = free and "requested" not in value
        return {
            (f"{attack}{i}" if named and k != "alpha" else k): poisoned(v, attack, k)
            for i, (k, v) in enumerate(value.items())
        }
    if isinstance(value, tuple | list):
        return tuple(poisoned(v, attack, key) for v in value)
    return value


def document_of(attack: str, make: Make) -> StudyDocument:
    benign = make("inconclusive")
    content = poisoned(benign.model_dump(mode="python"), attack)
    for failure, before in zip(content["failures"], benign.failures, strict=True):
        failure["side"] = before.side
    for side in ("reference", "suspect"):
        content[side]["label"] = attack
    for cell, before in zip(content["cells"], benign.cells, strict=True):
        cell["reading"] = before.reading
        cell["examples"] = dict.fromkeys(before.examples, attack)
    return StudyDocument.model_validate(content)


def alarms(browser: Any) -> list[tuple[str, Any]]:
    """What the browser reported that a page without script and without links never causes."""
    found = []
    for method, params in browser.events:
        loads = method == "Network.requestWillBeSent"
        if loads and params["request"]["url"].startswith("file:") and params["type"] == "Document":
            continue
        if loads or method in (
            "Runtime.consoleAPICalled",
            "Runtime.exceptionThrown",
            "Log.entryAdded",
            "Audits.issueAdded",
            "Page.javascriptDialogOpening",
            "Page.windowOpen",
            "Network.webSocketCreated",
            "Target.targetCreated",
        ):
            found.append((method, params))
    return found


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_runs_loads_or_breaks_out(browser: Any, page: Page, make: Make, name: str) -> None:
    browser.open(page(make("inconclusive")))
    sections = browser.evaluate(COUNT_OWN % "h2")
    tables = browser.evaluate(COUNT_OWN % "table")

    browser.open(page(document_of(ATTACKS[name], make)), width=390, phone=True)
    assert alarms(browser) == []
    assert browser.evaluate(COUNT_OWN % FOREIGN) == 0
    assert browser.evaluate("performance.getEntriesByType('resource').length") == 0
    assert not browser.evaluate("document.title === 'OWNED'")
    own = "[...document.querySelectorAll('*')].flatMap(e => [...e.attributes].map(a => a.name))"
    assert browser.evaluate(f"{own}.filter(n => n.startsWith('on') || n === 'href')") == []
    assert browser.evaluate("[...document.body.children].map(e => e.tagName)") == ["MAIN"]
    assert browser.evaluate(COUNT_OWN % "style") == 1
    assert browser.evaluate("getComputedStyle(document.querySelector('main')).display") == "block"
    assert browser.evaluate(COUNT_OWN % "h1") == 1
    assert browser.evaluate(COUNT_OWN % "h2") == sections
    assert browser.evaluate(COUNT_OWN % "table") == tables
    assert browser.evaluate("document.documentElement.scrollWidth") <= 390
    assert browser.evaluate("document.body.innerText.length") < 200_000


def test_the_words_of_an_attack_are_shown(browser: Any, page: Page, make: Make) -> None:
    browser.open(page(document_of(ATTACKS["script"], make)))
    shown = browser.evaluate("document.body.textContent")
    assert shown.count(ATTACKS["script"]) > 50


def test_the_alarm_rings_for_a_page_that_runs_and_loads(browser: Any, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text(
        f"<!doctype html><title>x</title><script>{RUN}</script><img src=http://127.0.0.1:9/x>"
    )
    browser.open(bad)
    kinds = {method for method, _ in alarms(browser)}
    assert {"Runtime.consoleAPICalled", "Network.requestWillBeSent"} <= kinds
    assert browser.evaluate("document.title") == "OWNED"


def test_the_policy_stops_a_script_that_did_break_out(
    browser: Any, page: Page, make: Make, tmp_path: Path
) -> None:
    """The second wall: were the escaping wrong, the page's own policy would still hold."""
    text = page(make("different")).read_text("utf-8")
    broken = tmp_path / "broken.html"
    broken.write_text(
        text.replace("<main>", f"<main><script>{RUN}</script><img src=http://127.0.0.1:9/x>"),
        "utf-8",
    )
    browser.open(broken)
    assert browser.evaluate("document.title") != "OWNED"
    sent = [p for m, p in browser.events if m == "Network.responseReceived"]
    assert [p["response"]["url"] for p in sent] == [broken.as_uri()]
    assert "Log.entryAdded" in {method for method, _ in alarms(browser)}
