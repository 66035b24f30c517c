"""A task's part in a home that several workers share: what it reads comes here first, what it made goes out last."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

from airflow.sdk.exceptions import AirflowSkipException

from tradewind.errors import UserError
from tradewind.registry.store import Registry
from tradewind.run_dir import RunDir
from tradewind.stages import UPSTREAM, Stage
from tradewind.store.mirror import complete, mirror_of, using
from tradewind_airflow import macros
from tradewind_airflow.told import told

log = logging.getLogger("tradewind_airflow")
_ANSWER: tuple[Stage, ...] = ("baseline", "evaluate")
_ANSWERS = "answers/models"
_Execute = TypeVar("_Execute", bound=Callable[..., Any])


def on_shared_home(execute: _Execute) -> _Execute:
    """An operator's `execute` around which its run and its models are exchanged with the home's bucket, if it has one.

    The operator has a `run_dir` or a `models_dir`, or both; None as the latter stands for the DAG's own.
    """

    @wraps(execute)
    def exchanged(operator: Any, context: Any) -> Any:
        dag_id = context["ti"].dag_id
        models = getattr(operator, "models_dir", None) or macros.models_dir(dag_id)
        run = getattr(operator, "run_dir", None) or macros.run_dir(dag_id, context["ti"].run_id)
        with shared(Path(run), Path(models)):
            return execute(operator, context)

    return cast("_Execute", exchanged)


@contextmanager
def shared(run: Path, models: Path) -> Iterator[None]:
    """Have here what others published of the run, of its DAG's other runs and of its models; publish what is new then.

    A task that fails or is told to end sends nothing more: what it had published before, its retry sends.

    Raises:
        AirflowFailException: the bucket is not there or refuses.
        AirflowException: it does not answer, now or at the end: what was made is kept, and a retry sends it.
    """
    run, models = run.expanduser().absolute(), models.expanduser().absolute()
    mirror = mirror_of(run)
    if mirror is None:
        yield
        return
    with told(run), using(run, models):
        mirror.refresh(run.parent.relative_to(mirror.root).as_posix())
        Registry(models).refresh()
        try:
            yield
        except AirflowSkipException:  # what stands in for a skipped stage is published like any other
            mirror.publish_run(run)
            raise
        mirror.publish_run(run)
        mirror.publish_below(_ANSWERS)


def complete_inputs(stage: Stage, run_dir: RunDir, models: Path) -> None:
    """Have here what a stage that is about to run reads.

    Raises:
        UserError, TemporaryError: as `Mirror.complete`.
    """
    mirror = mirror_of(run_dir.path)
    if mirror is None:
        return
    for before in UPSTREAM[stage]:
        for folder in sorted(run_dir.path.glob(f"{before}*/")):  # with those of shards
            # A report tells of trainings, and reads no model.
            mirror.complete(folder, without=("model",) if stage == "report" else ())
    if stage in _ANSWER:
        mirror.refresh(_ANSWERS)
    champion = Registry(models).champion() if stage == "evaluate" and models.is_dir() else None
    if champion is not None:
        complete(champion.path)


def run_address(run: Path) -> str | None:
    """The address of a run whose home is in a bucket, the same on every worker; None for one on a disk."""
    mirror = mirror_of(run)
    return None if mirror is None else f"{mirror.address}/{run.relative_to(mirror.root).as_posix()}"


def check_on_disk(run: Path, what: str) -> None:
    """UserError where the run's home is in a bucket: what works elsewhere does not see this machine's folder of it."""
    if mirror_of(run) is not None:
        raise UserError(f"{what} cannot work with a home in a bucket; set TRADEWIND_HOME to a folder that is shared")


def refresh_run(run: Path) -> None:
    """For those who tell Slack from where no task runs: have a run's small files here, as far as that can be."""
    mirror = mirror_of(run.absolute())
    if mirror is not None:
        try:
            mirror.refresh(run.absolute().relative_to(mirror.root).as_posix())
        except (UserError, OSError) as error:
            log.warning("told with what is known here: %s", error)


def publish_run(dag_id: str, run_id: str) -> None:
    """For callbacks, which run beside the task: send what they have written."""
    run = Path(macros.run_dir(dag_id, run_id)).absolute()
    mirror = mirror_of(run)
    if mirror is not None:
        mirror.publish_run(run, notes_only=True)


def withdraw(file: Path) -> None:
    """A small file of a run is removed here; the bucket is told when the task ends."""
    with suppress(FileNotFoundError):
        file.unlink()
        mirror = mirror_of(file.absolute())
        if mirror is not None:
            mirror.withdraw(file.absolute())
