"""A task's Ray job has one name for all tries, tells no secret, and names folders as the cluster's nodes do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tradewind.errors import UserError
from tradewind.recipes import resolve
from tradewind.run_dir import RunDir
from tradewind_airflow.containers.identity import Identity
from tradewind_airflow.operators.ray_stage import RayEvaluateOperator, RayFinetuneOperator, RayStageOperator
from tradewind_airflow.ray_jobs.submission import for_cluster, job_name, job_request, on_cluster, parsed, submission_id

FIRST = Identity("trade_qa/manual__2026-11-22T02:00:00+00:00", "finetune/1", 0, "owner")
SECOND = Identity(FIRST.job_id, "finetune/2", 0, "another")
PATHS = {"/srv": "/mnt/all", "/srv/runs": "/mnt/runs"}


def test_all_tries_of_a_task_have_one_name() -> None:
    assert job_name(FIRST, "/runs/a") == job_name(SECOND, "/runs/a")


@pytest.mark.parametrize(
    ("other", "run_dir"),
    [
        (FIRST, "/runs/b"),
        (Identity("trade_qa/manual__2", "finetune/1", 0, "o"), "/runs/a"),
        (Identity(FIRST.job_id, "finetune[1]/1", 0, "o"), "/runs/a"),
    ],
)
def test_another_task_has_another_name(other: Identity, run_dir: str) -> None:
    assert job_name(other, run_dir) != job_name(FIRST, "/runs/a")


def test_an_id_is_read_as_it_was_made() -> None:
    name = job_name(FIRST, "/runs/a")
    assert parsed(name, submission_id(name, 3, 12)) == (3, 12)
    for foreign in ("raysubmit_1", name, f"{name}-1", f"{name}x-1-1", f"{name}-1-1-1", f"{name}-1-a"):
        assert parsed(name, foreign) is None


def test_arguments_reach_the_cluster_s_shell_as_they_are() -> None:
    request = job_request("id", FIRST, ["python", "/runs/a b;$(x)"], env={}, resources={"entrypoint_num_cpus": 2})
    assert request["entrypoint"] == "exec python '/runs/a b;$(x)'"
    assert request["entrypoint_num_cpus"] == 2
    assert request["runtime_env"]["env_vars"]["TRADEWIND_TASK_ID"] == "finetune/1"
    json.dumps(request)


@pytest.mark.parametrize(
    ("own", "theirs"),
    [("/srv/runs/x", "/mnt/runs/x"), ("/srv/runs", "/mnt/runs"), ("/srv/data", "/mnt/all/data"), ("/srvx", "/srvx")],
)
def test_a_folder_is_named_by_the_longest_that_holds_it(own: str, theirs: str) -> None:
    assert on_cluster(Path(own), PATHS) == theirs


def test_a_configuration_names_the_cluster_s_folders() -> None:
    config = resolve("tiny", "embedded:en", 1, {"model.model_name_or_path": "/srv/models/gemma"})
    found = for_cluster(config, PATHS)
    assert found.model.model_name_or_path == "/mnt/all/models/gemma"
    assert (found.data_dir, found.evaluate.encoder) == (config.data_dir, config.evaluate.encoder)


@pytest.mark.parametrize("name", ["HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "api_key", "DB_PASSWORD", "MY_TOKEN_2"])
def test_a_secret_is_no_variable_of_a_job(name: str) -> None:
    with pytest.raises(TypeError, match="dashboard") as caught:
        RayFinetuneOperator(task_id="finetune", env={name: "hf_1234567890"})
    assert "hf_1234567890" not in str(caught.value)


def test_what_is_no_secret_may_be_one() -> None:
    assert RayFinetuneOperator(task_id="finetune", env={"TOKENIZERS_PARALLELISM": "false", "KEYBOARD": "us"}).env


@pytest.mark.parametrize(
    ("cluster", "flags", "taken"),
    [
        (None, [], {"entrypoint_num_cpus": 8, "entrypoint_num_gpus": 1}),
        ({"nodes": 1, "gpus": 0}, [], {"entrypoint_num_cpus": 8}),
        ({"nodes": 2, "gpus": 4}, ["--ray-workers", "8", "--ray-cpus", "8"], {}),
        ({"nodes": 3, "gpus": 0}, ["--ray-workers", "3", "--ray-cpus", "8", "--ray-no-gpu"], {}),
    ],
)
def test_a_cluster_s_workers(cluster: dict[str, int] | None, flags: list[str], taken: dict[str, int]) -> None:
    operator = RayFinetuneOperator(task_id="finetune", cluster=cluster, cpus_per_worker=8)
    assert operator._workers() == flags
    assert operator.own_resources == taken


@pytest.mark.parametrize(
    "cluster", [{"nodes": 0, "gpus": 1}, {"nodes": 2}, {"nodes": 2, "gpus": -1}, 2, {"nodes": "2", "gpus": 1}]
)
def test_a_cluster_that_is_none(cluster: Any) -> None:
    with pytest.raises(TypeError, match="cluster"):
        RayFinetuneOperator(task_id="finetune", cluster=cluster)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"stage": "report"}, "only stages with a model"), ({"stage": "adapt", "paths": {"/a": "b"}}, "'b' is no folder")],
)
def test_wrong_arguments_are_told_as_the_dag_is_read(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RayStageOperator(task_id="t", **wrong)


@pytest.fixture
def evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    """What the job of an evaluation learns of the folders beside its run's, where the pipeline has models."""
    monkeypatch.setenv("TRADEWIND_HOME", str(tmp_path))
    (tmp_path / "models/trade_qa").mkdir(parents=True)

    def folders(**paths: str) -> dict[str, str]:
        named = {str(tmp_path / own if own != "home" else tmp_path): theirs for own, theirs in paths.items()}
        operator = RayEvaluateOperator(task_id="evaluate", paths=named)
        return operator._shared_folders(RunDir(tmp_path / "runs/trade_qa/1"), FIRST)

    return folders


def test_an_evaluation_finds_the_champion_and_the_kept_answers(
    evaluation: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    names = ("TRADEWIND_MODELS", "models/trade_qa"), ("TRADEWIND_ANSWERS", "answers")
    assert evaluation() == {name: str(tmp_path / folder) for name, folder in names}
    assert evaluation(home="/mnt") == {name: f"/mnt/{folder}" for name, folder in names}
    assert evaluation(runs="/mnt/r", models="/mnt/m") == {"TRADEWIND_MODELS": "/mnt/m/trade_qa"}


def test_a_champion_that_the_nodes_may_not_see_is_not_left_out(evaluation: Callable[..., dict[str, str]]) -> None:
    with pytest.raises(UserError, match=r"models/trade_qa: the champion is looked for there, but `paths` does not say"):
        evaluation(runs="/mnt/runs")
