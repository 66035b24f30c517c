"""A process's share of each step's examples: together the processes train on those that one alone would, in each step.

Accelerate's own division fills the last step of an epoch up with examples of its beginning; this one leaves it short.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from math import ceil
from typing import Any, Protocol

from torch.utils.data import Dataset, Sampler

BLANK = -1
"""In the place of an example where a process has none."""


class Order(Protocol):
    """The order of all examples, decided by seed and epoch alone, so that it is the same in every process."""

    def __iter__(self) -> Iterator[int]: ...

    def __len__(self) -> int: ...

    def set_epoch(self, epoch: int) -> None:
        """Which epoch's order is to come."""


class StepShares(Sampler[list[int]]):
    """Batches of one of `size` processes: each has equally many of them, in the last step smaller ones or blanks."""

    def __init__(self, order: Order, *, share: int, micro: int, size: int, rank: int) -> None:
        """Take how many of a full step's examples each has, `share`, and how many it computes at once, `micro`."""
        self.order, self.share, self.micro, self.size, self.rank = order, share, micro, size, rank

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer at the start of each epoch."""
        self.order.set_epoch(epoch)

    def __len__(self) -> int:
        full, left = divmod(len(self.order), self.share * self.size)
        return full * ceil(self.share / self.micro) + ceil(ceil(left / self.size) / self.micro)

    def __iter__(self) -> Iterator[list[int]]:
        for step in _steps(self.order, self.share * self.size):
            most = ceil(len(step) / self.size)
            own = step[self.rank * most : (self.rank + 1) * most]
            for start in range(0, most, self.micro):
                yield own[start : start + self.micro] or [BLANK]


def _steps(order: Order, count: int) -> Iterator[list[int]]:
    examples = iter(order)
    while step := list(islice(examples, count)):
        yield step


class WithBlank(Dataset[Any]):
    """Rows, and one more that nothing can be learnt from."""

    def __init__(self, rows: Sequence[dict[str, Any]], ignored: int) -> None:
        self.rows, self.ignored = rows, ignored

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        if index != BLANK:
            return self.rows[index]
        row = self.rows[0]
        return row | {"labels": [self.ignored] * len(row["labels"])}
