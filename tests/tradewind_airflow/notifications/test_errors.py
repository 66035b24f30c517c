"""The one line that a failed task leaves for the message about it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowTaskTimeout

from telling import Night
from tradewind.errors import UserError
from tradewind_airflow.notifications.errors import error_line, forget_error, keep_error, read_error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (AirflowException("stage finetune ended with 1: x"), "stage finetune ended with 1: x"),
        (UserError("exam.json: record 3"), "exam.json: record 3"),
        (KeyError("verdict"), "KeyError: 'verdict'"),
        (RuntimeError("first\n  second\tthird"), "RuntimeError: first second third"),
        (ValueError(), "ValueError"),
        (AirflowException(), "AirflowException"),
        (AirflowTaskTimeout("Timeout, PID: 42"), "ended at its time limit of 3:00:00 (execution_timeout)"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        ("the API server's own words", "the API server's own words"),
        (OSError("xoxb-1234567890 at https://anna:geheim@db"), "OSError: [secret] at https://db"),
        (None, ""),
    ],
)
def test_an_error_is_one_line_without_secrets(error: Any, line: str) -> None:
    assert error_line(error, timedelta(hours=3)) == line


def test_a_long_one_is_cut() -> None:
    assert len(error_line(RuntimeError("무역 " * 5000))) == 2000


@pytest.mark.parametrize(("map_index", "name"), [(-1, "extract.json"), (0, "extract-0.json"), (11, "extract-11.json")])
def test_it_is_kept_in_the_run_and_forgotten_by_the_next_try(night: Night, map_index: int, name: str) -> None:
    context = night.context("extract", map_index, try_number=2)
    keep_error({**context, "exception": UserError("/srv/a.json: damaged")})  # type: ignore[typeddict-item]
    kept = json.loads((night.path / "errors" / name).read_bytes())
    assert datetime_of(kept.pop("at"))
    expected = {"task_id": "extract", "map_index": None if map_index < 0 else map_index, "try_number": 2,
                "line": "/srv/a.json: damaged"}  # fmt: skip
    assert kept == expected
    found = read_error(night.path, "extract", expected["map_index"])  # type: ignore[arg-type]
    assert found is not None
    assert found.line == "/srv/a.json: damaged"
    forget_error(context)  # type: ignore[arg-type]
    assert read_error(night.path, "extract", expected["map_index"]) is None  # type: ignore[arg-type]
    forget_error(context)  # type: ignore[arg-type]


def datetime_of(text: str) -> bool:
    return text.endswith("+00:00")


def test_a_task_that_died_without_a_word_leaves_nothing(night: Night) -> None:
    keep_error(night.context("finetune"))  # type: ignore[arg-type]
    assert not (night.path / "errors").exists()


@pytest.mark.parametrize("content", ["", "{}", "{", "\x00"])
def test_a_damaged_one_counts_as_none(night: Night, content: str) -> None:
    (night.path / "errors").mkdir(parents=True)
    (night.path / "errors" / "finetune.json").write_text(content)
    assert read_error(night.path, "finetune") is None


def test_a_fault_of_keeping_it_is_told_and_never_raised(
    night: Night, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    night.path.parent.mkdir(parents=True)
    night.path.write_text("a file where the run's folder should be")
    context = night.context("finetune")
    keep_error({**context, "exception": UserError("x")})  # type: ignore[typeddict-item]
    forget_error(context)  # type: ignore[arg-type]
    keep_error({"exception": UserError("x"), "ti": SimpleNamespace()})  # type: ignore[typeddict-item]
    keep_error({})
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "the error is not kept for the message about it",
        "an earlier try's error stays",
        "the error is not kept for the message about it",
    ]
