"""The trigger form's defaults, the settings that follow from it, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk.definitions.param import ParamsDict

from tradewind.errors import UserError
from tradewind.recipes import resolve
from tradewind_airflow.params import check_conf, run_params, stated_settings


def _filled(**values: Any) -> dict[str, Any]:
    return ParamsDict(run_params()).dump() | values


def test_the_form_left_as_it_is_changes_nothing() -> None:
    form = ParamsDict(run_params())
    form.validate()  # a scheduled run goes by the defaults
    assert (form["recipe"], form["data"], form["seed"]) == ("tiny", "embedded:en", 42)
    assert (form["skip"], form["force"]) == ([], False)
    assert stated_settings(form.dump()) == {}


def test_the_deployment_names_its_own_recipe_documents_and_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    stated = {"TRADEWIND_RECIPE": "/etc/ours.yaml", "TRADEWIND_DATA": "/srv/docs", "TRADEWIND_SLACK_CHANNEL": "#ml"}
    for name, value in stated.items():
        monkeypatch.setenv(name, value)
    form = ParamsDict(run_params()).validate()
    assert (form["recipe"], form["data"], form["slack_channel"]) == ("/etc/ours.yaml", "/srv/docs", "#ml")


def test_what_is_filled_in_reaches_the_configuration() -> None:
    filled = _filled(epochs=2, learning_rate=1e-4, lora_rank=8, limit=50, approval="yes")
    config = resolve("tiny", "embedded:en", 7, stated_settings(filled))
    assert (config.finetune.num_train_epochs, config.finetune.learning_rate) == (2, 1e-4)
    assert config.finetune.lora is not None
    assert config.finetune.lora.r == 8
    assert config.data.max_records == 50
    assert config.gate.approval is True
    assert stated_settings(_filled(approval="no")) == {"gate.approval": False}


def test_every_field_has_a_title_a_section_and_help_and_is_json() -> None:
    sections = []
    for param in run_params().values():
        shown = json.loads(json.dumps(param.schema))
        assert shown["title"]
        assert str(param.description).endswith(".")
        sections.append(shown["section"])
    # The page draws a section anew wherever it meets one: each stands in one piece.
    assert list(dict.fromkeys(sections)) == ["Model and data", "Training", "This run", "Telling"]
    assert sections == sorted(sections, key=list(dict.fromkeys(sections)).index)


@pytest.mark.parametrize(
    ("conf", "told"),
    [
        ({"epoch": 3}, "conf: epoch: unknown key; did you mean 'epochs'?"),
        ({"learning-rate": 1e-4}, "conf: learning-rate: unknown key; did you mean 'learning_rate'?"),
        ({"zzz": 1}, "conf: zzz: unknown key; there are recipe, data, limit, seed"),
        ({"epochs": 0}, "conf: epochs: 0 is less than the minimum of 0.01 (got 0)"),
        ({"epochs": "3"}, "conf: epochs: '3' is not of type 'null', 'number' (got '3')"),
        ({"learning_rate": 2}, "conf: learning_rate: 2 is greater than the maximum of 0.1 (got 2)"),
        ({"learning_rate": float("nan")}, "conf: learning_rate: nan is no number"),
        ({"lora_rank": 1.5}, "conf: lora_rank: 1.5 is not of type 'null', 'integer' (got 1.5)"),
        ({"seed": True}, "conf: seed: True is not of type 'integer' (got True)"),
        ({"force": "yes"}, "conf: force: 'yes' is not of type 'boolean' (got 'yes')"),
        ({"skip": ["prepar"]}, "conf: skip: unknown value 'prepar'; did you mean 'prepare'?"),
        ({"skip": "prepare"}, "conf: skip: 'prepare' is not of type 'array' (got 'prepare')"),
        ({"approval": "maybe"}, "conf: approval: unknown value 'maybe'; there are yes, no"),
        ({"data": ""}, "conf: data: '' should be non-empty (got '')"),
    ],
)
def test_what_the_form_does_not_know_is_named_with_the_nearest_that_there_is(conf: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError) as caught:
        check_conf(conf, ParamsDict(run_params()))
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


def test_every_field_may_be_triggered_with_its_own_default() -> None:
    form = ParamsDict(run_params())
    check_conf(form.dump(), form)
