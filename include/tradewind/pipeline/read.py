"""From a YAML file to a pipeline that holds together, or the one line that says why it does not."""

from __future__ import annotations

import graphlib
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from tradewind.errors import UserError
from tradewind.pipeline.model import MOST_SECONDS, Pipeline, Task
from tradewind.pipeline.uses import USES
from tradewind.yaml_file import Key, YamlFile, fault_of, nearest, parse_yaml, read_yaml

_WHAT = "pipeline"
_OURS = re.compile(r"/|/pipeline(/(outputs|input[0-9]+)(/.*)?)?")
_SECONDS = ("response_timeout", "timeout")


@dataclass(frozen=True)
class Document:
    """A pipeline with the file it was read from."""

    file: YamlFile
    pipeline: Pipeline


def read_pipeline(path: Path) -> Document:
    """Read and check a file.

    Raises:
        UserError: one line that names the file, the line and what to do.
    """
    try:
        return _document(read_yaml(path, _WHAT))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; name a pipeline's YAML") from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder; name a pipeline's YAML") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; check the path and its rights") from error


def parse_pipeline(text: str, path: Path) -> Document:
    """As `read_pipeline`, for a text that was read already; `path` is where it came from."""
    return _document(parse_yaml(text, path, _WHAT))


def _document(file: YamlFile) -> Document:
    if not file.stated:
        raise UserError(f"{file.path}:1: is empty; start from a template, see `templates`")
    try:
        pipeline = Pipeline.model_validate(file.stated)
    except ValidationError as error:
        raise fault_of(error, file, Pipeline) from error
    _check_tasks(file, pipeline)
    return Document(file, pipeline)


def _check_tasks(file: YamlFile, pipeline: Pipeline) -> None:
    first: dict[str, int] = {}
    for index, task in enumerate(pipeline.tasks):
        if task.name in first:
            raise file.fault(
                ("tasks", index, "name"),
                f"two tasks are named '{task.name}', the first in line "
                f"{file.lines['tasks', first[task.name]]}; rename one",
            )
        first[task.name] = index
    for index, task in enumerate(pipeline.tasks):
        at: Key = ("tasks", index)
        _check_kind(file, at, task)
        _check_names(file, at, task, first)
        _check_arguments(file, at, task)
        _check_mounts(file, at, task)
        _check_secrets(file, at, task, pipeline.secrets)
    _check_stages(file, pipeline)
    _check_order(file, pipeline, first)
    _check_schedule(file, pipeline)
    _check_form(file, pipeline)


def _check_kind(file: YamlFile, at: Key, task: Task) -> None:
    if task.uses is None and task.image is None:
        raise file.fault(at, f"task '{task.name}': state `uses` (one of ours) or `image` and `command`")
    if task.uses is None:
        return
    if task.uses not in USES:
        raise file.fault((*at, "uses"), f"uses '{task.uses}': there is no such task of ours{nearest(task.uses, USES)}")
    if task.command is not None:
        raise file.fault((*at, "command"), f"task '{task.name}': `uses` brings its own command; leave `command` out")
    stated = {
        "image": task.image, "resources": task.resources.model_fields_set, "mounts": task.mounts,
        "environment": task.environment, "network": task.network,
    }  # fmt: skip
    given = next((name for name, value in stated.items() if value), None)
    if given is not None and not task.kind.is_stage:
        raise file.fault((*at, given), f"task '{task.name}': {task.uses} runs in Airflow itself; leave `{given}` out")


def _check_names(file: YamlFile, at: Key, task: Task, known: Mapping[str, int]) -> None:
    def check(key: Key, name: str) -> None:
        if name not in known:
            raise file.fault((*at, *key), f"task '{task.name}': no task is named '{name}'{nearest(name, known)}")

    for number, name in enumerate(task.dependencies):
        check(("dependencies", number), name)
        if name in task.dependencies[:number]:
            raise file.fault((*at, "dependencies", number), f"task '{task.name}': '{name}' is stated twice")
    for argument, name in task.inputs.items():
        check(("inputs", argument), name)
    if isinstance(task.for_each, str):
        check(("for_each",), task.for_each)
    elif task.for_each is not None:
        for argument, name in task.for_each.items():
            check(("for_each", argument), name)


