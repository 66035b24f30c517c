"""The scores of all runs, from summaries and, of older runs, from their reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluated_run import rows_of, scored
from finished_run import comparison, finished_run, group, metric, report_again, scores_of
from tradewind.files import write_atomically, write_jsonl
from tradewind.recipes import read_config
from tradewind.reporting.contract import Report, read_report
from tradewind.reporting.history import RunHistory
from tradewind.reporting.summary import SUMMARY, GroupSummary, Summary
from tradewind.results import Artifact
from tradewind.run_dir import RunDir
from tradewind.stages.report import run as report_stage
from tradewind.stages.stage_run import StageRun


def _report(run: RunDir) -> Report:
    return read_report(run.published("report") / "report.json")


def _summarise(run: RunDir, report: Report | None = None) -> None:
    write_atomically(run.published("report") / SUMMARY, Summary.of(report or _report(run)).model_dump_json())


def _borrow(run: RunDir, status: str, of: RunDir) -> None:
    _summarise(run, _report(of))
    changes = {"status": status, "source_run": of.path.name, "started_at": "2026-12-01T00:00:00+00:00"}
    write_atomically(run.result_file("report"), run.result("report").model_copy(update=changes).model_dump_json())


def test_a_summary_holds_the_headline_metric_of_each_group() -> None:
    headline = metric("chrf", {"base": comparison(0.1)}, floor={"tuned": 0.123456789})
    found = GroupSummary.of(group("read", metric("semscore"), headline, language="ko", headline="chrf"))
    assert found == GroupSummary(
        kind="read", language="ko", metric="chrf", n=40, base=0.5, tuned=0.75, champion=None, floor=0.123457,
        difference=0.1, low=0.05, high=0.15,
    )  # fmt: skip


def test_the_stage_leaves_the_summary_of_its_report(tmp_path: Path) -> None:
    run, rows = finished_run(tmp_path / "run"), rows_of(1)
    evaluate = run.published("evaluate")
    run.result_file("evaluate").unlink()  # of other scores
    write_jsonl(evaluate / "predictions.jsonl", rows)
    write_atomically(evaluate / "scores.json", scored(rows).model_dump_json())
    inputs = {f"evaluate/{file.name}": Artifact.of(file, run.path) for file in evaluate.iterdir()}
    work = run.open_work("report", "")
    stage = StageRun("report", read_config(run.config_file), run, work, inputs)
    report_stage(stage)
    assert SUMMARY in stage.outputs
    summary = Summary.model_validate_json((work / SUMMARY).read_bytes())
    assert summary == Summary.of(read_report(work / "report.json"))
    assert summary.run == "run"


def test_without_an_interval_there_is_no_difference() -> None:
    found = GroupSummary.of(scores_of(group("read", metric("semscore"))).groups[0])
    assert (found.difference, found.low, found.high) == (None, None, None)


def test_a_run_without_a_summary_is_read_from_its_report(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run")
    (found,) = RunHistory().of(tmp_path)
    assert found.summary == Summary.of(_report(run))


def test_a_summary_is_read_in_the_reports_place(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run")
    _summarise(run)
    (run.published("report") / "report.json").write_text("not read")
    assert [found.run for found in RunHistory().of(tmp_path)] == ["run"]


def test_a_cleared_report_is_read_anew(tmp_path: Path) -> None:
    run, history = finished_run(tmp_path / "run"), RunHistory()
    _summarise(run)
    assert history.of(tmp_path)[0].finished_at == "2026-11-23T02:04:00+00:00"
    report_again(run, finished_at="2026-11-24T02:04:00+00:00")
    _summarise(run)
    assert history.of(tmp_path)[0].finished_at == "2026-11-24T02:04:00+00:00"


def test_a_cached_report_counts_on_its_own_night(tmp_path: Path) -> None:
    first, second = finished_run(tmp_path / "first"), finished_run(tmp_path / "second")
    _summarise(first)
    _borrow(second, "cached", first)
    found = RunHistory().of(tmp_path)
    assert [(run.run, run.finished_at, run.nothing_new_since) for run in found] == [
        ("first", "2026-11-23T02:04:00+00:00", None), ("second", "2026-12-01T00:00:00+00:00", "first"),
    ]  # fmt: skip


def test_a_report_that_stands_in_for_a_skipped_one_gives_no_scores(tmp_path: Path) -> None:
    first, second = finished_run(tmp_path / "first"), finished_run(tmp_path / "second")
    _borrow(second, "skipped", first)
    assert [run.run for run in RunHistory().of(tmp_path)] == ["first"]


@pytest.mark.parametrize("damage", ["", "{", '{"schema_version": 2}', "[]"])
def test_a_damaged_run_is_left_out_and_the_rest_told(tmp_path: Path, damage: str) -> None:
    for name in ("good", "report", "origin"):
        finished_run(tmp_path / name)
    (tmp_path / "report" / "report" / "report.json").write_text(damage)
    _borrow(RunDir(tmp_path / "origin"), "cached", RunDir(tmp_path / "good"))
    (tmp_path / "origin" / "report" / "result.json").write_text(damage)
    assert [run.run for run in RunHistory().of(tmp_path)] == ["good"]


def test_where_nothing_ran_there_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "under way").mkdir()
    (tmp_path / "a file").touch()
    assert RunHistory().of(tmp_path) == []
    assert RunHistory().of(tmp_path / "nowhere") == []
