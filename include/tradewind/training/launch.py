"""A job's processes on this machine, from the stage's point of view: started, heard, and ended with it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from tradewind.errors import TemporaryError, UserError
from tradewind.lease import held_files
from tradewind.log_line import log_line
from tradewind.team import Team
from tradewind.training.job import failure

log = logging.getLogger("tradewind")
_LOST = "LOST "


def local_team(processes: int, gpus: int) -> Team:
    """So many processes of this machine, each on a GPU of its own, or on a machine without one on its share of the CPU.

    Args:
        gpus: how many were leased for them.

    Raises:
        UserError: torch does not see as many.
    """
    import torch

    seen = torch.cuda.device_count()
    if (gpus != seen and gpus) or 0 < seen < processes:
        raise UserError(
            f"--processes {processes}: {gpus or processes} GPUs are for them, but torch sees {seen}; let it see these "
            "(CUDA_VISIBLE_DEVICES), or install a torch for this GPU"
        )
    return Team(processes, "cuda" if seen else "cpu", partial(launch, processes=processes))


def launch(work: Path, processes: int) -> None:
    """Run the job in a stage's work folder by torchrun; what its processes say goes to this one's log.

    Raises:
        UserError: what one of them found the user has to mend.
        TemporaryError: one was lost more often than it is started again.
    """
    locks = held_files()
    command = [sys.executable, "-m", "tradewind.training.agent", str(work), str(processes), str(os.getpid())]
    lost = ""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=locks,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as agent:
        for line in agent.stdout or ():
            text = line.rstrip()
            if text.startswith(_LOST):
                lost = text.removeprefix(_LOST)
            elif text:
                log_line(log, text)
    if agent.returncode == 0:
        return
    told = failure(work)
    if told is not None:
        raise told
    raise TemporaryError(
        f"{lost or f'the launcher of {processes} processes ended with {agent.returncode}'}; "
        "start the stage again: a training goes on from its newest checkpoint"
    )
