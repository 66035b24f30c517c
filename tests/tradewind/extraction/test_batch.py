"""The Batch API: half the price, answers in any order, and no second batch after a kill."""

from __future__ import annotations

import os
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from extractions import Extraction
from llm_server import Batching, LlmServer, Served
from tradewind.errors import UserError

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


def _is_poll(served: Served) -> bool:
    return served.method == "GET" and served.path.startswith("/v1/batches/")


def _forget(path: Path) -> None:
    with sqlite3.connect(path) as db:
        assert db.execute("UPDATE batch SET id = NULL").rowcount == 1
