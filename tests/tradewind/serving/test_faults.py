"""What can go wrong with a server: one line each, nothing left running, the alias where it was."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import urllib.request
from pathlib import Path

import pytest

from documents import Cli, complaint
from finished_run import finished_run
from served import (
    QUESTIONS,
    complaint_of,
    log_of,
    processes_of,
    served_run,
    serving,
    wait_for_line,
    with_vllm,
)
from tradewind.__main__ import main
from tradewind.lease import is_leased, open_lock
from tradewind.registry.promotion import promote
from tradewind.registry.register import register
from tradewind.registry.serving import served_now
from tradewind.registry.store import Registry
from tries import wait_for

ANSWERS = [f"answer {at}" for at in range(len(QUESTIONS))]
VLLM = ("--engine", "vllm", "--stop-timeout", "1")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """One version, of which only the answers matter."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    registry = Registry(tmp_path / "models" / "trade_qa")
    register(registry, served_run(tmp_path / "runs" / "trade_qa" / "night-1", model, ANSWERS), who="test")
    return registry


def _said(**changes: str) -> str:
    return json.dumps(dict(zip(QUESTIONS, ANSWERS, strict=True)) | changes)


def test_a_server_that_never_becomes_healthy(registry: Registry, tmp_path: Path) -> None:
    leases = tmp_path / "leases"
    leases.mkdir()
    gpu = ("--gpu", "0", "--lease-dir", leases)
    with serving(
        tmp_path, registry.path, *VLLM, *gpu, "--port", "0", "--timeout", "8", **with_vllm(tmp_path, "sleeps")
    ) as process:
        wait_for_line(tmp_path, "vllm: loading", process)
        assert is_leased(leases, "0")
        assert process.wait(30) == 2
    assert complaint_of(tmp_path) == (
        "vllm: not healthy after 8 s: loading; look at its lines above, or give it more with --timeout"
    )
    assert processes_of(tmp_path) == []
    assert not is_leased(leases, "0")
    assert registry.serving() == []


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_however_the_command_ends(registry: Registry, tmp_path: Path, sig: signal.Signals) -> None:
    leases = tmp_path / "leases"
    leases.mkdir()
    gpu = ("--gpu", "0", "--lease-dir", leases)
    with serving(tmp_path, registry.path, *VLLM, *gpu, "--port", "0", **with_vllm(tmp_path, "sleeps")) as process:
        wait_for_line(tmp_path, "vllm: loading", process)
        # A process that is just being replaced by its program shows no environment for a moment.
        wait_for(
            lambda: len(processes_of(tmp_path)) == 4, "the command, its keeper, vLLM, a worker that hears no signal"
        )
        process.send_signal(sig)
        assert process.wait(30) == (-sig if sig == signal.SIGKILL else 0)
    wait_for(lambda: not processes_of(tmp_path), "no process is left")
    assert not is_leased(leases, "0")


def test_a_registry_that_cannot_be_written_keeps_the_alias(registry: Registry, tmp_path: Path) -> None:
    (registry.path / "serving.jsonl").write_text("{}\n")
    with serving(tmp_path, registry.path, *VLLM, "--port", "0", **with_vllm(tmp_path, _said())) as process:
        assert process.wait(60) == 2
    told = complaint_of(tmp_path)
    assert told.startswith(f"{registry.path}/serving.jsonl:1: Field required; restore the line from a copy, or remove")
    assert (registry.path / "serving.jsonl").read_text() == "{}\n"
    assert processes_of(tmp_path) == []


def test_a_keeper_that_is_killed_takes_the_engine_with_it(registry: Registry, tmp_path: Path) -> None:
    with serving(
        tmp_path, registry.path, *VLLM, "--port", "0", "--min-equal", "10", **with_vllm(tmp_path, _said())
    ) as process:
        wait_for_line(tmp_path, "serving trade_qa v1", process)
        (keeper,) = processes_of(tmp_path, "serving.keeper")
        os.kill(keeper.pid, signal.SIGKILL)
        assert process.wait(30) == 2
    assert complaint_of(tmp_path).startswith("vllm: ended while serving")
    wait_for(lambda: not processes_of(tmp_path), "no process is left")


