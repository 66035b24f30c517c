"""A pipeline under another name: the rest of its file stays as it was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tradewind.errors import UserError
from tradewind.pipeline.read import parse_pipeline
from tradewind.pipeline.rename import renamed

FILE = Path("mine.yaml")
REST = "tasks:\n  - {name: a, image: i}  # mine\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"# one\nname: mine   # two\n{REST}", f"# one\nname: other   # two\n{REST}"),
        (f"\ufeffname: 'mine'\r\n{REST}", f"\ufeffname: other\r\n{REST}"),
        (f'{REST}"name" : "mine"', f'{REST}"name" : other'),
        ("{name: mine, tasks: [{name: mine, image: mine}]}", "{name: other, tasks: [{name: mine, image: mine}]}"),
    ],
)
def test_the_name_alone_is_another(text: str, told: str) -> None:
    assert renamed(parse_pipeline(text, FILE), "other") == told


@pytest.mark.parametrize(
    "text",
    [
        f"<<: {{name: mine}}\n{REST}",
        f"name: &n mine\ndescription: *n\n{REST}",
        f"description: &n mine\nname: *n\n{REST}",
        f"name: |-\n  mine\n{REST}",
    ],
    ids=["merged", "anchor", "alias", "block"],
)
def test_a_name_that_cannot_be_replaced_is_told(text: str) -> None:
    document = parse_pipeline(text, FILE)
    with pytest.raises(UserError, match=r"mine.yaml.*: name: cannot be replaced so; state it in one line"):
        renamed(document, "other")


@pytest.mark.parametrize("name", ["a b", "../up", "", "한글", "a\nb"])
def test_a_name_that_is_none_is_told(name: str) -> None:
    with pytest.raises(UserError, match=r"mine.yaml:1: ") as raised:
        renamed(parse_pipeline(f"name: mine\n{REST}", FILE), name)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["yes", "1", "1e3", "0x1F", "2026-01-01", "null"])
def test_a_name_that_yaml_takes_for_something_else_is_in_quotes(name: str) -> None:
    text = renamed(parse_pipeline(f"name: mine\n{REST}", FILE), name)
    assert parse_pipeline(text, FILE).pipeline.name == name
