"""A run that is given up leaves no container."""

from __future__ import annotations

from pathlib import Path

import pytest

import engine as engines
from engine import Engine
from tradewind_airflow.local.containers import end_containers


def _start(engine: Engine, job: str) -> str:
    host_config = engine.cli.create_host_config(network_mode="none")
    labels = {"tradewind.job": job, "tradewind.task": "finetune/1"}
    made = engine.cli.create_container(engines.BASE_IMAGE, ["sleep", "600"], labels=labels, host_config=host_config)
    engine.cli.start(made["Id"])
    return str(made["Id"])


@pytest.mark.slow
def test_its_containers_are_removed_and_no_others(in_containers: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWIND_IMAGE", engines.BASE_IMAGE)
    _start(in_containers, "trade_qa/one")
    other = _start(in_containers, "trade_qa/one_more")
    end_containers("trade_qa", "one")
    assert [found["Id"] for found in in_containers.containers()] == [other]
    end_containers("trade_qa", "one_more")


@pytest.mark.parametrize("image", ["", "tradewind-trainer"])
def test_without_an_engine_there_are_none(image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWIND_IMAGE", image)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere.sock")
    end_containers("trade_qa", "one")
