"""What is told before anything runs."""

from __future__ import annotations

import pytest

from tradewind.config import RunConfig
from tradewind.errors import UserError
from tradewind.preflight import check_division, check_keys, check_recipe
from tradewind.recipes import resolve


def _config(**overrides: object) -> RunConfig:
    return resolve("tiny", "documents", overrides={key.replace("__", "."): value for key, value in overrides.items()})


def test_the_shipped_recipes_pass() -> None:
    for recipe in ("tiny", "gemma-2-2b-it", "gemma-2-9b-it-qlora"):
        check_recipe(resolve(recipe, "documents"))


def test_a_tracker_that_is_not_installed_is_named_with_its_setting() -> None:
    with pytest.raises(UserError, match=r"^finetune\.report_to: wandb is not installed; pip install wandb$"):
        check_recipe(_config(finetune__report_to=["wandb"]))


def test_vllm_that_is_not_installed_is_named_with_its_setting() -> None:
    with pytest.raises(UserError, match=r"^evaluate\.generator: vllm is not installed; pip install vllm"):
        check_recipe(_config(evaluate__generator="vllm"))


def test_processes_that_cannot_share_a_step_are_told_with_the_stage_that_they_train() -> None:
    check_division(_config(), {"baseline": 3, "evaluate": 3, "finetune": 2})
    told = r"^finetune: 3 processes cannot share the 16 examples of a step .* evenly; take 2 GPUs, or change the step$"
    with pytest.raises(UserError, match=told):
        check_division(_config(), {"adapt": 2, "finetune": 3})
    check_division(_config(), {"finetune": 3}, skip=["finetune"])
    check_division(_config(finetune__enabled=False), {"finetune": 3})
    check_division(_config(finetune__micro_batch_size=8), {"finetune": 2})
    with pytest.raises(
        UserError, match=r"^finetune: micro_batch_size: 8 does not divide the 4 .* 4 processes\); say 4$"
    ):
        check_division(_config(finetune__micro_batch_size=8), {"finetune": 4})


def test_a_judge_without_its_key_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    config = _config(evaluate__judge={"model": "m", "api_key_env": "MY_JUDGE_KEY"})
    monkeypatch.delenv("MY_JUDGE_KEY", raising=False)
    with pytest.raises(UserError, match="MY_JUDGE_KEY is not set"):
        check_keys(config)
    monkeypatch.setenv("MY_JUDGE_KEY", "k-123456")
    check_keys(config)


@pytest.mark.parametrize("key", ["sk-123\n", "sk-키", " sk-123", "sk 123", "sk-\x07123", "sk-\u00a0"])
def test_a_key_that_no_request_can_carry_is_refused_and_not_shown(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_JUDGE_KEY", key)
    with pytest.raises(UserError, match=r"^evaluate\.judge: the environment variable MY_JUDGE_KEY holds") as told:
        check_keys(_config(evaluate__judge={"model": "m", "api_key_env": "MY_JUDGE_KEY"}))
    assert "\n" not in str(told.value)
    assert "sk" not in str(told.value)


@pytest.mark.parametrize(
    "url",
    [
        "not a url",
        "localhost:8000/v1",
        "ftp://host/v1",
        "http://",
        "http://host:port/v1",
        "http://a b/",
        "",
        "http://h\n",
    ],
)
def test_an_address_that_is_none_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(UserError, match=r"judge\.base_url: .*http:// or https://") as told:
        _config(evaluate__judge={"model": "m", "base_url": url})
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/v1", "https://api.openai.com/v1", "http://[::1]:1/", None])
def test_an_address_of_a_server_is_kept_as_it_is(url: str | None) -> None:
    judge = _config(evaluate__judge={"model": "m", "base_url": url}).evaluate.judge
    assert judge is not None
    assert judge.base_url == url
