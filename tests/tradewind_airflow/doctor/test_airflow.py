"""Airflow's home, database, schedule and pool, by a real Airflow in a folder of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from doctoring import Doctor
from documents import REPOSITORY, run_cli
from tradewind_airflow.doctor import CHECKS

pytestmark = pytest.mark.slow
ALL = ("airflow", "schedule", "GPU pool")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of Airflow with a database and a pool of two slots."""
    folder = tmp_path_factory.mktemp("airflow")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    environment |= {"AIRFLOW_HOME": str(folder), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    for command in (["db", "migrate"], ["pools", "set", "gpus", "2", "for GPUs"]):
        subprocess.run([sys.executable, "-m", "airflow", *command], env=environment, check=True, capture_output=True)
    return folder


def test_a_home_with_a_database_a_schedule_and_a_pool(doctor: Doctor, home: Path) -> None:
    told = doctor("tiny", *ALL, AIRFLOW_HOME=str(home), TRADEWIND_GPU_POOL="gpus", TRADEWIND_GPUS="0,1")
    assert f"in {home}, LocalExecutor, sqlite" in told.words("airflow")
    assert told.words("schedule").startswith("0 2 * * * in Asia/Seoul")
    assert told.words("GPU pool").startswith("'gpus' has 2 slots, one for each GPU")


def test_a_pool_that_is_not_there_or_too_small_and_a_zone_that_is_none(doctor: Doctor, home: Path) -> None:
    here = {"AIRFLOW_HOME": str(home), "TRADEWIND_GPUS": "0,1,2"}
    told = doctor("tiny", *ALL, TRADEWIND_GPU_POOL="gpu", TRADEWIND_TIMEZONE="Asia/Soul", **here)
    assert "there is no pool 'gpu': its tasks would wait for ever -> airflow pools set gpu 3" in told.words("GPU pool")
    assert "TRADEWIND_TIMEZONE: 'Asia/Soul' is no time zone -> write one such as" in told.words("schedule")
    assert told.outcome("airflow") == "ok"
    fewer = doctor("tiny", "GPU pool", TRADEWIND_GPU_POOL="gpus", **here)
    assert "'gpus' has 2 slots, and this host 3 GPUs" in fewer.words("GPU pool")
    asked = doctor("tiny", "GPU pool", TRADEWIND_TASK_GPUS="4", **here)
    assert "TRADEWIND_TASK_GPUS is 4, and this host has 3" in asked.words("GPU pool")


def test_a_database_that_is_away_is_told_without_its_password(doctor: Doctor, home: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        address = f"postgresql+psycopg2://airflow:hunter2hunter2@127.0.0.1:{port}/airflow"
        told = doctor("tiny", "airflow", AIRFLOW_HOME=str(home), AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=address)
    assert told.outcome("airflow") == "failure"
    assert "its database cannot be asked (OperationalError" in told.words("airflow")
    assert "hunter2" not in told.text


def test_a_database_of_no_version_wants_to_be_migrated(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    told = doctor("tiny", "airflow", AIRFLOW_HOME=str(tmp_path / "empty"))
    assert "-> airflow db migrate" in told.words("airflow")


def test_where_airflow_has_no_home_none_is_made(doctor: Doctor, tmp_path: Path) -> None:
    told = doctor("tiny", *ALL)
    assert {told.outcome(name) for name in ALL} == {"not needed here"}
    assert not (tmp_path / "nothing").exists()


def test_the_command_finds_these_checks_by_the_wheel_s_entry_point(tmp_path: Path) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (name, value), *none = project["entry-points"]["tradewind.doctor"].items()
    assert none == []
    module, _, attribute = value.partition(":")
    assert getattr(import_module(module), attribute) is CHECKS
    metadata = tmp_path / "site" / "added-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: added\nVersion: 1\n", encoding="utf-8")
    entries = f"[tradewind.doctor]\n{name} = {value}\nbroken = no_such_module:CHECKS\n"
    (metadata / "entry_points.txt").write_text(entries, encoding="utf-8")
    path = os.pathsep.join([str(metadata.parent), os.environ.get("PYTHONPATH", "")])
    done = run_cli(tmp_path, "doctor", PYTHONPATH=path, AIRFLOW_HOME=str(tmp_path / "none"), COLUMNS="120")
    lines = {line.split("  ")[0]: line for line in done.stdout.splitlines()}
    assert {check.name for check in CHECKS} <= lines.keys()
    assert "its checks cannot be loaded: ModuleNotFoundError" in lines["broken"]
    assert done.returncode == 1
