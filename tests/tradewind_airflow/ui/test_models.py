"""All runs of a pipeline with their scores; the runs, reports, versions and the database are real ones."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_pages import DAG_ID, FOREIGN, RUN_ID
from finished_run import finished_run, report_again
from tradewind.files import write_atomically
from tradewind.registry.register import register
from tradewind.registry.store import Registry, models_path
from tradewind.reporting.contract import read_report
from tradewind.reporting.summary import SUMMARY, Summary
from tradewind.run_dir import RunDir, run_path

Shown = Callable[..., dict[str, Any]]


@pytest.fixture
def shown(get: Any) -> Shown:
    def ask(dag_id: str = DAG_ID) -> dict[str, Any]:
        answer = get("/tradewind/api/models", dag_id=dag_id)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    return ask


def _night(home: Path, at: int, **more: Any) -> RunDir:
    run = finished_run(run_path(home, DAG_ID, f"night {at}"), **more)
    report_again(run, finished_at=f"2026-11-{at:02}T02:04:00+00:00")
    _summarise(run)
    return run


def _summarise(run: RunDir) -> None:
    report = run.published("report")
    write_atomically(report / SUMMARY, Summary.of(read_report(report / "report.json")).model_dump_json())


def test_a_pipeline_without_runs_has_none(home: Path, shown: Shown) -> None:
    assert shown() == {"dag_id": DAG_ID, "champion": None, "groups": [], "runs": []}


def test_a_run_is_told_with_its_headline_scores(home: Path, triggered: Any, shown: Shown) -> None:
    run = finished_run(run_path(home, DAG_ID, triggered()), gain=0.2)
    _summarise(run)
    body = shown()
    assert body["groups"] == [
        {"kind": kind, "language": "en", "metric": "semscore", "metric_name": "SemScore"}
        for kind in ("reworded", "read", "unseen")
    ]
    (found,) = body["runs"]
    scores = found.pop("scores")
    assert found == {
        "run": run.path.name, "run_id": RUN_ID, "finished_at": "2026-11-23T02:04:00+00:00", "recipe": "tiny",
        "model": "embedded:tiny-gemma2", "seed": 42, "verdict": "better", "verdict_reason": "tuned is above base",
        "version": None, "is_champion": False, "nothing_new_since": None,
    }  # fmt: skip
    assert scores[0] == {
        "kind": "reworded", "language": "en", "metric": "semscore", "n": 40, "base": 0.5, "tuned": 0.75,
        "champion": None, "floor": None, "difference": 0.2, "low": 0.15, "high": 0.25,
    }  # fmt: skip


def test_runs_come_the_oldest_first_and_those_that_airflow_forgot_without_an_id(home: Path, shown: Shown) -> None:
    for at in (21, 19, 20):
        _night(home, at)
    assert [(run["finished_at"][8:10], run["run_id"]) for run in shown()["runs"]] == [
        ("19", None), ("20", None), ("21", None),
    ]  # fmt: skip


def test_versions_and_the_champion_come_from_the_registry(home: Path, shown: Shown) -> None:
    registry = Registry(models_path(home, DAG_ID))
    for at, gain in ((19, 0.2), (20, -0.2), (21, 0.3)):
        champion = registry.champion()
        register(registry, _night(home, at, gain=gain, champion=champion, weights=f"{at}"), who="a test")
    body = shown()
    assert body["champion"] == "v3"
    assert [(run["version"], run["is_champion"]) for run in body["runs"]] == [
        ("v1", False), ("v2", False), ("v3", True),
    ]  # fmt: skip


def test_a_damaged_version_or_pointer_hides_nothing_else(home: Path, shown: Shown) -> None:
    registry = Registry(models_path(home, DAG_ID))
    register(registry, _night(home, 19), who="a test")
    (registry.path / "versions" / "v1" / "version.json").write_text("{")
    assert [(run["version"], run["is_champion"]) for run in shown()["runs"]] == [(None, False)]
    registry.pointer.unlink()
    registry.pointer.write_text("no link")
    assert (shown()["champion"], len(shown()["runs"])) == (None, 1)


def test_a_night_without_anything_new_names_the_one_whose_result_it_has(home: Path, shown: Shown) -> None:
    first = _night(home, 19)
    second = RunDir(run_path(home, DAG_ID, "night 20"))
    second.published("report").mkdir(parents=True)
    for file in first.published("report").iterdir():
        (second.published("report") / file.name).hardlink_to(file)
    result = first.result("report").model_copy(
        update={"status": "cached", "source_run": first.path.name, "started_at": "2026-11-20T02:00:00+00:00"}
    )
    second.result_file("report").unlink()
    write_atomically(second.result_file("report"), result.model_dump_json())
    runs = shown()["runs"]
    assert [(run["run"], run["nothing_new_since"]) for run in runs] == [
        (first.path.name, None), (second.path.name, first.path.name),
    ]  # fmt: skip
    assert runs[1]["scores"] == runs[0]["scores"]


def test_a_damaged_run_breaks_nothing(home: Path, shown: Shown) -> None:
    _night(home, 19)
    for at, damage in ((20, ""), (21, "{"), (22, '{"schema_version": 2}'), (23, "[]"), (24, "\0")):
        run = _night(home, at)
        (run.published("report") / SUMMARY).write_text(damage)
    (_night(home, 25).published("report") / SUMMARY).write_bytes(b"\xff\xfe")
    (home / "runs" / DAG_ID / "a file").write_text("no run")
    (home / "runs" / DAG_ID / "empty").mkdir()
    assert [run["finished_at"][8:10] for run in shown()["runs"]] == ["19"]


def test_texts_that_mean_harm_are_data(home: Path, shown: Shown, get: Any) -> None:
    run = _night(home, 19)
    summary = Summary.model_validate_json((run.published("report") / SUMMARY).read_bytes())
    evil = summary.model_copy(update={"verdict_reason": "</script><script>alert(1)</script>"})
    write_atomically(run.published("report") / SUMMARY, evil.model_dump_json())
    answer = get("/tradewind/api/models", dag_id=DAG_ID)
    assert answer.headers["content-type"] == "application/json"
    assert json.loads(answer.text)["runs"][0]["verdict_reason"] == evil.verdict_reason


def test_a_thousand_runs_are_read_once(
    home: Path, shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the second answer costs is looking at the files' times; see benchmarks/pages.py for figures."""
    summary = (_night(home, 19).published("report") / SUMMARY).read_text()
    for at in range(1000):
        report = home / "runs" / DAG_ID / f"run-{at}" / "report"
        report.mkdir(parents=True)
        (report / SUMMARY).write_text(summary.replace(json.loads(summary)["run"], f"run-{at}"))
    assert len(shown()["runs"]) == 1001
    read: list[Path] = []
    real = Path.read_bytes

    def noted(path: Path) -> bytes:
        read.append(path)
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", noted)
    assert len(shown()["runs"]) == 1001
    assert read == []
    changed = home / "runs" / DAG_ID / "run-7" / "report" / SUMMARY
    write_atomically(changed, changed.read_text().replace('"better"', '"worse"'))
    assert [run["run"] for run in shown()["runs"] if run["verdict"] == "worse"] == ["run-7"]
    assert read == [changed]


def test_pipelines_are_those_that_may_be_read(home: Path, get: Any) -> None:
    _night(home, 19)
    _night(home, 20)
    finished_run(run_path(home, FOREIGN, "one"))
    (home / "runs" / "a file").write_text("no pipeline")
    expected = {
        "admin": [(FOREIGN, 1), (DAG_ID, 2)], "reader": [(DAG_ID, 2)], "neighbour": [(FOREIGN, 1)],
    }  # fmt: skip
    for user, pipelines in expected.items():
        body = get("/tradewind/api/pipelines", user=user).json()
        assert [(found["dag_id"], found["runs"]) for found in body["pipelines"]] == pipelines


def test_what_is_no_pipelines_folder_hides_none(home: Path, get: Any) -> None:
    for name in ("trade_qa", "lost+found", os.fsdecode(b"no\xfftext")):
        (home / "runs" / name / "a-run").mkdir(parents=True)
    answer = get("/tradewind/api/pipelines")
    assert (answer.status_code, answer.json()) == (200, {"pipelines": [{"dag_id": "trade_qa", "runs": 1}]})


def test_without_any_run_there_is_no_pipeline(home: Path, get: Any) -> None:
    assert get("/tradewind/api/pipelines").json() == {"pipelines": []}
