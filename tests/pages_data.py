"""What the pages' routes answer, in the shapes that the plugin's own routes give; figures are made up."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]

DAG = "trade_qa"
RUN_ID = "manual__2026-11-20T02:00:00+00:00"
RUN = "manual__2026-11-20T02-00-00-00-00-1a2b3c4d"
EARLIER = "scheduled__2026-11-19T02-00-00-00-00-0badcafe"
HOSTILE = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>\"'&\u202e"
GROUPS = [
    {"kind": "reworded", "language": "en", "metric": "semscore", "metric_name": "SemScore"},
    {"kind": "reworded", "language": "ko", "metric": "chrf", "metric_name": "chrF"},
    {"kind": "held out", "language": "en", "metric": "semscore", "metric_name": "SemScore"},
]


def pipelines(count: int) -> Json:
    """Two, of which the first has most runs."""
    return {"pipelines": [{"dag_id": DAG, "runs": count}, {"dag_id": "trade_qa_gemma", "runs": 0}]}


def models(count: int, dag_id: str = DAG) -> Json:
    """As many nights, one after the other; every seventh made a version, every fifth had nothing new."""
    runs = [_run(number, count) for number in range(count)]
    versions = [run for run in runs if run["version"]]
    if versions:
        versions[-1]["is_champion"] = True
    champion = versions[-1]["version"] if versions else None
    return {"dag_id": dag_id, "champion": champion, "groups": GROUPS if runs else [], "runs": runs}


def _run(number: int, count: int) -> Json:
    finished = datetime(2026, 11, 20, 2, 31, tzinfo=UTC) - timedelta(days=count - 1 - number)
    run_id = f"scheduled__{finished:%Y-%m-%d}T02:00:00+00:00"
    again = number % 5 == 4
    return {
        "run": f"scheduled__{finished:%Y-%m-%d}T02-00-00-00-00-{number:08x}",
        "run_id": None if number == 0 and count > 1 else run_id,
        "finished_at": finished.isoformat(),
        "recipe": ("gemma", "tiny")[number % 2],
        "model": "google/gemma-2-2b",
        "seed": 42,
        "verdict": ("better", "no difference shown", "better", "worse")[number % 4],
        "verdict_reason": "the interval of every headline metric is above 0",
        "version": f"v{number // 7 + 1}" if number % 7 == 0 else None,
        "is_champion": False,
        "nothing_new_since": _run(number - 1, count)["run"] if again else None,
        "scores": [_score(group, number, place) for place, group in enumerate(GROUPS)],
    }


def _score(group: Json, number: int, place: int) -> Json:
    base = 0.13 + 0.02 * place + 0.01 * math.sin(number)
    gain = 0.3 + 0.12 * math.sin(number / 9 + place) + 0.03 * math.sin(number * 2.1)
    gap = number % 11 == 3  # the evaluation found too few questions for an interval
    return {
        **{key: group[key] for key in ("kind", "language", "metric")},
        "n": 49,
        "base": base,
        "tuned": base + gain,
        "champion": None if number < 2 else base + gain - 0.04 * math.cos(number / 4),
        "floor": 0.17 + 0.01 * place,
        "difference": gain,
        "low": None if gap else gain - 0.11,
        "high": None if gap else gain + 0.1,
    }


def comparison(first: str, second: str) -> Json:
    """As `tradewind compare` writes it."""
    return {
        "first": first,
        "second": second,
        "model": "tuned",
        "verdict": "no difference shown",
        "verdict_reason": "no interval excludes 0",
        "columns": ["held-out questions", "metric", "n", "first", "second", "floor", "difference", "95% interval"],
        "rows": [
            ["reworded (en)", "SemScore", 49, "0.490", "0.512", "0.170", "+0.022", "-0.031 to +0.074"],
            ["reworded (ko)", "chrF", 12, "31.2", "30.8", "8.1", "-0.4", "-3.0 to +2.1"],
        ],
        "notes": ["12 questions in Korean are few: read their interval with care"],
    }


def stage(name: str, state: str | None, **others: Any) -> Json:
    """One of a run's stages; not finished unless said otherwise."""
    made = state == "success"
    return {
        "stage": name,
        "task_id": name,
        "state": state,
        "outcome": "made" if made else None,
        "source_run": None,
        "reason": None,
        "seconds": 12.3 if made else None,
        "skippable": state in {None, "queued", "scheduled", "running"},
        **others,
    }


