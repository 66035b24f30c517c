"""A running engine: started behind its keeper, waited for, heard, and ended."""

from __future__ import annotations

import http.client
import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

from tradewind.config.serve import ServeConfig
from tradewind.errors import GpuBusyError, UserError
from tradewind.serving.engines import LOOPBACK, launch
from tradewind.serving.keeper import Order
from tradewind.serving.target import Target

log = logging.getLogger("tradewind")
_POLL = 0.2
_LAST_LINES = 5
_KEEPER_GRACE = 10.0
"""Seconds beyond `stop_timeout` in which the keeper must have cleaned up."""


class EngineProcess:
    """One engine with one model."""

    def __init__(self, target: Target, config: ServeConfig, work: Path) -> None:
        """Start it, in the main thread: with the thread that starts it the kernel would end it.

        Args:
            work: an empty folder that lives as long as the engine.

        Raises:
            UserError: the engine is not installed.
        """
        self.target = target
        self.port = free_port()
        self._config = config
        self._launch = launch(target, config, self.port, work)
        order = Order(
            parent=os.getpid(), command=self._launch.command, cleanup=self._launch.cleanup, gpus=config.gpus,
            lease_dir=config.lease_dir or "", stop_timeout=config.stop_timeout,
        )  # fmt: skip
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self._process = subprocess.Popen(
            order.arguments(), env=dict(self._launch.environment), cwd=work, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace",
            start_new_session=True,  # a terminal's Ctrl-C is for the command, which ends the engine in order
        )  # fmt: skip
        self._reader = threading.Thread(target=self._pass_on, daemon=True)
        self._reader.start()

    @property
    def url(self) -> str:
        """Its address on this host."""
        return f"http://{LOOPBACK}:{self.port}/v1"

    def wait_until_healthy(self) -> None:
        """Return once the model is loaded.

        Raises:
            GpuBusyError: another process holds a GPU.
            UserError: the engine ended, or was not healthy in time.
        """
        deadline = time.monotonic() + self._config.timeout
        while not self._is_healthy():
            self.check_alive("before it was healthy")
            if time.monotonic() > deadline:
                raise UserError(
                    f"{self._config.engine}: not healthy after {self._config.timeout:g} s{self._said()}; "
                    "look at its lines above, or give it more with --timeout"
                )
            time.sleep(_POLL)

    def check_alive(self, when: str) -> None:
        """UserError with the engine's last line where it has ended."""
        code = self._process.poll()
        if code is None:
            return
        self._reader.join(_POLL)
        if code == GpuBusyError.exit_code and self._config.gpus:
            raise GpuBusyError(f"GPU {', '.join(self._config.gpus)}: held by another process; another GPU may be free")
        how = f"killed by {signal.Signals(code - 128).name}" if 128 < code < 160 else f"exit code {code}"
        raise UserError(f"{self._config.engine}: ended {when} ({how}){self._said()}")

    def stop(self) -> None:
        """End it, politely first, and return when nothing of it is left."""
        if self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(self._config.stop_timeout + _KEEPER_GRACE)
        with suppress(ProcessLookupError):  # the keeper leads a group, in which it leaves nothing unless it was killed
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join(_POLL)

    def _is_healthy(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=5)
        try:
            connection.request("GET", self._launch.health)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _pass_on(self) -> None:
        for line in self._process.stdout or ():
            text = line.rstrip()
            if text:
                log.info("%s: %s", self._config.engine, text)
                self._last.append(text)

    def _said(self) -> str:
        return f": {self._last[-1]}" if self._last else ""


def free_port() -> int:
    """A port of the loopback that nobody uses at this moment."""
    with socket.socket() as found:
        found.bind((LOOPBACK, 0))
        return int(found.getsockname()[1])
