"""The contestants' command lines, and a whole benchmark of two of them on a model of seconds."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml

import finetune
import levers
from setting.results import read_results
from setting.rows import pairs_of
from setting.scale import SCALES
from trainers.field import DEFAULT, FIELD
from trainers.job import Job, seconds_kept, write_pairs
from trainers.ours import config_of

TRIAL = SCALES["trial"]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job with four pairs."""
    made = Job(tmp_path / "job", tmp_path / "model", 128, 2e-4, 8, 42, gpu=False)
    write_pairs(made, pairs_of(TRIAL, 4))
    return made


def test_a_job_is_kept_for_another_process(job: Job) -> None:
    assert Job.read(job.write()) == job


@pytest.mark.parametrize("name", FIELD)
def test_every_contestant_gets_the_same_model_and_rank(name: str, job: Job) -> None:
    words = [str(word) for word in FIELD[name].command(job)]
    if name.startswith("factory"):
        settings = yaml.safe_load(Path(words[-1]).read_text(encoding="utf-8"))
        assert (settings["model_name_or_path"], settings["lora_rank"]) == (str(job.model), 8)
        examples = settings["per_device_train_batch_size"] * settings["gradient_accumulation_steps"]
        assert examples == 8
        assert len(json.loads((job.folder / "factory/pairs.json").read_text(encoding="utf-8"))) == 4
    elif name.startswith("trl"):
        assert words[words.index("--model_name_or_path") + 1] == str(job.model)
        assert words[words.index("--lora_r") + 1] == "8"
    else:
        assert Job.read(Path(words[-1])) == job


def test_where_each_tells_its_seconds(job: Job) -> None:
    job.log.write_text("{'loss': '1.2'}\n{'train_runtime': '12.5', 'epoch': '1'}\n", encoding="utf-8")
    assert FIELD["trl"].seconds(job) == 12.5
    (job.folder / "result.json").write_text('{"train_runtime": 3.5}', encoding="utf-8")
    assert seconds_kept(job) == 3.5
    job.adapter.mkdir()
    (job.adapter / "train_results.json").write_text('{"train_runtime": 7.25}', encoding="utf-8")
    assert FIELD["factory"].seconds(job) == 7.25


def test_ours_leaves_to_auto_what_may_be(job: Job) -> None:
    config = config_of(job)
    assert {config.micro_batch_size, config.packing, config.bf16, config.optim, config.loss_type} == {"auto"}


def test_levers_are_settings_of_the_configuration(job: Job) -> None:
    for lever in levers.levers(TRIAL):
        base = levers.off(TRIAL)
        config_of(job, **base | dict(lever.changes) | {"lora": base["lora"] | lever.changes.get("lora", {})})
    names = [lever.name for lever in levers.levers(TRIAL)]
    assert {lever.follows for lever in levers.levers(TRIAL)} - {None} <= set(names)
    assert "compiled" in [lever.name for lever in levers.levers(SCALES["gemma-2-2b"])]


def test_those_who_take_part_have_one_of_ours_to_be_compared_with() -> None:
    assert {"ours", "ours-small"} <= set(DEFAULT)
    assert set(DEFAULT) <= set(FIELD)


@pytest.mark.slow
def test_a_benchmark_from_its_command_line_to_its_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWIND_BENCHMARKS", str(tmp_path / "cache"))
    words = ["--model", "trial", "--rounds", "1", "--contestants", "ours", "literal", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["finetune.py", *words])
    monkeypatch.setattr("setting.flops._SIZES", {"cpu": (64,), "cuda": (64,)})
    finetune.main()
    found = read_results(tmp_path)[0]
    assert found.question == "finetune-trial"
    losses = found.raw["held_out_loss"]
    assert max(losses["ours"], losses["literal"]) < losses["base"]
    assert [row[0] for row in found.tables[0].rows] == ["Tradewind", "the original's literal recipe"]
