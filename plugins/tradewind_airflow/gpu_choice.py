"""The GPUs that one task gets: chosen when it runs, waited for without spending a retry."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from airflow.sdk.exceptions import AirflowException

from tradewind.errors import GpuBusyError
from tradewind_airflow import gpus as hosts
from tradewind_airflow.gpus import Gpu
from tradewind_airflow.stop_request import StopRequest

log = logging.getLogger("tradewind_airflow")
_PAUSE = 1.0
_TOLD_EVERY = 300.0


class GpuChoice:
    """Choose, as often as it takes; the lock that decides is the stage's own."""

    def __init__(self, count: int, stop: StopRequest, busy: str = "the task", processes: int = 1) -> None:
        """Take note of the host's GPUs.

        Args:
            count: how many the task needs.
            stop: requested when the task is to end.
            busy: who waits, for the log.
            processes: that share them.

        Raises:
            UserError: the host has fewer.
        """
        self.count = count
        self.processes = processes
        self.leases: Path | None = hosts.lease_dir() if count else None
        self._gpus = hosts.inventory() if count else ()
        self._who = busy
        self._stop = stop
        self._told = -_TOLD_EVERY
        hosts.check_count(count, self._gpus)

    def take(self) -> list[Gpu]:
        """Wait until enough GPUs are free and return them, or an empty list where none are needed.

        Raises:
            AirflowException: the task was stopped while it waited.
        """
        if self.leases is None:
            return []
        while not (chosen := hosts.free_gpus(self.count, self._gpus, self.leases)):
            if time.monotonic() - self._told >= _TOLD_EVERY:
                self._told = time.monotonic()
                log.info("%s: waits for %d of %d GPUs; others hold them", self._who, self.count, len(self._gpus))
            if self._stop.wait(_PAUSE):
                raise AirflowException(f"{self._who}: stopped while it waited for a GPU")
        return chosen

    def was_taken(self, exit_code: int) -> bool:
        """Whether the stage ended because another was faster at its GPU, so that another choice is due."""
        return exit_code == GpuBusyError.exit_code and self.count > 0 and not self._stop.requested

    def arguments(self, chosen: Sequence[Gpu]) -> list[str]:
        """What tells `tradewind` to hold these GPUs, and how many processes share them."""
        if not chosen:
            return []
        shared = ["--processes", str(self.processes)] if self.processes > 1 else []
        return ["--lease-dir", str(self.leases), *(part for gpu in chosen for part in ("--gpu", gpu.id)), *shared]

    def process_environment(self, chosen: Sequence[Gpu]) -> dict[str, str]:
        """What shows a process on the host these GPUs only."""
        return hosts.process_environment(chosen, self._gpus)
