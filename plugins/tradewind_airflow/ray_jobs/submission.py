"""How a task's Ray job is named, and what it is asked to run."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tradewind.config import RunConfig
from tradewind.sources.location import EMBEDDED
from tradewind_airflow.containers.identity import GENERATION, JOB, TASK, Identity

_SECRET = re.compile(r"(TOKEN|KEY|PASSWORD|SECRET)(_|$)", re.IGNORECASE)
ALWAYS = {"RAY_TRAIN_ENABLE_PRINT_PATCH": "0", "RAY_DEDUP_LOGS": "0", "RAY_COLOR_PREFIX": "0"}
"""Each line of a worker's once, as it is."""


def job_name(identity: Identity, run_dir: str) -> str:
    """What the ids of all submissions of a task begin with, whatever its try.

    Args:
        run_dir: as the cluster names it; two Airflows that share a cluster differ in it.
    """
    readable = re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{identity.dag_id}-{identity.task}")[:60]
    own = f"{run_dir} {identity.job_id} {identity.task}"
    return f"tradewind-{readable}-{hashlib.sha256(own.encode()).hexdigest()[:12]}"


def submission_id(name: str, generation: int, number: int) -> str:
    """The id of a task's `number`-th submission since it was last cleared, from 1: Ray refuses a second of the same."""
    return f"{name}-{generation}-{number}"


def parsed(name: str, submitted: str) -> tuple[int, int] | None:
    """Generation and number of a submission of the task `name`; None where it is none of it."""
    found = re.fullmatch(rf"{re.escape(name)}-(\d+)-(\d+)", submitted)
    return (int(found[1]), int(found[2])) if found else None


def job_request(
    submitted: str,
    identity: Identity,
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    resources: Mapping[str, Any],
) -> dict[str, Any]:
    """The body of a submission.

    Args:
        command: what the cluster runs, on one of its nodes.
        env: anybody who may see the cluster's dashboard sees these.
        resources: what the command itself takes of that node, by Ray's names (`entrypoint_num_cpus`, ...).
    """
    return {
        "submission_id": submitted,
        "entrypoint": f"exec {shlex.join(command)}",
        "metadata": {JOB: identity.job_id, TASK: identity.task_id, GENERATION: str(identity.generation)},
        "runtime_env": {"env_vars": {**ALWAYS, **env, **identity.environment()}},
        **resources,
    }


def check_env(env: Mapping[str, str]) -> None:
    """TypeError where a variable's name says that it is a secret."""
    for name in env:
        if _SECRET.search(name):
            raise TypeError(
                f"env[{name!r}]: Ray shows a job's environment in its dashboard; set secrets on the cluster's nodes"
            )


def on_cluster(path: Path, paths: Mapping[str, str]) -> str:
    """A folder as the cluster's nodes name it.

    Args:
        paths: for folders that they name otherwise: this worker's name, and theirs. The longest that fits counts.
    """
    for own in sorted(paths, key=len, reverse=True):
        if path.is_relative_to(own):
            return str(Path(paths[own]) / path.relative_to(own))
    return str(path)


def named_otherwise(path: Path, paths: Mapping[str, str]) -> bool:
    """Whether the cluster's nodes name a folder otherwise than this worker."""
    return any(path.is_relative_to(own) for own in paths)


def for_cluster(config: RunConfig, paths: Mapping[str, str]) -> RunConfig:
    """The same configuration with the folders in it named as the cluster's nodes do.

    Args:
        config: with folders named from the root, see `in_container`.
    """

    def mapped(name: str) -> str:
        return on_cluster(Path(name), paths) if name.startswith("/") else name

    data_dir = config.data_dir if config.data_dir.startswith(EMBEDDED) else mapped(config.data_dir)
    model = config.model.model_copy(update={"model_name_or_path": mapped(config.model.model_name_or_path)})
    evaluate = config.evaluate.model_copy(update={"encoder": mapped(config.evaluate.encoder)})
    return config.model_copy(update={"data_dir": data_dir, "model": model, "evaluate": evaluate})
