"""Every setting stands in a table, with what it does."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from tradewind.config import Recipe
from tradewind.settings_page import Block, as_yaml, blocks, settings_tables, table

BLOCKS = {block.places[0]: block for block in blocks()}


def _row(tables: str, place: str, key: str) -> list[str]:
    """The cells of a setting's row below its block's heading."""
    section = next(part for part in tables.split("## ")[1:] if f"`{place}`" in part.splitlines()[0])
    row = next(line for line in section.splitlines() if line.startswith((f"| `{key}`", f"| [`{key}`]")))
    return [cell.strip() for cell in row.strip("|").split("|")]


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_every_setting_is_described(block: Block) -> None:
    bare = [name for name, info in block.model.model_fields.items() if not info.description]
    assert not bare, f"{block.model.__name__}: write a docstring below {bare}"
    assert block.model.__doc__


def test_every_model_of_settings_has_a_table() -> None:
    def models(model: type[BaseModel]) -> set[str]:
        definitions = model.model_json_schema().get("$defs", {})
        return {model.__name__, *definitions}

    assert {block.model.__name__ for block in BLOCKS.values()} == models(Recipe)


def test_values_defaults_and_ranges_are_in_words() -> None:
    tables = settings_tables()
    assert _row(tables, "finetune", "learning_rate")[1:3] == ["number above 0 to below 1", "`0.0002`"]
    assert _row(tables, "model", "dtype")[1:3] == ["`float32`, `bfloat16` or `float16`", "`float32`"]
    assert _row(tables, "extract", "model")[1:3] == ["text", "none: state it"]
    assert _row(tables, "extract", "temperature")[1:3] == ["number from 0 to 2 or `null`", "`null`"]
    assert _row(tables, "evaluate.judge.budget", "requests")[1] == "whole number from 0 or `null`"
    assert _row(tables, "gate", "require")[1:3] == [
        "list of blocks, one or more",
        "`[{metric: semscore, kind: reworded}]`",
    ]


def test_blocks_with_the_same_defaults_share_a_table_and_others_do_not() -> None:
    assert BLOCKS["adapt"].places == ["adapt", "finetune"]
    assert BLOCKS["data.templates.en"].places == ["data.templates.en"]
    assert "무역 용어" in _row(settings_tables(), "data.templates.ko", "term_to_description")[2]


def test_a_block_is_linked_to_its_table() -> None:
    tables = settings_tables()
    assert _row(tables, "adapt", "lora")[0] == "[`lora`](#adaptlora-finetunelora)"
    assert _row(tables, "data", "datasets")[0] == "[`datasets`](#datadatasets)"
    assert _row(tables, "data", "templates")[0] == "[`templates`](#datatemplatesen)"


def test_no_cell_ends_early() -> None:
    assert table(("a", "b"), [("x|y", "one\ntwo")]).splitlines()[2] == r"| x\|y | one two |"


@pytest.mark.parametrize("value", ["plain", "with: colon", "'quoted' {term}", [], {"a": None}, 0.0002, True])
def test_a_default_is_yaml_of_one_line(value: object) -> None:
    import yaml

    assert "\n" not in as_yaml(value)
    assert yaml.safe_load(as_yaml(value)) == value
