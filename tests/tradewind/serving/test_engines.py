"""The commands and environments of the engines, as data."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from served import TINY
from tradewind.config.serve import ServeConfig
from tradewind.serving.engines import launch
from tradewind.serving.questions import SmokeSet
from tradewind.serving.smoke import needed
from tradewind.serving.target import Target

KEPT_OUT = ("HF_TOKEN", "OPENAI_API_KEY", "SLACK_TOKEN", "AIRFLOW_CONN_X", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
            "GOOGLE_APPLICATION_CREDENTIALS")  # fmt: skip
SECRETS = dict.fromkeys(KEPT_OUT, "s1") | {"NGC_API_KEY": "s5"}


def _target(**changes: object) -> Target:
    smoke = {"questions": (), "max_new_tokens": 16, "dtype": "bfloat16", "on_gpu": True} | changes
    return Target("trade_qa", TINY, "0123456789" * 6 + "0123", SmokeSet.model_validate(smoke))


@pytest.fixture(autouse=True)
def _programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("vllm", "docker"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def test_vllm_by_two_gpus(tmp_path: Path) -> None:
    config = ServeConfig(engine="vllm", gpus=("2", "3"), lease_dir="/leases")
    found = launch(_target(), config, 4711, tmp_path / "work")
    assert found.command == (
        str(tmp_path / "vllm"), "serve", str(TINY), "--served-model-name", "trade_qa", "--host", "127.0.0.1",
        "--port", "4711", "--dtype", "bfloat16", "--seed", "0", "--tensor-parallel-size", "2",
    )  # fmt: skip
    assert found.health == "/health"
    assert found.environment["CUDA_VISIBLE_DEVICES"] == "2,3"
    assert found.environment["HF_HUB_OFFLINE"] == "1"
    assert not {*KEPT_OUT} & found.environment.keys()


def test_nim_is_a_container_that_sees_one_model_and_leaves_nothing(tmp_path: Path) -> None:
    config = ServeConfig(engine="nim", image="nvcr.io/nim/nvidia/model-free-nim:2.0.8", gpus=("1",), lease_dir="/l")
    found = launch(_target(), config, 4711, tmp_path / "work")
    docker = str(tmp_path / "docker")
    assert found.command == (
        docker, "run", "--rm", "--name", "tradewind-serve-trade_qa-4711", "--gpus", '"device=1"', "--shm-size", "16g",
        "--security-opt", "no-new-privileges", "--publish", "127.0.0.1:4711:8000", "--volume", f"{TINY}:/model:ro",
        "--env", "NIM_MODEL_PATH=/model", "--env", "NIM_SERVED_MODEL_NAME=trade_qa", "--env", "NIM_SERVER_PORT=8000",
        "--env", "NGC_API_KEY", "nvcr.io/nim/nvidia/model-free-nim:2.0.8",
    )  # fmt: skip
    assert found.health == "/v1/health/ready"
    assert found.cleanup == (docker, "rm", "--force", "tradewind-serve-trade_qa-4711")
    assert found.environment["NGC_API_KEY"] == "s5", "docker passes it on by its name"
    assert not [word for word in found.command if "s5" in word.split("=")]


def test_transformers_finds_the_model_by_the_pipelines_name(tmp_path: Path) -> None:
    found = launch(_target(dtype="float32"), ServeConfig(), 4711, tmp_path / "work")
    assert found.command == (
        sys.executable, "-m", "transformers.cli.transformers", "serve", "trade_qa", "--host", "127.0.0.1",
        "--port", "4711", "--device", "cpu", "--dtype", "float32", "--attn-implementation", "eager",
    )  # fmt: skip
    cache = Path(found.environment["HF_HUB_CACHE"])
    commit = (cache / "models--trade_qa" / "refs" / "main").read_text()
    laid = cache / "models--trade_qa" / "snapshots" / commit
    assert len(commit) == 40
    assert {file.name for file in laid.iterdir()} == {file.name for file in TINY.iterdir()}
    assert found.environment["CUDA_VISIBLE_DEVICES"] == "", "a GPU that it holds no lock of is another's"


@pytest.mark.parametrize(
    ("settings", "more"),
    [({}, ("--cb-max-memory-percent", "0.1")), ({"gpus": ("0",), "lease_dir": "/l"}, ())],
)
def test_a_cpu_has_a_small_part_of_its_memory_for_requests_at_once(
    tmp_path: Path, settings: dict[str, object], more: tuple[str, ...]
) -> None:
    config = ServeConfig.model_validate({"continuous_batching": True, **settings})
    found = launch(_target(dtype="float32"), config, 4711, tmp_path / "work")
    assert found.command[found.command.index("--continuous-batching") :] == ("--continuous-batching", *more)


@pytest.mark.parametrize(
    ("smoke", "settings", "external", "must"),
    [
        ({"dtype": "float32", "on_gpu": False}, {}, False, 10),
        ({"dtype": "float32", "on_gpu": False}, {}, True, 7),
        ({"dtype": "float32", "on_gpu": True}, {}, False, 7),
        ({"dtype": "bfloat16", "on_gpu": False}, {}, False, 7),
        ({"dtype": "float32", "on_gpu": False}, {"gpus": ("0",), "lease_dir": "/l"}, False, 7),
        ({"dtype": "float32", "on_gpu": False}, {"engine": "vllm"}, False, 7),
        ({"dtype": "bfloat16", "on_gpu": True}, {"engine": "vllm", "min_equal": 9}, False, 9),
    ],
)
def test_how_many_answers_must_be_equal(
    smoke: dict[str, object], settings: dict[str, object], external: bool, must: int
) -> None:
    questions = [{"id": str(n), "kind": "read", "question": "?", "answer": "!", "tells": True} for n in range(10)]
    target = _target(**smoke, questions=questions)
    assert needed(target.smoke, ServeConfig.model_validate(settings), external=external) == must
