"""torchrun for one job on this machine: starts its processes, and all of them again where one is lost.

    python -m tradewind.training.agent WORK PROCESSES PARENT

A process of its own, which ends with the stage that started it, and its processes with it. Until they have ended it
keeps the stage's locks, which it was given as open files: nobody else takes their GPUs or the run's folder before.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import uuid
from pathlib import Path

from tradewind.lease import die_with_parent

RESTARTS = 3
"""How often the processes are started again; a training then goes on from its newest checkpoint."""
_PATIENCE = 10  # seconds to end in, after which a process is killed


def main() -> int:
    """Run the job; returns 0, or 1 once processes were lost too often."""
    work, processes, parent = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    die_with_parent(parent, signal.SIGTERM)  # which torchrun passes on
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr)
    # Loopback is enough on one machine, and without it the processes' ports are open to the network.
    for library in ("GLOO", "NCCL"):
        os.environ.setdefault(f"{library}_SOCKET_IFNAME", "lo")
    # A store that is shared by all tries does not survive the loss of a process.
    os.environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // processes)))
    with tempfile.TemporaryDirectory(prefix="tradewind-") as folder:
        return _run(work, processes, Path(folder))


def _run(work: Path, processes: int, folder: Path) -> int:
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint=str(folder / "agents"),
        rdzv_configs={"store_type": "file"},
        max_restarts=RESTARTS,
        monitor_interval=0.1,
        shutdown_timeout=_PATIENCE,
    )
    try:
        rank = ("-m", "tradewind.training.rank", work, os.getpid(), folder / "ranks")
        elastic_launch(config, sys.executable)(*map(str, rank))
    except ChildFailedError as error:
        rank, code = min(((rank, lost.exitcode) for rank, lost in error.failures.items()), key=_is_consequence)
        print(
            f"LOST process {rank} of {processes} ended by {_told(code)}, for the {RESTARTS + 1}. time", file=sys.stderr
        )
        return 1
    return 0


def _is_consequence(found: tuple[int, int]) -> int:
    """A process that was killed is the cause; others missed it and ended, or were ended by torchrun."""
    _, code = found
    return 2 if code == -signal.SIGTERM else int(code >= 0)


def _told(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    memory = " (most likely because memory was full: lower micro_batch_size)" if code == -signal.SIGKILL else ""
    return f"{signal.Signals(-code).name}{memory}"


if __name__ == "__main__":
    sys.exit(main())
