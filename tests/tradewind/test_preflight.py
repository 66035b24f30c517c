"""What is told before anything runs."""

from __future__ import annotations

import pytest

from tradewind.config import RunConfig
from tradewind.errors import UserError
from tradewind.preflight import check_keys, check_recipe
from tradewind.recipes import resolve


def _config(**overrides: object) -> RunConfig:
    return resolve("tiny", "documents", overrides={key.replace("__", "."): value for key, value in overrides.items()})


def test_the_shipped_recipes_pass() -> None:
    for recipe in ("tiny", "gemma-2-2b-it"):
        check_recipe(resolve(recipe, "documents"))


def test_a_tracker_that_is_not_installed_is_named_with_its_setting() -> None:
    with pytest.raises(UserError, match=r"^finetune\.report_to: mlflow is not installed; pip install mlflow$"):
        check_recipe(_config(finetune__report_to=["mlflow"]))


def test_a_judge_without_its_key_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    config = _config(evaluate__judge={"model": "m", "api_key_env": "MY_JUDGE_KEY"})
    monkeypatch.delenv("MY_JUDGE_KEY", raising=False)
    with pytest.raises(UserError, match="MY_JUDGE_KEY is not set"):
        check_keys(config)
    monkeypatch.setenv("MY_JUDGE_KEY", "k-123456")
    check_keys(config)
