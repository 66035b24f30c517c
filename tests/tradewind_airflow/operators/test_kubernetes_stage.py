"""The pod that a stage becomes, held against Kubernetes' published schemas; and what the operator refuses."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import kubernetes_validate
import pytest
from airflow.sdk.exceptions import AirflowFailException
from kubernetes.client import ApiClient
from kubernetes.client import models as k8s

from tradewind.recipes import resolve
from tradewind.run_dir import RunDir
from tradewind_airflow.containers.identity import Identity
from tradewind_airflow.kubernetes.pod import pod_name
from tradewind_airflow.operators.kubernetes_stage import KubernetesStageOperator
from tries import context_of

VERSIONS = ("1.30", "1.33", "1.36")
MARKER = "hf-marker-1"
MakePod = Callable[..., dict[str, Any]]


def _operator(home: Path, **changes: Any) -> KubernetesStageOperator:
    settings: dict[str, Any] = {
        "task_id": "finetune", "stage": "finetune", "image": "registry.example/tradewind-trainer:0.1.0",
        "recipe": "tiny", "data": "embedded:en", "seed": 1, "run_dir": str(home / "runs" / "trade_qa" / "1"),
        "volume_claim": "tradewind-runs", "namespace": "tradewind",
    }  # fmt: skip
    return KubernetesStageOperator(**settings | changes)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`TRADEWIND_HOME`."""
    monkeypatch.setenv("TRADEWIND_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def built(home: Path) -> MakePod:
    """The pod as it goes to the API, checked."""

    def build(**changes: Any) -> dict[str, Any]:
        operator = _operator(home, **changes)
        context: Any = context_of(home / "store", task_id="finetune") | {"dag": SimpleNamespace(tasks=[])}
        identity, run_dir = Identity.of(context), RunDir(Path(operator.run_dir))
        config = resolve(operator.recipe, operator.data, 1)
        operator.name = pod_name(identity, run_dir.path)
        operator.full_pod_spec = operator._stage_pod(config, run_dir, identity)
        pod = ApiClient().sanitize_for_serialization(operator.build_pod_request_obj(context, dry_run=True))
        for version in VERSIONS:
            kubernetes_validate.validate(pod, version, strict=True)
        return dict(pod)

    return build


def test_all_that_a_dag_says_of_the_stage_is_in_the_pod(built: MakePod, home: Path) -> None:
    pod = built(
        gpus=2, cpus=7.5, memory="64g", shm_size="8g", env={"WANDB_MODE": "offline"},
        secrets={"HF_TOKEN": "secret:tradewind/HF_TOKEN"}, node_selector={"gpu": "h100"},
        tolerations=[k8s.V1Toleration(key="nvidia.com/gpu", operator="Exists", effect="NoSchedule")],
        volumes=[k8s.V1Volume(name="corpora", config_map=k8s.V1ConfigMapVolumeSource(name="corpora"))],
        volume_mounts=[k8s.V1VolumeMount(name="corpora", mount_path="/corpora", read_only=True)],
    )  # fmt: skip
    spec, (container,) = pod["spec"], pod["spec"]["containers"]
    limits = {"nvidia.com/gpu": "2", "cpu": "7.5", "memory": "64Gi"}
    assert container["resources"] == {"limits": limits, "requests": limits}
    assert spec["nodeSelector"] == {"gpu": "h100"}
    assert spec["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    claim, shared, corpora = spec["volumes"]
    assert claim["persistentVolumeClaim"] == {"claimName": "tradewind-runs"}
    assert shared["emptyDir"] == {"medium": "Memory", "sizeLimit": "8Gi"}
    assert corpora["name"] == "corpora"
    assert [one["mountPath"] for one in container["volumeMounts"]] == [str(home.resolve()), "/dev/shm", "/corpora"]
    assert container["command"] == ["python", "-m", "tradewind"]
    run = str(home.resolve() / "runs" / "trade_qa" / "1")
    shared = ["--processes", "2"]
    assert container["args"] == ["finetune", "--config", f"{run}/.finetune.config.json", "--run-dir", run, *shared]
    env = {one["name"]: one.get("value") for one in container["env"]}
    assert env["WANDB_MODE"] == "offline"
    assert (env["TRADEWIND_JOB_ID"], env["TRADEWIND_TASK_ID"]) == ("trade_qa/manual__1", "finetune/1")
    assert "NVIDIA_VISIBLE_DEVICES" not in env  # the device plugin's to say
    (secret,) = (one for one in container["env"] if one["name"] == "HF_TOKEN")
    assert secret["valueFrom"] == {"secretKeyRef": {"name": "tradewind", "key": "HF_TOKEN", "optional": True}}
    assert spec["restartPolicy"] == "Never"
    assert (spec["terminationGracePeriodSeconds"], spec["shareProcessNamespace"]) == (2, True)


def test_a_stage_has_no_rights_and_no_gpu_that_it_did_not_ask_for(built: MakePod) -> None:
    pod = built()
    spec, (container,) = pod["spec"], pod["spec"]["containers"]
    assert container["resources"] == {"limits": {}, "requests": {}}
    assert {"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"} in container["env"]
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert spec["securityContext"] == {
        "runAsUser": os.getuid(), "runAsGroup": os.getgid(), "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)


def test_the_schemas_would_refuse_what_is_wrong(built: MakePod) -> None:
    pod = built()
    pod["spec"]["containers"][0]["resources"]["limit"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(pod, VERSIONS[-1], strict=True)


def test_each_task_has_one_name_for_all_its_tries(home: Path) -> None:
    def name(task_id: str, number: int = 1, run: str = "1") -> str:
        return pod_name(Identity.of(context_of(home / "store", number, task_id=task_id)), home / run)  # type: ignore[arg-type]

    assert name("finetune") == name("finetune", 2)
    long = name("A_task_of_Ours." * 20)
    assert len({name("finetune"), name("finetune", run="2"), name("adapt"), long}) == 4
    for one in (name("finetune"), long):
        metadata = {"name": one}
        kubernetes_validate.validate({"apiVersion": "v1", "kind": "Pod", "metadata": metadata}, VERSIONS[-1])
        assert len(one) <= 63
        assert one == one.lower().strip("-")
        assert one.replace("-", "").isalnum()


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"stage": "training"}, ValueError, "stage 'training' is unknown; stages are "),
        ({"stage": "adapt", "shard": "1/2"}, TypeError, "shard divides the stages "),
        ({"gpus": -1}, TypeError, "gpus is how many the task needs, such as 1, not -1"),
        ({"cpus": 0}, ValueError, "cpus is a limit in cores, such as 2.5, not 0"),
        ({"memory": "much"}, ValueError, "'much' is no amount of memory; write one such as 24g or 24Gi"),
        ({"shm_size": "8 g"}, ValueError, "'8 g' is no amount of memory"),
        ({"image": ""}, ValueError, "image: a pod needs one"),
        ({"deferrable": True}, TypeError, "KubernetesStageOperator takes no deferrable"),
        ({"do_xcom_push": True}, TypeError, "KubernetesStageOperator takes no do_xcom_push"),
        ({"env_vars": {}}, TypeError, "KubernetesStageOperator takes no env_vars"),
        ({"secrets": {"HF_TOKEN": MARKER}}, ValueError, "secrets['HF_TOKEN'] is not 'secret:NAME/KEY'; a pod takes"),
        ({"secrets": {"HF_TOKEN": "env:HF_TOKEN"}}, ValueError, "secrets['HF_TOKEN'] is not 'secret:NAME/KEY'; a pod"),
        ({"secrets": {"HF_TOKEN": ["secret:a/b"]}}, ValueError, "secrets['HF_TOKEN'] is not 'secret:NAME/KEY'; a pod"),
    ],
)
def test_the_constructor_refuses(home: Path, wrong: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        _operator(home, **wrong)
    assert str(caught.value).startswith(words)
    assert MARKER not in str(caught.value)


def test_a_folder_that_the_pod_would_not_see_is_told_before_there_is_a_pod(
    home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = tmp_path_factory.mktemp("elsewhere")
    operator = _operator(home, data=str(data), kubernetes_conn_id=None)
    context: Any = context_of(home / "store", task_id="finetune")
    with pytest.raises(AirflowFailException) as caught:
        operator.execute(context)
    assert str(caught.value) == (
        f"{data}: the pod has no volume there, only at {home.resolve()}; put it below one of these, or mount another "
        "volume (volumes, volume_mounts)"
    )
    assert not (Path(operator.run_dir) / ".finetune.config.json").exists()


def test_it_waits_where_there_is_no_gpu(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWIND_GPU_QUEUE", "gpu")
    monkeypatch.setenv("TRADEWIND_CPU_QUEUE", "rest")
    operator = _operator(home, gpus=1)
    assert (operator.queue, operator.trigger_rule) == ("rest", "none_failed")
    assert operator.schedule_timeout_seconds == 24 * 3600  # a pending pod costs no retry until then
    assert _operator(home, schedule_timeout_seconds=60).schedule_timeout_seconds == 60


def test_no_secret_reaches_the_serialised_dag(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk import DAG
    from airflow.serialization.serialized_objects import DagSerialization

    monkeypatch.setenv("HF_TOKEN", MARKER)
    with DAG("pods") as dag:
        _operator(home, secrets={"HF_TOKEN": "secret:tradewind/HF_TOKEN"})
    assert MARKER not in json.dumps(DagSerialization.to_dict(dag))
