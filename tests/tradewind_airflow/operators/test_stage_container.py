"""A stage in a real container: what reaches the engine, what comes back, and what is left."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

import engine as engines
import tradewind
from container_fixtures import MakeStage, StartTry
from engine import Engine
from tradewind.files import sha256_of
from tradewind.recipes import resolve
from tradewind.run_dir import RunDir
from tradewind.run_settings import RunSettings, write_settings

pytestmark = pytest.mark.slow
SECRET = "hf-marker-4711"


def test_the_result_is_the_subprocess_modes_result(
    stage: MakeStage, first_try: dict[str, Any], tmp_path: Path, in_containers: Engine
) -> None:
    value = stage().execute(first_try)
    assert value == json.loads((tmp_path / "run/prepare/result.json").read_text(encoding="utf-8"))
    assert (value["job_id"], value["task_id"]) == ("trade_qa/manual__1", "prepare/1")
    beside = stage(image=None, mounts=[], run_dir=str(tmp_path / "beside")).execute(first_try)
    for name in ("train.jsonl", "heldout.jsonl", "corpus.jsonl"):
        assert sha256_of(tmp_path / "run/prepare" / name) == sha256_of(tmp_path / "beside/prepare" / name)
    assert value["config"] == beside["config"]
    assert in_containers.containers() == []
    assert (tmp_path / "run/prepare/result.json").stat().st_uid == os.getuid()


def test_the_same_image_need_not_make_it_again_and_another_one_does(
    stage: MakeStage, first_try: dict[str, Any], tmp_path: Path, in_containers: Engine
) -> None:
    def night(name: str, image: str) -> dict[str, Any]:
        run = RunDir(tmp_path / "runs" / "trade_qa" / name)
        given = {"recipe": "tiny", "data": "embedded:en", "seed": 1}
        now = "2026-11-20T02:00:00+00:00"
        config = resolve("tiny", "embedded:en", 1)
        write_settings(
            run,
            RunSettings(job_id="trade_qa/manual__1", config=config, params=given, version="1", resolved_at=now),
        )
        return dict(stage(run_dir=str(run.path), image=image, **given).execute(first_try))

    assert night("first", engines.BASE_IMAGE)["status"] == "success"
    in_containers.cli.tag(engines.BASE_IMAGE, "known-under-another-name", "latest")
    second = night("second", "known-under-another-name:latest")
    assert (second["status"], second["source_run"]) == ("cached", "first")
    made = in_containers.cli.create_container(engines.BASE_IMAGE, "true", labels={"changed": "yes"})
    try:
        in_containers.cli.commit(made["Id"], "changed", "latest")
    finally:
        in_containers.cli.remove_container(made["Id"])
    assert night("third", "changed:latest")["status"] == "success"


def test_its_lines_come_while_it_runs(busy: MakeStage, attempt: StartTry, live: Any, tmp_path: Path) -> None:
    task = attempt(busy())
    live()
    assert f"prepare: start in {tmp_path / 'run'}" in task.lines()


def test_the_request_that_reaches_the_engine(
    busy: MakeStage, attempt: StartTry, live: Any, long_work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADEWIND_MODEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TOKEN_OF_OURS", SECRET)
    operator = busy(
        gpus=2, cpus=1.5, memory="3g", shm_size="1g", env={"COLOUR": "blue"},
        secrets={"HF_TOKEN": "env:TOKEN_OF_OURS"}, labels={"team": "trade"},
    )  # fmt: skip
    attempt(operator)
    found = live()
    host, config = found["HostConfig"], found["Config"]
    assert (host["NanoCpus"], host["Memory"], host["MemorySwap"], host["ShmSize"]) == (
        1_500_000_000, 3 * 2**30, 3 * 2**30, 2**30
    )  # fmt: skip
    assert (host["Init"], host["CapDrop"], host["SecurityOpt"]) == (True, ["ALL"], ["no-new-privileges"])
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "3", "max-size": "50m"}}
    (request,) = host["DeviceRequests"]
    gpus = request["DeviceIDs"]
    assert len(set(gpus)) == 2
    assert set(gpus) < {"0", "1", "2", "3"}
    assert (request["Count"], request["Capabilities"]) == (0, [["gpu"]])
    # What the process itself got to see, from the engine, not from us:
    seen = dict(
        entry.split("=", 1)
        for entry in Path(f"/proc/{found['State']['Pid']}/environ").read_text(encoding="utf-8").split("\0")
        if "=" in entry
    )
    assert seen["NVIDIA_VISIBLE_DEVICES"] == ",".join(gpus)
    assert {"TRADEWIND_JOB_ID": "trade_qa/manual__1", "TRADEWIND_TASK_ID": "prepare/1", "COLOUR": "blue",
            "HF_HOME": str(tmp_path / "cache")}.items() <= seen.items()  # fmt: skip
    assert config["User"] == f"{os.getuid()}:{os.getgid()}"
    assert config["StopTimeout"] == 2
    assert config["Labels"] == {
        "tradewind.job": "trade_qa/manual__1", "tradewind.task": "prepare/1", "tradewind.generation": "0",
        "tradewind.gpus": ",".join(gpus), "tradewind.version": tradewind.__version__, "team": "trade",
    }  # fmt: skip
    mounts = {mount["Destination"]: (mount["Source"], mount["RW"]) for mount in found["Mounts"]}
    run = str(tmp_path / "run")
    assert (
        mounts.items()
        >= {
            run: (run, True),
            "/pipeline/outputs": (f"{run}/.prepare.work", True),
            "/pipeline/input1": (str(long_work), False),
            str(long_work): (str(long_work), False),
            str(tmp_path / "leases"): (str(tmp_path / "leases"), True),
            str(tmp_path / "cache"): (str(tmp_path / "cache"), True),
        }.items()
    )
    assert SECRET not in json.dumps(found)


@pytest.mark.parametrize("stated", ["all", "0"])
def test_no_gpu_means_none_whatever_the_image_says(
    busy: MakeStage, attempt: StartTry, live: Any, in_containers: Engine, stated: str,
    tmp_path: Path
) -> None:  # fmt: skip
    bare = in_containers.cli.create_container(engines.BASE_IMAGE, ["true"])["Id"]
    in_containers.cli.commit(bare, "tradewind-all-gpus", changes=[f"ENV NVIDIA_VISIBLE_DEVICES={stated}"])
    in_containers.cli.remove_container(bare)
    attempt(busy(image="tradewind-all-gpus"))
    found = live()
    assert not found["HostConfig"]["DeviceRequests"]
    environment = Path(f"/proc/{found['State']['Pid']}/environ").read_text(encoding="utf-8").split("\0")
    assert [entry for entry in environment if entry.startswith("NVIDIA")] == ["NVIDIA_VISIBLE_DEVICES=void"]


def test_a_secret_is_the_stages_and_nobody_elses(
    stage: MakeStage, first_try: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_containers: Engine
) -> None:
    """A hook of Python's own that the container loads says what the stage had in its environment at its end."""
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook/sitecustomize.py").write_text(
        "import atexit, hashlib, os, sys\n"
        "def tell(): print('knows', hashlib.sha256(os.environ.get('HF_TOKEN', '').encode()).hexdigest(), "
        "file=sys.stderr)\n"
        "atexit.register(tell)\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("TOKEN_OF_OURS", SECRET)
    from docker.types import Mount
    from structlog.testing import capture_logs

    operator = stage(
        secrets={"HF_TOKEN": ("connection:not_there", "env:TOKEN_OF_OURS")},
        mounts=[Mount("/hook", str(tmp_path / "hook"), "bind", read_only=True)],
        env={"PYTHONPATH": "/hook"},
    )
    monkeypatch.setenv("AIRFLOW_CONN_NOT_THERE", '{"conn_type": "generic"}')
    operator.render_template_fields(first_try)
    with capture_logs() as events:
        result = operator.execute(first_try)
    told = [str(event["event"]) for event in events]
    assert any(hashlib.sha256(SECRET.encode()).hexdigest() in line for line in told), told
    assert SECRET not in repr(events) + json.dumps(result) + repr(vars(operator))
    written = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if SECRET.encode() in path.read_bytes()]


