"""What another process of ours says, passed on to this one's log."""

from __future__ import annotations

import logging
from typing import Any

_LEVELS = {"INFO": logging.INFO, "WARNING": logging.WARNING, "ERROR": logging.ERROR}


def log_line(log: Any, line: str) -> None:
    """A line, at the level that it begins with."""
    level, _, text = line.partition(" ")
    log.log(_LEVELS.get(level, logging.INFO), "%s", text if level in _LEVELS else line)
