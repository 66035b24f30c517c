"""The machine's memory, as far as this process may have it."""

from __future__ import annotations

import os
from pathlib import Path

LIMITS = (  # of a control group, version 2, then 1: what it allows, and what it uses
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)
_MEMINFO = Path("/proc/meminfo")


def total_bytes() -> int:
    """Of the machine, or of this process's container where that is less."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *(limit for path, _ in LIMITS if (limit := _number(path)) is not None)])


def free_bytes() -> int:
    """What may still be taken without anything being killed."""
    found = [total_bytes() if (available := _available()) is None else available]
    for path, used in LIMITS:
        limit, taken = _number(path), _number(used)
        if limit is not None and taken is not None:
            found.append(limit - taken)
    return max(min(found), 0)


def _number(path: Path) -> int | None:
    """None where the file is not there or says `max`, as version 2 does without a limit."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _available() -> int | None:
    lines = _MEMINFO.read_text(encoding="ascii").splitlines() if _MEMINFO.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)
