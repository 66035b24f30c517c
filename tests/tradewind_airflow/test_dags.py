"""Every DAG file loads, serialises, stays light, and tells no secret."""

from __future__ import annotations

import copy
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ORDER = ["configure", "shards", "extract", "prepare", "adapt", "finetune", "evaluate", "report", "register"]
STAGES = [*ORDER[2:-1], "baseline"]
TELLING = ["announce", "notify", "tell_promotion"]
AFTER = {
    "configure": {"shards", "announce"},
    "prepare": {"adapt", "baseline"},
    "baseline": {"evaluate"},
    "register": {"approve", "promote", "notify", "tell_promotion"},
    "approve": {"promote"},
    "promote": {"tell_promotion", "end"},
}
SECRETS = {"HF_TOKEN": "hf-marker-1", "OPENAI_API_KEY": "sk-marker-2", "SLACK_TOKEN": "xoxb-marker-3"}
HEAVY = (
    "torch", "transformers", "trl", "peft", "datasets", "sentence_transformers", "openai", "numpy", "scipy",
    "slack_sdk", "tradewind.registry.register", "tradewind.reuse.cached", "tradewind.sources.exam",
)  # fmt: skip
_LOAD = """
import json, os, sys
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
assert bag.dags and not bag.import_errors, bag.import_errors
"""


def _read(project: Path) -> dict[str, Any]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(project / "dags"))
    assert bag.import_errors == {}
    return dict(bag.dags)


@pytest.fixture
def dags(airflow_database: None, project: Path) -> dict[str, Any]:
    return _read(project)


def test_each_dag_file_but_those_of_the_yaml_pipelines_holds_one_dag(dags: dict[str, Any], project: Path) -> None:
    files = sorted(path.name for path in (project / "dags").glob("*.py") if not path.stem.endswith("_pipelines"))
    assert sorted(Path(dag.fileloc).name for dag in dags.values()) == files


def test_every_dag_serialises(dags: dict[str, Any]) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    for dag in dags.values():
        text = json.dumps(DagSerialization.to_dict(dag))
        assert DagSerialization.from_dict(json.loads(text)).task_ids == dag.task_ids


def test_the_tasks_run_one_after_the_other(dags: dict[str, Any]) -> None:
    dag = dags["trade_qa"]
    assert sorted(dag.task_ids) == sorted([*ORDER, "baseline", "approve", "promote", "end", *TELLING])
    assert dag.get_task(ORDER[0]).upstream_task_ids == set()
    expected = {before: {after} for before, after in pairwise(ORDER)} | AFTER
    for task in dag.tasks:
        assert task.downstream_task_ids == expected.get(task.task_id, set())


