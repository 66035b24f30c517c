"""How long the page of models waits for its data: the routes in a real Airflow application, over runs made up here.

    python benchmarks/pages.py --runs 1000
    python benchmarks/pages.py --runs 1000 --without-summary     # as a release wrote them that knew no summary.json

Prints milliseconds. The first answer is the first that the process gives at all; the files were just written, so the
system holds them.
"""

# ruff: noqa: TID251 - measured in a real Airflow

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

_DAG = "trade_qa"
_LATER = 9
_BEGAN = datetime(2024, 1, 1, 2, tzinfo=UTC)
_LOREM = "The carrier issues the bill of lading once the goods are on board. " * 6


def main() -> None:
    """Make the runs, then measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--without-summary", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tradewind-benchmark-") as name:
        home = Path(name)
        project = Path(__file__).parents[1]
        os.environ |= {
            "AIRFLOW_HOME": str(home),
            "TRADEWIND_HOME": str(home / "tradewind"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(project / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        }
        run_ids = [f"scheduled__{(_BEGAN + timedelta(days=at)).isoformat()}" for at in range(arguments.runs)]
        _write_runs(home / "tradewind", run_ids, with_summary=not arguments.without_summary)
        _measure(run_ids)


def _write_runs(home: Path, run_ids: list[str], *, with_summary: bool) -> None:
    """One run in five found nothing new."""
    from tradewind.reporting.summary import SUMMARY, Summary
    from tradewind.run_dir import run_path

    source = ""
    for at, run_id in enumerate(run_ids):
        folder = run_path(home, _DAG, run_id)
        (folder / "report").mkdir(parents=True)
        cached = at % 5 == 4
        source = source if cached else folder.name
        report = _report(source, at)
        (folder / "report" / "report.json").write_text(report.model_dump_json(indent=1), encoding="utf-8")
        if with_summary:
            (folder / "report" / SUMMARY).write_text(Summary.of(report).model_dump_json(), encoding="utf-8")
        result = _result(report, "cached" if cached else "success", source if cached else None)
        (folder / "report" / "result.json").write_text(json.dumps(result), encoding="utf-8")


def _report(run: str, at: int) -> Any:
    from tradewind.reporting.contract import Example, Report
    from tradewind.scores import Comparison, GroupScore, MetricScore, Scores

    draw = random.Random(run)

    def metric(name: str) -> MetricScore:
        tuned = draw.uniform(0.4, 0.8)
        found = Comparison(difference=tuned - 0.3, low=tuned - 0.4, high=tuned - 0.2, confidence_level=0.95, p=0.001,
                           p_holm=0.01, wins=30, ties=5, losses=14, n=49)  # fmt: skip
        means = {"base": 0.3, "adapted": 0.35, "tuned": tuned, "champion": tuned - 0.01}
        return MetricScore(metric=name, mean=means, floor={"tuned": 0.17}, scored=49, comparisons={"base": found})

    names = ("semscore", "chrf", "exact_match", "numbers")
    kinds: Any = ("reworded", "read", "unseen")
    groups = tuple(
        GroupScore(kind=kind, language="en", n=49, records=30, headline=names[0], metrics=tuple(map(metric, names)))
        for kind in kinds
    )
    example = Example(kind="read", language="en", question=_LOREM, reference=_LOREM, metric="semscore", difference=0.3,
                      answers=dict.fromkeys(("base", "tuned"), _LOREM), score={"base": 0.3, "tuned": 0.6})  # fmt: skip
    return Report(
        run=run, recipe="tiny", model="embedded:tiny-gemma2", data="embedded:en", seed=42,
        finished_at=(_BEGAN + timedelta(days=at, hours=1)).isoformat(), stages=(), warnings=(),
        best=(example,) * 15, worst=(example,) * 15, versions={"tradewind": "0.1.0"},
        scores=Scores(
            models=("base", "adapted", "tuned", "champion"), groups=groups, encoder="embedded:all-MiniLM-L6-v2",
            encoder_max_length=256, encoder_truncated=0.0, hit_token_limit={}, judge="none", verdict="better",
            verdict_reason="tuned is above base by SemScore on reworded questions (en, n=49): +0.360",
        ),
    )  # fmt: skip


def _result(report: Any, status: str, source_run: str | None) -> dict[str, Any]:
    from tradewind.recipes import resolve

    artifact = {"path": "report/report.json", "sha256": "0" * 64, "bytes": 1}
    return {
        "stage": "report", "status": status, "source_run": source_run, "started_at": report.finished_at, "seconds": 1.0,
        "seed": 42, "config": resolve("tiny", "embedded:en", 42).model_dump(mode="json"), "versions": report.versions,
        "inputs": {f"prepare/{at}": artifact for at in range(15)}, "outputs": {"report.json": artifact},
    }  # fmt: skip


def _measure(run_ids: list[str]) -> None:
    from airflow.api_fastapi.app import create_app, get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.models.dagrun import DagRun
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session
    from starlette.testclient import TestClient

    initdb()
    with create_session() as session:
        session.add_all(DagRun(dag_id=_DAG, run_id=run_id, run_type="scheduled") for run_id in run_ids)
    client = TestClient(create_app(apps="core"))
    token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="admin", role="ADMIN"))
    client.headers["Authorization"] = f"Bearer {token}"

    def ask(path: str) -> tuple[float, float, Any]:
        began, used = time.perf_counter(), time.process_time()
        answer = client.get(path)
        answer.raise_for_status()
        return (time.perf_counter() - began) * 1000, (time.process_time() - used) * 1000, answer

    def median(path: str) -> str:
        taken, used = zip(*(ask(path)[:2] for _ in range(_LATER)), strict=True)
        return f"median of {_LATER}: {statistics.median(taken):.0f} ms ({statistics.median(used):.0f} of the processor)"

    path = f"/tradewind/api/models?dag_id={_DAG}"
    first, used, answer = ask(path)
    runs = answer.json()["runs"]
    print(f"{len(runs)} runs, {len(answer.content)} bytes of JSON")
    print(f"api/models, first: {first:.0f} ms ({used:.0f} of the processor); then, {median(path)}")
    print(f"api/pipelines, {median('/tradewind/api/pipelines')}")


if __name__ == "__main__":
    main()
