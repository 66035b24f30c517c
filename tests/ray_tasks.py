"""Short trainings as tasks on the tests' Ray cluster, and what they are compared with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from documents import run_cli
from ray_cluster import TOKEN, Ray

BOUND = 1e-4
"""Of a step's loss, as between processes of one machine: see tests/tradewind/training/test_train_together.py."""
RUN = {"recipe": "tiny", "data": "embedded:ko"}


def connect(monkeypatch: pytest.MonkeyPatch, port: int, token: str | None = TOKEN) -> None:
    """Let Airflow's connection name the cluster behind this port."""
    found = {"conn_type": "http", "host": "127.0.0.1", "port": port, "password": token}
    monkeypatch.setenv("AIRFLOW_CONN_RAY_DEFAULT", json.dumps(found))


def prepare(run_dir: Path) -> Path:
    """The stage before a training; returns `run_dir`."""
    done = run_cli(run_dir.parent, "prepare", "--run-dir", run_dir, "--data", RUN["data"])
    assert done.returncode == 0, done.stderr
    return run_dir


def run_alone(stage: str, run_dir: Path, overrides: dict[str, Any], **environment: str) -> None:
    """By one process, without Ray."""
    given = [word for name, value in overrides.items() for word in ("--set", f"{name}={value}")]
    stated = [word for name, value in RUN.items() for word in (f"--{name}", value)]
    done = run_cli(run_dir, stage, "--run-dir", run_dir, *stated, *given, **environment)
    assert done.returncode == 0, done.stderr


def losses(run_dir: Path) -> list[float]:
    """Of the fine-tuning, step by step."""
    return [json.loads(line)["loss"] for line in (run_dir / "finetune/log.jsonl").read_text("utf-8").splitlines()]


def own(ray: Ray, run_dir: Path) -> list[dict[str, Any]]:
    """The jobs of a run, in the order of their submission."""
    jobs = [job for job in ray.jobs() if str(run_dir) in job["entrypoint"]]
    return sorted(jobs, key=lambda job: int(job["start_time"]))
