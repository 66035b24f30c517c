"""The JSON schema for editors: current, valid, and as strict as we are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tradewind.pipeline.templates import shipped_templates
from tradewind.pipeline.uses import USES
from tradewind.pipeline.write import HEADER, SCHEMA_FILE, schema_text

SCHEMA = json.loads(schema_text())
CHECK = Draft202012Validator(SCHEMA)


def test_the_shipped_one_is_that_of_the_models() -> None:
    shipped = next(iter(shipped_templates().values())).parent / SCHEMA_FILE
    assert shipped.read_text(encoding="utf-8") == schema_text(), "python -m tradewind_airflow.pipeline schema --out"


def test_it_is_a_schema_and_offers_our_tasks() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$defs"]["Task"]["properties"]["uses"]["enum"] == list(USES)


@pytest.mark.parametrize("template", shipped_templates().values(), ids=lambda path: path.stem)
def test_every_template_is_valid_by_it_and_names_it(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    assert text.startswith(HEADER)
    CHECK.validate(yaml.safe_load(text))


@pytest.mark.parametrize(
    "wrong",
    ["name: a\ntasky: []\n", "name: a\ntasks: [{name: b, uses: finetun}]\n", "name: a\ntasks: [{name: b, imge: c}]\n"],
)
def test_it_refuses_what_we_refuse(wrong: str) -> None:
    assert not CHECK.is_valid(yaml.safe_load(wrong))
