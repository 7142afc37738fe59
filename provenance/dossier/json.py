"""``study.json`` and its schema."""

from __future__ import annotations

import json
from typing import Any

from provenance.canonical import normalise
from provenance.findings import StudyDocument


def render(document: StudyDocument) -> bytes:
    """The study document in the order of its fields, for people and programs.

    What JSON cannot say (NaN, infinities, lone surrogates) is null or U+FFFD.
    """
    content = normalise(document.model_dump(mode="python"))
    return (json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the study document; ships as ``study.schema.json``."""
    generated = StudyDocument.model_json_schema(mode="serialization", by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **generated,
        "title": "Study document of llm-provenance",
    }


def schema_text() -> str:
    """The file ``study.schema.json``."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"
