"""A DAG from YAML: what Airflow gets of each thing that is stated."""

from __future__ import annotations

import inspect
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tradewind.errors import UserError
from tradewind.pipeline.read import parse_pipeline
from tradewind.pipeline.uses import USES
from tradewind_airflow.pipeline.build import build_dag
from tradewind_airflow.pipeline.operators import operator_class

FILE = Path("mine.yaml")
HEAD = "name: mine\n"
TASK = "tasks:\n  - name: a\n    image: debian\n    command: x\n"


def build(text: str) -> Any:
    return build_dag(parse_pipeline(text, FILE))


def fault(text: str) -> str:
    with pytest.raises(UserError) as raised:
        build(text)
    return str(raised.value)


def test_a_task_of_anyones_image_gets_what_is_stated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWIND_MOUNT_ROOTS", str(tmp_path))
    dag = build(f"""
name: mine
form: run
environment: {{A: "1", B: "1"}}
secrets: {{TOKEN: "env:TOKEN", OTHER: "env:OTHER"}}
tasks:
  - name: last
    image: debian
    command: [x, y]
    dependencies: [prepare, first, told]
    resources: {{gpus: 2, cpus: 1.5, memory: 3g, shm: 1g}}
    mounts: [{{source: {tmp_path}, target: /srv}}]
    environment: {{B: "2"}}
    secrets: [TOKEN]
    network: none
    timeout: 60
    retries: 4
    retry_delay: 5
    trigger_rule: all_done
  - {{name: first, image: debian, command: x}}
  - {{name: prepare, uses: prepare}}
  - {{name: told, uses: end}}
""")
    task = dag.get_task("last")
    assert task.upstream_task_ids == {"first", "prepare", "told"}
    assert task.inputs == ("prepare", "tasks/first")
    assert (task.image, task.program) == ("debian", ["x", "y"])
    assert (task.gpus, task.cpu_limit, task.mem_limit, task.shm_size, task.network_mode) == (2, 1.5, "3g", "1g", "none")
    assert task.environment == {"A": "1", "B": "2"}
    assert task.secrets == {"TOKEN": "env:TOKEN"}
    assert task.mounts == [{"Target": "/srv", "Source": str(tmp_path), "Type": "bind", "ReadOnly": True}]
    assert (task.retries, task.retry_delay, task.execution_timeout) == (4, timedelta(seconds=5), timedelta(minutes=1))
    assert task.trigger_rule == "all_done"
    assert dag.get_task("first").environment == {"A": "1", "B": "1"}
    assert dag.get_task("first").secrets == {}


def test_image_and_gpus_that_are_not_stated_are_the_deployments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWIND_IMAGE", "trainer:7")
    monkeypatch.setenv("TRADEWIND_TASK_GPUS", "2")
    tasks = "tasks:\n  - {name: f, uses: finetune}\n  - {name: p, uses: prepare}\n"
    dag = build(f"{HEAD}form: run\n{tasks}")
    assert [(task.image, task.gpus) for task in dag.tasks] == [("trainer:7", 2), ("trainer:7", 0)]
    dag = build(f"{HEAD}form: run\nimage: null\n{tasks}")
    assert [task.image for task in dag.tasks] == ["", ""]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "schedule: {cron: at night}",
            "mine.yaml:2: schedule.cron: 'at night' is no cron expression; write five fields",
        ),
        ("schedule: {cron: '0 0 30 2 *'}", "mine.yaml:2: schedule.cron: '0 0 30 2 *' never comes; write a day that"),
        ("schedule: {cron: '@daily', timezone: Soul}", "mine.yaml:2: schedule.timezone: 'Soul' is no time zone; write"),
    ],
)
def test_a_schedule_that_is_none_is_told_with_its_line(text: str, told: str) -> None:
    assert fault(f"{HEAD}{text}\n{TASK}").startswith(told)


@pytest.mark.parametrize("source", ["/etc", "/srv/../etc", "{link}"])
def test_a_mount_outside_of_the_roots_is_told_with_its_line(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADEWIND_MOUNT_ROOTS", str(tmp_path))
    (tmp_path / "link").symlink_to("/etc")
    text = f"{HEAD}{TASK}    mounts:\n      - source: {source.format(link=tmp_path / 'link')}\n        target: /x\n"
    assert fault(text).startswith("mine.yaml:7: ")
    assert "may not be mounted into a container; allowed are folders below" in fault(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"environment: {{X: '{{{{ a }}'}}\n{TASK}", "mine.yaml:2: 'X' is no template: unexpected '}'"),
        (f"{TASK}    environment: {{X: '{{% if %}}'}}\n", "mine.yaml:6: 'X' is no template: Expected an expression"),
        (
            "form: run\ntasks:\n  - {name: a, uses: report, with: {recipe: '{{ }}'}}\n",
            "mine.yaml:4: 'recipe' is no template: Expected an expression",
        ),
    ],
)
def test_a_text_that_is_no_template_is_told_with_its_line(text: str, told: str) -> None:
    assert fault(f"{HEAD}{text}").startswith(told)


def test_templates_and_texts_of_several_lines_are_taken() -> None:
    text = "{{ params.x }} {% do x %} {{ '{{' }}\n second = 'line'\n"
    task = build(f"{HEAD}{TASK}    environment: {{X: {json.dumps(text)}}}\n").get_task("a")
    assert task.environment == {"X": text}


def test_a_schedule_with_an_end_starts_so_many_runs() -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    dag = build(f"{HEAD}schedule: {{cron: '0 2 * * *', timezone: Asia/Seoul, start: 2026-12-01, max_runs: 3}}\n{TASK}")
    kept: Any = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
    planned = list(kept.iter_dagrun_infos_between(kept.start_date, kept.start_date.add(years=1)))
    assert [info.run_after.isoformat() for info in planned] == [
        "2026-11-30T17:00:00+00:00", "2026-12-01T17:00:00+00:00", "2026-12-02T17:00:00+00:00",
    ]  # fmt: skip


def test_without_a_schedule_it_never_runs_by_itself() -> None:
    dag = build(f"{HEAD}{TASK}")
    assert dag.timetable.can_be_scheduled is False
    assert (dag.max_active_runs, dag.is_paused_upon_creation, dag.catchup) == (1, True, False)


def test_what_a_stage_stands_for_may_have_another_name() -> None:
    dag = build(
        f"{HEAD}form: run\ntasks:\n  - {{name: mix, uses: finetune}}\n  - {{name: a, image: i, dependencies: [mix]}}\n"
    )
    assert dag.get_task("a").inputs == ("finetune",)


def test_the_form_has_the_stated_defaults_and_own_fields() -> None:
    dag = build(f"{HEAD}form: run\nparams: {{seed: 7, colour: blue}}\n{TASK}")
    assert (dag.params["seed"], dag.params["colour"], dag.params["recipe"]) == (7, "blue", "tiny")
    assert dag.params.get_param("seed").schema["maximum"] == 2**32 - 1


@pytest.mark.parametrize("uses", USES)
def test_every_argument_that_one_of_ours_may_be_given_is_one_that_it_takes(uses: str) -> None:
    taken: set[str] = set()
    for cls in operator_class(uses).__mro__:
        taken |= set(inspect.signature(cls.__init__).parameters) if "__init__" in vars(cls) else set()
    kind = USES[uses]
    assert (kind.arguments | set(kind.all_inputs)) <= taken
    assert not kind.takes_secrets or "secrets" in taken