def test_more_gpus_than_the_host_has(stage: MakeStage, first_try: dict[str, Any], in_containers: Engine) -> None:
    with pytest.raises(AirflowFailException, match=r"gpus=5: this host has 4 \(0, 1, 2, 3\)"):
        stage(gpus=5).execute(first_try)


def test_two_tasks_of_half_the_gpus_run_side_by_side_and_a_third_waits(
    busy: MakeStage, stage: MakeStage, attempt: StartTry, in_containers: Engine, tmp_path: Path
) -> None:  # fmt: skip
    from tries import wait_for

    for name in ("one", "two"):
        attempt(busy(task_id=name, run_dir=str(tmp_path / name), gpus=2))
    at_work = lambda: [  # noqa: E731
        found for found in in_containers.containers(status="running")
        if b": start in " in in_containers.cli.logs(found["Id"])
    ]  # fmt: skip
    both = wait_for(lambda: found if len(found := at_work()) == 2 else None, "two stages at work")
    held = [found["Labels"]["tradewind.gpus"].split(",") for found in both]
    assert sorted(held[0] + held[1]) == ["0", "1", "2", "3"]
    third = attempt(stage(task_id="three", run_dir=str(tmp_path / "three"), gpus=1))
    wait_for(lambda: any("waits for 1 of 4 GPUs" in line for line in third.lines()), "the third waits")
    assert len(in_containers.containers()) == 2
    in_containers.cli.kill(both[0]["Id"])
    assert third.outcome()["result"]["status"] == "success"
