"""The most memory that was used of a GPU while something ran, whichever process used it."""

from __future__ import annotations

import shutil
import subprocess
import threading
from types import TracebackType

_EVERY = 0.25
_QUERY = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]


class GpuMemory:
    """Asks `nvidia-smi` now and then; without one it knows nothing."""

    def __init__(self) -> None:
        self.most_mib: float | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> GpuMemory:
        if shutil.which(_QUERY[0]):
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY):
            found = subprocess.run(_QUERY, capture_output=True, text=True, check=False).stdout.split()
            if found:
                self.most_mib = max(self.most_mib or 0.0, float(found[0]))
