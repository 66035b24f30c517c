"""Versions in MLflow's own store; these tests need the package, which the project does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from finished_run import Night
from tradewind.errors import UserError
from tradewind.registry.tracking import track_version
from tradewind.reporting.contract import read_report
from tradewind.scores import Scores

_WITHOUT = """
import sys
sys.modules["mlflow"] = None  # as where it is not installed
from tradewind.errors import UserError
from tradewind.registry.tracking import track_version
try:
    track_version(None, None, None, "sqlite:///x.db")
except UserError as error:
    print(error)
"""


def test_without_the_package_one_line_says_how_to_get_it() -> None:
    done = subprocess.run([sys.executable, "-c", _WITHOUT], capture_output=True, text=True, check=True)
    assert done.stdout == "registry.mlflow_tracking_uri: MLflow is not installed here; pip install mlflow-skinny\n"


def _scores(version_path: Path) -> Scores:
    return read_report(version_path / "report.json").scores


def test_each_version_is_one_run_with_its_settings_scores_and_the_gate_s_word(night: Night, tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    first, second = night(), night(gain=0.0)
    for registered in (first, second, first):  # the last as a retry does it
        track_version(registered.version, _scores(registered.version.path), registered.config, uri)
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("trade_qa")
    runs = {run.data.tags["tradewind.version"]: run for run in client.search_runs([experiment.experiment_id])}
    assert len(client.search_runs([experiment.experiment_id])) == len(runs) == 2
    run = runs["v1"]
    assert run.info.status == "FINISHED"
    assert run.data.params["finetune.lora.r"] == "64"
    assert run.data.params["recipe"] == "tiny"
    assert run.data.metrics["reworded.en.semscore.tuned"] == 0.75
    assert run.data.metrics["reworded.en.semscore.tuned_minus_base.low"] == pytest.approx(0.15)
    assert [runs[name].data.tags["tradewind.gate"] for name in ("v1", "v2")] == ["let through", "refused"]


def test_a_store_that_cannot_be_written_is_told_in_one_line(night: Night, tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    (tmp_path / "file").write_text("no folder")
    registered = night()
    with pytest.raises(UserError, match=r"registry.mlflow_tracking_uri: sqlite:.* cannot be written") as caught:
        track_version(
            registered.version,
            _scores(registered.version.path),
            registered.config,
            f"sqlite:///{tmp_path}/file/mlflow.db",
        )
    assert "\n" not in str(caught.value)
