"""What goes wrong around a container: told apart, with what to do, and nothing left running or half-written."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from docker.types import Mount

import engine as engines
from container_fixtures import MakeStage, StartTry
from documents import REPOSITORY
from engine import Engine
from tries import context_of

pytestmark = pytest.mark.slow
Live = Callable[[], dict[str, Any]]


def _refused(operator: Any, context: dict[str, Any], words: str, *, retried: bool = False) -> str:
    """The one line with which the task fails."""
    with pytest.raises(AirflowException, match=words) as caught:
        operator.execute(context)
    assert isinstance(caught.value, AirflowFailException) is not retried
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_image_that_is_nowhere(stage: MakeStage, first_try: dict[str, Any]) -> None:
    told = _refused(stage(image="tradewind-not-built"), first_try, "cannot be pulled", retried=True)
    assert "tradewind-not-built" in told
    assert "make images" in told


def test_an_image_without_python(stage: MakeStage, first_try: dict[str, Any], tmp_path: Path) -> None:
    told = _refused(stage(env={"PATH": "/usr/sbin"}), first_try, "cannot run the stage")
    assert engines.BASE_IMAGE in told
    assert not (tmp_path / "run/prepare").exists()


def test_an_image_without_tradewind(stage: MakeStage, first_try: dict[str, Any]) -> None:
    """Its `python` is there, the package is not."""
    told = _refused(stage(env={"PATH": f"{sys.base_prefix}/bin:/usr/bin"}), first_try, "holds no `tradewind`")
    assert engines.BASE_IMAGE in told


def test_memory_beyond_its_limit(stage: MakeStage, first_try: dict[str, Any]) -> None:
    assert "raise `memory`" in _refused(stage(memory="24m"), first_try, "killed it at its memory limit")


def test_a_container_killed_from_outside_may_be_tried_again(
    busy: MakeStage, attempt: StartTry, live: Live, in_containers: Engine, tmp_path: Path
) -> None:  # fmt: skip
    task = attempt(busy())
    in_containers.cli.kill(live()["Id"])
    outcome = task.outcome()
    assert outcome["error"] == "AirflowException"
    assert "killed from outside" in outcome["text"]


def test_an_engine_that_does_not_answer(
    stage: MakeStage, first_try: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere.sock")
    assert "DOCKER_HOST" in _refused(stage(), first_try, "does not answer", retried=True)


def test_an_engine_without_nvidias_toolkit(stage: MakeStage, first_try: dict[str, Any], in_containers: Engine) -> None:
    """The hook that the runtime calls as the container starts fails, as it does for an index the host lacks."""
    good = in_containers.hook.read_text(encoding="ascii")
    in_containers.hook.write_text(
        "#!/bin/sh\necho 'nvidia-container-cli: device error: 7: unknown device' >&2; exit 1\n"
    )
    try:
        told = _refused(stage(gpus=1), first_try, "cannot give it a GPU")
    finally:
        in_containers.hook.write_text(good, encoding="ascii")
    assert "unknown device" in told
    assert "TRADEWIND_GPUS" in told


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(stage: MakeStage, first_try: dict[str, Any], small_disk: Path) -> None:
    told = _refused(stage(run_dir=str(small_disk / "run")), first_try, "the disk is full")
    assert str(small_disk) in told
    assert not (small_disk / "run/prepare").exists()


@pytest.mark.parametrize(
    ("data", "words"),
    [("/etc", "may not be mounted"), ("{tmp}/out", "may not be mounted"), ("{tmp}/../../../etc", "may not be mounted")],
)
def test_documents_outside_of_the_allowed_roots(
    stage: MakeStage, first_try: dict[str, Any], tmp_path: Path, data: str, words: str
) -> None:
    (tmp_path / "out").symlink_to("/etc")
    assert "TRADEWIND_MOUNT_ROOTS" in _refused(stage(data=data.format(tmp=tmp_path)), first_try, words)


def test_a_mount_of_the_dags_own_outside_of_the_allowed_roots(stage: MakeStage, first_try: dict[str, Any]) -> None:
    _refused(stage(mounts=[Mount("/host", "/", "bind")]), first_try, "may not be mounted")


def test_a_container_that_ends_well_without_a_result(stage: MakeStage, first_try: dict[str, Any]) -> None:
    _refused(stage(entrypoint="true"), first_try, "no such file")


def test_a_result_of_an_earlier_try_is_not_taken(stage: MakeStage, first_try: dict[str, Any], tmp_path: Path) -> None:
    assert stage().execute(first_try)["status"] == "success"
    second = context_of(tmp_path / "store.json", 2, 1)
    told = _refused(stage(entrypoint="true"), second, "ended without publishing")
    assert "prepare/1" in told
    assert "prepare/2" in told


def test_a_result_of_another_run_is_not_taken(stage: MakeStage, first_try: dict[str, Any], tmp_path: Path) -> None:
    assert stage().execute(first_try)["status"] == "success"
    path = tmp_path / "run/prepare/result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"job_id": "trade_qa/manual__0"}), encoding="utf-8")
    _refused(stage(entrypoint="true"), first_try, "trade_qa/manual__0")


@pytest.mark.parametrize("text", ['{"schema_version": 1, "sta', "", "[]"])
def test_a_truncated_result(stage: MakeStage, first_try: dict[str, Any], tmp_path: Path, text: str) -> None:
    target = tmp_path / "run/prepare"
    script = f"mkdir -p {target} && printf '%s' '{text}' > {target}/result.json"
    _refused(stage(entrypoint=["sh", "-c", script]), first_try, "run the stage 'prepare' again")


@pytest.fixture
def foreign_user(stage: MakeStage, in_containers: Engine) -> Any:
    """The stage as user 12345, with a Python that any user may start."""
    made = in_containers.cli.create_container(engines.BASE_IMAGE, ["ln", "-s", "/usr/bin/python3", "/usr/bin/python"])
    in_containers.cli.start(made["Id"])
    in_containers.cli.wait(made["Id"])
    in_containers.cli.commit(made["Id"], "tradewind-any-user")
    in_containers.cli.remove_container(made["Id"])
    packages = f"{engines.PACKAGES}:{REPOSITORY}/include"
    return stage(image="tradewind-any-user", user="12345:12345", env={"PATH": "/usr/bin:/bin", "PYTHONPATH": packages})


def test_another_user_who_may_not_write(foreign_user: Any, first_try: dict[str, Any], tmp_path: Path) -> None:
    told = _refused(foreign_user, first_try, "Permission denied")
    assert str(tmp_path / "run") in told
    assert not (tmp_path / "run/prepare").exists()


def test_what_another_user_wrote_is_refused(foreign_user: Any, first_try: dict[str, Any], tmp_path: Path) -> None:
    for folder in (tmp_path / "run", tmp_path / "run/.prepare.work"):
        folder.mkdir()
        folder.chmod(0o777)
    assert "12345" in _refused(foreign_user, first_try, "leave `user` to the operator")
