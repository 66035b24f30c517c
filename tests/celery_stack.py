"""Airflow over Celery: a worker for each queue, and one of the GPU queue that is lost while it trains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import stack as stacks
from airflow_stack.site import ENDED, SiteHome
from documents import REPOSITORY, SAMPLES
from processes import stage_process
from stack import Stack
from tradewind.run_dir import RunDir, run_path
from tradewind_airflow.local.run import DAG_ID, DagRun, set_paused, trigger
from tries import wait_for

ON_GPU_QUEUE = {"baseline", "adapt", "finetune", "evaluate"}
# Fine-tuning goes on while the baseline answers, and for some time after that.
RECIPE = """
split: {min_items: 2}
adapt: {enabled: false}
finetune: {num_train_epochs: 10, per_device_train_batch_size: 16, gradient_accumulation_steps: 1, max_length: 256,
           save_steps: 5, logging_steps: 1}
evaluate: {encoder: "embedded:all-MiniLM-L6-v2", max_new_tokens: 8}
"""
# As a site may decide for all its DAGs: the shipped one waits a minute before it tries again.
_POLICY = """
from datetime import timedelta

def task_policy(task):
    task.retry_delay = timedelta(seconds=1)
"""


@contextmanager
def celery_stack(broker: str, folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """A database, all of Airflow's parts, and the workers `cpu-1` and `gpu-1`, each with a cache of its own.

    Args:
        broker: the address of a Redis.
        settings: variables of all of them.
    """
    home = SiteHome(REPOSITORY, folder)
    home.password()
    (home.airflow / "config").mkdir()
    (home.airflow / "config" / "airflow_local_settings.py").write_text(_POLICY, encoding="utf-8")
    with ExitStack() as opened:
        database = opened.enter_context(stacks.postgres())
        stack = Stack(home, database, {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CELERY__BROKER_URL": broker,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
            "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "86400",
            "TRADEWIND_GPU_QUEUE": "gpu",
            "TRADEWIND_CPU_QUEUE": "cpu",
            **(settings or {}),
        })  # fmt: skip
        stack.run("db", "migrate")
        opened.callback(stack.stop)
        start_worker(stack, "cpu-1", "cpu,default")
        start_worker(stack, "gpu-1", "gpu")
        opened.enter_context(stacks.up(stack))
        yield stack


def start_worker(stack: Stack, name: str, queues: str) -> None:
    """A worker whose tasks Airflow shows under its name: all of these are on one host, and it keeps the user's name."""
    command = ["celery", "worker", "--queues", queues, "--celery-hostname", f"{name}@%h", "--concurrency", "2"]
    stack.start(name, *command, "--skip-serve-logs", "--without-mingle", "--without-gossip",
                LOGNAME=name, TRADEWIND_CACHE=str(cache_of(stack, name)))  # fmt: skip


def cache_of(stack: Stack, worker: str) -> Path:
    """The worker's own folder of a home in a bucket."""
    return stack.home.path / "caches" / worker


def task_of(run: DagRun, task_id: str) -> dict[str, Any]:
    """As Airflow's API tells it."""
    return next(task for task in run.tasks() if task["task_id"] == task_id)


def run_that_loses_a_worker(stack: Stack, runs_of_lost: Path, recipe: Path) -> DagRun:
    """A run of the shipped DAG whose fine-tuning loses its worker, and which another one of its queue ends.

    Args:
        runs_of_lost: the home as the lost worker sees it.
    """
    recipe.write_text(RECIPE, encoding="utf-8")
    set_paused(stack.server, False)
    run = trigger(stack.server, {"recipe": str(recipe), "data": str(SAMPLES["ko"]), "seed": 7})
    run_dir = run_path(runs_of_lost, DAG_ID, run.run_id)
    checkpoints = run_dir / ".finetune.work" / "checkpoints"
    wait_for(lambda: any(checkpoints.glob("*/verified.json")), "a verified checkpoint of finetune", 240)
    wait_for(lambda: task_of(run, "baseline")["state"] == "success", "the baseline is over")
    training = wait_for(lambda: stage_process("finetune", run_dir), "finetune trains")
    killed = stack.kill("gpu-1")
    assert any("finetune" in title for title in killed), killed
    wait_for(lambda: not training.is_running(), "the training ended with its worker")
    assert not RunDir(run_dir).result_file("finetune").exists()
    start_worker(stack, "gpu-2", "gpu")
    wait_for(lambda: run.state() in ENDED, f"{run.run_id} has ended; see {stack.home.airflow}", 300)
    return run


def check_who_did_what(run: DagRun) -> None:
    """Only a worker of a task's queue did it, and only the lost one's task was done again."""
    tasks = {task["task_id"]: task for task in run.tasks()}
    expected = dict.fromkeys(tasks, "success") | dict.fromkeys(
        ("extract", "adapt", "approve", "promote", "announce", "notify", "tell_promotion"), "skipped"
    )
    assert {name: task["state"] for name, task in tasks.items()} == expected
    ran = {name: task for name, task in tasks.items() if task["unixname"] not in (None, "") and task["pid"]}
    assert {"configure", "prepare", "report", "register", "notify"} | ON_GPU_QUEUE <= set(ran)
    for name, task in ran.items():
        assert task["queue"] == ("gpu" if name in ON_GPU_QUEUE else "cpu"), name
        assert task["try_number"] == (2 if name == "finetune" else 1), name
    who = {name: task["unixname"] for name, task in ran.items()}
    after = dict.fromkeys(("finetune", "evaluate"), "gpu-2")
    assert who == {name: "gpu-1" if name in ON_GPU_QUEUE else "cpu-1" for name in who} | after
