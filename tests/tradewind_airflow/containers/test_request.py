"""What reaches the engine for one container, field by field, as the client itself would send it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient
from docker.types import Mount, Ulimit

import tradewind
from tradewind_airflow.containers.identity import Identity
from tradewind_airflow.containers.mounts import cache_environment
from tradewind_airflow.containers.request import container_request
from tradewind_airflow.gpus import Gpu
from tradewind_airflow.operators.stage import StageOperator

IDENTITY = Identity("trade_qa/manual__1", "finetune/2", 1, "0199-uuid")
COMMAND = ["python", "-m", "tradewind", "finetune"]
OWN = {"HOME": "/tmp", "USER": "tradewind", "PYTHONUNBUFFERED": "1", "OMP_WAIT_POLICY": "PASSIVE"}
OF_TASK = {"TRADEWIND_JOB_ID": "trade_qa/manual__1", "TRADEWIND_TASK_ID": "finetune/2"}


def _sent(*, gpus: tuple[Gpu, ...] = (), cache: Path | None = None, stdin: bool = False, **settings: Any) -> Any:
    """The body of the client's call for a task with these settings; the client asks no engine for it."""
    cli = APIClient(base_url="http://localhost:1", version="1.41")
    task = StageOperator(task_id="finetune", stage="finetune", image="trainer:7", gpus=len(gpus), **settings)
    mounts = [Mount("/data", "/srv/data", "bind", read_only=True)]
    request = container_request(
        cli, task, identity=IDENTITY, command=COMMAND, mounts=mounts, gpus=gpus, cpus=task.cpu_limit,
        folders=cache_environment(cache), stdin=stdin,
    )  # fmt: skip
    return json.loads(json.dumps(cli.create_container_config(**request)))


def _environment(sent: Any) -> dict[str, str]:
    return dict(entry.split("=", 1) for entry in sent["Env"])


def _given(values: dict[str, Any]) -> dict[str, Any]:
    """Without what stands for nothing."""
    return {key: value for key, value in values.items() if value not in (None, [], {}, "", False)}


def test_a_plain_task() -> None:
    sent = _sent()
    assert _given(sent.pop("HostConfig")) == {
        "Init": True,
        "NetworkMode": "default",
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "50m", "max-file": "3"}},
        "Mounts": [{"Target": "/data", "Source": "/srv/data", "Type": "bind", "ReadOnly": True}],
    }
    assert _environment({"Env": sent.pop("Env")}) == OWN | OF_TASK | {"NVIDIA_VISIBLE_DEVICES": "void"}
    assert _given(sent) == {
        "Image": "trainer:7",
        "Cmd": COMMAND,
        "User": f"{os.getuid()}:{os.getgid()}",
        "AttachStdout": True,
        "AttachStderr": True,
        "StopTimeout": 2,
        "Labels": {
            "tradewind.job": "trade_qa/manual__1",
            "tradewind.task": "finetune/2",
            "tradewind.generation": "1",
            "tradewind.gpus": "",
            "tradewind.version": tradewind.__version__,
        },
    }


