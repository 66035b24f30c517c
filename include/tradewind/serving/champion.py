"""Who is champion, looked for again and again."""

from __future__ import annotations

import threading
import time

from tradewind.errors import UserError
from tradewind.registry.store import Registry

_EVERY = 30.0
"""Seconds between two looks into a bucket: each costs some ten requests, and a champion changes once a night."""


class Champion:
    """The champion of a pipeline's models, on a disk or in a bucket."""

    def __init__(self, registry: Registry, every: float = _EVERY) -> None:
        self.registry = registry
        self._every = every
        self._due = time.monotonic() + every  # whoever names a bucket's models has just had them come
        self._look: threading.Thread | None = None
        self._fault: Exception | None = None

    def name(self) -> str | None:
        """Its name, of a bucket's as the last look found it; waits for no server.

        Raises:
            UserError: something in the registry is damaged, or a look at the bucket came to nothing.
            OSError: what it found could not be written here.
        """
        if self._look is not None and not self._look.is_alive():
            self._look, self._due = None, time.monotonic() + self._every
            fault, self._fault = self._fault, None
            if fault is not None:
                raise fault
        if self._look is None and time.monotonic() >= self._due and self.registry.mirror is not None:
            # Beside the service, which has to see that its engine is alive: a bucket may be silent for minutes.
            self._look = threading.Thread(target=self._refresh, daemon=True)
            self._look.start()
        return self.registry.champion_name()

    def name_now(self) -> str | None:
        """Its name at this moment.

        Raises:
            UserError: as `name`.
            TemporaryError: the bucket does not answer.
        """
        self.registry.refresh(wait=True)
        return self.registry.champion_name()

    def _refresh(self) -> None:
        try:
            self.registry.refresh()
        except (UserError, OSError) as error:
            self._fault = error
