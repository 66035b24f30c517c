"""Any DAG of Tradewind's as YAML and back: nothing is lost, and what cannot be said is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tradewind.errors import UserError
from tradewind.pipeline.read import parse_pipeline, read_pipeline
from tradewind.pipeline.templates import shipped_templates
from tradewind.pipeline.write import yaml_text
from tradewind_airflow.pipeline.build import build_dag
from tradewind_airflow.pipeline.export import export

DEPLOYED = {
    "TRADEWIND_IMAGE": "trainer:7", "TRADEWIND_TASK_GPUS": "2", "TRADEWIND_GPU_POOL": "gpus",
    "TRADEWIND_START_DATE": "2026-12-01T02:30", "TRADEWIND_MAX_RUNS": "3", "TRADEWIND_DEADLINE_HOURS": "2.5",
    "TRADEWIND_SLACK_CHANNEL": "#other", "TRADEWIND_RECIPE": "gemma-2-2b-it", "TRADEWIND_SWEEP_PARALLEL": "3",
    "TRADEWIND_GPU_QUEUE": "big", "TRADEWIND_CPU_QUEUE": "small", "TRADEWIND_SERVE_WAIT": "30",
}  # fmt: skip
SHIPPED = ["trade_qa", "trade_qa_documents", "trade_qa_sweep"]


def load(project: Path, name: str) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(project / "dags" / f"{name}.py"))
    assert bag.import_errors == {}
    return bag.dags[name]


def rebuilt(text: str) -> Any:
    return build_dag(parse_pipeline(text, Path("x.yaml")))


@pytest.mark.parametrize("deployed", [{}, DEPLOYED, {"TRADEWIND_SCHEDULE": "none"}], ids=["plain", "deployed", "none"])
@pytest.mark.parametrize("name", SHIPPED)
def test_export_import_export_of_a_shipped_dag_is_equal(
    airflow_database: None, project: Path, name: str, deployed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in deployed.items():
        monkeypatch.setenv(variable, value)
    dag = load(project, name)
    text = export(dag)
    for variable in deployed:  # what the deployment said then is in the text
        monkeypatch.delenv(variable) if variable != "TRADEWIND_SWEEP_PARALLEL" else None
    for variable in ("TRADEWIND_GPU_POOL", "TRADEWIND_GPU_QUEUE", "TRADEWIND_CPU_QUEUE"):
        if variable in deployed:  # but where a task runs, which is never the pipeline's
            monkeypatch.setenv(variable, deployed[variable])
    again = rebuilt(text)
    assert export(again) == text
    assert list(again.task_dict) == [task.name for task in parse_pipeline(text, Path("x")).pipeline.tasks]
    assert again.doc_md == dag.doc_md


@pytest.mark.parametrize("template", shipped_templates().values(), ids=lambda path: path.stem)
def test_every_template_is_exported_and_comes_back(template: Path) -> None:
    text = export(build_dag(read_pipeline(template)))
    assert export(rebuilt(text)) == text


def test_the_template_of_the_whole_pipeline_is_the_shipped_dag(airflow_database: None, project: Path) -> None:
    template = export(build_dag(read_pipeline(shipped_templates()["trade_qa"])), "trade_qa")
    shipped = export(load(project, "trade_qa"))

    def without_description(text: str) -> str:
        pipeline = parse_pipeline(text, Path("x")).pipeline.model_copy(update={"description": None})
        return pipeline.model_dump_json()

    assert without_description(template) == without_description(shipped)


def test_another_name_brings_its_own_model_with_it(airflow_database: None, project: Path) -> None:
    dag = rebuilt(export(load(project, "trade_qa"), "copy"))
    assert dag.dag_id == "copy"
    assert [asset.name for asset in dag.get_task("register").outlets] == ["copy.model"]
    assert [asset.name for asset in dag.timetable.asset_condition.objects] == ["trade_qa.documents"]


def _foreign(dag: Any) -> None:
    from airflow.providers.standard.operators.bash import BashOperator

    BashOperator(task_id="mine", bash_command="true", dag=dag)


def _task(**changes: Any) -> Callable[[Any], None]:
    def add(dag: Any) -> None:
        from tradewind_airflow.operators.image import RunImageOperator

        RunImageOperator(task_id="mine", image="i", dag=dag, **changes)

    return add


def _grouped(dag: Any) -> None:
    from airflow.sdk import TaskGroup

    from tradewind_airflow.operators.image import RunImageOperator

    with TaskGroup("group", prefix_group_id=False, dag=dag):
        RunImageOperator(task_id="mine", image="i", dag=dag)


def _setup(dag: Any) -> None:
    dag.get_task("configure").as_setup()


def _labelled(dag: Any) -> None:
    from airflow.sdk import Label

    dag.get_task("prepare") >> Label("why") >> dag.get_task("evaluate")


def _set(name: str, value: Any) -> Callable[[Any], None]:
    return lambda dag: setattr(dag, name, value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_foreign, "task 'mine': BashOperator is neither ours nor a RunImageOperator"),
        (_task(user="1000"), "task 'mine': argument 'user' is nothing that YAML can say"),
        (_task(priority_weight=7), "task 'mine': argument 'priority_weight' is nothing that YAML can say"),
        (_task(run_dir="/elsewhere"), "task 'mine': argument 'run_dir' is nothing that YAML can say"),
        (_task(on_failure_callback=print), "task 'mine': on_failure_callback is nothing that YAML can say"),
        (_task(secrets={"HF_TOKEN": "env:OTHER"}), "task 'mine': secret 'HF_TOKEN' is read elsewhere than another"),
        (_task(retries=1000), "task 'mine': retries: 1000 is nothing that YAML can say"),
        (_task(params={"own": 1}), "task 'mine': params of its own are nothing that YAML can say"),
        (_task(start_date=datetime(2027, 1, 1, tzinfo=UTC)), "task 'mine': 'start_date' is nothing that YAML can say"),
        (_task(network_mode=Path("/models")), "PosixPath('/models') is nothing that YAML can say"),
        (_grouped, "trade_qa: task group 'group' is nothing that YAML can say"),
        (_setup, "task 'configure': 'is_setup' is nothing that YAML can say"),
        (_labelled, "trade_qa: edge_info: {'prepare': {'evaluate': {'label': 'why'}}} is nothing that YAML can say"),
        (_set("rerun_with_latest_version", True), "trade_qa: rerun_with_latest_version: True is nothing that YAML can"),
        (_set("dagrun_timeout", timedelta(hours=1)), "trade_qa: dagrun_timeout: "),
        (_set("max_active_tasks", 3), "trade_qa: max_active_tasks: 3 is nothing that YAML can say"),
        (_set("on_failure_callback", print), "trade_qa: on_failure_callback: "),
    ],
)
def test_what_yaml_cannot_say_is_named(
    airflow_database: None, project: Path, change: Callable[[Any], None], told: str
) -> None:
    dag = load(project, "trade_qa")
    change(dag)
    with pytest.raises(UserError) as raised:
        export(dag)
    assert told in str(raised.value)


def test_inputs_keep_their_order_whatever_a_stage_s_task_is_called() -> None:
    text = (
        "name: x\nform: run\ntasks:\n  - {name: made, image: i}\n  - {name: training, uses: finetune}\n"
        "  - {name: last, image: i, dependencies: [training, made]}\n"
    )
    again = rebuilt(export(rebuilt(text)))
    assert again.get_task("last").inputs == ("finetune", "tasks/made")


def test_a_param_that_has_to_be_given_is_told() -> None:
    from airflow.sdk import Param

    dag = rebuilt("name: x\ntasks:\n  - {name: a, image: i}\n")
    dag.params = {"own": Param()}
    with pytest.raises(UserError, match="x: param 'own': has no default; YAML"):
        export(dag)


def test_another_name_is_checked() -> None:
    with pytest.raises(UserError, match="name: String should match pattern"):
        export(rebuilt("name: x\ntasks:\n  - {name: a, image: i}\n"), "a b")


TEXTS = [
    "", " ", "a", " a", "a ", "\n", "a\n", "\na", "a\n\n", "a\n\n\n b", "  a\nb", "a \nb", "\ta\nb", "a\r\nb",
    "# a\n#b", "- a", "a: b", "null", "yes", "1", "1e3", "2026-01-01", "'", '"', "\\", "@a", "&a", "*a", "!a", "|", ">",
    "[", "<<", "=", "~", "한글 " * 80, "word " * 80, "x" * 300, "a\x85b", "a\u2028b", "\ufeffa", "---", "...",
    "a\n---\nb", "a\n...\n",
]  # fmt: skip


def test_texts_of_every_kind_come_back() -> None:
    stated: dict[str, Any] = {
        "name": "x", "description": "".join(TEXTS), "tags": sorted({text[:90] for text in TEXTS if text.strip()}),
        "environment": {f"V{at}": text for at, text in enumerate(TEXTS)},
        "tasks": [{"name": "a", "image": "i", "command": TEXTS}, {"name": "b", "image": "i", "command": "a\n  b\n\n"}],
    }  # fmt: skip
    text = yaml_text(stated)
    assert yaml.safe_load(text) == stated
    assert export(rebuilt(export(rebuilt(text)))) == export(rebuilt(text))


def test_tasks_are_written_in_an_order_that_can_be_built() -> None:
    text = export(rebuilt("name: x\ntasks:\n  - {name: b, image: i, dependencies: [c]}\n  - {name: c, image: i}\n"))
    assert text.index("name: c") < text.index("name: b")
    assert export(rebuilt(text)) == text