@pytest.mark.parametrize("minutes", [1, 100, 1400])
def test_unpaused_after_the_time_of_the_clock_it_waits_for_the_next(
    dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    import pendulum
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.timetables import trigger
    from airflow.timetables.base import TimeRestriction

    night = pendulum.datetime(2026, 11, 21, 2, tz="Asia/Seoul")
    monkeypatch.setattr(trigger, "utcnow", lambda: night.add(minutes=minutes).in_timezone("UTC"))
    timetable = DagSerialization.from_dict(DagSerialization.to_dict(dags["trade_qa"])).timetable
    info = timetable.next_dagrun_info(
        last_automated_data_interval=None, restriction=TimeRestriction(earliest=None, latest=None, catchup=False)
    )
    assert info is not None
    assert info.run_after == night.add(days=1)


def test_it_runs_nightly_once_unpaused_and_never_beside_itself(dags: dict[str, Any]) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    dag = dags["trade_qa"]
    assert dag.is_paused_upon_creation is True
    assert dag.catchup is False
    assert dag.max_active_runs == 1
    timetable = DagSerialization.to_dict(dag)["dag"]["timetable"]["__var"]
    clock = timetable["timetable"]["__var"]
    assert (clock["expression"], clock["timezone"]) == ("0 2 * * *", "Asia/Seoul")
    assert "tradewind://trade_qa/documents" in json.dumps(timetable["asset_condition"])


def test_the_look_at_the_documents_tells_the_pipeline_and_is_paused_at_first(dags: dict[str, Any]) -> None:
    dag = dags["trade_qa_documents"]
    assert dag.is_paused_upon_creation is True
    assert (dag.catchup, dag.max_active_runs) == (False, 1)
    assert sorted(dag.params) == ["data", "recipe"]
    (told,) = dag.get_task("look").outlets
    (awaited,) = dags["trade_qa"].timetable.asset_condition.objects
    assert told == awaited


def test_the_finished_model_is_an_asset(dags: dict[str, Any]) -> None:
    for task_id in ("register", "promote"):
        assert [asset.uri for asset in dags["trade_qa"].get_task(task_id).outlets] == ["tradewind://trade_qa/model"]


def test_the_champion_is_waited_for_where_a_service_serves_it(
    airflow_database: None, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADEWIND_SERVE_WAIT", "30")
    dag = _read(project)["trade_qa"]
    task = dag.get_task("hand_over")
    assert (task.upstream_task_ids, task.downstream_task_ids) == ({"register", "promote"}, {"end"})
    assert (task.timeout, task.mode, task.trigger_rule) == (1800, "reschedule", "none_failed")


def test_a_bad_value_of_the_deployments_is_one_line_that_names_its_variable(
    airflow_database: None, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.dag_processing.dagbag import DagBag

    monkeypatch.setenv("TRADEWIND_SCHEDULE", "at night")
    bag = DagBag(str(project / "dags"))
    assert sorted(bag.dags) == ["trade_qa_documents", "trade_qa_sweep"]
    (error,) = bag.import_errors.values()
    assert error.strip().splitlines()[-1].startswith("tradewind.errors.UserError: TRADEWIND_SCHEDULE: 'at night'")


def test_a_schedule_that_ends_is_kept_by_airflow(
    airflow_database: None, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    monkeypatch.setenv("TRADEWIND_START_DATE", "2026-12-01")
    monkeypatch.setenv("TRADEWIND_MAX_RUNS", "3")
    kept = json.dumps(DagSerialization.to_dict(_read(project)["trade_qa"]))
    dag: Any = DagSerialization.from_dict(json.loads(kept))
    planned = list(dag.iter_dagrun_infos_between(dag.start_date, dag.start_date.add(years=1)))
    assert [info.run_after.isoformat() for info in planned] == [
        "2026-11-30T17:00:00+00:00", "2026-12-01T17:00:00+00:00", "2026-12-02T17:00:00+00:00",
    ]  # fmt: skip
    assert dag.end_date is None  # it would leave runs by hand without tasks from then on


def test_loading_the_dag_files_loads_nothing_heavy(python: Any, project: Path) -> None:
    code = f"{_LOAD}\nprint(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    assert json.loads(python(code).stdout.splitlines()[-1]) == []
    # and they would be seen here: the list holds names that the environment can import
    found = python(f"from importlib.util import find_spec; print([bool(find_spec(name)) for name in {HEAVY!r}])")
    assert found.stdout.strip() == str([True] * len(HEAVY))


@pytest.mark.parametrize("name", ["trade_qa", "trade_qa_sweep"])
def test_the_dag_processor_imports_the_docker_client_before_it_forks(project: Path, name: str) -> None:
    """Else each parse would: it imports there what a DAG's file itself names of Airflow's."""
    from airflow.utils.file import iter_airflow_imports

    named = set(iter_airflow_imports(str(project / "dags" / f"{name}.py")))
    assert any("airflow.providers.docker.operators.docker".startswith(found) for found in named if "docker" in found)


@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_reaches_the_serialised_dag(python: Any, name: str) -> None:
    code = f"{_LOAD}\nprint(json.dumps([DagSerialization.to_dict(dag) for dag in bag.dags.values()]))"
    serialised = python(code, **SECRETS).stdout
    assert "trade_qa" in serialised
    assert SECRETS[name] not in serialised


def test_what_trains_or_answers_knows_where_the_secrets_are_and_nothing_else_does(dags: dict[str, Any]) -> None:
    references = {
        "HF_TOKEN": ("connection:huggingface_default", "env:HF_TOKEN"),
        "OPENAI_API_KEY": ("connection:openai_default", "env:OPENAI_API_KEY"),
    }
    known = {task_id: _argument(dags["trade_qa"].get_task(task_id), "secrets") for task_id in STAGES}
    assert known.pop("prepare") == known.pop("report") == {}
    assert known == dict.fromkeys(("extract", "baseline", "adapt", "finetune", "evaluate"), references)


def test_without_settings_each_stage_is_a_subprocess_without_gpus(dags: dict[str, Any]) -> None:
    for task_id in set(STAGES) - {"extract"}:
        task = dags["trade_qa"].get_task(task_id)
        assert (task.image, task.gpus, task.pool, task.pool_slots) == ("", 0, "default_pool", 1)


def test_image_and_gpus_are_those_that_the_deployment_names(
    airflow_database: None, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADEWIND_IMAGE", "trainer:7")
    monkeypatch.setenv("TRADEWIND_TASK_GPUS", "2")
    monkeypatch.setenv("TRADEWIND_GPU_POOL", "gpus_of_this_host")
    dag = _read(project)["trade_qa"]
    assert _argument(dag.get_task("extract"), "image") == "trainer:7"
    for task_id in set(STAGES) - {"extract"}:
        task = dag.get_task(task_id)
        with_gpus = task_id in ("baseline", "adapt", "finetune", "evaluate")
        expected = (2, "gpus_of_this_host", 2, "2g") if with_gpus else (0, "default_pool", 1, None)
        assert (task.gpus, task.pool, task.pool_slots, task.shm_size) == expected
        assert task.image == "trainer:7"


QUEUES = {"TRADEWIND_GPU_QUEUE": "gpu", "TRADEWIND_CPU_QUEUE": "rest"}
MODEL_TASKS = ("baseline", "adapt", "finetune", "evaluate", "trials")


@pytest.mark.parametrize("gpus", ["0", "1"])
@pytest.mark.parametrize(("stated", "gpu", "cpu"), [({}, "default", "default"), (QUEUES, "gpu", "rest")])
def test_what_has_a_model_is_in_one_queue_and_all_else_in_the_other(
    airflow_database: None, project: Path, monkeypatch: pytest.MonkeyPatch, stated: dict[str, str],
    gpu: str, cpu: str, gpus: str,
) -> None:  # fmt: skip
    for name, value in stated.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TRADEWIND_TASK_GPUS", gpus)  # a host without GPUs trains on its CPU: in the same queue
    for dag in _read(project).values():
        for task in dag.tasks:
            assert task.queue == (gpu if task.task_id in MODEL_TASKS else cpu), f"{dag.dag_id}.{task.task_id}"


def _argument(task: Any, name: str) -> Any:
    """Of an operator, or of what one that is yet to be mapped becomes."""
    return getattr(task.unmap({"shard": "1/2"}) if task.is_mapped else task, name)


@pytest.mark.parametrize("task_id", [name for name in [*ORDER, "baseline", "notify"] if name != "extract"])
def test_template_fields_render(
    dags: dict[str, Any], context: dict[str, Any], task_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.execution_time import macros
    from airflow.sdk.plugins_manager import integrate_macros_plugins

    from tradewind.run_dir import run_path

    monkeypatch.setenv("TRADEWIND_HOME", str(tmp_path))
    context["ti"].xcom_pull = lambda task_ids, **_: {"said": f"{task_ids} has spoken"}
    integrate_macros_plugins()
    dag = dags["trade_qa"]
    task = copy.copy(dag.get_task(task_id))
    task.render_template_fields(context | {"dag": dag, "params": dag.params.dump(), "macros": macros})
    assert "{{" not in repr([getattr(task, field) for field in task.template_fields])
    if task_id == "notify":
        assert task.channel == "#tradewind"
        assert task.registered == {"said": "register has spoken"}
    elif task_id == "register":
        assert Path(task.models_dir) == tmp_path / "models" / "trade_qa"
    else:
        assert (task.recipe, task.data) == ("tiny", "embedded:en")
    assert Path(task.run_dir) == run_path(tmp_path, "trade_qa", context["run_id"])
    if task_id in STAGES:
        assert task.seed == "42"
