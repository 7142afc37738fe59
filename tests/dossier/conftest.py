"""A factory of study documents, from plain to hostile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from provenance.dossier import wording
from provenance.findings import (
    BatteryRef,
    Candidate,
    CellCounts,
    ClosedMember,
    ClosedSet,
    ClosedTests,
    Coverage,
    Declaration,
    EffectiveUnits,
    EvidenceRef,
    FailureCount,
    FalseInclusion,
    Family,
    Finding,
    Habit,
    LibraryMap,
    MapPoint,
    Merge,
    Population,
    Proposition,
    Reason,
    Sensitivity,
    Side,
    StudyDocument,
    UsageTotal,
    Verdict,
    Yardstick,
)

HOSTILE = (
    '<script>alert(1)</script><img src=x onerror="alert(1)">',
    "</code></pre><iframe src='https://evil.example'>",
    "![x](https://evil.example/x.png) [y](javascript:alert(1)) <https://evil.example>",
    "https://evil.example/a www.evil.example a@evil.example mailto:a@evil.example evil.example",
    "# heading\n- item\n1. one\n> quote\n```\nfence\n```\n~~~\n| a | b |\n|---|---|\n---",
    "a | b \\| c `|` ``|`` \\` *b* _i_ ~~s~~ **b** [^1] $x$ $$y$$ &lt; &#106; :smile: @cite #let",
    '#import "@preview/x:1.0.0": * #eval("1") #read("/etc/passwd") $x^2$ *b* _i_ @cite <label> `r`',
    "\x1b[31mred\x1b[0m \x1b]8;;https://evil.example\x07link\x1b]8;;\x07 \x07\x00\x7f\x9b31m",
    "\u202eevil\u202c \u2066x\u2069 zero\u200bwidth\u200d\ufeff \ue000 \u0378 \U000e0041",
    "e" + "\u0301" * 40,
    "中文 東京 ひらがな カタカナ 한국어 Русский Ελληνικά עברית العربية ไทย 😀🏳️‍🌈",
    "w" * 300,
    "/very/long/path" * 40,
    "\\" * 60 + "|",
    "",
    "   ",
    "\n\n",
    "...\u00a0…",
)


def reference() -> Side:
    return Side(
        requested="openai:gpt-x,temperature=1.0",
        label="openai/gpt-x",
        served={"gpt-x-2026-05-01": 540},
        fingerprints={"fp_44709d6fcb": 540},
        options={"temperature": 1.0},
        capabilities={"logprobs": "supported", "seed": "ignored"},
        first_utc="2026-11-20T09:30:11.123456+00:00",
        last_utc="2026-11-20T09:41:52.000001+00:00",
    )


def suspect() -> Side:
    return Side(
        requested="compatible:gpt-x@https://relay.example/v1,key_env=RELAY_KEY",
        label="relay.example/gpt-x",
        served={"gpt-x": 538},
        options={"key_env": "RELAY_KEY"},
        first_utc="2026-11-20T09:30:11.323456+00:00",
        last_utc="2026-11-20T09:41:52.100001+00:00",
    )


def number_cell() -> CellCounts:
    return CellCounts(
        id="number-en-1",
        family="one_token",
        reading="integer",
        prompt="Name a number between 1 and 100. Reply with the number only.",
        reference={"7": 11, "42": 4, "73": 2, "37": 1},
        suspect={"42": 9, "7": 4, "50": 2, "17": 1, "23": 1, "88": 1},
        n_reference=18,
        n_suspect=18,
        difference=0.5556,
    )


def word_cell() -> CellCounts:
    return CellCounts(
        id="animal-zh-1/pirate",
        family="one_word",
        reading="word",
        prompt="请说出一种动物。只回答一个词。",
        reference={"猫": 15, "狗": 3},
        suspect={"熊猫": 10, "猫": 8},
        n_reference=18,
        n_suspect=18,
        difference=0.5556,
    )


def text_cell() -> CellCounts:
    n = 6
    return CellCounts(
        id="haiku-en-1",
        family="style",
        reading="text",
        prompt="Write a haiku about rust.",
        reference={f"Iron sleeps, poem {i}": 1 for i in range(n)},
        suspect={f"Red flakes on the gate, poem {i}": 1 for i in range(n)},
        n_reference=n,
        n_suspect=n,
        difference=1.0,
        examples={
            "reference": "Iron sleeps in rain\nOrange dust upon the nail\nTime has a colour",
            "suspect": "Red flakes on the gate\nEach touch leaves a memory\nof what it once held",
        },
    )


def base(**changes: Any) -> StudyDocument:
    """A study that found a difference."""
    values = {
        "p": 0.0004,
        "alpha": 0.01,
        "families": 9,
        "family": "one_token",
        "cell": "number-en-1",
    }
    families = tuple(
        Family(
            name=name,
            cells=6,
            n_reference=60,
            n_suspect=60,
            p_value=p,
            p_adjusted=min(1.0, 9 * p),
            effect=effect,
        )
        for name, p, effect in [
            ("one_token", 0.0001, 0.31),
            ("one_word", 0.0023, 0.22),
            ("coin", 0.41, 0.02),
            ("style", 0.0871, 0.05),
            ("json", 0.62, -0.01),
            ("arithmetic", 1.0, 0.0),
            ("lists", 0.3, 0.01),
            ("order", 0.2, 0.03),
            ("refusal", 0.77, 0.0),
        ]
    )
    fields: dict[str, Any] = {
        "tool_version": "0.1.0",
        "created_utc": "2026-11-20T09:42:03.512345+00:00",
        "question": "compare",
        "declaration": Declaration(asked_by="Ada Lovelace, Example Ltd", purpose="acceptance"),
        "reference": reference(),
        "suspect": suspect(),
        "battery": BatteryRef(name="quick", digest="3f9c" * 16, cells=54),
        "plan_digest": "a1b2" * 16,
        "settings": {"alpha": 0.01, "battery": "quick", "draws": None, "delta": 0.1},
        "environment": {"python": "3.11.9", "numpy": "2.4.6", "platform": "Linux"},
        "seed": 8_123_456_789,
        "verdict": Verdict(
            label="different",
            null="same_deployment",
            reasons=(
                wording.reason("rejects_same_deployment", values),
                wording.reason(
                    "served_model_differs", {"reference": "gpt-x-2026-05-01", "suspect": "gpt-x"}
                ),
            ),
        ),
        "findings": (
            *(
                Finding(
                    name=f"equality/{f.name}",
                    speaks_to=("same_deployment",),
                    statistic=1.0,
                    p_value=f.p_value,
                    p_adjusted=f.p_adjusted,
                    alpha=0.01,
                    effect=f.effect,
                    estimand="mean squared distance of the answer distributions",
                    null="same_deployment",
                    exactness="exact",
                    assumptions=("exchangeable_within_block", "known_reading"),
                    n_reference=60,
                    n_suspect=60,
                    method="Permutation within cell and block of the energy statistic",
                    citation="Phipson and Smyth 2010",
                    values={"resamples": 9_999},
                )
                for f in families
            ),
            Finding(
                name="repeats/suspect",
                speaks_to=("no_serial_dependence",),
                p_value=0.43,
                null="no_serial_dependence",
                exactness="exact",
                exploratory=True,
                n_suspect=538,
                method="Permutation of the order of draws within cell",
            ),
            Finding(
                name="mean answer length",
                effect=-12.25,
                effect_interval=(-20.0, None),
                estimand="difference of mean characters, suspect minus reference",
                exactness="descriptive",
                n_reference=540,
                n_suspect=538,
                method="Mean",
            ),
        ),
        "propositions": (
            Proposition(
                hypothesis="same_weights",
                against="none_of_these",
                why_not="no calibration covers this battery",
            ),
        ),
        "cells": (number_cell(), word_cell(), text_cell()),
        "families": families,
        "yardstick": Yardstick(
            estimand="mean squared distance of the answer distributions",
            between=0.113,
            within=0.0021,
            within_high=0.0187,
            halvings=200,
            draws_a_side=270,
        ),
        "sensitivity": (
            Sensitivity(
                alternative="another model answers a share of the requests",
                effect_kind="share ε",
                minimum_detectable=0.12,
                power=0.9,
                alpha=0.01,
            ),
        ),
        "coverage": Coverage(
            planned=1080,
            completed=1078,
            used=1076,
            reference=540,
            suspect=538,
            cells_planned=54,
            cells_used=54,
        ),
        "failures": (
            FailureCount(
                side="suspect",
                kind="rate_limited",
                family="one_token",
                count=2,
                example='429: {"error": "too many requests"}',
            ),
        ),
        "usage": UsageTotal(
            requests=1084,
            prompt_tokens=32_400,
            completion_tokens=6_480,
            tokens=38_880,
            usd=0.0312,
            by_side={
                "reference": {
                    "requests": 540,
                    "prompt_tokens": 16_200,
                    "completion_tokens": 3_240,
                    "usd": 0.0312,
                },
                "suspect": {
                    "requests": 544,
                    "prompt_tokens": 16_200,
                    "completion_tokens": 3_240,
                    "usd": 0.0,
                },
            },
        ),
        "evidence": EvidenceRef(records=1084, root="9e107d9d372bb6826bd81d3542a419d6" * 2),
    }
    return StudyDocument(**{**fields, **changes})


def inconclusive() -> StudyDocument:
    note = "The plan could have seen a share of 12% with power 90%."
    return base(
        verdict=Verdict(
            label="inconclusive",
            null="same_deployment",
            reasons=(
                wording.reason(
                    "no_difference_found", {"alpha": 0.01, "p": 0.271, "power_note": note}
                ),
                wording.reason(
                    "suspect_withholds", {"reference_failed": 0, "suspect_failed": 31, "p": 0.00003}
                ),
                wording.reason("serial_dependence", {"side": "suspect", "p": 0.001, "excess": 0.3}),
            ),
        ),
        declaration=Declaration(),
        deviations=("resumed",),
    )


def empty_side() -> StudyDocument:
    return base(
        verdict=Verdict(
            label="inconclusive",
            null="same_deployment",
            reasons=(
                wording.reason(
                    "nothing_answered", {"side": "suspect", "count": 8, "kind": "unreachable"}
                ),
            ),
        ),
        findings=(),
        propositions=(),
        cells=(),
        families=(),
        yardstick=None,
        sensitivity=(),
        settings={},
        environment={},
        coverage=Coverage(
            planned=1080,
            completed=8,
            used=0,
            reference=8,
            suspect=0,
            cells_planned=54,
            cells_used=0,
        ),
        failures=(FailureCount(side="suspect", kind="unreachable", family="one_token", count=8),),
        usage=UsageTotal(requests=16),
        evidence=EvidenceRef(records=16, root=None),
    )


def many_cells() -> StudyDocument:
    cells = tuple(
        number_cell().model_copy(update={"id": f"number-en-{i}", "difference": i / 70})
        for i in range(60)
    )
    return base(cells=cells)


def supported() -> StudyDocument:
    return base(
        question="attribute",
        verdict=Verdict(label="supported", null="none_of_these", not_excluded=("a/b", "c/d")),
        propositions=(
            Proposition(
                hypothesis="same_weights",
                against="none_of_these",
                log10_lr=2.31,
                sensitivity_interval=(1.2, 2.31),
                bound_low=-1.2,
                bound_high=2.31,
                clipped=True,
                calibration="quick-2026-10",
                population="15 makers, 120 models",
                n_effective=EffectiveUnits(same=14, different=203),
                assessed=True,
            ),
        ),
    )


def consistent() -> StudyDocument:
    return base(
        verdict=Verdict(
            label="consistent",
            null="same_deployment",
            delta=0.1,
            panel="open-2026",
            not_excluded=("gpt-x-mini",),
        )
    )


def library(**changes: Any) -> Population:
    fields: dict[str, Any] = {
        "name": "models",
        "digest": "5e" * 32,
        "models": 120,
        "units": 31,
        "space": "7f" * 32,
        "calibration": "style-en",
        "sources": ("recorded answers, CC0",),
        "alpha": 0.01,
        "calibration_bundles": 120,
        "decidable": True,
        "comparison": "other_prompts",
        "suspect_outputs": 90,
        "false_inclusion": FalseInclusion(rate=0.12, bundles=120, units=31, mean_size=0.31),
    }
    return Population(**{**fields, **changes})


def habit(**changes: Any) -> Habit:
    fields: dict[str, Any] = {
        "name": "lines that are bullets",
        "model": "maker/model-b",
        "unit": "per line",
        "suspect": 0.31,
        "of_model": 0.29,
        "population": 0.11,
        "share_below": 0.97,
        "quote": "- **First**: do this",
    }
    return Habit(**{**fields, **changes})


def tree(names: list[str]) -> LibraryMap:
    """A caterpillar: each model joins all before it."""
    n = len(names)
    points = tuple(
        MapPoint(name=name, role="suspect" if i == 1 else "library", x=i % 5, y=i // 5)
        for i, name in enumerate(names)
    )
    merges = tuple(
        Merge(left=0 if i == 0 else n + i - 1, right=i + 1, height=1.0 + i, support=0.5)
        for i in range(n - 1)
    )
    return LibraryMap(points=points, merges=merges, explained=0.4, bootstrap=200)


def closed_set(models: list[str]) -> ClosedSet:
    return ClosedSet(
        models=len(models),
        outputs=24,
        genre="arithmetic",
        discriminants=("ab" * 32, "cd" * 32),
        first=tuple(ClosedMember(name=name, family=name) for name in models[:5]),
        lead=3.25,
        tests=ClosedTests(
            outputs=10,
            bundles=120,
            first=99,
            first_three=117,
            family=111,
            as_far_ahead=60,
            as_far_ahead_first=59,
        ),
    )


def identified() -> StudyDocument:
    """A suspect that one family of the library does not exclude."""
    models = [f"maker/model-{c}" for c in "abcdefghijkl"]
    return base(
        question="identify",
        verdict=Verdict(label="known", null="one_of_the_library"),
        candidates=tuple(
            Candidate(
                name=name,
                family="model" if i < 2 else "other",
                outputs=400,
                p_value=0.9 - 0.4 * i if i < 2 else 1 / 121,
                in_set=i < 2,
                log10_lr=2.0 - i,
                sensitivity_interval=(0.5 - i, 2.0 - i),
                clipped=i == 0,
            )
            for i, name in enumerate(models)
        ),
        closed_set=closed_set(models),
        population=library(),
        habits=(habit(),),
        map=tree([models[0], "the suspect", *models[1:]]),
        cells=(),
        families=(),
        findings=(),
        yardstick=None,
        sensitivity=(),
    )


def hostile() -> StudyDocument:
    """Every free string of the document is an attack."""
    h = [text.encode("utf-8", "replace").decode() for text in HOSTILE]
    counts = {text[:80]: i + 1 for i, text in enumerate(h)}
    n = sum(counts.values())
    cells = tuple(
        CellCounts(
            id=text or "empty",
            family=h[(i + 1) % len(h)],
            reading="text" if i % 2 else "word",
            prompt=h[(i + 2) % len(h)],
            reference=counts,
            suspect=dict(reversed(counts.items())) if i % 3 else {"x": n},
            n_reference=n,
            n_suspect=n,
            difference=1 - i / 100,
            examples={"reference": text, "suspect": "\n".join(h)},
        )
        for i, text in enumerate(h)
    )
    everything = " ".join(h)
    side = Side(
        requested=everything,
        label=h[6] + h[0] + h[7] + h[3],
        served={text: i for i, text in enumerate(h)},
        fingerprints={h[1]: 3},
        options={text: text for text in h},
        capabilities={h[0]: [h[2], {h[3]: h[4]}]},
        first_utc=h[7],
        last_utc=h[2],
    )
    return base(
        tool_version=h[0],
        question=h[6],
        declaration=Declaration(asked_by=h[2], purpose=h[8], authorised_by=h[4]),
        reference=side,
        suspect=side.model_copy(update={"label": h[2] + h[10]}),
        battery=BatteryRef(name=h[5], digest=h[0], cells=17),
        plan_digest=h[2],
        settings={"alpha": 0.01, **{text: text for text in h}},
        environment={text: text for text in h},
        verdict=Verdict(
            label="different",
            null=h[5],
            panel=h[6],
            delta=0.1,
            not_excluded=tuple(h),
            reasons=tuple(Reason(code=text, text=text) for text in h),
        ),
        findings=tuple(
            Finding(
                name=text,
                null=text,
                method=text,
                exactness="descriptive",
                estimand=text,
                citation=text,
                assumptions=tuple(h),
                p_value=0.5,
                values={"resamples": text},
            )
            for text in h
        ),
        propositions=tuple(Proposition(hypothesis=text, against=text, why_not=text) for text in h),
        cells=cells,
        families=tuple(Family(name=text, cells=1, n_reference=1, n_suspect=1) for text in h),
        failures=tuple(
            FailureCount(side="suspect", kind=text, family=text, count=1, example=text)
            for text in h
        ),
        candidates=tuple(
            Candidate(name=text, version=text, family=text, outputs=5, in_set=True) for text in h
        ),
        closed_set=closed_set(h),
        population=library(name=h[5], digest=h[0], sources=tuple(h)),
        habits=tuple(habit(name=text, model=h[0], unit=text, quote=text) for text in h),
        map=tree(h),
        alternatives=tuple(h),
        deviations=tuple(h),
        limits=tuple(h),
        evidence=EvidenceRef(records=1, root=h[6]),
    )


def huge() -> StudyDocument:
    """Five megabytes in one string."""
    text = "A <b>very</b> long answer, " * 200_000
    cell = text_cell().model_copy(
        update={"examples": {"reference": text, "suspect": "w" * 5_000_000}, "prompt": text}
    )
    return base(cells=(cell, number_cell()), limits=(text,))


DOCUMENTS: dict[str, Callable[[], StudyDocument]] = {
    "different": base,
    "inconclusive": inconclusive,
    "empty_side": empty_side,
    "many_cells": many_cells,
    "supported": supported,
    "consistent": consistent,
    "identified": identified,
    "hostile": hostile,
    "huge": huge,
}


@pytest.fixture(params=list(DOCUMENTS))
def document(request: pytest.FixtureRequest) -> StudyDocument:
    return DOCUMENTS[request.param]()


@pytest.fixture
def make() -> Callable[[str], StudyDocument]:
    return lambda name: DOCUMENTS[name]()


@pytest.fixture
def hostile_texts() -> tuple[str, ...]:
    return HOSTILE
