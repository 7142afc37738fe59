import json

import jsonschema

from provenance import resources
from provenance.dossier.json import schema, schema_text
from provenance.findings import SCHEMA_VERSION, StudyDocument


def test_shipped_schema_is_the_generated_one() -> None:
    shipped = resources.schema().read_text(encoding="utf-8")
    assert shipped == schema_text(), "regenerate provenance/study.schema.json"


def test_schema_is_a_valid_schema_and_describes_every_field() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert set(schema()["properties"]) == set(StudyDocument.model_fields)
    assert schema()["additionalProperties"] is False


def test_schema_version_comes_first() -> None:
    assert next(iter(StudyDocument.model_fields)) == "schema_version"
    assert json.loads(schema_text())["properties"]["schema_version"]["default"] == SCHEMA_VERSION
