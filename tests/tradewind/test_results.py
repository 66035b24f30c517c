"""Results: what a stage publishes is read back as it was, or refused in one line."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from tradewind.errors import UserError
from tradewind.results import Artifact, StageResult, read_result
from tradewind.stages import STAGES, UPSTREAM


def _result(**changes: object) -> StageResult:
    stated = {"stage": "prepare", "started_at": "2026-01-01T00:00:00+00:00", "seconds": 1.5, "seed": 3, "config": {}}
    return StageResult.model_validate(stated | {"versions": {"tradewind": "0.1.0"}} | changes)


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_result_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    artifact = Artifact(path="prepare/train.jsonl", sha256="0" * 64, bytes=7)
    result = _result(outputs={"train.jsonl": artifact}, warnings=("경고",), metrics={"train": 3})
    assert read_result(_write(tmp_path / "result.json", result.model_dump_json())) == result


def test_a_result_of_before_memory_was_measured_is_still_read(tmp_path: Path) -> None:
    text = _result().model_dump_json(exclude={"peak_memory_bytes"})
    assert read_result(_write(tmp_path / "result.json", text)).peak_memory_bytes is None


def test_a_stage_reads_what_came_before_it() -> None:
    assert UPSTREAM["extract"] == ()
    assert UPSTREAM["prepare"] == ("extract",)
    assert UPSTREAM["finetune"] == ("prepare", "adapt")
    assert list(UPSTREAM) == list(STAGES)
    assert UPSTREAM["report"] == ("prepare", "adapt", "finetune", "evaluate")
    assert UPSTREAM["baseline"] == ("prepare",)  # so that it need not wait for a training
    assert all(set(before) < set(STAGES[: STAGES.index(stage)]) | {""} for stage, before in UPSTREAM.items())


def test_a_result_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        _result().seed = 4  # type: ignore[misc]


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_a_result(stage: str) -> None:
    assert _result(stage=stage).stage == stage


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Invalid JSON"),
        ('{"stage": "prep', "Invalid JSON"),
        ("[]", "object"),
        ("{}", "stage: Field required"),
        (_result().model_dump_json().replace('"seed":3', '"seed":"three"'), "seed: Input should be a valid integer"),
        (json.dumps(_result().model_dump() | {"password": "x"}), "password: Extra inputs are not permitted"),
        (json.dumps(_result().model_dump() | {"schema_version": 2}), "schema_version: Input should be 1"),
        (json.dumps(_result().model_dump() | {"stage": "deploy"}), "stage: Input should be"),
    ],
)
def test_a_damaged_result_is_told_in_one_line_with_what_to_do(tmp_path: Path, text: str, told: str) -> None:
    path = _write(tmp_path / "adapt" / "result.json", text)
    with pytest.raises(UserError) as raised:
        read_result(path)
    message = str(raised.value)
    assert message.startswith(f"{path}: ")
    assert told in message
    assert message.endswith("; run the stage 'adapt' again")
    assert "\n" not in message
    assert ": : " not in message


def test_an_absent_result_names_the_stage_to_run_first(tmp_path: Path) -> None:
    path = tmp_path / "finetune" / "result.json"
    with pytest.raises(UserError) as raised:
        read_result(path)
    assert str(raised.value) == f"{path}: no such file; run the stage 'finetune' first"


def test_a_file_s_artifact_is_its_bytes(tmp_path: Path) -> None:
    path = _write(tmp_path / "prepare" / "a.txt", "무역")
    expected = hashlib.sha256("무역".encode()).hexdigest()
    assert Artifact.of(path, tmp_path) == Artifact(path="prepare/a.txt", sha256=expected, bytes=6)


def test_a_folder_s_artifact_depends_on_names_and_contents_alone(tmp_path: Path) -> None:
    for folder, names in (("one", ["a.txt", "in/b.txt"]), ("two", ["in/b.txt", "a.txt"])):
        for name in names:
            _write(tmp_path / folder / name, name)
    one, two = (Artifact.of(tmp_path / folder, tmp_path) for folder in ("one", "two"))
    assert (one.sha256, one.bytes) == (two.sha256, two.bytes)
    assert one.bytes == len("a.txt" + "in/b.txt")
    (tmp_path / "two" / "a.txt").rename(tmp_path / "two" / "c.txt")
    renamed = Artifact.of(tmp_path / "two", tmp_path)
    (tmp_path / "two" / "c.txt").write_text("other")
    assert len({two.sha256, renamed.sha256, Artifact.of(tmp_path / "two", tmp_path).sha256}) == 3


def test_an_output_that_was_never_written_is_no_artifact(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Artifact.of(tmp_path / "model", tmp_path)
