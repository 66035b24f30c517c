"""The task that waits until a service of its own serves the champion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout, AirflowSkipException

from served import QUESTIONS, served_run, serving, wait_for_line, with_vllm
from tradewind.errors import UserError
from tradewind.registry.promotion import promote
from tradewind.registry.register import register
from tradewind.registry.store import Registry
from tradewind_airflow.operators.serving import ServedChampionSensor, serve_wait

ANSWERS = [f"answer {at}" for at in range(len(QUESTIONS))]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models" / "trade_qa")


def _champion(registry: Registry, name: str, answers: list[str], *, force: bool = False) -> dict[str, Any]:
    """What RegisterModelOperator returns of a new version."""
    home = registry.path.parents[1]
    model = home / f"model-of-{name}"
    model.mkdir()
    (model / "config.json").write_text(json.dumps({"of": name}))
    run = served_run(home / "runs" / "trade_qa" / name, model, answers, champion=registry.champion())
    version = register(registry, run, who="test").version.name
    if force and registry.champion_name() != version:
        promote(registry, version, who="test", why="test", force=True)
    return {"version": version, "promoted": registry.champion_name() == version}


def _wait(registry: Registry, registered: Any, **settings: Any) -> ServedChampionSensor:
    settings = {"mode": "poke", "poke_interval": 0.2, "timeout": 60} | settings
    return ServedChampionSensor(task_id="hand_over", registered=registered, models_dir=str(registry.path), **settings)


def test_a_champion_is_waited_for_until_it_is_served_and_a_refused_one_is_told(
    registry: Registry, tmp_path: Path, context: Any
) -> None:
    made = _champion(registry, "night-1", ANSWERS)
    says = json.dumps(dict(zip(QUESTIONS, ANSWERS, strict=True)))
    with serving(
        tmp_path, registry.path, "--follow", "--engine", "vllm", "--port", "0", "--name", "mine",
        **with_vllm(tmp_path, says),
    ) as process:  # fmt: skip
        found = _wait(registry, made).execute(context)
        assert found.pop("url").startswith("http://127.0.0.1:")
        assert found == {"version": "v1", "name": "mine", "equal": 10, "asked": 10}
        liar = _champion(registry, "night-2", ["a lie"] * len(QUESTIONS), force=True)
        told = r"v2 was not taken over \(v1 is served still\): .*0 of 10 answers are those of the evaluation"
        with pytest.raises(AirflowFailException, match=told):
            _wait(registry, liar).execute(context)
        wait_for_line(tmp_path, "v2 is not served", process)


def test_a_run_without_a_champion_has_nothing_to_hand_over(registry: Registry, context: Any) -> None:
    first = _champion(registry, "night-1", ANSWERS)
    for registered in (None, {"version": "v1", "promoted": False}):
        with pytest.raises(AirflowSkipException, match="this run made no champion"):
            _wait(registry, registered).execute(context)
    _champion(registry, "night-2", ANSWERS, force=True)
    with pytest.raises(AirflowSkipException, match="v1 is not champion any more: v2 is"):
        _wait(registry, first).execute(context)


def test_an_approved_champion_counts_as_one_of_the_gate(registry: Registry, context: Any) -> None:
    made = _champion(registry, "night-1", ANSWERS)
    task = _wait(registry, made | {"promoted": False}, promoted=made)
    assert not task.poke(context).is_done


def test_without_a_service_it_says_what_to_start(registry: Registry, context: Any) -> None:
    made = _champion(registry, "night-1", ANSWERS)
    told = "v1 is champion, but nobody serves it after 0.005 min; is `tradewind serve .*/trade_qa --follow` running"
    with pytest.raises(AirflowSensorTimeout, match=told):
        _wait(registry, made, timeout=0.3).execute(context)


@pytest.mark.parametrize(("stated", "minutes"), [("", None), (" ", None), ("30", 30.0), ("0.5", 0.5)])
def test_how_long_it_waits(monkeypatch: pytest.MonkeyPatch, stated: str, minutes: float | None) -> None:
    monkeypatch.setenv("TRADEWIND_SERVE_WAIT", stated)
    assert serve_wait() == minutes


@pytest.mark.parametrize("stated", ["soon", "0", "-1", "inf", "nan"])
def test_a_wait_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch, stated: str) -> None:
    monkeypatch.setenv("TRADEWIND_SERVE_WAIT", stated)
    with pytest.raises(UserError, match=f"TRADEWIND_SERVE_WAIT: '{stated}' is no number of minutes above 0"):
        serve_wait()
