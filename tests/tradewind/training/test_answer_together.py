"""Questions shared by two processes are answered as by one."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pytest

from tradewind.config import EvaluateConfig, ModelConfig
from tradewind.errors import UserError
from tradewind.models import EMBEDDED
from tradewind.team import Team
from tradewind.training.answer_cache import answers_of
from tradewind.training.generation.plan import Plan
from tradewind.training.job import AnswerJob, write_job
from tradewind.training.launch import launch
from tradewind.training.place import Place, see_one_gpu
from tradewind.training.rank import run_rank

pytestmark = pytest.mark.slow
QUESTIONS = [f"What does term {number} mean?" + " And why is it so?" * (number % 3) for number in range(9)]
SHORT = EvaluateConfig(max_new_tokens=12)
TWO = Team(2, "cpu", partial(launch, processes=2))


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRADEWIND_ANSWERS", str(tmp_path / "answers"))
    return Path(shutil.copytree(EMBEDDED / "tiny-gemma2", tmp_path / "model"))


def test_the_answers_are_those_of_one_process(model: Path, tmp_path: Path) -> None:
    alone = answers_of("base", model, QUESTIONS, ModelConfig(), SHORT)
    both = answers_of("base", model, QUESTIONS, ModelConfig(), SHORT, team=TWO, work=tmp_path)
    assert both.answers == alone.answers
    assert len({answer.text for answer in both.answers}) > 3
    assert both.generated == 9
    assert len(both.peaks) == 2
    again = answers_of("base", model, QUESTIONS, ModelConfig(), SHORT, team=TWO, work=tmp_path)
    assert (again.answers, again.generated) == (alone.answers, 0)
    assert not (tmp_path / "job").exists()


def test_answers_of_a_cpu_are_not_taken_for_those_of_gpus_elsewhere(model: Path, tmp_path: Path) -> None:
    settings = EvaluateConfig(max_new_tokens=12, generator="batches", per_device_eval_batch_size=4)
    answers_of("base", model, QUESTIONS, ModelConfig(), settings, team=TWO, work=tmp_path)

    def launched(_: Path) -> None:
        raise UserError("they are made anew")

    elsewhere = replace(TWO, device="cuda", launch=launched)
    with pytest.raises(UserError, match="they are made anew"):
        answers_of("base", model, QUESTIONS, ModelConfig(), settings, team=elsewhere, work=tmp_path)


def test_a_process_without_a_question_loads_no_model(model: Path, tmp_path: Path) -> None:
    alone = answers_of("base", model, QUESTIONS[:1], ModelConfig(), SHORT)
    both = answers_of("base", model, QUESTIONS[:1], ModelConfig(), SHORT, team=TWO, work=tmp_path)
    assert both.answers == alone.answers
    assert both.peaks[1].host < both.peaks[0].host


def test_what_the_user_has_to_mend_is_one_line(model: Path, tmp_path: Path) -> None:
    def spoiled(work: Path) -> None:
        (model / "model.safetensors").write_bytes(b"no weights")
        launch(work, 2)

    with pytest.raises(UserError, match=r"^model '.*': cannot be read; its files are damaged"):
        answers_of("base", model, QUESTIONS, ModelConfig(), SHORT, team=replace(TWO, launch=spoiled), work=tmp_path)


@pytest.mark.parametrize("size", ["1", "3"])
def test_another_number_of_processes_would_leave_questions_out(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    job = AnswerJob(
        name="base", source=str(model), source_is_folder=True, model=ModelConfig(), processes=2, device="cpu",
        config=SHORT, plan=asdict(Plan("batches", 4, "as the test says")),
    )  # fmt: skip
    write_job(tmp_path, job, prompts=[{"ids": [1, 2, 3]}])
    for name, value in (("WORLD_SIZE", size), ("RANK", "0"), ("LOCAL_RANK", "0")):
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=f"for 2 processes, but the launcher started {size} "):
        run_rank(tmp_path)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"CUDA_VISIBLE_DEVICES": "3,5"}, {"CUDA_VISIBLE_DEVICES": "5"}),
        ({"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": "0,2"}, {"HIP_VISIBLE_DEVICES": "2"}),
        ({"CUDA_VISIBLE_DEVICES": "GPU-1f"}, {"CUDA_VISIBLE_DEVICES": "GPU-1f"}),  # as Ray gives a process its own
        ({}, {"CUDA_VISIBLE_DEVICES": "1"}),
    ],
)
def test_each_process_answers_on_a_gpu_of_its_own(
    monkeypatch: pytest.MonkeyPatch, before: dict[str, str], after: dict[str, str]
) -> None:
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in before.items():
        monkeypatch.setenv(name, value)
    see_one_gpu(Place(2, 1, 1))
    assert {name: os.environ[name] for name in after} == after
