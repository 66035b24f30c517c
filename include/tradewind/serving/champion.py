"""Who is champion, looked for again and again."""

from __future__ import annotations

import time

from tradewind.registry.store import Registry

_EVERY = 30.0
"""Seconds between two looks into a bucket, each of which is a few requests that cost money."""


class Champion:
    """The champion of a pipeline's models, on a disk or in a bucket."""

    def __init__(self, registry: Registry, every: float = _EVERY) -> None:
        self.registry = registry
        self._every = every
        self._due = time.monotonic() + every  # whoever names a bucket's models has just had them come

    def name(self) -> str | None:
        """Its name, half a minute old at most.

        Raises:
            UserError: the bucket refuses, something in the registry is damaged.
            TemporaryError: the bucket does not answer.
        """
        if time.monotonic() >= self._due:
            return self.name_now()
        return self.registry.champion_name()

    def name_now(self) -> str | None:
        """Its name at this moment; raises as `name`."""
        self._due = time.monotonic() + self._every  # also where this fails: a bucket that is away is left in peace
        self.registry.refresh()
        return self.registry.champion_name()
