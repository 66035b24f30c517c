"""Fixtures around Airflow: its tables, a task's context, a report."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from documents import REPOSITORY
from tradewind.reporting.contract import Example, Report, StageSummary
from tradewind.scores import Comparison, GroupScore, MetricScore, Scores

# What a developer's shell may hold and no test may use.
_FOREIGN = ("SLACK_TOKEN", "HF_TOKEN", "OPENAI_API_KEY", "TRADEWIND_HOME", "TRADEWIND_IMAGE", "TRADEWIND_PIPELINES",
            "TRADEWIND_RECIPE", "TRADEWIND_DATA", "TRADEWIND_SLACK_CHANNEL", "TRADEWIND_SCHEDULE", "TRADEWIND_TIMEZONE",
            "TRADEWIND_START_DATE", "TRADEWIND_MAX_RUNS", "TRADEWIND_SWEEP_PARALLEL",
            "TRADEWIND_GPUS", "TRADEWIND_TASK_GPUS", "TRADEWIND_GPU_POOL", "TRADEWIND_GPU_QUEUE",
            "TRADEWIND_CPU_QUEUE", "TRADEWIND_LEASE_DIR",
            "TRADEWIND_MOUNT_ROOTS", "TRADEWIND_MODEL_CACHE", "TRADEWIND_JOB_ID", "TRADEWIND_TASK_ID", "DOCKER_HOST",
            "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "HIP_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES",
            "AIRFLOW_CONN_SLACK_API_DEFAULT", "AIRFLOW_CONN_TRADEWIND_SLACK_TOKEN",
            "AIRFLOW_CONN_HUGGINGFACE_DEFAULT", "AIRFLOW_CONN_OPENAI_DEFAULT", "AIRFLOW__API__BASE_URL")  # fmt: skip
HOSTILE = "<!channel> {{ 7*7 }} {% no tag %} & <b>"  # rendered it would say 49, or raise
Python = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _FOREIGN:
        monkeypatch.setenv(name, "")  # noted by monkeypatch, so that what a test leaves there goes, too
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Airflow's tables in the temporary home."""
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture
def project() -> Path:
    """The checkout."""
    return REPOSITORY


@pytest.fixture
def python() -> Python:
    """Run code in a fresh interpreter, with variables on top of this one's; it must end with 0."""

    def run(code: str, *arguments: str, flags: tuple[str, ...] = (), **variables: str) -> Any:
        command = [sys.executable, *flags, "-c", code, *arguments]
        done = subprocess.run(
            command, env=os.environ | variables, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done

    return run


@pytest.fixture
def context() -> dict[str, Any]:
    """What of a task's context the operators and notifiers read."""
    ti = SimpleNamespace(
        dag_id="trade_qa", run_id="manual__2026-11-20T02:00:00+00:00", task_id="a_task", try_number=1, stats_tags={}
    )
    return {"ti": ti, "task_instance": ti, "run_id": ti.run_id}


@pytest.fixture
def events() -> Iterator[list[Any]]:
    """What tasks log while the test runs."""
    from structlog.testing import capture_logs

    with capture_logs() as captured:
        yield captured


def _metric(name: str, base: float, tuned: float, **more: Any) -> MetricScore:
    rise = tuned - base
    comparison = Comparison(
        difference=rise, low=rise - 0.05, high=rise + 0.05, confidence_level=0.95,
        p=0.5 if abs(rise) < 0.05 else 0.0001, p_holm=1.0, wins=30, ties=4, losses=6, n=40,
    )  # fmt: skip
    means = {"base": base, "adapted": (base + tuned) / 2, "tuned": tuned}
    return MetricScore(metric=name, mean=means, scored=40, comparisons={"base": comparison}, **more)


def _group(kind: Any, language: str, headline: str, *metrics: MetricScore) -> GroupScore:
    return GroupScore(kind=kind, language=language, n=40, records=20, headline=headline, metrics=metrics)


@pytest.fixture
def report() -> Report:
    """Three kinds, two languages, an encoder that is blind for Korean, a warning, and texts that mean harm."""
    blind = {"floor": {"tuned": 0.88}, "usable": False, "note": "the floor is 0.880"}
    scores = Scores(
        models=("base", "adapted", "tuned"),
        groups=(
            _group("reworded", "en", "semscore", _metric("semscore", 0.5, 0.98), _metric("chrf", 0.1, 0.7)),
            _group("read", "en", "semscore", _metric("semscore", 0.58, 0.61)),
            _group("unseen", "en", "semscore", _metric("semscore", 0.55, 0.54)),
            _group("reworded", "ko", "chrf", _metric("semscore", 0.89, 0.92, **blind), _metric("chrf", 0.2, 0.65)),
        ),
        encoder="embedded:all-MiniLM-L6-v2",
        encoder_max_length=256,
        encoder_truncated=0.01,
        hit_token_limit={"base": 0.2, "adapted": 0.1, "tuned": 0.0},
        judge="no judge is configured",
        verdict="better",
        verdict_reason=f"reworded (en) rose by 0.480; {HOSTILE}",
    )
    stages = [
        StageSummary(stage=name, status="success", reason=None, seconds=12.3, resumed_from_step=None, metrics={})
        for name in ("prepare", "adapt", "finetune", "evaluate")
    ]
    answers = {"base": HOSTILE, "adapted": "a bill", "tuned": "a bill of lading"}
    example = Example(
        kind="reworded", language="en", question=HOSTILE, reference="a bill of lading", answers=answers,
        metric="semscore", score={"base": 0.1, "adapted": 0.6, "tuned": 1.0}, difference=0.9,
    )  # fmt: skip
    return Report(
        run="manual__2026-11-20T02-00-00-00-00-1a2b3c4d",
        recipe=HOSTILE,
        model=f"models/{HOSTILE}",
        data="/data",
        seed=42,
        finished_at="2026-11-20T02:04:00+00:00",
        scores=scores,
        stages=tuple(stages),
        warnings=(f"3 could not be used; {HOSTILE}",),
        best=(example,),
        worst=(),
        versions={"tradewind": "0.1.0"},
    )
