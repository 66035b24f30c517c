"""Tries of one task, each a process of its own that can be killed, with a store that outlives them."""

from __future__ import annotations

import fcntl
import json
import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from structlog.testing import capture_logs

from tradewind.files import write_atomically

if TYPE_CHECKING:  # Airflow is imported once its home is known
    from tradewind_airflow.operators.stage import StageOperator

LIMIT = 60.0
_FORK = multiprocessing.get_context("fork")


class FileStore:
    """What Airflow keeps of a task's state between its tries; as there, two tries at once lose nothing of it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, key: str) -> Any:
        return self._all().get(key)

    def set(self, key: str, value: Any) -> None:
        with self._alone():
            write_atomically(self._path, json.dumps(self._all() | {key: value}))

    def delete(self, key: str) -> None:
        with self._alone():
            kept = {name: value for name, value in self._all().items() if name != key}
            write_atomically(self._path, json.dumps(kept))

    def _all(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._path.with_name(f"{self._path.name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def context_of(store: Path, number: int = 1, cleared: int = 0, task_id: str = "prepare") -> dict[str, Any]:
    """The context of one try; `cleared`: how often the run was cleared before."""
    ti = SimpleNamespace(
        dag_id="trade_qa", run_id="manual__1", task_id=task_id, try_number=number, map_index=-1,
        id=f"{task_id}-{cleared}-{number}", stats_tags={},
    )  # fmt: skip
    run = SimpleNamespace(clear_number=cleared)
    return {"ti": ti, "dag_run": run, "run_id": "manual__1", "task_state_store": FileStore(store)}


class Try:
    """One try of a task under way in a process of its own."""

    def __init__(self, operator: StageOperator, context: Any, folder: Path) -> None:
        ti = context["ti"]
        self._log = folder / f"{ti.id}.log"
        self._outcome = folder / f"{ti.id}.json"
        self.process = _FORK.Process(target=self._run, args=(operator, context))
        self.process.start()

    def _run(self, operator: StageOperator, context: Any) -> None:
        signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())  # as Airflow's task runner does
        handler = logging.Handler()
        handler.emit = lambda record: self._append(record.getMessage())  # type: ignore[method-assign]
        logging.getLogger("tradewind_airflow").addHandler(handler)
        with capture_logs(processors=[self._keep]):
            outcome: dict[str, Any]
            try:
                outcome = {"result": operator.execute(context)}
            except Exception as error:  # noqa: BLE001 - it is what the test looks at
                outcome = {"error": type(error).__name__, "text": str(error)}
        self._outcome.write_text(json.dumps(outcome), encoding="utf-8")

    def _keep(self, _: Any, __: str, event: Any) -> Any:
        text = str(event["event"])
        args = event.get("positional_args") or ()
        self._append(text % args if args else text)
        return event

    def _append(self, line: str) -> None:
        with self._log.open("a", encoding="utf-8") as log:
            log.write(line + "\n")

    def lines(self) -> list[str]:
        """What the task has logged so far."""
        return self._log.read_text(encoding="utf-8").splitlines() if self._log.exists() else []

    def kill(self) -> None:
        """As the kernel does when the worker is lost: nothing of the task's own runs any more."""
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.join()

    def terminate(self) -> None:
        """As Airflow does when the task is cleared or marked; waits for the end of its process."""
        self.process.terminate()
        self.process.join(LIMIT)

    def outcome(self, limit: float = LIMIT) -> dict[str, Any]:
        """Wait for its end: `result`, or `error` and `text`."""
        self.process.join(limit)
        assert self.process.exitcode == 0, f"the try did not end: {self.process.exitcode}"
        return dict(json.loads(self._outcome.read_text(encoding="utf-8")))


def wait_for(condition: Callable[[], Any], what: str, limit: float = LIMIT) -> Any:
    """The first true value of `condition`."""
    deadline = time.monotonic() + limit
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {limit:.0f} s: {what}"
        time.sleep(0.02)
    return found
