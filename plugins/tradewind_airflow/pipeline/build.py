"""From a pipeline's YAML to a DAG."""

from __future__ import annotations

import copy
import graphlib
import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from tradewind.errors import UserError
from tradewind.pipeline.model import Pipeline, Task
from tradewind.pipeline.read import Document
from tradewind_airflow.assets import asset_of, documents_of
from tradewind_airflow.containers.mounts import allowed_roots, check_allowed
from tradewind_airflow.notifications.deadline import deadline_alert
from tradewind_airflow.notifications.errors import CALLBACKS, forget_error
from tradewind_airflow.notifications.slack import SlackFailureNotifier
from tradewind_airflow.params import run_params
from tradewind_airflow.pipeline.arguments import gpus_of, image_arguments, mounts, resources, secrets, surroundings
from tradewind_airflow.pipeline.kept import KeepPipeline, Kept
from tradewind_airflow.pipeline.operators import operator_class
from tradewind_airflow.pipeline.template_texts import check_templates
from tradewind_airflow.pipeline.times import times
from tradewind_airflow.queues import cpu_queue, gpu_queue
from tradewind_airflow.sweep import mapped_trials, sweep_params

IMAGE_VARIABLE = "TRADEWIND_IMAGE"


def build_dag(document: Document) -> DAG:
    """The DAG of a pipeline.

    Raises:
        UserError: with the line, where the schedule, a mount or anything else cannot be.
    """
    try:
        dag = _dag(document)
        # What Airflow checks after a file was read it tells of the whole file, which holds other pipelines, too.
        dag.validate()
        DagSerialization.to_dict(dag)
    except UserError:
        raise
    except ParamValidationError as error:
        raise document.file.fault(("params",), f"params: {_first_line(error)}; see the form's field") from error
    except Exception as error:
        raise UserError(f"{document.file.path}: Airflow refuses it: {_first_line(error)}") from error
    return dag


def _first_line(error: Exception) -> str:
    # Of jsonschema, whose own text is a page.
    return str(getattr(error.args[0], "message", error) if error.args else error).strip().splitlines()[0].rstrip(".")


def _dag(document: Document) -> DAG:
    pipeline = document.pipeline
    _check_mounts(document)
    check_templates(document)
    form = params(pipeline)
    with DAG(
        dag_id=pipeline.name,
        doc_md=pipeline.description,
        **times(document),
        catchup=False,
        max_active_runs=pipeline.max_active_runs,
        is_paused_upon_creation=pipeline.paused,
        tags=list(pipeline.tags),
        params=form,
        default_args=_default_args(document),
        auto_register=False,  # else Airflow takes one that fails half way, too
        **_slack(pipeline),
    ) as dag:
        tasks: dict[str, Any] = {}
        for task in in_order(pipeline.tasks):
            tasks[task.name] = made = _task(task, pipeline, tasks, document)
            for name in task.dependencies:
                made.set_upstream(tasks[name])
    return dag


def _check_mounts(document: Document) -> None:
    roots = allowed_roots()
    for index, task in enumerate(document.pipeline.tasks):
        for number, mount in enumerate(task.mounts):
            try:
                check_allowed(Path(mount.source), roots)
            except UserError as error:
                raise document.file.fault(("tasks", index, "mounts", number, "source"), str(error)) from None


def in_order(tasks: Sequence[Task]) -> list[Task]:
    """Each task after those it waits for, else in the order they are stated in."""
    sorter = graphlib.TopologicalSorter({task.name: task.before() for task in tasks})
    sorter.prepare()
    ready: set[str] = set()
    placed: list[Task] = []
    while len(placed) < len(tasks):
        ready.update(sorter.get_ready())
        following = next(task for task in tasks if task.name in ready)
        ready.remove(following.name)
        sorter.done(following.name)
        placed.append(following)
    return placed


def params(pipeline: Pipeline) -> dict[str, Any]:
    """The trigger form."""
    form: dict[str, Any] = copy.deepcopy(forms()[pipeline.form])
    for name, default in pipeline.params.items():
        if name in form:
            form[name] = Param(default, description=form[name].description, **form[name].schema)
        else:
            form[name] = Param(default)
        copy.copy(form[name]).resolve()  # Airflow itself looks at a default that no schedule needs as a run begins
    return form


def forms() -> dict[str, dict[str, Any]]:
    """Our trigger forms, by the name that a pipeline has for each."""
    run = run_params()
    documents = {name: param for name, param in run.items() if name in ("recipe", "data")}
    return {"run": run, "sweep": sweep_params(), "documents": documents, "none": {}}


