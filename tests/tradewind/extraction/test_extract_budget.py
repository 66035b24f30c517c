"""A budget that is not passed, whoever spends it, and a run that goes on from where it stopped or was killed."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from documents import rows
from extractions import Extraction
from llm_server import Faults, LlmServer
from tradewind.errors import UserError
from tradewind.shard import Shard


@pytest.mark.parametrize(
    ("budget", "named"),
    [
        ({"requests": 10}, "extract.budget.requests"),
        ({"tokens": 40_000}, "extract.budget.tokens"),
        ({"money": 0.05}, "extract.budget.money"),
    ],
)
def test_the_stage_stops_before_the_budget_is_passed_and_keeps_its_answers(
    extract: Extraction, server: LlmServer, budget: dict[str, Any], named: str
) -> None:
    with pytest.raises(UserError, match=named) as raised:
        extract(server, budget=budget)
    cost = r" \(it may cost up to \d,\d{3} tokens, 0\.0\d+ USD\)" if "requests" not in budget else ""
    assert re.search(rf"the next request could pass it{cost}, \d+ passages are left", str(raised.value))
    bill = server.bill
    assert 0 < bill.requests <= budget.get("requests", 10**9)
    assert bill.prompt_tokens + bill.completion_tokens <= budget.get("tokens", 10**9)
    assert bill.money <= budget.get("money", 10**9)
    assert not extract.run_dir.result_file("extract").exists()
    asked = len(server.served)
    result = extract(server)
    assert len(server.served) == result.metrics["passages"]
    assert result.metrics["requests"] == result.metrics["passages"] - asked
    assert result.metrics["bill"]["requests"] == result.metrics["passages"]


def test_a_budget_may_also_bound_a_run_that_goes_on(extract: Extraction, server: LlmServer) -> None:
    result = extract(server, budget={"requests": 10, "when_reached": "go_on"})
    assert len(server.served) == result.metrics["answered"] == 10
    left = [row for row in extract.rejected() if row["reason"].startswith("not asked: extract.budget.requests (10)")]
    assert len(left) == result.metrics["unanswered"] == result.metrics["passages"] - 10
    assert any("extract.budget.requests (10)" in warning for warning in result.warnings)


def test_shards_share_one_budget(extract: Extraction, server: LlmServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWIND_JOB_ID", "dag/run")
    budget = {"requests": 30, "when_reached": "go_on"}
    answered = [extract(server, Shard(index, 3), budget=budget).metrics["answered"] for index in (1, 2, 3)]
    assert sum(answered) == len(server.served) == 30
    assert answered[2] < answered[0]


def test_tries_that_failed_are_in_the_budget_too(extract: Extraction) -> None:
    with LlmServer(Faults(always={"": "server_error"})) as server:
        extract(server, patience=20, budget={"requests": 20, "when_reached": "go_on"})
        assert len(server.served) == 20


def test_money_needs_a_price(extract: Extraction, server: LlmServer) -> None:
    with pytest.raises(UserError, match=r"extract: .*budget\.money needs price"):
        extract(server, budget={"money": 1.0}, price=None)


def test_a_killed_run_goes_on_and_asks_exactly_what_is_missing(
    extract: Extraction, server: LlmServer, tmp_path: Path
) -> None:
    reached = server.pause_after(20)
    process = extract.start(server, tmp_path / "run", concurrency=4)
    assert reached.wait(120)
    # Its four workers have sent all they can when as many requests are held; the answers before are then on disk.
    server.wait_for(lambda: server.held == 4, 60)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)
    server.resume()
    server.wait_for(lambda: all(served.outcome != "open" for served in server.served), 60)
    answered = {served.key for served in server.served if served.outcome == "answered"}
    before = len(server.served)
    assert len(answered) == 20
    again = extract.start(server, tmp_path / "run", concurrency=4)
    assert again.wait(120) == 0
    asked = [served.key for served in server.served[before:]]
    assert len(asked) == len(set(asked))
    assert not answered & set(asked)
    assert len(asked) + len(answered) == len(rows(tmp_path / "run" / "extract" / "pairs.jsonl"))