def test_an_engine_that_dies_while_serving_is_told(registry: Registry, tmp_path: Path) -> None:
    run = tmp_path / "alone"
    shutil.copytree(tmp_path / "runs" / "trade_qa" / "night-1", run)
    with serving(tmp_path, run, *VLLM, "--port", "0", "--name", "mine", **with_vllm(tmp_path, _said())) as process:
        wait_for_line(tmp_path, "serving mine at http://127.0.0.1:", process)
        assert "there is no alias to hand over" in log_of(tmp_path)
        engine = max(processes_of(tmp_path, "bin/vllm"), key=lambda one: len(one.parents()))
        os.kill(engine.pid, signal.SIGKILL)
        assert process.wait(30) == 2
    assert complaint_of(tmp_path) == "vllm: ended while serving (killed by SIGKILL)"
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize("gpu", [False, True], ids=["beside", "instead"])
def test_a_champion_that_is_refused_leaves_the_one_before(registry: Registry, tmp_path: Path, gpu: bool) -> None:
    leases = tmp_path / "leases"
    leases.mkdir()
    held = ("--gpu", "0", "--lease-dir", leases) if gpu else ()
    with serving(
        tmp_path, registry.path, "--follow", *VLLM, *held, "--port", "0", **with_vllm(tmp_path, _said())
    ) as process:
        wait_for_line(tmp_path, "serving trade_qa v1", process)
        lies = served_run(
            tmp_path / "runs" / "trade_qa" / "night-2", tmp_path / "model", ["a lie"] * len(QUESTIONS),
            champion=registry.champion(),
        )  # fmt: skip
        register(registry, lies, who="test")
        promote(registry, "v2", who="test", why="test", force=True)
        wait_for_line(tmp_path, "v2 is not served: ", process)
        wait_for_line(tmp_path, "serving trade_qa v1", process, 2 if gpu else 1)
        said = [("serve", "v1"), *([("stop", "v1")] if gpu else []), ("refuse", "v2")]
        # Who comes back serves first, and is noted then.
        moves = wait_for(lambda: served_now(registry.serving()) and registry.serving(), "the alias is given back")
        assert [(move.action, move.version) for move in moves][: len(said)] == said
        assert "0 of 10 answers are those of the evaluation" in str(moves[len(said) - 1].why)
        now = served_now(moves)
        assert now is not None
        assert now.version == "v1"
        with urllib.request.urlopen(now.url.replace("/v1", "/health"), timeout=5) as reply:
            assert reply.status == 200
        assert len(processes_of(tmp_path, "serving.keeper")) == 1
        assert is_leased(leases, "0") == gpu
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert [move.action for move in registry.serving()][-1] == "stop"


def test_an_engine_that_dies_at_its_start_is_told_with_its_last_line(registry: Registry, tmp_path: Path) -> None:
    with serving(tmp_path, registry.path, *VLLM, "--port", "0", **with_vllm(tmp_path, "dies")) as process:
        assert process.wait(30) == 2
    told = "vllm: ended before it was healthy (exit code 1): ValueError: the KV cache does not fit"
    assert complaint_of(tmp_path) == told
    assert registry.serving() == []


def test_a_server_that_answers_otherwise_does_not_get_the_alias(registry: Registry, tmp_path: Path) -> None:
    lies = dict.fromkeys(QUESTIONS[:6], "a lie")
    with serving(tmp_path, registry.path, *VLLM, "--port", "0", **with_vllm(tmp_path, _said(**lies))) as process:
        assert process.wait(30) == 2
    assert "answers are those of the evaluation, 7 must be; the first other one is of question" in complaint_of(
        tmp_path
    )
    assert "What is" not in complaint_of(tmp_path), "a task's error may go to Slack, the documents' words may not"
    assert registry.serving() == []
    assert processes_of(tmp_path) == []


def test_vllm_may_differ_in_some_answers_and_asks_for_the_key(registry: Registry, tmp_path: Path) -> None:
    environment = with_vllm(tmp_path, _said(**{QUESTIONS[0]: "a near tie", QUESTIONS[1]: "a near tie"}))
    with serving(tmp_path, registry.path, *VLLM, "--port", "0", **environment) as process:
        wait_for_line(tmp_path, "serving trade_qa v1", process)
        now = served_now(registry.serving())
        assert now is not None
        assert 8 <= (now.equal or 0) <= 10
        lists = [" ".join(one.cmdline()) for one in processes_of(tmp_path)]
        assert len(lists) >= 3
        assert not [shown for shown in lists if environment["VLLM_API_KEY"] in shown]
    assert environment["VLLM_API_KEY"] not in log_of(tmp_path)


