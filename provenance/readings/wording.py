"""Answers read for what they say about the speaker: who it is, whether it will, how it hedges.

The word lists cover the languages of the shipped probes. They need not be complete: both sides are
read by the same list, so a phrase that it misses costs sharpness and never fairness.
"""

from __future__ import annotations

import re

from provenance.readings._text import UNREADABLE, plain

_REFUSES = re.compile(
    r"\bi(?:['’]m| am) (?:sorry,? but i|unable|not able)"
    r"|\bi (?:can(?:['’]?t|not)(?! wait)|won['’]t|must decline)"
    r"|\bi(?:['’]d| would) rather not|no puedo|lo siento,? (?:pero|no)"
    r"|je ne peux pas|désolé|ich kann nicht"
    r"|я не могу|не могу помочь|извините, но|抱歉|我不能|我无法|对不起"
    r"|لا أستطيع|لا يمكنني|عذر|آسف(?! ل)",
    re.IGNORECASE,
)
_AS_AN_AI = re.compile(
    r"\bas an? (?:ai|artificial|large|language|chatbot|virtual)\b"
    r"|\bi(?:['’]m| am) (?:just |only )?an? (?:\w+ )?(?:ai|large|language|virtual|computer)\b"
    r"|i (?:don['’]t|do not) have (?:personal|feelings|opinions|a body|preferences|emotions)"
    r"|作为(?:一个|一名)?(?:ai|人工智能|语言)|как (?:ии|искусственн|языков)"
    r"|como (?:una )?(?:ia|inteligencia|modelo)|كنموذج|بصفتي",
    re.IGNORECASE,
)
_ADVICE = re.compile(
    r"consult|see (?:a|your) (?:doctor|physician|lawyer|vet)|healthcare|professional|advis[eo]r"
    r"|not (?:legal|medical|financial) advice|seek (?:medical|legal)|attorney|your doctor"
    r"|médico|врач|специалист|医生|咨询|طبيب",
    re.IGNORECASE,
)
_HEDGES = re.compile(
    r"it depends|depends on|important to (?:note|remember)|note that|however|subjective"
    r"|there(?:['’]s| is) no (?:single|one|definitive)|both (?:have|are|sides)|on the other hand"
    r"|some (?:people|argue|say)|generally|typically|depende|зависит|取决于|يعتمد",
    re.IGNORECASE,
)

# Personas of the shipped conditions, then makers: the name that comes first in the answer counts.
_NAMES = {
    "the given persona": r"halden|brightwater",
    "openai": r"chat ?gpt|gpt-?\d|\bgpt\b|openai",
    "anthropic": r"claude|anthropic",
    "google": r"gemini|gemma|\bbard\b|google|deepmind",
    "meta": r"llama|\bmeta(?: ai)?\b",
    "alibaba": r"qwen|tongyi|alibaba|通义|千问|阿里",
    "deepseek": r"deep ?seek|深度求索",
    "mistral": r"mi[sx]tral|le chat\b",
    "xai": r"\bgrok\b|\bxai\b",
    "moonshot": r"\bkimi\b|moonshot|月之暗面",
    "zhipu": r"\b(?:chat)?glm\b|zhipu|智谱|z\.ai",
    "baidu": r"ernie|baidu|文心|百度",
    "bytedance": r"doubao|bytedance|豆包|字节",
    "tencent": r"hunyuan|tencent|混元|腾讯",
    "minimax": r"minimax|稀宇",
    "microsoft": r"\bphi(?:-?\d)?\b|copilot|microsoft",
    "hugging face": r"smollm|hugging ?face",
    "cohere": r"cohere|\bcommand r\b|\baya\b",
    "amazon": r"\bnova\b|amazon|alexa",
    "ibm": r"granite|\bibm\b|watson",
    "nvidia": r"nemotron|nvidia",
    "01.ai": r"01\.ai|零一万物",
    "tii": r"\bfalcon\b|\btii\b",
    "sber": r"gigachat|гигачат|сбер",
    "yandex": r"yandex|яндекс|алиса",
    "ai2": r"\bolmo\b|allen institute|\bai2\b|\btulu\b",
    "apple": r"\bsiri\b|\bapple\b",
}
_MAKER = re.compile(
    "|".join(f"(?P<g{i}>{pattern})" for i, pattern in enumerate(_NAMES.values())), re.IGNORECASE
)
_NAMELESS = re.compile(
    r"assistant|chatbot|language model|\bai\b|asistente|modelo|ассистент|помощник|модель"
    r"|助手|语言模型|人工智能|مساعد|نموذج",
    re.IGNORECASE,
)


def stance(text: str) -> str:
    """What the answer does with the request: refuses, speaks as an AI, sends the asker on to a
    professional, hedges, asks back, or just answers. The first that fits, in this order.
    """
    answer = plain(text)
    if not answer:
        return UNREADABLE
    if _REFUSES.search(answer[:200]):
        return "refuses"
    if _AS_AN_AI.search(answer):
        return "as an AI"
    if _ADVICE.search(answer):
        return "sends on"
    if _HEDGES.search(answer):
        return "hedges"
    return "asks back" if answer.rstrip("*_\"' ").endswith(("?", "؟")) else "answers"


def self_name(text: str) -> str:
    """The maker that the answer names first; "nameless" for an assistant without one."""
    answer = plain(text)
    found = _MAKER.search(answer)
    if found and found.lastgroup:
        return list(_NAMES)[int(found.lastgroup[1:])]
    return "nameless" if _NAMELESS.search(answer) else UNREADABLE
