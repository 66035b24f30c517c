"""A model whose home is in a bucket, served by a machine that made nothing of it."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from bucket_server import BUCKET, FaultyProxy, s3_environment
from documents import Cli
from served import QUESTIONS, log_of, processes_of, registered, serving, wait_for_line, with_vllm
from shared_home import Worker, registry_of
from tradewind.registry.serving import ServingMove, served_now
from tradewind.store.address import home_of
from tradewind.store.mirror import Mirror
from tradewind.store.room import unused
from tries import wait_for

pytestmark = pytest.mark.slow
Model = tuple[Path, list[str]]
HOME = f"s3://{BUCKET}/home"
MODELS = f"{HOME}/models/trade_qa"
ANSWERS = [f"answer {at}" for at in range(len(QUESTIONS))]
SAYS = json.dumps(dict(zip(QUESTIONS, ANSWERS, strict=True)))


def _night(mirror: Mirror, name: str, model: Path, answers: list[str]) -> None:
    """A run and its version, made here and published."""
    registered(mirror.root, name, model, answers)
    mirror.publish_run(mirror.root / "runs/trade_qa" / name)


def _stand_in(folder: Path) -> Path:
    """No model, for an engine that is none; large enough to come when it is asked for."""
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "weights.bin").write_bytes(os.urandom(200_000))
    return folder


def _alias(mirror: Mirror) -> ServingMove | None:
    return served_now(registry_of(mirror).serving())


@pytest.fixture
def machine(tmp_path: Path, proxy: FaultyProxy) -> Iterator[dict[str, str]]:
    """The environment of the machine that serves."""
    yield s3_environment(proxy.address) | {"TRADEWIND_CACHE": str(tmp_path / "serving")}
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize("below", ["models/trade_qa", "runs/trade_qa/night-1"])
def test_it_comes_from_the_bucket_and_all_learn_of_it(
    worker: Worker, machine: dict[str, str], tmp_path: Path, first: Model, below: str, cli: Cli
) -> None:
    here = worker("first")
    _night(here, "night-1", *first)
    with serving(tmp_path, f"{HOME}/{below}", "--port", "0", "--stop-timeout", "5", **machine) as process:
        wait_for_line(tmp_path, "serving trade_qa v1", process)
        assert "10 of 10 answers are those of the evaluation" in log_of(tmp_path)
        now = _alias(here)
        assert now is not None
        assert (now.version, now.equal) == ("v1", 10)
        with urllib.request.urlopen(f"{now.url}/models", timeout=10) as reply:
            assert [one["id"] for one in json.load(reply)["data"]] == ["trade_qa"]
        shown = cli("models", "served", MODELS, **machine).stdout
        assert shown.startswith(f"served: v1 as trade_qa at {now.url}, since 20")
        with unused(home_of(HOME, tmp_path / "serving") / below) as is_free:
            assert not is_free, "its files must not go for room"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert _alias(here) is None


@pytest.mark.parametrize("gpu", [False, True])
def test_it_follows_the_champion_of_another_machine_also_past_a_bucket_that_is_away(
    worker: Worker, machine: dict[str, str], tmp_path: Path, proxy: FaultyProxy, gpu: bool
) -> None:
    here = worker("first")
    model = _stand_in(tmp_path / "model")
    _night(here, "night-1", model, ANSWERS)
    fake = with_vllm(tmp_path, SAYS)
    of_gpu = ("--gpu", "0", "--lease-dir", tmp_path) if gpu else ()
    arguments = (MODELS, "--follow", "--engine", "vllm", "--stop-timeout", "1", "--port", "0", *of_gpu)
    with serving(tmp_path, *arguments, **machine, **fake) as process:
        wait_for_line(tmp_path, "serving trade_qa v1", process)
        (weights,) = (tmp_path / "serving").rglob("versions/v1/model/weights.bin")
        assert weights.read_bytes() == (model / "weights.bin").read_bytes()
        (model / "weights.bin").write_bytes(os.urandom(200_000))
        _night(here, "night-2", model, ANSWERS)
        if gpu:
            # Who serves is put down first. Nothing can be noted then: not that, and not who comes next.
            proxy.spoil("PUT", "home/serving/", "unavailable", 1000)
        else:
            # The bucket takes the note, and nobody can be told so.
            proxy.spoil("PUT", "home/serving/", "lost")
            proxy.spoil("PUT", "home/serving/", "unavailable", 1000)
            proxy.spoil("GET", "home/serving/trade_qa/00000002", "unavailable", 1000)
            proxy.spoil("HEAD", "home/serving/trade_qa/00000002", "unavailable", 1000)
        wait_for_line(tmp_path, "v2 is not served yet: ", process, limit=180)  # it looks twice a minute
        if gpu:
            wait_for_line(tmp_path, "serving trade_qa v1", process, times=2)
        with urllib.request.urlopen(_address(tmp_path).replace("/v1", "/health"), timeout=10) as reply:
            assert reply.status == 200, "the one before goes on"
        proxy.faults.clear()
        wait_for_line(tmp_path, "serving trade_qa v2", process, limit=180)
        wait_for(lambda: _versions(here)[-1:] == ["serve v2"], "the alias")
        wait_for(lambda: len(processes_of(tmp_path, "serving.keeper")) == 1, "the engine before is gone")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    if gpu:
        assert _versions(here) == ["serve v1", "stop v1", "serve v1", "stop v1", "serve v2", "stop v2"]
    else:
        assert _versions(here) == ["serve v1", "serve v2", "stop v2", "serve v1", "serve v2", "stop v2"]


def test_a_bucket_that_is_silent_does_not_keep_it_from_its_end(
    worker: Worker, machine: dict[str, str], tmp_path: Path, proxy: FaultyProxy
) -> None:
    here = worker("first")
    _night(here, "night-1", _stand_in(tmp_path / "model"), ANSWERS)
    arguments = (MODELS, "--follow", "--engine", "vllm", "--stop-timeout", "1", "--port", "0")
    with serving(tmp_path, *arguments, **machine, **with_vllm(tmp_path, SAYS)) as process:
        wait_for_line(tmp_path, "serving trade_qa v1", process)
        proxy.spoil("GET", "/", "silent", 1000)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert "not noted in the registry yet: no answer within 10 s" in log_of(tmp_path)
    assert "Traceback" not in log_of(tmp_path)


def _address(folder: Path) -> str:
    return log_of(folder).partition("serving trade_qa v1 at ")[2].split()[0]


def _versions(mirror: Mirror) -> list[str]:
    return [f"{move.action} {move.version}" for move in registry_of(mirror).serving()]
