"""How much memory a process has needed at most, so that a stage can be given as much."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


def host_peak() -> int:
    """Bytes of main memory that this process held at most, since its program began.

    `getrusage` knows it everywhere, but counts on from the process that started this one: a worker of 500 MB would
    make each of its stages look as large.
    """
    try:
        found = _PEAK.search(_STATUS.read_text(encoding="ascii"))
    except OSError:
        found = None
    if found is not None:
        return int(found[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def gpu_peak() -> int | None:
    """Bytes of all GPUs together that torch's tensors took at most; None where this process used no GPU."""
    torch = sys.modules.get("torch")  # not imported for this question alone
    if torch is None or not torch.cuda.is_initialized():
        return None
    return int(sum(torch.cuda.max_memory_allocated(device) for device in range(torch.cuda.device_count())))
