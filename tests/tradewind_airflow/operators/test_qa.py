"""The conversion as one task, and as tasks mapped over the shards that a recipe names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from extractions import PRICE
from llm_server import LlmServer
from tradewind.recipes import resolve
from tradewind.run_dir import RunDir
from tradewind.run_settings import RunSettings, write_settings
from tradewind_airflow.operators.gemma import GemmaAdaptOperator
from tradewind_airflow.operators.qa import QAConversionOperator, TranscriptShardsOperator

LECTURE = "FOB means Free On Board. Under FOB the risk passes when the goods are on board the ship. "


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents" / "transcript_data"
    folder.mkdir(parents=True)
    text = " ".join(
        f"Port number {n} lies on the coast of land {n}. It has {n} cranes for steel boxes." for n in range(40)
    )
    (folder / "lecture.txt").write_text(LECTURE + text)
    return folder.parent


def _recipe(tmp_path: Path, server: LlmServer, shards: int) -> str:
    path = tmp_path / "recipe.yaml"
    path.write_text(
        f"extract: {{model: m, base_url: '{server.base_url}', shards: {shards}, passage_tokens: 128, "
        f"overlap_tokens: 0, price: {{prompt: {PRICE['prompt']}, completion: {PRICE['completion']}}}}}\n"
    )
    return str(path)


def _shards(recipe: str, context: Any, run: Path, data: str = "embedded:en") -> list[str]:
    task = TranscriptShardsOperator(task_id="shards", recipe=recipe, data=data, seed=1, run_dir=str(run))
    return task.execute(context)


def test_the_shards_are_those_of_the_recipe_and_none_without_extraction(tmp_path: Path, context: Any) -> None:
    assert _shards("tiny", context, tmp_path) == []
    with LlmServer() as server:
        assert _shards(_recipe(tmp_path, server, 3), context, tmp_path) == ["1/3", "2/3", "3/3"]
    with pytest.raises(AirflowFailException, match="recipe 'tinny': unknown; did you mean 'tiny'"):
        _shards("tinny", context, tmp_path)


@pytest.mark.parametrize("shard", ["0/2", "x"])
def test_a_shard_that_is_none_is_refused(shard: str) -> None:
    with pytest.raises(Exception, match="write INDEX/COUNT"):
        QAConversionOperator(task_id="extract", shard=shard)


def test_other_stages_are_not_divided() -> None:
    with pytest.raises(TypeError, match="shard divides the stages extract and finetune, not adapt"):
        GemmaAdaptOperator(task_id="adapt", shard="1/2")


def test_each_shard_publishes_its_own_and_tells_its_counts(
    documents: Path, tmp_path: Path, context: dict[str, Any], events: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADEWIND_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-that-no-log-may-show")
    run = RunDir(tmp_path / "run")
    with LlmServer() as server:
        recipe = _recipe(tmp_path, server, 2)
        for shard in ("1/2", "2/2"):
            task = QAConversionOperator(
                task_id="extract", shard=shard, recipe=recipe, data=str(documents), seed=1, run_dir=str(run.path),
                secrets={"OPENAI_API_KEY": "env:OPENAI_API_KEY"},
            )  # fmt: skip
            result = task.execute(context)  # type: ignore[arg-type]
            assert result == run.result(f"extract-{shard[0]}-of-2").model_dump(mode="json")
            seen = result["metrics"]
            counts = f"{shard}: {seen['answered']}/{seen['passages']} passages, {seen['pairs']} pairs"
            assert context["counts"] == counts
        bill = server.bill
    told = [str(event["event"]) for event in events]
    assert any(
        f"the run so far: {bill.requests} requests, {bill.prompt_tokens + bill.completion_tokens}" in line
        for line in told
    )
    assert not any("a-key-that-no-log-may-show" in line for line in told)
    assert (tmp_path / "home" / "answers" / "answers.sqlite3").is_file()


def test_extraction_is_cached_shard_by_shard_and_left_out_as_a_whole(
    documents: Path, tmp_path: Path, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADEWIND_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OPENAI_API_KEY", "a-key")

    def night(name: str, **asked: Any) -> RunDir:
        context["ti"].run_id = name
        run = RunDir(tmp_path / "home" / "runs" / "trade_qa" / name)
        params = {"recipe": recipe, "data": str(documents), "seed": 1}
        config = resolve(recipe, documents, 1)
        now = "2026-11-20T02:00:00+00:00"
        write_settings(
            run,
            RunSettings(job_id=f"trade_qa/{name}", config=config, params=params, version="1", resolved_at=now, **asked),
        )
        return run

    def extract(run: RunDir, shard: str) -> dict[str, Any]:
        context["ti"].map_index = int(shard[0]) - 1
        task = QAConversionOperator(
            task_id="extract", shard=shard, recipe=recipe, data=str(documents), seed=1, run_dir=str(run.path)
        )
        return task.execute(context)  # type: ignore[arg-type]

    with LlmServer() as server:
        recipe = _recipe(tmp_path, server, 2)
        first = night("first")
        made = [extract(first, shard) for shard in ("1/2", "2/2")]
        asked = server.bill.requests
        second = night("second")
        cached = [extract(second, shard) for shard in ("1/2", "2/2")]
        assert server.bill.requests == asked > 0
    assert [result["status"] for result in cached] == ["cached", "cached"]
    assert context["counts"].endswith(" pairs (cached)")
    third = night("third", skip=("extract",))
    assert _shards(recipe, context, third.path, str(documents)) == []
    for number, result in enumerate(made, 1):
        stands = third.result(f"extract-{number}-of-2")
        assert (stands.status, stands.source_run) == ("skipped", "first")
        hashes = {name: artifact["sha256"] for name, artifact in result["outputs"].items()}
        assert {name: artifact.sha256 for name, artifact in stands.outputs.items()} == hashes
