"""A stage's process: it ends when its supervisor does, and its output becomes log lines."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tradewind.shard import WHOLE, Shard
from tradewind_airflow.last_words import KEPT_LINES, own_words

# Of no use to a stage, and some of it secret: Airflow's connections, settings and the Slack token.
_NOT_FOR_STAGES = ("AIRFLOW_CONN_", "AIRFLOW_VAR_", "AIRFLOW__", "_AIRFLOW_", "SLACK_TOKEN")
_TERMINATION_GRACE = 10.0


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit code (negative: the signal that killed it), and its last lines."""

    returncode: int
    last_lines: tuple[str, ...]

    def why(self, *, stopped: bool) -> str:
        """One line for the user: the command's own, where it gave one.

        Args:
            stopped: the task was told to end, and its child with it.
        """
        if self.returncode == -signal.SIGKILL and not stopped:
            return (
                "killed by SIGKILL, most likely because the worker's memory was full: give it more, or lower the "
                "recipe's batch sizes (micro_batch_size, per_device_eval_batch_size); a training goes on "
                "from its newest checkpoint in a retry, or once the task is cleared"
            )
        if self.returncode < 0:
            return f"killed by {signal.Signals(-self.returncode).name}"
        return own_words(self.last_lines)


class StageProcess:
    """`python -m tradewind ...` as a child of this process."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self.arguments = [sys.executable, "-m", "tradewind", *arguments, "--die-with-parent", str(os.getpid())]
        self.environment = stage_environment(os.environ) | dict(environment)
        self._process: subprocess.Popen[str] | None = None

    def run(self, log: Callable[[str], None]) -> Ended:
        """Start the child, pass each line it prints to `log`, and wait for its end."""
        last: deque[str] = deque(maxlen=KEPT_LINES)
        with subprocess.Popen(
            self.arguments,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as process:
            self._process = process
            for line in process.stdout or ():
                text = line.rstrip()
                if text:
                    log(text)
                    last.append(text)
        return Ended(process.returncode, tuple(last))

    def stop(self) -> None:
        """End the child: first politely, then by force."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(_TERMINATION_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()


def stage_environment(own: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without what a stage must not see."""
    return {name: value for name, value in own.items() if not name.startswith(_NOT_FOR_STAGES)}


def command_line(stage: str, config: Path, run_dir: Path, flags: Sequence[str], shard: Shard) -> list[str]:
    """The arguments of `tradewind` for one stage of one run."""
    part = [] if shard == WHOLE else ["--shard", str(shard)]
    return [stage, "--config", str(config), "--run-dir", str(run_dir), *part, *flags]
