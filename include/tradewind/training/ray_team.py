"""A job's processes on a Ray cluster: started by Ray Train, on one node or several, and all again where one is lost.

For a process that is itself a Ray job of that cluster; see docs/ray.md.
"""

from __future__ import annotations

import logging
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from tradewind.errors import TemporaryError, UserError
from tradewind.lease import worker_lock
from tradewind.team import Team
from tradewind.training.job import TrainJob, failure, read_job

log = logging.getLogger("tradewind")
RESTARTS = 3
"""How often the workers are started again; a training then goes on from its newest checkpoint."""
_OWN = "ray"
"""Ray Train's folder in the stage's work folder: what it proves by that all nodes share the storage."""


def ray_team(workers: int, *, use_gpu: bool, cpus_per_worker: int) -> Team:
    """So many workers, each with so many cores and, with `use_gpu`, a GPU; Ray chooses where.

    Raises:
        UserError: Ray is not installed, or this process is in no cluster.
    """
    os.environ.setdefault("RAY_TRAIN_ENABLE_PRINT_PATCH", "0")  # else each line would come twice
    try:
        import ray
    except ModuleNotFoundError:
        raise UserError("--ray-workers: Ray is not installed here; install `tradewind[train,ray]`") from None
    try:
        ray.init(address="auto", logging_level=logging.WARNING)
    except (ConnectionError, RuntimeError, ray.exceptions.RayError) as error:
        raise UserError(
            f"--ray-workers: no Ray cluster takes this process ({_line(error)}); start the stage as a Ray job"
        ) from error
    each: dict[str, float] = {"CPU": cpus_per_worker, **({"GPU": 1} if use_gpu else {})}
    _tell_of_lack(workers, each, ray.cluster_resources())
    return Team(workers, "cuda" if use_gpu else "cpu", partial(launch_on_ray, workers=workers, each=each))


def launch_on_ray(work: Path, workers: int, each: dict[str, float]) -> None:
    """Run the job in a stage's work folder by Ray Train; what its workers say comes to this process's output.

    Args:
        work: on storage that all nodes name alike.
        each: what one worker takes of a node, by Ray's names.

    Raises:
        UserError: what a worker found the user has to mend.
        TemporaryError: a worker was lost more often than all are started again, or a node does not see `work`.
    """
    from ray.train.v2.api.exceptions import TrainingFailedError

    try:
        _fit(work, workers, each)
    except TrainingFailedError as error:
        raise failure(work) or TemporaryError(
            f"the {workers} workers ended for the {RESTARTS + 1}. time: {_line(error)}; start the stage again: "
            "a training goes on from its newest checkpoint"
        ) from error
    finally:
        shutil.rmtree(work / _OWN, ignore_errors=True)
    told = failure(work)
    if told is not None:
        raise told


def _fit(work: Path, workers: int, each: dict[str, float]) -> None:
    """Who train talk to each other; who answer know of no other, and see of a node's GPUs their own."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

    use_gpu = "GPU" in each
    settings: dict[str, Any] = {
        "scaling_config": ScalingConfig(num_workers=workers, use_gpu=use_gpu, resources_per_worker=each),
        "run_config": RunConfig(
            name="train", storage_path=str(work / _OWN), failure_config=FailureConfig(max_failures=RESTARTS)
        ),
    }
    if isinstance(read_job(work), TrainJob):
        backend = TorchConfig(backend="cpu:gloo,cuda:nccl" if use_gpu else "gloo")
        TorchTrainer(partial(_work, str(work)), torch_config=backend, **settings).fit()
    else:
        DataParallelTrainer(partial(_work, str(work)), **settings).fit()


def _work(folder: str) -> None:
    """What each worker does."""
    from ray.train import get_context

    from tradewind.training.rank import serve

    own = get_context()
    place = {"WORLD_SIZE": own.get_world_size(), "RANK": own.get_world_rank(), "LOCAL_RANK": own.get_local_rank()}
    os.environ |= {name: str(number) for name, number in place.items()}
    work = Path(folder)
    with worker_lock(work):
        if failure(work) is not None:
            return  # Ray Train starts all again, whatever it was that ended one of them
        if code := serve(work):
            # It ends the others, too, which would wait for this one.
            raise RuntimeError(str(failure(work) or f"the worker ended with {code}"))


def _tell_of_lack(workers: int, each: dict[str, float], there: dict[str, Any]) -> None:
    """A cluster may grow, so that a stage which is too large for it waits; the log says for what."""
    for name, amount in each.items():
        if workers * amount > there.get(name, 0):
            log.warning(
                "%d workers need %g %s, the cluster has %g: the stage waits until it has more",
                workers, workers * amount, name, there.get(name, 0),
            )  # fmt: skip


def _line(error: BaseException) -> str:
    """The last line of an error, which is the first cause's where it holds a traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:500] if lines else type(error).__name__
