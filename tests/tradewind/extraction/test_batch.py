"""The Batch API: half the price, answers in any order, and no second batch after a kill."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from extractions import Extraction
from llm_server import Batching, Bill, LlmServer, Model, Reply, Served
from tradewind.asking.store import AnswerStore
from tradewind.errors import TemporaryError, UserError
from tradewind.shard import Shard

FAST: dict[str, Any] = {"batch": True, "batch_poll_seconds": 0.02}


def _single(server: LlmServer) -> list[Served]:
    return [served for served in server.served if served.batch is None and served.path.endswith("/chat/completions")]


def _sent(server: LlmServer) -> int:
    return len([served for served in server.served if (served.method, served.path) == ("POST", "/v1/batches")])


def test_a_batch_answers_every_passage_at_its_price(extract: Extraction, server: LlmServer, tmp_path: Path) -> None:
    result = extract(server, **FAST)
    assert not _single(server)
    assert _sent(server) == 1
    assert result.metrics["answered"] == result.metrics["from_store"] == result.metrics["passages"]
    bill = result.metrics["bill"]
    assert (bill["prompt_tokens"], bill["completion_tokens"]) == (
        server.bill.prompt_tokens, server.bill.completion_tokens
    )  # fmt: skip
    assert bill["cost"] == pytest.approx(server.bill.money, abs=1e-6)
    one_by_one = Extraction(tmp_path / "other", extract.documents)
    assert one_by_one(server).metrics["requests"] == 0
    assert one_by_one.pairs() == extract.pairs()


def test_summaries_go_in_a_batch_of_their_own(extract: Extraction, server: LlmServer) -> None:
    result = extract(server, summarise=True, **FAST)
    assert _sent(server) == 2
    assert not _single(server)
    assert result.metrics["answered"] == result.metrics["passages"]


@pytest.mark.parametrize("where", ["error_file", "output_file"])
def test_lines_that_fail_are_asked_one_by_one(extract: Extraction, where: Any) -> None:
    with LlmServer(batching=Batching(fail_share=0.3, fail_in=where)) as server:
        result = extract(server, **FAST)
        assert 0 < len(_single(server)) < result.metrics["passages"]
    assert result.metrics["answered"] == result.metrics["passages"]
    assert result.metrics["bill"]["cost"] == pytest.approx(server.bill.money, abs=1e-6)
    assert "without_a_bill" not in result.metrics["bill"]


def test_what_an_expired_batch_answered_is_kept(extract: Extraction) -> None:
    with LlmServer(batching=Batching(outcome="expired")) as server:
        result = extract(server, **FAST)
        assert 0 < len(_single(server)) < result.metrics["passages"]
        assert not any(served.repeated for served in server.served)
    assert result.metrics["answered"] == result.metrics["passages"]


def test_a_batch_that_fails_is_told_in_one_line(extract: Extraction) -> None:
    with LlmServer(batching=Batching(outcome="failed")) as server:
        with pytest.raises(UserError, match=r"extract\.batch: batch .* failed: "):
            extract(server, **FAST)
        assert extract(server).metrics["answered"] > 0


def test_a_batch_keeps_to_the_budget(extract: Extraction, server: LlmServer) -> None:
    result = extract(server, budget={"requests": 12, "when_reached": "go_on"}, **FAST)
    assert result.metrics["answered"] == 12
    assert not _single(server)


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_killed_run_finds_its_batch_again(extract: Extraction, tmp_path: Path, forgotten: bool) -> None:
    """`forgotten`: it died before it could note the id that the server gave the batch."""
    with LlmServer(batching=Batching(polls=100)) as server:
        process = extract.start(server, tmp_path / "run", **FAST)
        server.wait_for(lambda: any(_is_poll(served) for served in server.served), 120)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(60)
        if forgotten:
            _forget(tmp_path / "answers" / "answers.sqlite3")
        assert extract.start(server, tmp_path / "run", **FAST).wait(120) == 0
        assert _sent(server) == 1
        assert not _single(server)


@pytest.fixture
def killed(extract: Extraction, tmp_path: Path) -> Iterator[tuple[LlmServer, Path]]:
    """A server that works at the batch of a run whose process is dead, and the run's folder."""
    with LlmServer(batching=Batching(polls=100)) as server:
        process = extract.start(server, tmp_path / "night", **FAST)
        server.wait_for(lambda: any(_is_poll(served) for served in server.served), 120)
        process.kill()
        process.wait(60)
        yield server, tmp_path / "night"


@pytest.mark.parametrize("batch", [True, False])
def test_the_next_nights_run_goes_on_with_a_killed_ones_batch(
    extract: Extraction, tmp_path: Path, killed: tuple[LlmServer, Path], batch: bool
) -> None:
    server, night = killed
    result = extract(server, **(FAST | {"batch": batch}))
    assert _sent(server) == 1
    assert not _single(server)
    assert result.metrics["answered"] == result.metrics["passages"]
    assert result.metrics["bill"]["requests"] == 0
    _assert_billed(tmp_path, night, server.bill)


