"""From a DAG of Tradewind's to YAML: what it cannot say is an error, never left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from airflow.sdk import DAG
from pydantic import ValidationError

from tradewind.errors import UserError
from tradewind.pipeline.model import Task
from tradewind.pipeline.read import parse_pipeline
from tradewind.pipeline.uses import IMAGE, USES, Uses
from tradewind.pipeline.write import yaml_text
from tradewind_airflow.pipeline.build import build_dag, forms, in_order
from tradewind_airflow.pipeline.clock import schedule_of
from tradewind_airflow.pipeline.operators import FOLDERS, uses_of
from tradewind_airflow.pipeline.same import check_same
from tradewind_airflow.pipeline.stated import given, is_output
from tradewind_airflow.queues import cpu_queue, gpu_queue

_MODELS = re.compile(r"\{\{ macros\.tradewind\.models_dir\('([\w.-]+)'\) \}\}")
_CHANNEL = re.compile(r"\{\{ \(params \| default\(\{\}\)\)\.slack_channel or '(.*)' \}\}")
_DEFAULTS = {"image", "queue", "models_dir", "retries", "retry_delay", "on_execute_callback", "on_failure_callback"}
_APPROVAL_TIME = timedelta(hours=20)


def export(dag: DAG, name: str | None = None) -> str:
    """The YAML that makes this DAG again.

    Args:
        name: of the pipeline, if not the DAG's own.

    Raises:
        UserError: names the task and the argument that YAML cannot say.
    """
    stated, path = _stated(dag), Path(f"{name or dag.dag_id}.yaml")
    try:
        text = yaml_text(stated)
    except yaml.representer.RepresenterError as error:  # a Path, a Param without a default, ...
        raise UserError(f"{dag.dag_id}: {error.args[1]!r} is nothing that YAML can say") from error
    check_same(dag, build_dag(parse_pipeline(text, path)))
    if name is None:
        return text
    text = yaml_text({**stated, "name": name})
    parse_pipeline(text, path)
    return text


def _stated(dag: DAG) -> dict[str, Any]:
    secrets: dict[str, Any] = {}
    tasks = [_task(task, dag, secrets) for task in dag.tasks]
    order = in_order([_checked(task, dag) for task in tasks])
    named = {task["name"]: task for task in tasks}
    found = {
        "name": dag.dag_id,
        "description": dag.doc_md,
        "schedule": schedule_of(dag),
        "paused": True if dag.is_paused_upon_creation is None else dag.is_paused_upon_creation,
        "max_active_runs": dag.max_active_runs,
        "tags": sorted(dag.tags),
        **_form(dag),
        **_defaults(dag),
        "secrets": secrets,
        "slack": _slack(dag),
        "tasks": [named[task.name] for task in order],
    }
    return {name: value for name, value in found.items() if name == "image" or value not in (None, {}, [])}


def _checked(stated: dict[str, Any], dag: DAG) -> Task:
    try:
        return Task.model_validate(stated)
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(map(str, fault["loc"]))
        raise UserError(
            f"{dag.dag_id}: task '{stated['name']}': {key}: {fault['input']!r} is nothing that YAML can say"
        ) from error


def _form(dag: DAG) -> dict[str, Any]:
    there = {name: dag.params.get_param(name) for name in dag.params}
    for form, fields in forms().items():
        if fields.keys() == there.keys() and all(
            (fields[name].schema, fields[name].description) == (param.schema, param.description)
            for name, param in there.items()
        ):
            return {"form": form, "params": {name: param.value for name, param in there.items()}}
    for name, param in there.items():
        if not param.has_value:
            raise UserError(f"{dag.dag_id}: param '{name}': has no default; YAML states each field's")
        if param.schema or param.description:
            raise UserError(f"{dag.dag_id}: param '{name}': is of none of our forms and has a schema; YAML has neither")
    return {"form": "none", "params": {name: param.value for name, param in there.items()}}


def _defaults(dag: DAG) -> dict[str, Any]:
    stated = dag.default_args
    if unknown := sorted(set(stated) - _DEFAULTS):
        raise UserError(f"{dag.dag_id}: default_args: '{unknown[0]}' is nothing that YAML can say")
    models = _MODELS.fullmatch(stated.get("models_dir") or "")
    if stated.get("models_dir") and not models:
        raise UserError(f"{dag.dag_id}: default_args: models_dir is not macros.tradewind.models_dir('PIPELINE')")
    return {
        "models_of": models[1] if models else None,
        "image": stated.get("image") or None,
        "retries": stated.get("retries", 0),
        "retry_delay": _seconds(stated.get("retry_delay", timedelta(seconds=300))),
    }


def _slack(dag: DAG) -> dict[str, Any] | None:
    notifiers = [dag.on_failure_callback] if dag.on_failure_callback else []
    deadlines: Any = dag.deadline or []
    deadlines = deadlines if isinstance(deadlines, list) else [deadlines]
    if not notifiers and not deadlines:
        return None
    found = _CHANNEL.fullmatch(getattr(notifiers[0], "channel", "")) if notifiers else None
    if not found:
        raise UserError(
            f"{dag.dag_id}: on_failure_callback: YAML can say a SlackFailureNotifier whose channel is the form's, only"
        )
    hours = deadlines[0].interval.total_seconds() / 3600 if deadlines else None
    return {"channel": found[1], "deadline_hours": _number(hours)}


def _task(task: Any, dag: DAG, secrets: dict[str, Any]) -> dict[str, Any]:
    uses, stated = uses_of(task), given(task)
    is_image = type(task).__name__ == "RunImageOperator"
    if uses is None and not is_image:
        cls = task.operator_class if task.is_mapped else type(task)
        raise UserError(f"{dag.dag_id}: task '{task.task_id}': {cls.__name__} is neither ours nor a RunImageOperator")
    kind = IMAGE if uses is None else USES[uses]
    inputs = {name: value.operator.task_id for name, value in stated.items() if is_output(value)}
    for_each = _for_each(task)
    mapped = [for_each] if isinstance(for_each, str) else list((for_each or {}).values())
    taken = {*inputs.values(), *mapped}
    rule = str(getattr(task.trigger_rule, "value", task.trigger_rule))
    found: dict[str, Any] = {
        "name": task.task_id,
        "description": task.doc_md,
        "uses": uses,
        "image": stated.get("image") if is_image else _own(stated, dag, "image"),
        "command": _plain(stated.get("command")) if is_image else None,
        "dependencies": _dependencies(task, dag, taken),
        "inputs": inputs,
        "for_each": for_each,
        "with": _arguments(uses, kind, stated, dag),
        **(_runs(kind, stated) if kind.is_stage else {}),
        "secrets": _secrets(task, stated, secrets, dag, configures=uses in ("configure", "configure_sweep")),
        "queue": _queue(task, kind, stated),
        "pool": _pool(task, stated),
        "trigger_rule": None if rule == kind.trigger_rule else rule,
        "retries": None if task.retries == dag.default_args.get("retries", 0) else task.retries,
        "retry_delay": _if_not(task.retry_delay, dag.default_args.get("retry_delay", timedelta(seconds=300))),
        "timeout": _seconds(task.execution_timeout) if task.execution_timeout else None,
        "outlets": [] if uses == "watch_documents" else [_asset(one, task, dag) for one in task.outlets],
    }
    return {
        name: value for name, value in found.items()
        if value not in (None, {}, []) or (name == "secrets" and value == [])
    }  # fmt: skip


def _for_each(task: Any) -> dict[str, str] | str | None:
    if not task.is_mapped:
        return None
    items = task.expand_input.value
    if is_output(items):
        return str(items.operator.task_id)
    return {name: value.operator.task_id for name, value in items.items() if is_output(value)}


def _dependencies(task: Any, dag: DAG, taken: Iterable[str]) -> list[str]:
    """In the order of the DAG's tasks, but for an image's in that of its inputs."""
    there = [name for name in dag.task_dict if name in task.upstream_task_ids and name not in taken]
    made = {_made_in(dag.task_dict[name]): name for name in there}
    first = [made[folder] for folder in getattr(task, "inputs", ()) if folder in made]
    return [*first, *(name for name in there if name not in first)]


def _made_in(task: Any) -> str:
    """The folder of the run that a task's outputs are in."""
    from tradewind_airflow.operators.image import outputs_of

    uses = uses_of(task)
    return outputs_of(task.task_id) if uses is None else FOLDERS.get(uses, uses)


