"""What `make run` says of each stage."""

from __future__ import annotations

from typing import Any

from tradewind.results import StageResult
from tradewind.stages import Stage
from tradewind_airflow.local.stages import stage_lines


def _result(stage: Stage, **more: Any) -> StageResult:
    return StageResult(
        stage=stage, started_at="2026-11-20T02:00:00", seconds=12.4, seed=1, config={}, versions={}, **more
    )


def test_a_stage_was_made_cached_or_skipped() -> None:
    results = [
        _result("extract", shard="2/8", status="cached", source_run="night-1"),
        _result("prepare"),
        _result("adapt", status="skipped", reason="adapt.enabled is false"),
    ]
    assert stage_lines(results) == [
        "  extract 2/8  cached, made by run night-1",
        "  prepare      made in 12 s",
        "  adapt        skipped: adapt.enabled is false",
    ]
    assert stage_lines([]) == []