def run_going_on(**others: Any) -> Json:
    """In the middle of its training."""
    return _run_of(
        [
            stage("extract", "success", outcome="cached", source_run=EARLIER, seconds=0.4),
            stage("prepare", "skipped", outcome="skipped", source_run=EARLIER, seconds=0.2),
            stage("adapt", "skipped", outcome="skipped", reason="the recipe has turned it off"),
            stage("finetune", "running"),
            stage("baseline", "success", seconds=61.0),
            stage("evaluate", None),
            stage("report", None),
        ],
        **({"state": "running", "skip": ["prepare"]} | others),
    )


def run_ended(**others: Any) -> Json:
    """With a report."""
    names = ("extract", "prepare", "adapt", "finetune", "baseline", "evaluate", "report")
    made = [stage(name, "success", seconds=10.0 * at) for at, name in enumerate(names)]
    return _run_of(made, **({"state": "success", "has_report": True, "report_of": RUN} | others))


def run_failed() -> Json:
    """At its training."""
    return _run_of(
        [stage("prepare", "success"), stage("finetune", "failed"), stage("evaluate", "upstream_failed")], state="failed"
    )


def _run_of(stages: list[Json], **others: Any) -> Json:
    return {
        "dag_id": DAG,
        "run_id": RUN_ID,
        "run": RUN,
        "recipe": "gemma",
        "data": "documents/2026",
        "seed": 42,
        "skip": [],
        "force": False,
        "stages": stages,
        "has_report": False,
        "report_of": None,
        "may_edit": True,
        **others,
    }


REPORT = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Report</title>
<style>body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }</style>
</head><body><h1>Fine-tuning report</h1><p>better: every interval is above 0.</p>
<script>parent.hacked = 1</script></body></html>
"""
REPORT_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"


def entry(name: str, size: int | None = None) -> Json:
    """A file of so many bytes, or a folder."""
    kind = "folder" if size is None else "file"
    return {"name": name, "kind": kind, "bytes": size, "modified": "2026-11-20T02:31:07+00:00"}


def files(path: str) -> Json:
    """A run's folder, `finetune` in it, and an empty one."""
    folders: dict[str, list[Json]] = {
        "": [entry("config.yaml", 812), entry("finetune"), entry("empty"), entry("run.json", 1_204)],
        "finetune": [entry("model.safetensors", 5_228_412_345), entry("log.jsonl", 48_211), entry("a&b #1?+%.txt", 1)],
        "empty": [],
    }
    return {"path": path, "entries": folders[path], "truncated": False}


def training(step: int = 120, state: str = "running", **others: Any) -> Json:
    """A training of 500 steps, at one of them."""
    rows = [(at, 0.6 + 3.2 * math.exp(-at / 60) + 0.05 * math.sin(at)) for at in range(5, step + 1, 5)]
    curve = [{"step": at, "loss": loss, "learning_rate": 2e-4 * (1 - at / 500)} for at, loss in rows]
    progress = {
        "stage": "finetune",
        "step": step,
        "max_steps": 500,
        "epoch": round(step / 167, 2),
        "loss": curve[-1]["loss"] if curve else None,
        "tokens_per_second": 18_342.7,
        "seconds_left": (500 - step) * 1.9,
        "gpu_memory_bytes": 31_412_000_000,
        "gpu_memory_total": 84_974_000_000,
        "started_at": "2026-11-20T02:04:00+00:00",
        "updated_at": datetime.now(UTC).isoformat(),
    }
    told = {"state": state, "training": True, "progress": progress, "silent_seconds": 2.0, "curve": curve}
    return {**told, "metrics": None, **others}


METRICS = {
    "steps": 500,
    "loss": 0.712345,
    "last_loss": 0.601,
    "train_seconds": 951.2,
    "rows": 1_337,
    "tokens": 17_442_004,
    "trainable_parameters": 20_766_720,
    "resumed_from_step": None,
}
