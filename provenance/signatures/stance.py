"""Hedges, refusals, self-reference, and how the reader is addressed."""

from __future__ import annotations

import re
from collections import Counter
from math import log1p

from provenance.signatures.base import Named
from provenance.signatures.document import Document
from provenance.signatures.patterns import Phrases

_WORDS = {
    "hedge_modal": "may might could would can",
    "hedge_adverb": "perhaps maybe possibly probably likely potentially seemingly apparently "
    "arguably presumably",
    "hedge_quantity": "often usually typically generally sometimes frequently mostly largely "
    "approximately roughly about around",
    "booster": "certainly definitely absolutely clearly obviously indeed truly very extremely "
    "highly always never undoubtedly",
    "obligation": "must should need needs required shall",
    "self": "i i'm i'd i'll i've me my mine myself",
    "we": "we we're we'll we've us our ours let's",
    "reader": "you you're you'll you've you'd your yours yourself",
    "negation": "not no don't doesn't didn't isn't aren't can't cannot won't wouldn't couldn't "
    "shouldn't never none nor without",
    "contrast": "however but although though nevertheless nonetheless whereas yet despite",
    "addition": "also additionally furthermore moreover besides",
    "consequence": "therefore thus hence consequently so accordingly",
    "summary": "overall ultimately conclusion summary finally essentially",
    "evaluation": "important essential crucial key vital significant valuable effective great "
    "beautiful unique powerful",
    "contraction": "it's that's there's here's what's don't doesn't can't i'm you're they're we're "
    "isn't won't let's",
    "politeness": "please thank thanks sorry apologize apologies welcome glad happy",
}
_OPENINGS = {
    "opens_affirming": r"sure\b|certainly\b|of course\b|absolutely\b|great\b|yes\b|okay\b|ok\b"
    r"|definitely\b",
    "opens_here": r"here(?:'s| is| are)\b",
    "opens_apology": r"i'm sorry|i am sorry|sorry|i apologi[sz]e|unfortunately|my apologies",
    "opens_praise": r"what an? |that's an? |great |good |excellent |interesting ",
}
_PHRASES = {
    "refusal": r"i (?:can't|cannot|can not|won't|am unable|am not able|must decline)\b"
    r"|i'm (?:unable|not able|not comfortable|sorry, but)\b|against my (?:guidelines|programming)",
    "as_a_model": r"as an? (?:\w+ )?(?:ai|language model|assistant|llm)\b"
    r"|i(?:'m| am) (?:an ai|a language model|just an? |only an? )",
    "maker_named": r"(?:openai|anthropic|google deepmind|meta ai|mistral ai|alibaba cloud"
    r"|deepseek|moonshot ai|xai)\b",
    "no_access": r"(?:don't|do not) have (?:access|the ability|personal|real-time|feelings"
    r"|information)|knowledge cut-?off|last (?:knowledge )?update",
    "opinion": r"(?:i think|i believe|in my (?:opinion|view)|i feel|i'd say|i would say)\b",
    "note": r"(?:it's|it is) (?:important|worth|essential|crucial) (?:to |noting|mention)"
    r"|note that\b|keep in mind\b|please note\b",
    "consult": r"(?:consult|seek|speak (?:with|to)) (?:with )?(?:an? |your )?(?:\w+ )?"
    r"(?:professional|doctor|lawyer|expert|attorney|advisor|provider)",
    "offer": r"let me know\b|feel free\b|would you like\b|happy to (?:help|assist)"
    r"|if you (?:have|need|want|'d like|would like)\b|i(?:'d| would) be happy",
    "hope": r"i hope\b|hope (?:this|that)\b",
    "not_only": r"not (?:only|just|merely)\b|isn't just\b|more than just\b",
}
_GROUPS_OF: dict[str, list[str]] = {}
for _group, _members in _WORDS.items():
    for _word in _members.split():
        _GROUPS_OF.setdefault(_word, []).append(_group)
_BEGINNINGS = {name: re.compile(rf"\W*(?:{body})") for name, body in _OPENINGS.items()}
_STOCK = Phrases(_PHRASES)
NAMES = (
    *_WORDS,
    *_OPENINGS,
    *_PHRASES,
    "question",
    "exclamation",
    "closes_question",
    "closes_exclamation",
)


def _measure(document: Document) -> list[float]:
    groups: Counter[str] = Counter()
    for word, times in Counter(document.words).items():
        for group in _GROUPS_OF.get(word, ()):
            groups[group] += times
    scale = 1000.0 / (len(document.words) + 20.0)
    text = document.text.lower().replace("’", "'")
    last = text.rstrip(" \n*_\"')”")[-1:]
    return [
        *(log1p(groups[name] * scale) for name in _WORDS),
        *(float(pattern.match(text[:200]) is not None) for pattern in _BEGINNINGS.values()),
        *map(log1p, _STOCK.counts(text)),
        log1p(text.count("?")),
        log1p(text.count("!")),
        float(last in ("?", "？")),
        float(last in ("!", "！")),
    ]


STANCE = Named("stance", 1, NAMES, _measure)
"""Log rates per 1,000 words of hedges, boosters, obligation, person, negation, connectives, praise;
how the answer opens and closes; logarithms of how often stock phrases occur: refusals, "as an AI",
makers named, offers, disclaimers, advice to consult someone, "not only … but".

Sees: what alignment training puts into a model's manner. English.

Removed by: a system prompt that sets a persona or forbids disclaimers; terseness; another
language (all values 0 but question and exclamation marks).

Source: Hyland (2005), "Stance and engagement", Discourse Studies 7, for the classes of words.
"""