def _arguments(uses: str | None, kind: Uses, stated: Mapping[str, Any], dag: DAG) -> dict[str, Any]:
    found = {}
    for name in sorted(kind.arguments & stated.keys()):
        value = stated[name]
        if value is None or value == {} or (name == "models_dir" and value == dag.default_args.get("models_dir")):
            continue
        if name == "response_timeout":
            if value != _APPROVAL_TIME:
                found[name] = _seconds(value)
        elif uses == "watch_documents" and name == "documents":
            found[name] = value.name.removesuffix(".documents")
        else:
            found[name] = _plain(value)
    return found


def _runs(kind: Uses, stated: Mapping[str, Any]) -> dict[str, Any]:
    gpus = stated.get("gpus", 0)
    resources = {
        "gpus": gpus if kind.has_model or gpus else None, "cpus": stated.get("cpus"), "memory": stated.get("memory"),
        "shm": stated.get("shm_size"),
    }  # fmt: skip
    return {
        "resources": {name: value for name, value in resources.items() if value is not None},
        "mounts": [_mount(mount) for mount in stated.get("mounts") or ()],
        "environment": dict(stated.get("env") or {}),
        "network": stated.get("network_mode"),
    }


def _mount(mount: Mapping[str, Any]) -> dict[str, Any]:
    found = {"source": mount["Source"], "target": mount["Target"]}
    return found if mount.get("ReadOnly") else found | {"read_only": False}