def failure_channel(channel: str) -> str:
    """The template of where a failure is told: where the run's form says, else in `channel`."""
    return f"{{{{ (params | default({{}})).slack_channel or '{channel}' }}}}"


def stated_image(pipeline: Pipeline) -> str | None:
    """The image of our stages; None: subprocesses of the worker."""
    return pipeline.image if "image" in pipeline.model_fields_set else os.environ.get(IMAGE_VARIABLE) or None


def _default_args(document: Document) -> dict[str, Any]:
    pipeline = document.pipeline
    models = f"{{{{ macros.tradewind.models_dir('{pipeline.models_of}') }}}}"
    return {
        "image": stated_image(pipeline),
        "queue": cpu_queue(),
        **({"models_dir": models} if pipeline.models_of else {}),
        "retries": pipeline.retries,
        "retry_delay": timedelta(seconds=pipeline.retry_delay),
        **CALLBACKS,
        "on_execute_callback": [forget_error, KeepPipeline(document.file.text, document.file.path)],
    }


def _slack(pipeline: Pipeline) -> dict[str, Any]:
    slack = pipeline.slack
    if slack is None:
        return {}
    stated = "deadline_hours" in slack.model_fields_set
    late = None if stated and slack.deadline_hours is None else deadline_alert(
        hours=slack.deadline_hours, channel=slack.channel
    )  # fmt: skip
    return {
        "on_failure_callback": SlackFailureNotifier(channel=failure_channel(slack.channel)),
        **({} if late is None else {"deadline": late}),
    }


def _task(task: Task, pipeline: Pipeline, tasks: Mapping[str, Any], document: Document) -> Any:
    given = {"task_id": task.name, **_common(task, pipeline)}
    if task.uses is None:
        from tradewind_airflow.operators.image import RunImageOperator

        kept = Kept(document.file.text, document.file.path)
        return RunImageOperator(**given, **image_arguments(task, pipeline), kept=kept)
    cls, own = operator_class(task.uses), _of_uses(task, pipeline)
    inputs = {name: tasks[source].output for name, source in task.inputs.items()}
    if task.for_each is None:
        return cls(**given | own | inputs)
    mapped = cls.partial(**given | own | inputs | _mapping(task))
    if isinstance(task.for_each, str):
        return mapped.expand_kwargs(tasks[task.for_each].output)
    return mapped.expand(**{name: tasks[source].output for name, source in task.for_each.items()})


def _common(task: Task, pipeline: Pipeline) -> dict[str, Any]:
    """What any task of Airflow's takes."""
    found = {
        "doc_md": task.description,
        "queue": task.queue or (gpu_queue() if task.kind.has_model or task.resources.gpus else None),
        "pool": task.pool,
        "trigger_rule": task.trigger_rule or task.kind.trigger_rule,
        "retries": task.retries,
        "retry_delay": None if task.retry_delay is None else timedelta(seconds=task.retry_delay),
        "execution_timeout": None if task.timeout is None else timedelta(seconds=task.timeout),
        "outlets": [asset_of(name, pipeline.name) for name in task.outlets] or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _of_uses(task: Task, pipeline: Pipeline) -> dict[str, Any]:
    """What the operator of one of ours takes."""
    found = dict(task.arguments)
    match task.uses:
        case "approve":
            from tradewind_airflow.notifications.answer import keep_answer

            found["on_success_callback"] = keep_answer
            if "response_timeout" in found:
                found["response_timeout"] = timedelta(seconds=found["response_timeout"])
        case "end":
            # Without callbacks the scheduler itself ends it: no worker starts for nothing.
            found |= {"on_execute_callback": None, "on_failure_callback": None}
        case "watch_documents":
            found["documents"] = documents_of(found["documents"])
    if task.kind.is_stage:
        found |= resources(task) | surroundings(task, pipeline)
        if task.mounts:
            found["mounts"] = mounts(task.mounts)
        if task.image is not None:
            found["image"] = task.image
    elif task.secrets is not None:
        found["secrets"] = secrets(task, pipeline)
    return found


def _mapping(task: Task) -> dict[str, Any]:
    if task.uses == "trial":
        found = mapped_trials(gpus_of(task))
        return found | ({"trigger_rule": task.trigger_rule} if task.trigger_rule else {})
    return {"map_index_template": "{{ counts }}"}
