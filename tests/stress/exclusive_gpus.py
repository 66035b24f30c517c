"""Tasks over few GPUs, their processes killed at random: who ever held what, and what is left.

    cd tests && python -m stress.exclusive_gpus [--runs 200] [--at-once 8] [--gpus 4] [--seed 1]

Every task is a real StageOperator with a real container in an engine of the script's own; the GPUs are
made up. Who holds a GPU is asked of the kernel (`/proc/locks`), not of the code under test.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import engine as engines
from engine import Engine
from tradewind.errors import GpuBusyError
from tradewind.lease import gpu_leases

if TYPE_CHECKING:
    from tries import Try

KILL_SHARE = 0.4
"""Of all tries: killed at a random moment of their first seconds."""
PAUSE = 0.02


@dataclass
class TaskRun:
    """One task from its first try to its result."""

    number: int
    gpus: int
    tries: int = 0
    current: Try | None = None
    killed_at: float | None = None


@dataclass
class Counts:
    """What was seen."""

    looks: int = 0
    holds: Counter[str] = field(default_factory=Counter)
    """For each GPU: at how many looks some container held it."""
    doubled: list[str] = field(default_factory=list)
    """Two holders of one GPU, or a holder that was not given it."""
    most_at_once: int = 0
    tries: int = 0
    killed: int = 0
    succeeded: int = 0
    failed: list[str] = field(default_factory=list)


class Observer:
    """Looks at the kernel's locks and at the engine's containers."""

    def __init__(self, engine: Engine, leases: Path, gpus: list[str], counts: Counts) -> None:
        self._engine = engine
        self._inodes = {(leases / f"gpu-{gpu}.lock").stat().st_ino: gpu for gpu in gpus}
        self._counts = counts
        self._given: dict[str, set[str]] = {}

    def look(self) -> None:
        """Who holds what at this moment."""
        self._counts.looks += 1
        # By process: the list is read in several parts, and a lock that moves between them is read twice.
        found: dict[str, dict[str, str]] = {}
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            if "->" in line or " FLOCK " not in line or " WRITE " not in line:  # waiting, or only a look
                continue
            _, _, _, _, pid, place, *_ = line.split()
            gpu = self._inodes.get(int(place.rpartition(":")[2]))
            container = self._container_of(pid) if gpu else None
            if gpu and container:
                found.setdefault(gpu, {})[pid] = container
        holders = {gpu: list(containers.values()) for gpu, containers in found.items()}
        for gpu, containers in holders.items():
            self._counts.holds[gpu] += 1
            if len(containers) > 1:
                self._counts.doubled.append(f"GPU {gpu}: {containers}")
            for container in containers:
                if gpu not in self._gpus_of(container):
                    self._counts.doubled.append(f"GPU {gpu}: held by {container}, which was not given it")
        self._counts.most_at_once = max(self._counts.most_at_once, len(holders))

    def _container_of(self, pid: str) -> str | None:
        with suppress(OSError):
            found = re.search(r"/docker/([0-9a-f]{64})", Path(f"/proc/{pid}/cgroup").read_text(encoding="ascii"))
            return found[1] if found else None
        return None  # it ended while we looked

    def _gpus_of(self, container: str) -> set[str]:
        if container not in self._given:
            for found in self._engine.containers():
                self._given[found["Id"]] = set(found["Labels"]["tradewind.gpus"].split(","))
        return self._given.get(container, {"0", "1", "2", "3"})  # removed while we looked: it held what it held


def stress(engine: Engine, folder: Path, *, runs: int, at_once: int, gpus: int, seed: int) -> Counts:
    """Run it; `settings` stand in the environment."""
    from tradewind_airflow.operators.qa import QAConversionOperator
    from tries import Try, context_of

    dice = random.Random(seed)
    counts = Counts()
    names = [str(index) for index in range(gpus)]
    leases = folder / "leases"
    leases.mkdir(mode=0o777)
    with gpu_leases(leases, names):
        pass  # makes the files
    observer = Observer(engine, leases, names, counts)

    def begin(task: TaskRun) -> None:
        task.tries += 1
        counts.tries += 1
        operator = QAConversionOperator(
            task_id=f"task{task.number}", recipe="tiny", data="embedded:ko", seed=1, gpus=task.gpus,
            network_mode="none",
            overrides={"split.min_items": 2}, run_dir=str(folder / f"run{task.number}"), image=engines.BASE_IMAGE,
            **engines.own_interpreter(),
        )  # fmt: skip
        context = context_of(folder / f"{task.number}.store", task.tries, task_id=operator.task_id)
        task.current = Try(operator, context, folder)
        task.killed_at = time.monotonic() + dice.uniform(0, 2.5) if dice.random() < KILL_SHARE else None

    waiting = [TaskRun(number, dice.choice([1, 1, 2])) for number in range(runs)]
    under_way: list[TaskRun] = []
    while waiting or under_way:
        while waiting and len(under_way) < at_once:
            under_way.append(waiting.pop())
            begin(under_way[-1])
        for task in list(under_way):
            assert task.current is not None
            if task.killed_at is not None and time.monotonic() >= task.killed_at and task.current.process.is_alive():
                task.current.kill()
                counts.killed += 1
                begin(task)
            elif not task.current.process.is_alive():
                under_way.remove(task)
                _take(task.current.outcome(), task, counts)
        observer.look()
        time.sleep(PAUSE)
    return counts


def _take(outcome: dict[str, Any], task: TaskRun, counts: Counts) -> None:
    if outcome.get("result", {}).get("status") == "success":
        counts.succeeded += 1
    else:
        counts.failed.append(f"task{task.number}: {outcome}")


def settings(engine: Engine, folder: Path, gpus: int) -> dict[str, str]:
    """The worker's environment."""
    return {
        "DOCKER_HOST": engine.host,
        "TRADEWIND_GPUS": ",".join(map(str, range(gpus))),
        "TRADEWIND_LEASE_DIR": str(folder / "leases"),
        "TRADEWIND_MOUNT_ROOTS": engines.mount_roots(folder),
        "OMP_NUM_THREADS": "1",
    }