@pytest.mark.parametrize(
    ("settings", "fields"),
    [
        ({"cpus": 1.5}, {"NanoCpus": 1_500_000_000}),
        ({"cpus": 0.1}, {"NanoCpus": 100_000_000}),
        ({"memory": "3g"}, {"Memory": 3 * 2**30, "MemorySwap": 3 * 2**30}),
        ({"shm_size": "2g"}, {"ShmSize": 2 * 2**30}),
        ({"shm_size": 2**30}, {"ShmSize": 2**30}),
        ({"network_mode": "none"}, {"NetworkMode": "none"}),
        ({"ipc_mode": "host"}, {"IpcMode": "host"}),
        ({"dns": ["10.0.0.1"], "dns_search": ["lan"]}, {"Dns": ["10.0.0.1"], "DnsSearch": ["lan"]}),
        ({"extra_hosts": {"hub": "10.0.0.2"}}, {"ExtraHosts": ["hub:10.0.0.2"]}),
        ({"cap_add": ["SYS_PTRACE"]}, {"CapAdd": ["SYS_PTRACE"], "CapDrop": ["ALL"]}),
        ({"ulimits": [Ulimit(name="memlock", soft=-1, hard=-1)]},
         {"Ulimits": [{"Name": "memlock", "Soft": -1, "Hard": -1}]}),
        ({"port_bindings": {8080: 80}}, {"PortBindings": {"8080/tcp": [{"HostIp": "", "HostPort": "80"}]}}),
        ({"log_opts_max_size": "1m", "log_opts_max_file": "9"},
         {"LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "9"}}}),
    ],
)  # fmt: skip
def test_a_tasks_limits_and_network(settings: dict[str, Any], fields: dict[str, Any]) -> None:
    plain, sent = _sent()["HostConfig"], _sent(**settings)["HostConfig"]
    assert {key: sent.get(key) for key in fields} == fields
    assert {key: value for key, value in sent.items() if key not in fields} == {
        key: value for key, value in plain.items() if key not in fields
    }


@pytest.mark.parametrize(
    ("settings", "fields"),
    [
        ({"user": "1234:5678"}, {"User": "1234:5678"}),
        ({"user": 0}, {"User": "0"}),
        ({"working_dir": "/work", "hostname": "trainer"}, {"WorkingDir": "/work", "Hostname": "trainer"}),
        ({"entrypoint": ["/tini", "--"]}, {"Entrypoint": ["/tini", "--"]}),
        ({"entrypoint": '["/tini", "--"]'}, {"Entrypoint": ["/tini", "--"]}),
        ({"port_bindings": {8080: 80}}, {"ExposedPorts": {"8080/tcp": {}}}),
        ({"stdin": True}, {"OpenStdin": True, "StdinOnce": True, "AttachStdin": True}),
    ],
)
def test_a_tasks_process(settings: dict[str, Any], fields: dict[str, Any]) -> None:
    plain, sent = _sent(), _sent(**settings)
    assert {key: sent[key] for key in fields} == fields
    changed = {key for key in plain if key != "HostConfig" and plain[key] != sent[key]}
    assert changed == set(fields)


@pytest.mark.parametrize("stated", [{"team": "trade", "tradewind.task": "forged"}, ["team", "tradewind.gpus"]])
def test_own_labels_stand_beside_ours_which_nobody_forges(stated: Any) -> None:
    labels = _sent(labels=stated)["Labels"]
    assert labels["team"] == ("trade" if isinstance(stated, dict) else "")
    assert (labels["tradewind.task"], labels["tradewind.gpus"]) == ("finetune/2", "")


def test_each_source_of_variables_goes_before_the_one_that_it_refines() -> None:
    of_file = "HOME=/file\nHF_HOME=/file\nBOTH=file\nFILE=1\nTRADEWIND_JOB_ID=file\n"
    stated = {"USER": "stated", "BOTH": "stated", "TRADEWIND_TASK_ID": "forged", "NVIDIA_VISIBLE_DEVICES": "all"}
    environment = _environment(_sent(env=stated, env_file=of_file, cache=Path("/cache")))
    assert environment == OWN | OF_TASK | {
        "HOME": "/file",
        "HF_HOME": "/file",
        "FILE": "1",
        "USER": "stated",
        "BOTH": "stated",
        "NVIDIA_VISIBLE_DEVICES": "void",
    }


def test_the_model_cache_is_where_libraries_look() -> None:
    assert _environment(_sent(cache=Path("/cache")))["HF_HOME"] == "/cache"


@pytest.mark.parametrize(
    "stated",
    [
        {},
        {"env": {"NVIDIA_VISIBLE_DEVICES": "all"}},
        {"env_file": "NVIDIA_VISIBLE_DEVICES=all"},
    ],
)
def test_a_task_without_gpus_gets_none_whatever_image_and_task_say(stated: dict[str, Any]) -> None:
    sent = _sent(**stated)
    assert _environment(sent)["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert not sent["HostConfig"].get("DeviceRequests")
    assert not sent["HostConfig"].get("Devices")


def test_a_task_gets_its_own_nvidia_gpus() -> None:
    sent = _sent(gpus=(Gpu("1"), Gpu("3")), env={"NVIDIA_VISIBLE_DEVICES": "all"})
    (request,) = sent["HostConfig"]["DeviceRequests"]
    assert request == {"Driver": "", "Count": 0, "DeviceIDs": ["1", "3"], "Capabilities": [["gpu"]], "Options": {}}
    assert _environment(sent)["NVIDIA_VISIBLE_DEVICES"] == "1,3"
    assert sent["Labels"]["tradewind.gpus"] == "1,3"


def test_a_task_gets_its_own_amd_gpus() -> None:
    sent = _sent(gpus=(Gpu("renderD252", "amd"),))
    devices = [device["PathOnHost"] for device in sent["HostConfig"]["Devices"]]
    assert devices == ["/dev/kfd", "/dev/dri/renderD252"]
    assert sent["HostConfig"]["GroupAdd"]
    assert _environment(sent)["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert sent["Labels"]["tradewind.gpus"] == "renderD252"


def test_no_secret_is_in_what_the_engine_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_OURS", "hf-marker-4711")
    sent = _sent(
        secrets={"HF_TOKEN": "env:TOKEN_OF_OURS"}, private_environment={"OPENAI_API_KEY": "sk-marker-4712"}, stdin=True
    )
    text = json.dumps(sent)
    assert "marker" not in text
    assert "HF_TOKEN" not in text
    assert "OPENAI_API_KEY" not in text
