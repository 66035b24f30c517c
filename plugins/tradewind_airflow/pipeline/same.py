"""Whether two DAGs are the same but for their names: what proves that an export left nothing out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from airflow.sdk import DAG
from airflow.sdk.definitions.param import ParamsDict
from airflow.serialization.serialized_objects import DagSerialization

from tradewind.errors import UserError
from tradewind_airflow.notifications.answer import keep_answer
from tradewind_airflow.notifications.errors import forget_error, keep_error
from tradewind_airflow.pipeline.kept import KeepPipeline
from tradewind_airflow.pipeline.stated import given, is_output

_CALLBACKS = {
    "on_execute_callback": (forget_error, KeepPipeline),
    "on_failure_callback": (keep_error,),
    "on_success_callback": (keep_answer,),
    "on_retry_callback": (),
    "on_skipped_callback": (),
}
"""Of tasks; a pipeline's tasks keep errors and the YAML in any case."""
_NOT_OF_A_TASK = {"dag", "default_args", "task_group", "task_id", "start_date", "params", "kept", *_CALLBACKS}
_NOT_OF_A_DAG = {
    "auto_register", "fileloc", "relative_fileloc", "task_dict", "task_group", "default_args", "params", "schedule",
    "timetable",
    "last_loaded", "on_failure_callback", "has_on_failure_callback", "deadline", "is_paused_upon_creation",
    "bundle_name", "bundle_version",
}  # fmt: skip
_AFTERWARDS = ("is_setup", "is_teardown", "on_failure_fail_dagrun", "start_date")
"""What a task may be made by other things than its own arguments."""


def check_same(dag: DAG, made: DAG) -> None:
    """UserError, naming task and argument, where `made` lacks or adds something."""
    for field in attrs.fields(type(dag)):
        if field.name not in _NOT_OF_A_DAG and not _equal(getattr(dag, field.name), getattr(made, field.name)):
            raise UserError(f"{dag.dag_id}: {field.name}: {getattr(dag, field.name)!r} is nothing that YAML can say")
    if _timetable(dag) != _timetable(made):
        raise UserError(f"{dag.dag_id}: schedule: {dag.timetable!r} is nothing that YAML can say")
    if group := next(iter(dag.task_group_dict), None):
        raise UserError(f"{dag.dag_id}: task group '{group}' is nothing that YAML can say")
    _check_slack(dag, made)
    for task in dag.tasks:
        twin = made.get_task(task.task_id)
        if task.upstream_task_ids != twin.upstream_task_ids:
            raise UserError(f"{dag.dag_id}: task '{task.task_id}': its dependencies are nothing that YAML can say")
        _check_callbacks(dag.dag_id, task)
        _check_task(dag.dag_id, task, twin)


def _check_task(dag_id: str, task: Any, twin: Any) -> None:
    first, second = given(task), given(twin)
    for name in sorted((first.keys() | second.keys()) - _NOT_OF_A_TASK):
        # What one states and the other leaves to the operator's default may be the same.
        values = [
            stated[name] if name in stated else getattr(one, name, None)
            for one, stated in ((task, first), (twin, second))
        ]
        if not _equal(*values):
            raise UserError(f"{dag_id}: task '{task.task_id}': argument '{name}' is nothing that YAML can say")
    for name in _AFTERWARDS:
        if getattr(task, name, None) != getattr(twin, name, None):
            raise UserError(f"{dag_id}: task '{task.task_id}': '{name}' is nothing that YAML can say")
    if _params(task) != _params(twin):
        raise UserError(f"{dag_id}: task '{task.task_id}': params of its own are nothing that YAML can say")
    if task.is_mapped and _mapped(task) != _mapped(twin):
        raise UserError(f"{dag_id}: task '{task.task_id}': what it is mapped over is nothing that YAML can say")


def _params(task: Any) -> dict[str, Any]:
    """With those of its DAG."""
    there = ParamsDict(getattr(task, "params", None) or {})
    return {name: (param.value, param.schema, param.description) for name, param in there.items()}


def _check_callbacks(dag_id: str, task: Any) -> None:
    for name, known in _CALLBACKS.items():
        stated = getattr(task, name, None) or []
        for callback in stated if isinstance(stated, list | tuple) else [stated]:
            if not any(callback is one or (isinstance(one, type) and isinstance(callback, one)) for one in known):
                raise UserError(f"{dag_id}: task '{task.task_id}': {name} is nothing that YAML can say")


def _check_slack(dag: DAG, made: DAG) -> None:
    for name in ("on_failure_callback", "deadline"):
        one, other = getattr(dag, name), getattr(made, name)
        if _facts(one) != _facts(other):
            raise UserError(f"{dag.dag_id}: {name}: it differs from what `slack` makes; YAML cannot say that")


def _facts(value: Any) -> Any:
    """What an object without equality of its own is made of."""
    if isinstance(value, list | tuple):
        return [_facts(item) for item in value]
    if hasattr(value, "__dict__") and not isinstance(value, type) and not callable(getattr(value, "__wrapped__", None)):
        return (type(value).__name__, {key: _facts(item) for key, item in vars(value).items() if key != "_log"})
    return repr(value)


def _timetable(dag: DAG) -> Any:
    return DagSerialization.to_dict(dag)["dag"]["timetable"]


def _mapped(task: Any) -> Any:
    items = task.expand_input.value
    return _plain(items)


def _equal(one: Any, other: Any) -> bool:
    return bool(_plain(one) == _plain(other))


def _plain(value: Any) -> Any:
    """For comparison: a task's output is that task's, and nothing at all is nothing."""
    if is_output(value):
        return ("output of", value.operator.task_id)
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()} or None
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value] or None
    if isinstance(value, set | frozenset):
        return sorted(map(str, value)) or None
    return None if value == "" else value
