"""A fair sample of a stream whose end is not known."""

from __future__ import annotations

import random
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Reservoir(Generic[Item]):
    """Keeps `size` items, each of those offered with the same chance (Vitter 1985, algorithm R)."""

    def __init__(self, size: int, seed: str) -> None:
        self.items: list[Item] = []
        self.offered = 0
        self._size = size
        self._random = random.Random(seed)

    def offer(self, item: Item) -> None:
        """Take the next item of the stream, perhaps in the place of one before it."""
        self.offered += 1
        if len(self.items) < self._size:
            self.items.append(item)
        else:
            place = self._random.randrange(self.offered)
            if place < self._size:
                self.items[place] = item
