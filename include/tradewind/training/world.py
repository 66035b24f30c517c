"""The processes that train together, as one of them sees them; what the stack falls back to in silence is refused."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist

from tradewind.errors import UserError
from tradewind.team import Device
from tradewind.training.place import Place

Made = TypeVar("Made")
_PATIENCE = timedelta(minutes=30)  # the others wait while the first measures, or writes a checkpoint


@dataclass(frozen=True)
class World:
    """How many processes there are, and which of them this one is."""

    size: int = 1
    rank: int = 0
    local_rank: int = 0
    """Among those of the same machine."""
    device: Device | None = None
    """What each computes on; None: of one process, whatever is there."""

    @classmethod
    def of_environment(cls, processes: int, device: Device) -> World:
        """As torchrun and Ray Train tell it.

        Raises:
            UserError: it is not what the job was made for.
        """
        place = Place.of_environment(processes)
        if device == "cuda" and torch.cuda.device_count() <= place.local_rank:
            raise UserError(
                f"the job is for {processes} GPUs, but torch sees {torch.cuda.device_count()} on this machine; "
                "install torch for this GPU, or ask for fewer"
            )
        return cls(place.size, place.rank, place.local_rank, device)

    @property
    def is_first(self) -> bool:
        """Whether this process writes what is written once."""
        return self.rank == 0

    @property
    def torch_device(self) -> torch.device:
        """What this process computes on."""
        if self.device is None:
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return torch.device("cuda", self.local_rank) if self.device == "cuda" else torch.device("cpu")

    def join(self, store: str = "") -> None:
        """Meet the others, where the launcher (Ray Train) has not brought them together already.

        Args:
            store: a file that does not exist, by which they find each other without a port that is open to all;
                without one by `MASTER_ADDR` and `MASTER_PORT`.

        Raises:
            UserError: others are there than were announced.
        """
        if self.device == "cuda":
            torch.cuda.set_device(self.local_rank)
        if not dist.is_initialized():
            backend = "cpu:gloo,cuda:nccl" if self.device == "cuda" else "gloo"
            where = f"file://{store}" if store else None
            dist.init_process_group(backend, init_method=where, world_size=self.size, rank=self.rank, timeout=_PATIENCE)
        if (dist.get_world_size(), dist.get_rank()) != (self.size, self.rank):
            raise UserError(
                f"process {self.rank} of {self.size} met {dist.get_world_size()} processes and is the "
                f"{dist.get_rank()}. of them; start the stage again"
            )

    def leave(self) -> None:
        """Part from the others, once nothing that talks to them is left."""
        with suppress(ValueError, AssertionError):  # parted already
            dist.destroy_process_group()

    def agree(self, make: Callable[[], Made]) -> Made:
        """What the first process makes, for all: measurements differ from one to the other."""
        if self.size == 1:
            return make()
        made: list[Made | None] = [make() if self.is_first else None]
        dist.broadcast_object_list(made)
        return made[0]  # type: ignore[return-value]

    def wait(self) -> None:
        """Until all are here."""
        if self.size > 1:
            dist.barrier()

    def gathered(self, value: Made) -> list[Made]:
        """Everyone's, in the order of their ranks."""
        if self.size == 1:
            return [value]
        found: list[Made | None] = [None] * self.size
        dist.all_gather_object(found, value)
        return found  # type: ignore[return-value]


ALONE = World()
