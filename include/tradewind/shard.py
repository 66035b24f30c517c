"""A part of a stage's work that a task of its own does."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tradewind.errors import UserError


@dataclass(frozen=True)
class Shard:
    """The `index`-th of `count` parts, from 1; every `count`-th piece of work belongs to it."""

    index: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """`2/8`; UserError for anything else."""
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise UserError(f"shard '{text}': write INDEX/COUNT, from 1, such as 2/8")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def folder(self, stage: str) -> str:
        """What a stage's folder in the run is called: the whole work has the stage's own name."""
        return stage if self.count == 1 else f"{stage}-{self.index}-of-{self.count}"

    def holds(self, position: int) -> bool:
        """Whether the piece of work at this position, from 0, is this part's."""
        return position % self.count == self.index - 1


WHOLE = Shard()
DIVIDED = ("extract", "finetune")
"""The stages that have shards: parts of the work, and trials of a sweep."""
