"""`slack.json`: the run's thread, and what was told in it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from tradewind.files import write_atomically
from tradewind.results import Contract

_NAME = "slack.json"
log = logging.getLogger(__name__)


class Thread(Contract):
    """Where the run's first message stands; all others are replies to it."""

    schema_version: Literal[1] = 1
    channel: str
    """Slack's id of the channel, by which files are shared."""
    ts: str
    told: bool = False
    """Whether `notify` said how the run ended."""
    failures: tuple[str, ...] = ()
    """The failed tasks that were named, and those that the run did without."""
    asks: str | None = None
    """The version that waits for an approval."""


def read_thread(run_dir: Path) -> Thread | None:
    """What was kept; None where nothing was, or it cannot be read: then messages go to the channel."""
    try:
        return Thread.model_validate_json((run_dir / _NAME).read_bytes())
    except (OSError, ValidationError):
        return None


def write_thread(run_dir: Path, thread: Thread) -> None:
    """Keep it; a full disk must not hinder what is told."""
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        write_atomically(run_dir / _NAME, thread.model_dump_json(indent=1))
    except OSError as error:
        log.warning("%s: %s; later messages of this run go to the channel", run_dir / _NAME, error.strerror)
