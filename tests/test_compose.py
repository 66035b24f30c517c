"""The production stack: valid for Compose, closed by default, and one door to the engine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from documents import REPOSITORY
from tradewind.__main__ import _parser

REQUIRED = (
    "TRADEWIND_POSTGRES_PASSWORD", "TRADEWIND_REDIS_PASSWORD", "TRADEWIND_FERNET_KEY", "TRADEWIND_JWT_SECRET",
    "TRADEWIND_API_SECRET", "TRADEWIND_ADMIN_PASSWORD", "TRADEWIND_GPUS", "TRADEWIND_DOCUMENTS", "DOCKER_GID",
)  # fmt: skip
SERVICES = {"postgres", "redis", "volumes-init", "airflow-init", "api-server", "scheduler", "dag-processor",
            "triggerer", "worker", "worker-cpu", "docker-proxy"}  # fmt: skip
WORKERS = {"worker", "worker-cpu"}
# Of a home in a bucket, for those that open it and nobody else.
OF_BUCKET = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL",
    "AWS_MAX_ATTEMPTS", "GOOGLE_APPLICATION_CREDENTIALS",
)  # fmt: skip
OPENERS = {*WORKERS, "api-server", "dag-processor", "serve"}
_OPTIONAL = ("SLACK_TOKEN", "HF_TOKEN", "OPENAI_API_KEY", "VLLM_API_KEY", "TRADEWIND_CACHE_GB", *OF_BUCKET)
_DOCKER_COMPOSE = shutil.which("docker-compose")


def _config(folder: Path, *options: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
    """`docker-compose config` with every required variable set, but for the changes."""
    if _DOCKER_COMPOSE is None:
        pytest.skip("docker-compose is not installed")
    values = {name: f"/srv/{name.lower()}" if name.endswith("DOCUMENTS") else "7" for name in REQUIRED} | changes
    (folder / "settings").write_text(
        "".join(f"{name}={value}\n" for name, value in values.items() if value is not None), encoding="utf-8"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRADEWIND")}
    for name in _OPTIONAL:
        environment.pop(name, None)
    return subprocess.run(
        [_DOCKER_COMPOSE, "--env-file", folder / "settings", "-f", REPOSITORY / "docker-compose.yaml", *options,
         "config"],
        env=environment, cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def _resolved(folder: Path, **changes: str | None) -> dict[str, Any]:
    done = _config(folder, **changes)
    assert done.returncode == 0, done.stderr
    return dict(yaml.safe_load(done.stdout)["services"])


@pytest.fixture
def services(tmp_path: Path) -> dict[str, Any]:
    """The services as Compose resolves them, without those of a profile, which only who asks for it gets."""
    return {name: service for name, service in _resolved(tmp_path).items() if "profiles" not in service}


def test_it_is_valid_and_whole(services: dict[str, Any]) -> None:
    assert set(services) == SERVICES
    for name in SERVICES - {"volumes-init", "airflow-init"}:
        assert services[name]["healthcheck"]["test"], name
        assert services[name]["restart"] == "unless-stopped", name


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_setting_is_named(tmp_path: Path, name: str, value: str | None) -> None:
    done = _config(tmp_path, **{name: value})
    assert done.returncode != 0
    assert f"set {name} in .env" in done.stderr


def test_all_of_it_is_the_profile_celery(tmp_path: Path) -> None:
    """Somebody who asks for it by that name gets the same services, with the same settings."""
    plain, named = _config(tmp_path), _config(tmp_path, "--profile", "celery")
    assert (named.returncode, named.stdout) == (0, plain.stdout)
    assert yaml.safe_load(named.stdout)["services"]["scheduler"]["environment"]["AIRFLOW__CORE__EXECUTOR"] == (
        "CeleryExecutor"
    )


def test_a_served_model_is_a_profile_apart_from_all_else(services: dict[str, Any], tmp_path: Path) -> None:
    found = _resolved(tmp_path, TRADEWIND_SERVE_GPU="3", TRADEWIND_SERVE_DAG="mine")
    assert set(found) - set(services) == {"serve", "serve-gpu"}
    for name in ("serve", "serve-gpu"):
        service = found[name]
        assert service["profiles"] == [name]
        assert list(service["networks"]) == ["serving"]
        assert service["ports"] == ["127.0.0.1:8001:8000/tcp"]
        assert service["read_only"]
        assert service["healthcheck"]["test"]
        assert service["restart"] == "unless-stopped"
        assert "docker.sock" not in str(service["volumes"])
        # Its own command line takes what is stated there.
        arguments = _parser().parse_args(service["command"][3:])
        assert (str(arguments.target), arguments.follow, arguments.host) == ("/runs/models/mine", True, "0.0.0.0")
    arguments = _parser().parse_args(found["serve-gpu"]["command"][3:])
    assert (arguments.engine, arguments.gpu, str(arguments.lease_dir)) == ("vllm", ["3"], "/leases")
    leases = [str(mount) for mount in (*found["serve-gpu"]["volumes"], *services["worker"]["volumes"])]
    assert leases.count("leases:/leases:rw") == 2, "the trainings' own locks"
    assert "VLLM_API_KEY" not in (found["serve"]["environment"] or {})


def test_the_engine_is_reached_by_the_workers_only_and_through_the_proxy(services: dict[str, Any]) -> None:
    mounts = {name: str(service.get("volumes", [])) for name, service in services.items()}
    assert [name for name, mounted in mounts.items() if "docker.sock" in mounted] == ["docker-proxy"]
    assert sorted(name for name, service in services.items() if "engine" in (service.get("networks") or {})) == [
        "docker-proxy", "worker", "worker-cpu",
    ]  # fmt: skip
    assert "-allowfrom=worker,worker-cpu" in services["docker-proxy"]["command"]
    hosts = {name for name, service in services.items() if "DOCKER_HOST" in (service.get("environment") or {})}
    assert hosts == WORKERS


def test_each_queue_has_its_worker(services: dict[str, Any]) -> None:
    listened = {
        name: set(service["command"][service["command"].index("--queues") + 1].split(","))
        for name, service in services.items()
        if "celery" in service.get("command", ())
    }
    stated = services["dag-processor"]["environment"]  # where DAG files are read
    gpu, cpu = stated["TRADEWIND_GPU_QUEUE"], stated["TRADEWIND_CPU_QUEUE"]
    assert gpu != cpu
    # `default`: Airflow's, for what belongs to no task.
    assert listened == {"worker": {gpu}, "worker-cpu": {cpu, "default"}}
    assert {services[name]["environment"]["TRADEWIND_GPU_QUEUE"] for name in WORKERS} == {gpu}


@pytest.mark.parametrize(("stated", "seconds"), [(None, "86400"), ("259200", "259200")])
def test_no_task_is_handed_out_twice_while_it_trains(tmp_path: Path, stated: str | None, seconds: str) -> None:
    done = _config(tmp_path, TRADEWIND_VISIBILITY_TIMEOUT=stated)
    services = yaml.safe_load(done.stdout)["services"]
    name = "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"
    # Read by the scheduler, which sends, and by the workers, which take.
    assert {services[one]["environment"][name] for one in ("scheduler", *WORKERS)} == {seconds}


def test_the_pages_read_what_the_workers_write(services: dict[str, Any]) -> None:
    modes = {
        name: str(mounted).split(":")[2:]
        for name, service in services.items()
        for mounted in service.get("volumes", ())
        if str(mounted).startswith("runs:/runs")
    }
    assert modes == {
        "volumes-init": ["rw"], "worker": ["rw"], "worker-cpu": ["rw"], "dag-processor": ["rw"], "api-server": ["ro"],
    }  # fmt: skip
    homes = {services[name]["environment"]["TRADEWIND_HOME"] for name in modes if name != "volumes-init"}
    assert homes == {"/runs"}


def test_a_home_in_a_bucket_has_one_local_folder_that_the_stages_may_mount(tmp_path: Path) -> None:
    stated = dict.fromkeys(OF_BUCKET, "x7") | {
        "TRADEWIND_CACHE_GB": "9",
        "TRADEWIND_GOOGLE_CREDENTIALS": "/srv/key.json",
    }
    services = _resolved(tmp_path, TRADEWIND_HOME="s3://b/tradewind", **stated)
    for name in OPENERS:
        found = services[name]["environment"]
        assert (found["TRADEWIND_HOME"], found["TRADEWIND_CACHE"], found["TRADEWIND_CACHE_GB"]) == (
            "s3://b/tradewind", "/cache", "9",
        ), name  # fmt: skip
        assert {variable: found[variable] for variable in OF_BUCKET} == dict.fromkeys(OF_BUCKET, "x7"), name
        mounted = list(map(str, services[name]["volumes"]))
        assert {"cache:/cache:rw", "/srv/key.json:/google.json:ro"} <= set(mounted), name
    others = {name for name, one in services.items() if "x7" in str(one.get("environment"))} - OPENERS
    assert others == set()
    assert "s3://b/tradewind/models/trade_qa" in services["serve"]["command"]
    assert "cache:/cache:rw" in services["volumes-init"]["volumes"]
    assert "/cache" in services["volumes-init"]["command"]
    for name in WORKERS:
        assert "/cache" in services[name]["environment"]["TRADEWIND_MOUNT_ROOTS"].split(":")
    text = _config(tmp_path).stdout
    volume = yaml.safe_load(text)["volumes"]["cache"]["name"]
    (allowed,) = [flag for flag in services["docker-proxy"]["command"] if flag.startswith("-allowbindmountfrom=")]
    assert f"/var/lib/docker/volumes/{volume}/_data" in allowed.partition("=")[2].split(",")


def test_without_a_bucket_no_key_is_stated(tmp_path: Path) -> None:
    services = _resolved(tmp_path)
    for name in OPENERS:
        assert not [services[name]["environment"][variable] for variable in OF_BUCKET
                    if services[name]["environment"][variable] is not None], name  # fmt: skip


@pytest.mark.parametrize(("stated", "folder"), [(None, REPOSITORY / "pipelines"), ("/srv/yaml", Path("/srv/yaml"))])
def test_pipelines_as_yaml_are_read_where_dags_are(tmp_path: Path, stated: str | None, folder: Path) -> None:
    services = _resolved(tmp_path, TRADEWIND_PIPELINES=stated)
    readers = {
        name for name, one in services.items() if f"{folder}:/pipelines:ro" in map(str, one.get("volumes") or ())
    }  # fmt: skip
    assert readers == {*WORKERS, "dag-processor"}
    assert {services[name]["environment"]["TRADEWIND_PIPELINES"] for name in readers} == {"/pipelines"}


def test_the_proxy_lets_through_what_the_operator_asks_for(services: dict[str, Any]) -> None:
    rules: dict[str, list[str]] = {}
    for flag in services["docker-proxy"]["command"]:
        if found := re.match(r"-allow(GET|POST|DELETE)=(.+)", flag):
            rules.setdefault(found[1], []).append(found[2])

    def passes(method: str, path: str) -> bool:  # the proxy anchors each rule
        return any(re.fullmatch(rule, path) for rule in rules.get(method, ()))

    container, image = "tradewind-trade_qa-finetune-0123456789ab", "tradewind-trainer:latest"
    for method, path in (
        ("GET", "/version"), ("GET", "/_ping"), ("GET", f"/v1.41/images/{image}/json"),
        ("POST", "/v1.41/images/create"),
        ("POST", "/v1.41/containers/create"), ("GET", f"/v1.41/containers/{container}/json"),
        ("POST", f"/v1.41/containers/{container}/attach"), ("POST", f"/v1.41/containers/{container}/start"),
        ("GET", f"/v1.41/containers/{container}/logs"), ("POST", f"/v1.41/containers/{container}/stop"),
        ("DELETE", f"/v1.41/containers/{container}"),
    ):  # fmt: skip
        assert passes(method, path), path
    for method, path in (
        ("POST", f"/v1.41/containers/{container}/exec"), ("POST", "/v1.41/build"), ("GET", "/v1.41/volumes"),
        ("PUT", f"/v1.41/containers/{container}/archive"), ("POST", f"/v1.22/containers/{container}/start"),
        ("POST", "/v1.41/networks/create"), ("GET", "/v1.41/secrets"),
    ):  # fmt: skip
        assert not passes(method, path), path


def test_secrets_have_no_default_and_tokens_reach_the_workers_only(services: dict[str, Any]) -> None:
    text = (REPOSITORY / "docker-compose.yaml").read_text(encoding="utf-8")
    assert not re.findall(r"\$\{\w*(?:PASSWORD|SECRET|KEY|TOKEN)\w*:?-", text)
    example = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
    stated = dict(line.split("=", 1) for line in example.splitlines() if re.match(r"[A-Z_]+=", line))
    assert [name for name, value in stated.items() if re.search("PASSWORD|SECRET|KEY|TOKEN", name) and value] == []
    for token in ("HF_TOKEN", "OPENAI_API_KEY"):
        assert {name for name, one in services.items() if token in (one.get("environment") or {})} == WORKERS


def test_the_example_names_every_variable() -> None:
    text = (REPOSITORY / "docker-compose.yaml").read_text(encoding="utf-8")
    example = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", text)) | set(_OPTIONAL)
    assert {name for name in used if not re.search(rf"^(# )?{name}=", example, re.MULTILINE)} == set()
