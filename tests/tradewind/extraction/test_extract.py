"""Pairs from the sample lectures: what comes of an answering server, and of a second run."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from extractions import Extraction, resolve_for
from llm_server import LlmServer, Model, Reply
from tradewind.dataset.survey import survey
from tradewind.errors import UserError
from tradewind.models import EMBEDDED
from tradewind.reuse.documents import DOCUMENTS
from tradewind.shard import Shard
from tradewind.stages.stage_run import run_stage

MADE_UP = '{"questions": ["Who sings?", "Which animals sing?"], "answer": "Whales sing to their calves at night."}'
KOREAN = pytest.mark.parametrize("lectures", ["ko"], indirect=True)


def test_every_passage_is_answered_and_every_pair_stands_in_its_passage(extract: Extraction, server: LlmServer) -> None:
    result = extract(server, wordings=3)
    found = extract.pairs()
    assert result.metrics["passages"] == result.metrics["answered"] == len(found) > 20
    assert result.metrics["unanswered"] == 0
    assert {row["file"] for row in found} == {
        f"transcript_data/{path.name}" for path in (extract.documents / "transcript_data").glob("*.txt")
    }
    pairs = [(row, pair) for row in found for pair in row["pairs"]]
    assert result.metrics["pairs"] == len(pairs) > 200
    assert all(pair["answer"] in row["context"] for row, pair in pairs)
    facts = {(row["file"], row["passage"], pair["fact"]) for row, pair in pairs}
    assert len(pairs) > 2 * len(facts)


@KOREAN
def test_korean_passages_are_asked_about_in_korean(extract: Extraction, server: LlmServer) -> None:
    result = extract(server)
    assert result.metrics["answered"] == result.metrics["passages"] > 0
    assert all("추출하세요" in served.body["messages"][0]["content"] for served in server.served if served.body)


def test_a_second_run_over_the_same_texts_asks_nothing(extract: Extraction, server: LlmServer, tmp_path: Path) -> None:
    first = extract(server)
    asked = len(server.served)
    tomorrow = Extraction(tmp_path / "tomorrow", extract.documents)
    second = tomorrow(server)
    assert len(server.served) == asked == first.metrics["requests"] == first.metrics["passages"]
    assert second.metrics["requests"] == 0
    assert second.metrics["from_store"] == second.metrics["passages"]
    assert second.metrics["bill"] == {
        "requests": 0, "prompt_tokens": 0, "completion_tokens": 0, "cost": 0.0, "currency": "USD"
    }  # fmt: skip
    assert tomorrow.pairs() == extract.pairs()


def test_only_a_text_that_changed_is_asked_about_again(extract: Extraction, server: LlmServer, tmp_path: Path) -> None:
    extract(server)
    asked = len(server.served)
    lecture = min((extract.documents / "transcript_data").glob("*.txt"))
    lecture.write_text(lecture.read_text() + "\n\nDemurrage is what a shipper pays for holding a container too long.")
    second = Extraction(tmp_path / "tomorrow", extract.documents)(server)
    assert 1 <= len(server.served) - asked <= 2
    assert second.metrics["answered"] == second.metrics["passages"]


def test_the_bill_is_the_servers_own(extract: Extraction, server: LlmServer) -> None:
    bill = extract(server).metrics["bill"]
    assert (bill["requests"], bill["prompt_tokens"], bill["completion_tokens"]) == (
        server.bill.requests, server.bill.prompt_tokens, server.bill.completion_tokens
    )  # fmt: skip
    assert bill["cost"] == pytest.approx(server.bill.money, abs=1e-6)
    assert bill["cost"] > 0


def test_a_lecture_whose_pairs_are_there_already_is_not_asked_about(extract: Extraction, server: LlmServer) -> None:
    first, *others = sorted((extract.documents / "transcript_data").glob("*.txt"))
    done = first.parent / "success" / f"{first.stem}.jsonl"
    done.parent.mkdir()
    done.write_text("")
    extract(server)
    assert {row["file"] for row in extract.pairs()} == {f"transcript_data/{path.name}" for path in others}


def test_summaries_are_asked_for_first_and_pairs_drawn_from_them(extract: Extraction, server: LlmServer) -> None:
    result = extract(server, summarise=True)
    assert result.metrics["requests"] == 2 * result.metrics["passages"]
    assert all(row["summary"] in row["context"] for row in extract.pairs())
    assert any(len(row["summary"]) < len(row["context"]) for row in extract.pairs())
    assert all(pair["answer"] in row["summary"] for row in extract.pairs() for pair in row["pairs"])


def test_shards_draw_together_what_one_task_draws(extract: Extraction, server: LlmServer, tmp_path: Path) -> None:
    extract(server)
    whole = {(row["file"], row["passage"]): row for row in extract.pairs()}
    divided = Extraction(tmp_path / "divided", extract.documents)
    shards = [Shard(index, 3) for index in (1, 2, 3)]
    for shard in shards:
        assert divided(server, shard).shard == str(shard)
    parts = [row for shard in shards for row in divided.pairs(shard)]
    assert len(parts) == len(whole)
    assert {(row["file"], row["passage"]): row for row in parts} == whole


def test_prepare_takes_the_pairs_of_all_shards_and_refuses_an_incomplete_set(
    extract: Extraction, server: LlmServer
) -> None:
    config = resolve_for(extract.documents, server)
    extract(server, Shard(1, 2))
    with pytest.raises(UserError) as raised:
        run_stage("prepare", config, extract.run_dir)
    run = extract.run_dir.path
    assert str(raised.value) == (
        f"{run}/extract-2-of-2/result.json: no such file; run first: tradewind extract --shard 2/2 --run-dir {run}"
    )
    extract(server, Shard(2, 2))
    result = run_stage("prepare", config, extract.run_dir)
    drawn = sum(len(row["pairs"]) for index in (1, 2) for row in extract.pairs(Shard(index, 2)))
    assert result.metrics["pairs"] == drawn
    assert set(result.inputs) >= {"extract/extract-1-of-2/pairs.jsonl", "extract/extract-2-of-2/pairs.jsonl"}


def test_prepare_refuses_pairs_of_texts_that_have_changed(extract: Extraction, server: LlmServer) -> None:
    extract(server)
    lecture = min((extract.documents / "transcript_data").glob("*.txt"))
    lecture.write_text(lecture.read_text() + " More.")
    with pytest.raises(UserError, match="the texts have changed since; run the stage 'extract' again"):
        run_stage("prepare", resolve_for(extract.documents, server), extract.run_dir)


def test_a_shard_that_went_on_with_a_larger_budget_fits_the_others(extract: Extraction, server: LlmServer) -> None:
    extract(server, Shard(1, 2), budget={"requests": 40})
    with pytest.raises(UserError, match=r"extract\.budget\.requests"):
        extract(server, Shard(2, 2), budget={"requests": 40})
    config = resolve_for(extract.documents, server, budget={"requests": 400}, concurrency=3)
    run_stage("extract", config, extract.run_dir, Shard(2, 2))
    assert run_stage("prepare", config, extract.run_dir).metrics["pairs"] > 0


@pytest.mark.parametrize("changed", [{"wordings": 2}, {"summarise": True}, {"grounding": {"min_overlap": 0.9}}])
def test_prepare_refuses_pairs_that_other_settings_drew(
    extract: Extraction, server: LlmServer, changed: dict[str, Any]
) -> None:
    extract(server)
    with pytest.raises(UserError, match=f"was made with another extract.{next(iter(changed))}"):
        run_stage("prepare", resolve_for(extract.documents, server, **changed), extract.run_dir)


def test_prepare_refuses_shards_that_were_cut_by_different_tokenizers(
    extract: Extraction, server: LlmServer, tmp_path: Path
) -> None:
    other = tmp_path / "model"
    shutil.copytree(EMBEDDED / "tiny-gemma2", other)
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    tokenizer["model"]["merges"] = tokenizer["model"]["merges"][:50]
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    config = resolve_for(extract.documents, server)
    changed = config.model_copy(update={"model": config.model.model_copy(update={"model_name_or_path": str(other)})})
    run_stage("extract", config, extract.run_dir, Shard(1, 2))
    run_stage("extract", changed, extract.run_dir, Shard(2, 2))
    with pytest.raises(UserError, match="its passages were cut otherwise than those of extract-1-of-2"):
        run_stage("prepare", config, extract.run_dir)


def test_another_number_of_shards_replaces_those_of_an_earlier_try(extract: Extraction, server: LlmServer) -> None:
    for index in (1, 2):
        extract(server, Shard(index, 2))
    for index in (1, 2, 3):
        extract(server, Shard(index, 3))
    result = run_stage("prepare", resolve_for(extract.documents, server), extract.run_dir)
    assert {name.split("/")[1] for name in result.inputs if name != DOCUMENTS} == {
        f"extract-{index}-of-3" for index in (1, 2, 3)
    }


def test_a_text_that_changes_while_it_is_asked_about_stops_the_stage(extract: Extraction) -> None:
    lecture = min((extract.documents / "transcript_data").glob("*.txt"))

    def rewrite(body: dict[str, Any]) -> Reply:
        lecture.write_text("Another text altogether. It has two sentences.")
        return model(body)

    model = Model()
    with LlmServer(answer=rewrite) as server, pytest.raises(UserError, match="the texts changed while they were read"):
        extract(server)
    assert not extract.run_dir.result_file("extract").exists()


def test_too_few_texts_to_hold_any_out_are_told_before_anything_is_asked(
    extract: Extraction, server: LlmServer
) -> None:
    few = extract.documents / "transcript_data"
    for path in sorted(few.glob("*.txt"))[3:]:
        path.unlink()
    with pytest.raises(UserError, match=r"split\.read: 0\.1 of 3 texts is none to hold out"):
        extract(server, overlap_tokens=16)
    with pytest.raises(UserError, match=r"split\.read: 0\.1 of 3 texts is none to hold out"):
        survey(resolve_for(extract.documents, server, overlap_tokens=16))
    assert not server.served


def test_what_there_is_to_draw_from_is_told_before_anything_is_asked(extract: Extraction, server: LlmServer) -> None:
    config = resolve_for(extract.documents, server)
    told = re.search(
        r"pairs are to be drawn from 8 texts: about (\d+) at most \(about (\d+) passages x 8 facts x 3 wordings\); "
        r"whether they do for the split is known after extraction; 0 rejected$",
        survey(config),
    )
    assert told is not None
    most, passages = map(int, told.groups())
    assert most == passages * 24
    cut = extract(server).metrics["passages"]
    assert cut / 2 < passages < 2 * cut
    asked = len(server.served)
    with pytest.raises(UserError, match="no document yields a question/answer pair"):
        survey(config.model_copy(update={"extract": None}))
    empty = extract.documents.parent / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match="nothing to draw pairs from"):
        survey(resolve_for(empty, server))
    assert len(server.served) == asked


def test_the_models_own_check_is_asked_for_each_passage_and_leaves_out_what_it_doubts(
    extract: Extraction, server: LlmServer
) -> None:
    result = extract(server, grounding={"judge": True, "min_overlap": 0.0})
    checks = [served for served in server.served if served.body and "verdicts" in str(served.body["response_format"])]
    assert len(checks) == sum(bool(row["pairs"]) for row in extract.pairs())
    assert result.metrics["requests"] == len(server.served) == result.metrics["passages"] + len(checks)


def test_an_answer_that_the_model_made_up_is_left_out_by_either_check(extract: Extraction, tmp_path: Path) -> None:
    def invent(body: dict[str, Any]) -> Reply:
        reply = model(body)
        return Reply((reply.content or "").replace('{"qa_pairs": [', '{"qa_pairs": [' + MADE_UP + ", ", 1))

    model = Model()
    with LlmServer(answer=invent) as server:
        result = extract(server, max_pairs=20, wordings=2)
        judged = Extraction(tmp_path / "judged", extract.documents)
        judged(server, max_pairs=20, wordings=2, grounding={"judge": True, "min_overlap": 0.0})
    for run, reason in ((extract, "(overlap 0."), (judged, "grounding.judge says so")):
        assert not any("Whales" in str(row["pairs"]) for row in run.pairs())
        left_out = [row for row in run.rejected() if "Whales" in row["excerpt"] and reason in row["reason"]]
        assert len(left_out) == 2 * result.metrics["passages"]
    assert sum(result.metrics["rejected_reasons"].values()) == result.metrics["rejected"] >= len(left_out)


def test_every_drawn_pair_is_published_or_rejected(extract: Extraction) -> None:
    def mixed(body: dict[str, Any]) -> Reply:
        reply = model(body)
        odd = '{"questions": ["Who?", "What?"], "answer": 7.7}, {"answer": "no question"}, 5, '
        bound = (reply.content or "").replace('"questions": [', '"questions": ["According to the speaker, what?", ')
        return Reply(bound.replace('{"qa_pairs": [', '{"qa_pairs": [' + odd, 1))

    model = Model()
    with LlmServer(answer=mixed) as server:
        result = extract(server, max_pairs=20, wordings=2)
    members = [member for served in server.served for member in json.loads(served.content or "")["qa_pairs"]]
    drawn = sum(len(set(member.get("questions", [0]))) if isinstance(member, dict) else 1 for member in members)
    assert result.metrics["pairs"] + result.metrics["rejected"] == drawn
    kinds = {reason.partition(":")[0] for reason in result.metrics["rejected_reasons"]}
    assert kinds == {"flagged", "not supported by its passage", "no question"}