def test_a_key_that_the_server_refuses_is_not_told(registry: Registry, tmp_path: Path, cli: Cli) -> None:
    environment = with_vllm(tmp_path, _said())
    with serving(tmp_path, registry.path, *VLLM, "--port", "0", **environment) as process:
        wait_for_line(tmp_path, "serving trade_qa v1", process)
        now = served_now(registry.serving())
        assert now is not None
        refused = cli("serve", registry.path, "--check", now.url, VLLM_API_KEY="sk-another-secret")
    assert complaint(refused) == f"{now.url}: refused with HTTP 401: Error code: 401 - no: Bearer [secret]"


def test_a_gpu_that_is_held_is_told(registry: Registry, tmp_path: Path, cli: Cli) -> None:
    leases = tmp_path / "leases"
    leases.mkdir()
    descriptor = open_lock(leases, "0")
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        refused = cli("serve", registry.path, *VLLM, "--port", "0", "--gpu", "0", "--lease-dir", leases,
                      **with_vllm(tmp_path, _said()))  # fmt: skip
    finally:
        os.close(descriptor)
    assert refused.returncode == 69
    assert refused.stderr.splitlines()[-1] == "tradewind: GPU 0: held by another process; another GPU may be free"


def test_bad_input_is_told_in_one_line(
    registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(*arguments: object) -> str:
        assert main(["serve", *map(str, arguments)]) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1, lines
        return lines[0].removeprefix("tradewind: ")

    absent, empty, models = tmp_path / "absent", tmp_path / "empty", registry.path
    (empty / "versions").mkdir(parents=True)
    unscored = tmp_path / "unscored"
    unscored.mkdir()
    assert told("~nobody-of-this-name/x").startswith("'~nobody-of-this-name/x': is no path")
    assert told("s3://bucket/home").startswith("s3://bucket/home: names no run and no models; write s3://")
    assert "marker" not in told("s3://key:marker@bucket/home")
    assert told(absent) == f"{absent}: no such folder; name a run, a version, or a pipeline's models"
    assert told(unscored) == (
        f"{unscored}: holds no trained model; name a run that has come to 'evaluate', a version, or a pipeline's models"
    )
    assert told(empty) == f"{empty}: there is no champion; name a version with --version: none"
    assert told(models, "--version", "v9") == f"{models}: no version 'v9'; there are v1"
    assert told(unscored, "--version", "v9").startswith("--version: ")
    assert told(models, "--name", "a/b").startswith("--name 'a/b': letters, digits")
    assert told(models, "--port", "70000") == "--port: Input should be less than or equal to 65535"
    assert told(models, "--gpu", "0") == "--gpu needs --lease-dir, the folder of the GPUs' lock files"
    assert told(models, "--engine", "nim").startswith("--image: the name of NIM's container image")
    assert told(models, "--engine", "vllm", "--continuous-batching").startswith(
        "--continuous-batching: is for --engine"
    )
    assert told(models, "--hand-over").startswith("--hand-over: is for --check")
    assert told(models, "--follow", "--version", "v1").startswith("--follow: follows the champion")
    monkeypatch.setenv("PATH", "/nowhere")
    assert told(models, "--engine", "vllm", "--port", "0").startswith("vllm: not found; pip install vllm")
    assert told(models, "--host", "") == "--host: String should have at least 1 character"
    assert told(models, "--host", "x" * 99, "--port", "1").endswith(":1: no address; check --host")
    assert told(models, "--check", "8000").startswith("--check: an address begins with http://")
    assert told(tmp_path / "runs" / "trade_qa" / "night-1", "--follow").startswith("--follow: ")
    assert told(models, "--host", "192.0.2.1").startswith("192.0.2.1:8000: not an address of this host")
    assert told(models, "--check", "http://127.0.0.1:9/v1", "--timeout", "1").endswith("not there after 1 s")
    assert registry.serving() == []


def test_a_model_that_is_not_the_evaluated_one_is_refused(tmp_path: Path, cli: Cli) -> None:
    run = finished_run(tmp_path / "run")
    (run.path / "finetune" / "model" / "model.safetensors").write_text("others")
    told = f"{run.path}/finetune/model: is not what finetune published; run the stage 'finetune' again"
    assert complaint(cli("serve", run.path)) == told