def still_held(leases: Path, gpus: int) -> list[str]:
    """GPUs that nobody can take any more."""
    lost = []
    for gpu in map(str, range(gpus)):
        try:
            with gpu_leases(leases, [gpu]):
                pass
        except GpuBusyError:
            lost.append(gpu)
    return lost


def main() -> int:
    """Print the counts; 1 where a rule was broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    for name, default in (("runs", 200), ("at-once", 8), ("gpus", 4), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = parser.parse_args()
    why = engines.missing()
    if why:
        print(f"tradewind: {why}", file=sys.stderr)
        return 2
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tradewind-stress-") as name:
        folder = Path(name)
        os.environ["AIRFLOW_HOME"] = str(folder / "airflow")
        with engines.started(folder / "engine") as engine:
            engines.have_base_image(engine)
            os.environ |= settings(engine, folder, arguments.gpus)
            counts = stress(engine, folder, **{key.replace("-", "_"): value for key, value in vars(arguments).items()})
            left = engine.containers()
            lost = still_held(folder / "leases", arguments.gpus)
    print(f"task runs                   {arguments.runs}, {arguments.at_once} at once over {arguments.gpus} GPUs")
    print(f"tries, of them killed       {counts.tries}, {counts.killed}")
    print(f"succeeded, failed           {counts.succeeded}, {len(counts.failed)}")
    print(f"looks at the kernel's locks {counts.looks}; each GPU held at {dict(sorted(counts.holds.items()))}")
    print(f"most GPUs held at once      {counts.most_at_once}")
    print(f"one GPU held twice          {len(counts.doubled)}")
    print(f"GPUs lost, containers left  {len(lost)}, {len(left)}")
    print(f"seconds                     {time.monotonic() - began:.0f}")
    for line in [*counts.doubled, *counts.failed]:
        print(line, file=sys.stderr)
    return 1 if counts.doubled or counts.failed or left or lost else 0


if __name__ == "__main__":
    sys.exit(main())
