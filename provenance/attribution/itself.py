"""When suspect and reference are one and the same: said, so that nobody takes it for a finding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provenance.attribution.holding import Texts
from provenance.endpoint import Endpoint
from provenance.transcript import Role

__all__ = ["itself_reasons", "one_endpoint"]

LONG = 80  # characters from which two models hardly write the same by chance
_FEWEST, _SHARE = 5, 0.5  # prompts, and the share of them with copies


def one_endpoint(one: Endpoint, other: Endpoint) -> bool:
    """Whether two endpoints name one model at one address, whatever their other options."""
    return _address(one) == _address(other)


def _address(endpoint: Endpoint) -> tuple[Any, ...]:
    url = (endpoint.base_url or "").rstrip("/").lower()
    return (
        endpoint.provider,
        endpoint.model,
        url,
        endpoint.option("model"),
        endpoint.option("revision"),
    )


def itself_reasons(
    suspect: Endpoint, reference: Endpoint, texts: Mapping[Role, Texts]
) -> list[tuple[str, dict[str, Any]]]:
    """One endpoint on both sides, or the same long answers word for word on half of the prompts."""
    if one_endpoint(suspect, reference):
        return [("same_endpoint", {"endpoint": suspect.label})]
    own, theirs = (_long(texts[role]) for role in ("suspect", "reference"))
    both = [prompt for prompt in own if prompt in theirs]
    copied = sum(not own[p].isdisjoint(theirs[p]) for p in both)
    if copied < max(_FEWEST, _SHARE * len(both)):
        return []
    return [("same_texts", {"shared": copied, "of": len(both)})]


def _long(texts: Texts) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for completion, prompt in zip(texts.completions, texts.prompts, strict=True):
        text = completion.text.strip()
        if len(text) >= LONG:
            found.setdefault(prompt, set()).add(text)
    return found
