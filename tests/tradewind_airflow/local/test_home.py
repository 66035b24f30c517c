"""The local Airflow's folder: its password and its settings."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tradewind_airflow.local.home import USER, LocalHome


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def test_the_password_is_made_once_and_for_its_owner_only(tmp_path: Path, no_umask: None) -> None:
    first = LocalHome(tmp_path).password()
    assert LocalHome(tmp_path).password() == first
    assert len(first) >= 16
    file = Path(LocalHome(tmp_path).environment(8080)["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    assert json.loads(file.read_text(encoding="utf-8")) == {USER: first}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_two_homes_have_two_passwords(tmp_path: Path) -> None:
    assert LocalHome(tmp_path / "a").password() != LocalHome(tmp_path / "b").password()


def test_the_environment_names_this_checkout_and_this_machine_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_MY_OWN", "kept")
    monkeypatch.setenv("PATH", "/usr/bin")
    environment = LocalHome(tmp_path).environment(8099)
    expected = {
        "OF_MY_OWN": "kept",
        "AIRFLOW_HOME": str(tmp_path / ".tradewind/airflow"),
        "TRADEWIND_HOME": str(tmp_path / ".tradewind"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(tmp_path / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": "8099",
        "AIRFLOW__API__BASE_URL": "http://localhost:8099",
        "PATH": f"{Path(sys.executable).parent}:/usr/bin",
    }
    assert environment.items() >= expected.items()
    assert not (tmp_path / ".tradewind").exists()  # asking makes nothing


def test_tradewind_home_moves_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWIND_HOME", str(tmp_path / "elsewhere"))
    home = LocalHome(tmp_path / "project")
    home.password()
    assert home.airflow == tmp_path / "elsewhere/airflow"
    assert [path.name for path in tmp_path.iterdir()] == ["elsewhere"]
