"""The example of Helm values says what the operator and the queues need; nobody installs it here."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

import tradewind
from documents import REPOSITORY
from tradewind_airflow.settings_page import SET_BY_USER


@pytest.fixture
def text() -> str:
    return (REPOSITORY / "docs" / "helm-values.yaml").read_text(encoding="utf-8")


@pytest.fixture
def values(text: str) -> dict[str, Any]:
    return dict(yaml.safe_load(text))


def test_every_part_has_the_claim_where_the_runs_are(values: dict[str, Any]) -> None:
    (volume,), (mount,) = values["volumes"], values["volumeMounts"]
    env = {one["name"]: one["value"] for one in values["env"]}
    assert volume["name"] == mount["name"]
    assert mount["mountPath"] == env["TRADEWIND_HOME"]
    for name in ("TRADEWIND_DATA", "TRADEWIND_MODEL_CACHE"):
        assert env[name].startswith(f"{mount['mountPath']}/")  # else no stage's pod would see it
    page = (REPOSITORY / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    assert f'volume_claim="{volume["persistentVolumeClaim"]["claimName"]}"' in page


def test_each_queue_has_workers_also_airflows_own(values: dict[str, Any], text: str) -> None:
    env = {one["name"]: one["value"] for one in values["env"]}
    queues = [one["queue"].split(",") for one in values["workers"]["celery"]["sets"]]
    assert queues == [[env["TRADEWIND_CPU_QUEUE"], "default"]]
    uncommented = yaml.safe_load(re.sub(r"^(      )# (- name: gpu|  \S)", r"\1\2", text, flags=re.MULTILINE))
    assert uncommented["workers"]["celery"]["sets"][1]["queue"] == env["TRADEWIND_GPU_QUEUE"]


def test_it_holds_no_secret_and_names_what_there_is(values: dict[str, Any]) -> None:
    assert {one["name"] for one in values["env"]} <= set(SET_BY_USER)
    assert all(set(one) == {"envName", "secretName", "secretKey"} for one in values["secret"])
    assert values["defaultAirflowTag"] == tradewind.__version__
    assert values["config"]["celery_broker_transport_options"]["visibility_timeout"] == 86400