def _secrets(task: Any, stated: Mapping[str, Any], known: dict[str, Any], dag: DAG, *, configures: bool) -> Any:
    own = stated.get("secrets")
    for name, reference in (own or {}).items():
        place = _plain(reference)
        if known.setdefault(name, place) != place:
            raise UserError(
                f"{dag.dag_id}: task '{task.task_id}': secret '{name}' is read elsewhere than another task's; YAML has "
                "one place for a name"
            )
    return list(own or ()) if own or (configures and own is not None) else None


def _queue(task: Any, kind: Uses, stated: Mapping[str, Any]) -> str | None:
    usual = gpu_queue() if kind.has_model or stated.get("gpus") else cpu_queue()
    return None if task.queue == usual else str(task.queue)


def _pool(task: Any, stated: Mapping[str, Any]) -> str | None:
    from tradewind_airflow.gpus import gpu_pool

    usual = gpu_pool(stated.get("gpus", 0)).get("pool", "default_pool")
    return None if task.pool == usual else str(task.pool)


def _asset(asset: Any, task: Any, dag: DAG) -> str:
    owner, _, kind = asset.name.rpartition(".")
    if asset.uri != f"tradewind://{owner}/{kind}":
        raise UserError(f"{dag.dag_id}: task '{task.task_id}': outlet '{asset.name}' is no asset of Tradewind's")
    return str(kind if owner == dag.dag_id else asset.name)


def _own(stated: Mapping[str, Any], dag: DAG, name: str) -> Any:
    value = stated.get(name)
    return None if value == dag.default_args.get(name) or not value else value


def _if_not(value: timedelta, usual: timedelta) -> float | int | None:
    return None if value == usual else _seconds(value)


def _seconds(value: timedelta) -> float | int:
    return _number(value.total_seconds()) or 0


def _number(value: float | None) -> float | int | None:
    return int(value) if value is not None and value == int(value) else value


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return {name: _plain(item) for name, item in value.items()} if isinstance(value, Mapping) else value
