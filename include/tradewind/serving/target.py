"""What is to be served: a run, a version of a registry, or the champion of one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tradewind.errors import UserError
from tradewind.files import path_of
from tradewind.registry.store import Registry, models_path
from tradewind.registry.version import MODEL, RECORD, Version
from tradewind.results import Artifact, StageResult
from tradewind.run_dir import RunDir
from tradewind.serving.questions import SMOKE, SmokeSet
from tradewind.stages import Stage
from tradewind.store.mirror import complete

# What the hub takes for a repository's name, since transformers finds the model by it.
_NAME = re.compile(r"(?!.*(--|\.\.))[A-Za-z0-9_]([A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?")
_TRAININGS: Mapping[Stage, str] = {"finetune": "tuned", "adapt": "adapted"}
"""Who makes a model, the later first, and what the evaluation calls it."""


@dataclass(frozen=True)
class Target:
    """A model, what it is called, and what it has to answer."""

    name: str
    """What clients write as `model`."""
    model: Path
    model_sha256: str
    smoke: SmokeSet
    registry: Registry | None = None
    """Whose alias it gets; None: the run was not registered."""
    version: str | None = None


def find_target(path: Path, version: str | None = None, name: str | None = None) -> Target:
    """What `path` names: a run's folder, a version's, or a pipeline's models, of which it is the champion.

    Args:
        version: another one than the champion, of a pipeline's models.
        name: for clients; None: the pipeline's.

    Raises:
        UserError: there is no model there, it was not evaluated, or its files are not those that were.
    """
    path = path_of(str(path)).resolve()  # `champion` is a link
    if not path.is_dir():
        raise UserError(f"{path}: no such folder; name a run, a version, or a pipeline's models")
    if version is not None and not (path / "versions").is_dir():
        raise UserError(f"--version: {path} is no folder of models; name $TRADEWIND_HOME/models/DAG_ID")
    if (path / "versions").is_dir():
        registry = Registry(path)
        found = registry.version(version) if version else registry.champion()
        if found is None:
            there = ", ".join(registry.names()) or "none"
            raise UserError(f"{path}: there is no champion; name a version with --version: {there}")
        return of_version(registry, found, name)
    if (path / RECORD).is_file():
        return of_version(Registry(path.parent.parent), Version.read(path), name)
    return _of_run(RunDir(path), name)


def of_version(registry: Registry, version: Version, name: str | None = None) -> Target:
    """A registered version, its files read again; UserError where they are not those that were registered."""
    complete(version.path, without=(MODEL,))
    smoke = SmokeSet.read(version.path / SMOKE)
    version.verify()
    return Target(
        _served_name(name, registry.path.name), version.model, version.record.model_sha256, smoke, registry,
        version.name,
    )  # fmt: skip


def _of_run(run: RunDir, name: str | None) -> Target:
    stage, made = _trained(run)
    evaluate = run.result("evaluate")
    used = evaluate.inputs.get(f"{stage}/model")
    model = run.path / made.path
    if used is None or used.sha256 != made.sha256:
        raise UserError(f"{run.published('evaluate')}: is of another model; run the stage 'evaluate' again")
    complete(run.published(stage))
    complete(run.published("evaluate"))
    if not model.is_dir() or Artifact.of(model, run.path).sha256 != made.sha256:
        raise UserError(f"{model}: is not what {stage} published; run the stage '{stage}' again")
    smoke = SmokeSet.of(run, evaluate, _TRAININGS[stage])
    registry, version = _registered(run, made.sha256)
    pipeline = run.path.parent.name if run.path.parent.parent.name == "runs" else run.path.name
    return Target(_served_name(name, pipeline), model, made.sha256, smoke, registry, version)


def _trained(run: RunDir) -> tuple[Stage, Artifact]:
    for stage in _TRAININGS:
        if run.result_file(stage).exists():
            result: StageResult = run.result(stage)
            if "model" in result.outputs:
                return stage, result.outputs["model"]
    raise UserError(
        f"{run.path}: holds no trained model; name a run that has come to 'evaluate', a version, or a pipeline's models"
    )


def _registered(run: RunDir, model_sha256: str) -> tuple[Registry | None, str | None]:
    """The version that was made of this run, in the registry beside the runs."""
    if run.path.parent.parent.name != "runs":
        return None, None
    registry = Registry(models_path(run.path.parents[2], run.path.parent.name))
    registry.refresh()
    for version in reversed(registry.versions()):
        if (version.record.run, version.record.model_sha256) == (run.path.name, model_sha256):
            return registry, version.name
    return None, None


def _served_name(stated: str | None, pipeline: str) -> str:
    if stated is not None:
        if not _NAME.fullmatch(stated):
            raise UserError(f"--name '{stated}': letters, digits, '_', and between them '-' and '.'; 96 at most")
        return stated
    plain = re.sub(r"[^A-Za-z0-9_]+", "-", pipeline).strip("-")[:96].strip("-")
    return plain or "model"