def _check_arguments(file: YamlFile, at: Key, task: Task) -> None:
    who = f"task '{task.name}'" + (f" ({task.uses})" if task.uses else "")
    kind = task.kind

    def check(block: str, given: Iterable[str], known: Iterable[str]) -> None:
        for name in given:
            if name not in known:
                hint = nearest(name, sorted(known)) or "; it takes none"
                raise file.fault((*at, block, name), f"{who}: `{block}` has no '{name}'{hint}")

    check("with", task.arguments, kind.arguments)
    check("inputs", task.inputs, kind.all_inputs)
    check("outlets", task.outlets and ([] if kind.outlets else task.outlets), ())
    _check_values(file, at, task, who)
    missing = next((name for name, must in kind.all_inputs.items() if must and name not in task.inputs), None)
    if missing is not None:
        raise file.fault(at, f"{who}: needs `inputs: {{{missing}: TASK}}`, the task whose result that is")
    if kind.mapped_by is None and task.for_each is not None:
        raise file.fault((*at, "for_each"), f"{who}: is one task; leave `for_each` out")
    if kind.mapped_by is not None and task.for_each is None:
        raise file.fault(at, f"{who}: is one task for each item; state `for_each: {{{kind.mapped_by}: TASK}}`")
    if isinstance(task.for_each, dict) and set(task.for_each) != {kind.mapped_by}:
        raise file.fault((*at, "for_each"), f"{who}: `for_each` gives it `{kind.mapped_by}`, and that only")
    if task.uses == "watch_documents" and not isinstance(task.arguments.get("documents"), str):
        raise file.fault(at, f"{who}: state `with: {{documents: PIPELINE}}`, the pipeline whose documents these are")


def _check_values(file: YamlFile, at: Key, task: Task, who: str) -> None:
    if not isinstance(task.arguments.get("overrides", {}), dict):
        raise file.fault((*at, "with", "overrides"), f"{who}: `overrides` are settings, such as {{split.read: 0.2}}")
    for name in _SECONDS:
        value = task.arguments.get(name, 1)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= MOST_SECONDS:
            raise file.fault((*at, "with", name), f"{who}: `{name}` is no number of seconds; give one such as 3600")


def _check_mounts(file: YamlFile, at: Key, task: Task) -> None:
    targets: set[str] = set()
    for number, mount in enumerate(task.mounts):
        target = f"/{posixpath.normpath(mount.target).lstrip('/')}"
        key: Key = (*at, "mounts", number, "target")
        if _OURS.fullmatch(target):
            raise file.fault(key, f"task '{task.name}': {target} is what the task has anyway; name another folder")
        if target in targets:
            raise file.fault(key, f"task '{task.name}': two mounts at {target}; take one of them out")
        targets.add(target)


def _check_secrets(file: YamlFile, at: Key, task: Task, known: Iterable[str]) -> None:
    if task.secrets is not None and not task.kind.takes_secrets:
        raise file.fault((*at, "secrets"), f"task '{task.name}': {task.uses} takes no secrets; leave `secrets` out")
    for number, name in enumerate(task.secrets or ()):
        if name not in known:
            hint = nearest(name, known) or f"; add `secrets: {{{name}: 'env:{name}'}}` to the pipeline"
            raise file.fault((*at, "secrets", number), f"task '{task.name}': the pipeline has no secret '{name}'{hint}")


def _check_stages(file: YamlFile, pipeline: Pipeline) -> None:
    first: dict[str, str] = {}
    for index, task in enumerate(pipeline.tasks):
        if task.uses is None or not task.kind.is_stage:
            continue
        if task.uses in first:
            raise file.fault(
                ("tasks", index, "uses"),
                f"task '{task.name}': a run has one '{task.uses}', and '{first[task.uses]}' is it; put the other into "
                "a pipeline of its own",
            )
        first[task.uses] = task.name


def _check_order(file: YamlFile, pipeline: Pipeline, known: Mapping[str, int]) -> None:
    try:
        graphlib.TopologicalSorter({task.name: task.before() for task in pipeline.tasks}).prepare()
    except graphlib.CycleError as error:
        circle: list[str] = error.args[1]
        start = min(range(len(circle) - 1), key=lambda number: known[circle[number]])
        told = [*circle[start:-1], *circle[:start], circle[start]]
        index = known[told[0]]
        key: Key = ("tasks", index, "dependencies")
        raise file.fault(
            key, f"tasks wait for each other: {' -> '.join(told)}; take one of these dependencies out"
        ) from None


def _check_schedule(file: YamlFile, pipeline: Pipeline) -> None:
    schedule = pipeline.schedule
    if schedule is None:
        return
    if schedule.max_runs is not None and (schedule.cron is None or schedule.start is None):
        lacks = "cron" if schedule.cron is None else "start"
        raise file.fault(("schedule", "max_runs"), f"schedule.max_runs: counts from `start` by `cron`; state `{lacks}`")
    if schedule.cron is None and not schedule.assets:
        raise file.fault(("schedule",), "schedule: state `cron` or `assets`, or leave `schedule` out")


def _check_form(file: YamlFile, pipeline: Pipeline) -> None:
    """What a task does not state it takes from the run's form, which must have it then."""
    there = {"run": {"recipe", "data", "seed"}, "documents": {"recipe", "data"}, "none": set[str]()}
    fields = there["run" if pipeline.form == "sweep" else pipeline.form] | pipeline.params.keys()
    for index, task in enumerate(pipeline.tasks):
        missing = sorted((task.kind.arguments & there["run"]) - task.arguments.keys() - fields)
        if missing:
            raise file.fault(
                ("tasks", index),
                f"task '{task.name}' ({task.uses}): takes `{missing[0]}` from the run's form; state `form: run`, or "
                f"`with: {{{missing[0]}: ...}}`",
            )