@pytest.mark.parametrize("batch", [True, False])
def test_a_batch_that_the_server_has_forgotten_is_given_up(
    extract: Extraction, tmp_path: Path, killed: tuple[LlmServer, Path], batch: bool
) -> None:
    with LlmServer() as server:
        result = extract(server, **(FAST | {"batch": batch}))
        assert _sent(server) == batch
    assert result.metrics["answered"] == result.metrics["passages"]
    assert result.metrics["bill"]["cost"] == pytest.approx(server.bill.money, abs=1e-6)
    with _opened(tmp_path) as store:
        assert store.unknown(str(killed[1]))[1] == result.metrics["passages"]


def test_batch_is_turned_off_where_the_server_has_none(extract: Extraction, tmp_path: Path) -> None:
    with LlmServer(batching=Batching(offered=False)) as server:
        with pytest.raises(UserError, match=r"extract\.batch: .*turn batch off"):
            extract(server, **FAST)
        result = extract(server)
        assert len(_single(server)) == result.metrics["answered"] == result.metrics["passages"]
    assert "without_a_bill" not in result.metrics["bill"]
    _assert_billed(tmp_path, extract.run_dir.path, server.bill)


def test_shards_leave_each_others_batch_alone(extract: Extraction, server: LlmServer, tmp_path: Path) -> None:
    server.pause_after(0)
    shards: list[subprocess.Popen[bytes]] = []
    for index in (1, 2):  # each has entered its batch and sent nothing when the next one starts
        shards.append(extract.start(server, extract.run_dir.path, Shard(index, 2), **FAST))
        server.wait_for(lambda: server.held == len(shards), 120)
    server.resume()
    assert [shard.wait(120) for shard in shards] == [0, 0]
    assert _sent(server) == 2
    assert not _single(server)
    _assert_billed(tmp_path, extract.run_dir.path, server.bill)


def test_a_server_that_cannot_be_polled_for_a_while_is_polled_again(extract: Extraction) -> None:
    with LlmServer(batching=Batching(unavailable_polls=2)) as server:
        result = extract(server, **FAST)
        assert not _single(server)
    assert result.metrics["answered"] == result.metrics["passages"]


def test_a_server_that_stays_unavailable_is_left_for_later_and_its_batch_found_again(
    extract: Extraction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tradewind.asking.batch._TRIES", 1)
    with LlmServer(batching=Batching(unavailable_polls=1)) as server:
        with pytest.raises(TemporaryError, match=r"extract\.batch: .*clear the task later"):
            extract(server, **FAST)
        extract(server, batch_poll_seconds=0.02)
        assert _sent(server) == 1
        assert not _single(server)
    _assert_billed(tmp_path, extract.run_dir.path, server.bill)


def test_a_batch_is_made_once_though_the_reply_was_lost(extract: Extraction) -> None:
    with LlmServer(batching=Batching(lost_replies=1)) as server:
        result = extract(server, **FAST)
        assert _sent(server) == 1
        assert not _single(server)
    assert result.metrics["bill"]["cost"] == pytest.approx(server.bill.money, abs=1e-6)


def test_answers_with_other_signs_for_a_lines_end_are_read(extract: Extraction) -> None:
    def answer(body: Any) -> Reply:
        reply = json.loads(Model()(body).content or "")
        for pair in reply["qa_pairs"]:
            pair["questions"] = [f"{question}\u2028\x85" for question in pair["questions"]]
        return Reply(json.dumps(reply, ensure_ascii=False))

    with LlmServer(answer=answer) as server:
        result = extract(server, **FAST)
        assert not _single(server)
    assert result.metrics["bill"]["cost"] == pytest.approx(server.bill.money, abs=1e-6)


def test_checks_go_in_a_batch_too(extract: Extraction, server: LlmServer) -> None:
    result = extract(server, grounding={"judge": True}, **FAST)
    assert _sent(server) == 2
    assert not _single(server)
    assert result.metrics["pairs"] > 0


def test_more_than_one_batch_may_hold_is_divided(
    extract: Extraction, server: LlmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tradewind.asking.batch_file.MOST_REQUESTS", 10)
    result = extract(server, **FAST)
    passages = result.metrics["passages"]
    assert _sent(server) == -(-passages // 10) > 2
    assert not _single(server)
    assert result.metrics["answered"] == passages


def _opened(tmp_path: Path) -> closing[AnswerStore]:
    return closing(AnswerStore(tmp_path / "answers" / "answers.sqlite3"))


def _assert_billed(tmp_path: Path, run_dir: Path, bill: Bill) -> None:
    with _opened(tmp_path) as store:
        billed = store.bill(str(run_dir))
    assert (billed.usage.requests, billed.usage.prompt_tokens, billed.usage.completion_tokens) == (
        bill.requests, bill.prompt_tokens, bill.completion_tokens
    )  # fmt: skip
    assert billed.cost == pytest.approx(bill.money, abs=1e-6)


def _is_poll(served: Served) -> bool:
    return served.method == "GET" and served.path.startswith("/v1/batches/")


def _forget(path: Path) -> None:
    with sqlite3.connect(path) as db:
        assert db.execute("UPDATE batch SET id = NULL").rowcount == 1
