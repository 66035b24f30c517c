"""Two real trials of one run, trained beside each other on the embedded model, and the better one chosen."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tradewind.files import read_jsonl
from tradewind.recipes import resolve
from tradewind.run_dir import RunDir
from tradewind.stages.stage_run import run_stage
from tradewind.sweep.choose import choose
from tradewind.sweep.trials import read_trials

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

QUICK = {
    "split.min_items": 2, "adapt.enabled": False, "finetune.num_train_epochs": 1, "finetune.max_length": 256,
    "evaluate.max_new_tokens": 8,
}  # fmt: skip
SETTINGS = ["finetune.learning_rate=1e-6", "finetune.learning_rate=3e-3"]


def test_trials_train_on_the_same_pairs_and_leave_the_runs_configuration(tmp_path: Path, korean_samples: Path) -> None:
    run_dir = RunDir(tmp_path / "run")
    config = resolve("tiny", korean_samples, 42, QUICK)
    run_stage("prepare", config, run_dir)
    before = run_dir.config_file.read_bytes()
    command = [sys.executable, "-m", "tradewind", "finetune", "--run-dir", str(run_dir.path), "--shard"]
    started = [
        subprocess.Popen([*command, f"{number}/2", "--set", setting], stderr=subprocess.PIPE, text=True)
        for number, setting in enumerate(SETTINGS, 1)
    ]
    for process in started:
        _, said = process.communicate()
        assert process.returncode == 0, said
    assert run_dir.config_file.read_bytes() == before
    assert not run_dir.result_file("finetune").exists()

    trials = read_trials(SETTINGS, config)
    results = {str(trial.shard): run_dir.result(trial.folder) for trial in trials}
    pairs = len(read_jsonl(run_dir.published("prepare") / "train.jsonl"))
    held = round(pairs * 0.1)
    for trial in trials:
        made = results[str(trial.shard)]
        assert made.config == trial.config.model_dump(mode="json")
        assert (made.metrics["rows"], made.metrics["validation_pairs"]) == (pairs - held, held)
    still, learnt = (result.metrics["validation_loss"] for result in results.values())
    assert learnt < still - 0.1

    chosen = choose(run_dir, config, trials, results, job_id="sweep/run", task_id="choose/1")
    assert chosen.metrics["chosen"] == "2/2"
    scored = run_stage("evaluate", config, run_dir)
    assert scored.inputs["finetune/model"] == chosen.outputs["model"]
    run_stage("report", config, run_dir)
    report = json.loads((run_dir.published("report") / "report.json").read_text())
    told = next(stage["reason"] for stage in report["stages"] if stage["stage"] == "finetune")
    assert told.startswith(
        f"the best of 2 settings by the loss on {held} pairs that none was trained on: learning_rate"
    )
    assert "learning_rate=3e-3" in (run_dir.published("report") / "report.md").read_text()
