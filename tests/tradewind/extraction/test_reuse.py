"""Pairs that were drawn once are taken again, or stand in for a skipped extraction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from extractions import Extraction, resolve_for
from llm_server import LlmServer
from tradewind.config import RunConfig
from tradewind.errors import UserError
from tradewind.results import StageResult
from tradewind.reuse.cached import remember, reuse
from tradewind.reuse.skipped import fill_gaps, stand_in
from tradewind.run_dir import RunDir
from tradewind.shard import WHOLE, Shard
from tradewind.stages.stage_run import run_stage

SHARDS = [Shard(1, 2), Shard(2, 2)]


@pytest.fixture
def first(tmp_path: Path, lectures: Path) -> Extraction:
    """The run of the first night."""
    return Extraction(tmp_path / "runs" / "first", lectures)


@pytest.fixture
def second(tmp_path: Path) -> RunDir:
    return RunDir(tmp_path / "runs" / "second")


def _reuse(run: RunDir, config: RunConfig, shard: Shard = WHOLE) -> StageResult | None:
    task = f"extract[{shard.index}]"
    return reuse("extract", config, run, code="code", task=task, job_id="dag/second", task_id=f"{task}/1", shard=shard)


def test_every_shard_is_taken_again_and_prepare_reads_them(
    first: Extraction, second: RunDir, server: LlmServer
) -> None:
    config = resolve_for(first.documents, server)
    for shard in SHARDS:
        first(server, shard)
        remember("extract", first.run_dir, code="code", shard=shard)
    found = [_reuse(second, resolve_for(first.documents, server, concurrency=2), shard) for shard in SHARDS]
    assert [(result and result.status, result and result.shard) for result in found] == [
        ("cached", "1/2"),
        ("cached", "2/2"),
    ]
    assert run_stage("prepare", config, second).metrics["pairs"] > 0
    assert _reuse(RunDir(second.path.with_name("third")), config) is None  # undivided it is another work


@pytest.mark.parametrize("changed", [{"wordings": 2}, {"base_url": "http://127.0.0.1:9"}, {"retry_failed": True}])
def test_other_settings_or_texts_are_asked_about(
    first: Extraction, second: RunDir, server: LlmServer, changed: dict[str, Any]
) -> None:
    first(server)
    remember("extract", first.run_dir, code="code")
    config = resolve_for(first.documents, server)
    assert _reuse(second, resolve_for(first.documents, server, **changed)) is None
    assert _reuse(second, config) is not None
    second.withdraw("extract")
    lecture = min((first.documents / "transcript_data").glob("*.txt"))
    lecture.write_text(lecture.read_text() + " More.")
    assert _reuse(second, config) is None


def test_what_the_budget_left_out_is_asked_by_the_next_run(
    first: Extraction, second: RunDir, server: LlmServer
) -> None:
    result = first(server, budget={"requests": 10, "when_reached": "go_on"})
    assert result.metrics["left_to_ask"] == result.metrics["unanswered"] > 0
    remember("extract", first.run_dir, code="code")
    assert _reuse(second, resolve_for(first.documents, server)) is None


def test_earlier_pairs_stand_in_for_a_skipped_extraction_of_changed_texts(
    first: Extraction, second: RunDir, server: LlmServer
) -> None:
    config = resolve_for(first.documents, server)
    for shard in SHARDS:
        first(server, shard)
    lecture = min((first.documents / "transcript_data").glob("*.txt"))
    lecture.write_text(lecture.read_text() + " More.")
    told = fill_gaps("prepare", config, second, job_id="dag/second")
    assert told == ["extract: skipped; the result of run first stands in for it"]
    assert {second.result(shard.folder("extract")).status for shard in SHARDS} == {"skipped"}
    assert stand_in("extract", config, second, job_id="dag/second", task_id="extract[0]/1") is not None
    assert run_stage("prepare", config, second).metrics["pairs"] > 0


def test_half_an_extraction_stands_in_for_nothing(first: Extraction, second: RunDir, server: LlmServer) -> None:
    first(server, SHARDS[0])
    with pytest.raises(UserError, match=r"extract was left out and .* so prepare is without input"):
        fill_gaps("prepare", resolve_for(first.documents, server), second, job_id="dag/second")
