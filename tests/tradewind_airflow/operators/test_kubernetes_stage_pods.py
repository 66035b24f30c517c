"""A stage as a real pod under `podman kube play`; the API between the operator and the pod is a stand-in."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import engine as engines
import kubernetes_api
import podman as podmans
from container_fixtures import waits_at
from documents import REPOSITORY, WriteDocuments
from kubernetes_api import Cluster
from podman import Podman
from tradewind.results import StageResult
from tradewind.run_dir import RunDir
from tradewind_airflow.local.server import free_port
from tries import FileStore, Try, context_of, wait_for

pytestmark = pytest.mark.slow
_HOST = ("/usr", "/lib", "/lib64", "/bin")
MakeStage = Callable[..., Any]


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    if why := podmans.missing():
        pytest.skip(why)
    with podmans.podman(tmp_path_factory.mktemp("podman")) as found:
        yield found


@pytest.fixture
def home(tmp_path: Path, podman: Podman, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """`TRADEWIND_HOME`, which is the claim `runs` for the pods."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("TRADEWIND_HOME", str(folder))
    podman.volume("runs", folder)
    yield folder
    podman.run("volume", "rm", "--force", "runs")


@pytest.fixture
def cluster(podman: Podman, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    with kubernetes_api.cluster(podman, tmp_path) as (found, kubeconfig):
        extra = {"kube_config_path": str(kubeconfig), "namespace": "tradewind"}
        connection = json.dumps({"conn_type": "kubernetes", "extra": extra})
        monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", connection)
        yield found
        try:
            wait_for(lambda: not found.pods, "its pods are gone")
            assert podman.pods() == []
        finally:
            podman.run("pod", "rm", "--all", "--force", "--time", "0")


@pytest.fixture
def stage(home: Path, cluster: Cluster) -> MakeStage:
    """Make `prepare` a task whose pod borrows this host's libraries and this test's interpreter."""
    from kubernetes.client import models as k8s

    from tradewind_airflow.operators.kubernetes_stage import KubernetesStageOperator

    borrowed = [*(mount["Source"] for mount in engines.own_interpreter()["mounts"]), *_HOST]

    def make(*more: Path, **changes: Any) -> KubernetesStageOperator:
        """`more`: folders of the host that the pod sees under their own names."""
        folders = [*borrowed, *map(str, more)]
        volumes = [
            k8s.V1Volume(name=f"host-{n}", host_path=k8s.V1HostPathVolumeSource(path=str(Path(folder).resolve())))
            for n, folder in enumerate(folders)
        ]
        mounts = [
            k8s.V1VolumeMount(name=f"host-{n}", mount_path=folder, read_only=True) for n, folder in enumerate(folders)
        ]
        settings: dict[str, Any] = {
            "task_id": "prepare", "stage": "prepare", "recipe": "tiny", "data": "embedded:en", "seed": 1,
            "image": podmans.EMPTY_IMAGE, "run_dir": str(home / "runs" / "trade_qa" / "1"), "volume_claim": "runs",
            "volumes": volumes, "volume_mounts": mounts, "memory": "2g", "shm_size": "64m", "retries": 1,
            "env": engines.own_interpreter()["env"] | {"PYTHONPATH": str(REPOSITORY / "include")},
            "startup_check_interval_seconds": 1,
        }  # fmt: skip
        return KubernetesStageOperator(**settings | changes)

    return make


def _context(tmp_path: Path, number: int = 1, *, state: str = "running", cleared: int = 0) -> dict[str, Any]:
    """One try's; `state`: what Airflow says of the task when it is asked."""
    context = context_of(tmp_path / "store.json", number, cleared)
    ti, xcoms = context["ti"], FileStore(tmp_path / f"xcoms-{number}-{cleared}.json")
    ti.xcom_push = xcoms.set
    ti.max_tries, ti.task = 1 + cleared, SimpleNamespace(retries=1)
    ti.get_task_states = lambda *_, **__: {ti.run_id: {"prepare": state}}
    return context | {"dag": SimpleNamespace(tasks=[])}


def _made(cluster: Cluster) -> int:
    """How many pods were asked for."""
    return sum(method == "POST" for method, _ in cluster.requests)


def _uids(cluster: Cluster) -> list[str]:
    return [pod["metadata"]["uid"] for pod in list(cluster.pods.values())]


def _result(home: Path) -> StageResult:
    return RunDir(home / "runs" / "trade_qa" / "1").result("prepare")


@pytest.fixture
def attempt(tmp_path: Path) -> Iterator[Callable[..., Try]]:
    """Start a try in a process of its own; none is left behind."""
    begun: list[Try] = []

    def start(operator: Any, **which: Any) -> Try:
        begun.append(Try(operator, _context(tmp_path, **which), tmp_path))
        return begun[-1]

    yield start
    for one in begun:
        if one.process.is_alive():
            one.kill()


@pytest.fixture
def busy(stage: MakeStage, long_work: Path) -> Callable[[], Any]:
    """Make a task whose pod is at work until it is ended."""
    waits = waits_at(long_work)
    paths = f"{waits['PYTHONPATH']}:{REPOSITORY / 'include'}"
    env = engines.own_interpreter()["env"] | waits | {"PYTHONPATH": paths}
    return lambda: stage(long_work, data=str(long_work), env=env)


@pytest.fixture
def at_work(attempt: Callable[..., Try], busy: Callable[[], Any], home: Path) -> Callable[..., Try]:
    """A first try whose pod is at work."""
    # Not by the task's log: the provider passes a line on when it has the next one, and this stage says no more.
    lock = home / "runs" / "trade_qa" / "1" / ".lock"

    def start(**which: Any) -> Try:
        one = attempt(busy(), **which)
        wait_for(lambda: lock.exists() and lock.stat().st_size, "the stage is at work")
        return one

    return start


def test_the_stage_runs_in_the_pod_and_its_result_is_read_from_the_shared_folder(
    stage: MakeStage, attempt: Callable[..., Try], home: Path, tmp_path: Path
) -> None:
    first = attempt(stage())
    assert first.outcome() == {"result": None}, first.lines()
    result = _result(home)
    assert (result.job_id, result.task_id, result.status) == ("trade_qa/manual__1", "prepare/1", "success")
    assert RunDir(home / "runs" / "trade_qa" / "1").result_file("prepare").stat().st_uid == os.geteuid()
    kept = json.loads((tmp_path / "xcoms-1-0.json").read_text(encoding="utf-8"))
    assert kept["return_value"] == result.model_dump(mode="json")


def test_a_lost_workers_pod_goes_on_and_the_retry_follows_it(
    at_work: Callable[..., Try], attempt: Callable[..., Try], busy: Callable[[], Any], cluster: Cluster
) -> None:
    at_work().kill()
    assert len(cluster.pods) == 1
    (uid,) = _uids(cluster)
    second = attempt(busy(), number=2)
    wait_for(lambda: any("Reusing existing pod" in line for line in second.lines()), "the retry finds it")
    assert _uids(cluster) == [uid]
    assert _made(cluster) == 1
    second.kill()
    # Cleared: what was is not followed.
    third = attempt(busy(), number=1, cleared=1, state="failed")
    wait_for(lambda: _uids(cluster) not in ([], [uid]), "another pod")
    assert _made(cluster) == 2
    assert any("of an earlier try; removing it" in line for line in third.lines())
    third.terminate()
    wait_for(lambda: not cluster.pods, "the pod is gone")


@pytest.mark.parametrize(("state", "left"), [("running", True), ("failed", False)])
def test_a_worker_that_is_told_to_end_leaves_the_pod_to_the_retry_a_marked_task_does_not(
    at_work: Callable[..., Try], cluster: Cluster, podman: Podman, state: str, left: bool
) -> None:
    one = at_work(state=state)
    (found,) = json.loads(podman.run("container", "inspect", f"{podman.pods()[0]}-base"))
    assert found["HostConfig"]["Memory"] == 2 * 2**30
    assert set(found["EffectiveCaps"] or ()) == set()
    one.terminate()
    assert one.outcome()["error"] == "AirflowException", one.outcome()["text"]
    if left:
        assert one.outcome()["text"] == "prepare: the worker is ending; the pod goes on and a retry follows it"
        (name,) = cluster.pods
        assert "deletionTimestamp" not in cluster.pods[name]["metadata"]
        cluster.delete(name, 0)
    else:
        wait_for(lambda: not cluster.pods, "the pod is gone")


def test_what_a_lost_worker_did_not_see_is_told_by_the_retry(
    stage: MakeStage, attempt: Callable[..., Try], cluster: Cluster, write_documents: WriteDocuments
) -> None:
    folder = write_documents({"term_data/terms.json": "[{"})
    first = attempt(stage(folder, data=str(folder)))
    wait_for(lambda: cluster.pods, "the cluster has the whole of the pod")
    first.kill()

    def phases() -> list[str]:
        return [pod["status"]["phase"] for name in list(cluster.pods) if (pod := cluster.seen(name)) is not None]

    wait_for(lambda: phases() == ["Failed"], "it fails with nobody there")
    outcome = attempt(stage(folder, data=str(folder)), number=2).outcome()
    assert outcome["error"] == "AirflowFailException"
    assert "terms.json" in outcome["text"]
    assert "\n" not in outcome["text"]
    assert _made(cluster) == 1


def test_a_killed_container_is_retried_a_command_that_is_not_there_is_not(
    at_work: Callable[..., Try], attempt: Callable[..., Try], stage: MakeStage, podman: Podman
) -> None:
    one = at_work()
    podman.run("kill", "--signal", "KILL", f"{podman.pods()[0]}-base")
    assert one.outcome() == {
        "error": "AirflowException",
        "text": "prepare: killed from outside (SIGKILL): by a person, by a restart of the engine, or because the "
        "host's memory was full; a retry goes on from the newest checkpoint",
    }
    outcome = attempt(stage(env={"PATH": "/nowhere"})).outcome()
    assert outcome["error"] == "AirflowFailException"
    assert f"prepare: '{podmans.EMPTY_IMAGE}' cannot run the stage: " in outcome["text"]


@pytest.mark.parametrize(
    ("code", "message", "error", "words"),
    [
        (403, "pods is forbidden: User x cannot create", "AirflowFailException", "the service account needs create, "),
        (403, "pods x is forbidden: exceeded quota: gpus", "AirflowException", "exceeded quota: gpus"),
    ],
)
def test_what_the_api_refuses_is_one_line(
    stage: MakeStage, attempt: Callable[..., Try], cluster: Cluster, code: int, message: str, error: str, words: str
) -> None:
    cluster.refuse = kubernetes_api.status(code, "Refused", message)
    outcome = attempt(stage()).outcome()
    assert outcome["error"] == error
    assert words in outcome["text"]
    assert outcome["text"].startswith("Kubernetes: ")
    assert "\n" not in outcome["text"]


def test_an_api_that_does_not_answer_is_tried_again(
    stage: MakeStage, attempt: Callable[..., Try], tmp_path: Path
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    text = kubeconfig.read_text(encoding="utf-8")
    kubeconfig.write_text(re.sub(r"127.0.0.1:\d+", f"127.0.0.1:{free_port()}", text), encoding="utf-8")
    outcome = attempt(stage()).outcome()
    assert outcome["error"] == "AirflowException"
    assert outcome["text"].startswith("Kubernetes: its API does not answer: ")


def test_a_published_result_needs_no_second_pod(
    stage: MakeStage, attempt: Callable[..., Try], cluster: Cluster, home: Path
) -> None:
    assert attempt(stage()).outcome() == {"result": None}
    second = attempt(stage(), number=2)  # the first try's worker was lost before it could tell Airflow
    assert second.outcome() == {"result": None}
    assert "try prepare/1 has published its result already" in second.lines()
    assert _made(cluster) == 1
    assert _result(home).task_id == "prepare/1"
