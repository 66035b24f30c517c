"""Two runs on the page, as the command line tells them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_pages import DAG_ID
from documents import run_cli
from evaluated_run import evaluated_run, rows_of

COMPARE = "/tradewind/api/compare"


@pytest.fixture
def runs(home: Path) -> tuple[Path, Path]:
    folder = home / "runs" / DAG_ID
    return evaluated_run(folder / "first-1", rows_of(1)), evaluated_run(folder / "second-2", rows_of(2))


def test_it_is_what_the_command_line_tells(runs: tuple[Path, Path], tmp_path: Path, get: Any) -> None:
    body = get(COMPARE, dag_id=DAG_ID, first="first-1", second="second-2").json()
    told = run_cli(tmp_path, "compare", *map(str, runs)).stdout
    assert (body["first"], body["second"], body["model"]) == ("first-1", "second-2", "tuned")
    assert body["columns"][:5] == ["held-out questions", "metric", "n", "first", "second"]
    assert len(body["rows"]) == 4
    for row in body["rows"]:
        assert len(row) == len(body["columns"])
        assert all(cell in told for cell in row)
    assert all(note in told for note in body["notes"])
    assert body["verdict_reason"] in told


def test_runs_that_cannot_be_compared_say_why_without_the_servers_paths(
    home: Path, runs: tuple[Path, Path], get: Any
) -> None:
    evaluated_run(home / "runs" / DAG_ID / "third-3", rows_of(3)[:-1])
    answer = get(COMPARE, dag_id=DAG_ID, first="first-1", second="third-3")
    assert answer.status_code == 409
    assert "the runs' questions differ" in answer.json()["detail"]
    assert "third-3" in answer.json()["detail"]
    assert str(home) not in answer.text


def test_a_run_that_evaluated_nothing_says_so(home: Path, runs: tuple[Path, Path], get: Any) -> None:
    (home / "runs" / DAG_ID / "empty").mkdir()
    answer = get(COMPARE, dag_id=DAG_ID, first="first-1", second="empty")
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("empty/evaluate/predictions.jsonl: no such file")


@pytest.mark.parametrize("line", ['{"id": "1"}', '{"id": "1", "answers": 5, "scores": []}', "[1]", "5", "\xff", "{"])
def test_damaged_predictions_are_told_and_no_fault_of_the_servers(
    home: Path, runs: tuple[Path, Path], get: Any, line: str
) -> None:
    for run in runs:
        (run / "evaluate" / "predictions.jsonl").write_bytes(f"{line}\n".encode("latin-1"))
    answer = get(COMPARE, dag_id=DAG_ID, first="first-1", second="second-2")
    assert answer.status_code == 409
    assert "was not written by this version" in answer.json()["detail"]


@pytest.mark.parametrize(
    "name", ["..", ".", "../trade_qa/first-1", "/etc", "first-1/evaluate", "nowhere", "", ".hidden", "a\0b", "x" * 500]
)
def test_only_a_runs_own_name_names_a_run(home: Path, runs: tuple[Path, Path], get: Any, name: str) -> None:
    for first, second in ((name, "first-1"), ("first-1", name)):
        answer = get(COMPARE, dag_id=DAG_ID, first=first, second=second)
        assert answer.status_code == 404
        assert "no " in answer.json()["detail"]
