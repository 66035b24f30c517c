"""Which of several processes this one is, by what torchrun and Ray Train put into its environment."""

from __future__ import annotations

import os
from dataclasses import dataclass

from tradewind.errors import UserError


@dataclass(frozen=True)
class Place:
    """One of `size` processes."""

    size: int
    rank: int
    local_rank: int
    """Among those of the same machine."""

    @classmethod
    def of_environment(cls, processes: int) -> Place:
        """Where a job for so many processes is to be done.

        Raises:
            UserError: they are not as many: each would then do a part that is not its own, or all of it.
        """
        size, rank, local = (int(os.environ.get(name, "-1")) for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"))
        if size != processes or not 0 <= rank < size or local < 0:
            found = "no launcher says how many there are" if size < 0 else f"the launcher started {size}"
            raise UserError(f"the job is for {processes} processes, but {found} (WORLD_SIZE); start its stage again")
        return cls(size, rank, local)


def forget() -> None:
    """Let libraries take this process for one that is alone."""
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        os.environ.pop(name, None)


def see_one_gpu(place: Place) -> None:
    """Of this machine's GPUs leave the process its own; before torch has looked for them."""
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        visible = [gpu for gpu in os.environ.get(name, "").split(",") if gpu]
        if visible:
            os.environ[name] = visible[place.local_rank % len(visible)]
            return
    os.environ["CUDA_VISIBLE_DEVICES"] = str(place.local_rank)
