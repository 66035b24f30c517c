"""Keys and values of rows that come and go, in memory that is taken once.

transformers' growing cache copies all of itself for each token, and rows of it end together. Here every row has a
place in one buffer a layer. The rows' newest tokens stand in one column, so that a step writes one column for all of
them; a row's older tokens reach back from there as far as its own length. A row that has ended leaves its place to
another at once, and the columns that no row reaches any more are not computed with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from transformers import Cache, DynamicCache
from transformers.cache_utils import CacheLayerMixin


@dataclass
class Span:
    """Which part of the buffers is in use: places up to `rows`, columns from `start` to before `end`."""

    rows: int = 0
    start: int = 0
    end: int = 0


class RowLayer(CacheLayerMixin):
    """One layer's keys and values, each of shape (places, heads, columns, size)."""

    def __init__(self, span: Span, places: int, capacity: int) -> None:
        super().__init__()
        self.span, self.places, self.capacity = span, places, capacity

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Take the memory, which a system gives as it is used."""
        shape = (self.places, key_states.shape[1], self.capacity, key_states.shape[3])
        self.keys, self.values = key_states.new_empty(shape), value_states.new_empty(shape)
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write one token of each row into the next column; returns all columns in use, the new one included."""
        span = self.span
        self.keys[: span.rows, :, span.end] = key_states[:, :, 0]
        self.values[: span.rows, :, span.end] = value_states[:, :, 0]
        columns = slice(span.start, span.end + 1)
        return self.keys[: span.rows, :, columns], self.values[: span.rows, :, columns]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """How many columns the mask has, and where it begins."""
        return self.get_seq_length() + query_length, 0

    def get_seq_length(self) -> int:
        """The columns in use."""
        return self.span.end - self.span.start

    def get_max_length(self) -> int:
        """The columns that there are."""
        return self.capacity


class RowCache(Cache):
    """The cache of all layers, and which columns each row may see."""

    def __init__(self, layers: int, places: int, capacity: int, device: torch.device) -> None:
        self.span = Span()
        self.capacity = capacity
        self.seen = torch.zeros(places, capacity, dtype=torch.bool, device=device)
        """Of shape (places, columns): which columns are a row's own."""
        super().__init__(layers=[RowLayer(self.span, places, capacity) for _ in range(layers)])

    def mask(self) -> torch.Tensor:
        """What the next token of each row may see, itself included: shape (rows, columns in use + 1)."""
        span = self.span
        if span.end == self.capacity:
            self._to_the_front()
        self.seen[: span.rows, span.end] = True
        return self.seen[: span.rows, span.start : span.end + 1]

    def advance(self, longest: int) -> None:
        """A column has been written; the longest row has `longest` tokens, and columns before those are left out."""
        self.span.end += 1
        self.span.start = max(self.span.end - longest, 0)

    def admit(self, prompts: DynamicCache, mask: torch.Tensor) -> None:
        """Give the rows that `prompts` holds the next places, their last tokens in the column of the others' last.

        Args:
            mask: which of their columns are tokens, of shape (rows, columns); no more columns than are in use where
                there are other rows.
        """
        span, (count, width) = self.span, mask.shape
        if span.rows == 0:
            span.end = width
            span.start = 0
        places, columns = slice(span.rows, span.rows + count), slice(span.end - width, span.end)
        for own, other in zip(self.layers, prompts.layers, strict=True):
            if not own.is_initialized:
                own.lazy_initialization(other.keys, other.values)
            for states, new in ((own.keys, other.keys), (own.values, other.values)):
                states[places, :, columns] = new
                states[places, :, span.start : columns.start] = 0  # what a mask leaves out must still be a number
        self.seen[places] = False
        self.seen[places, columns] = mask
        span.rows += count

    def keep(self, rows: int, moved: dict[int, int]) -> None:
        """Keep the first `rows` places, after the rows in the places `moved` have been moved to others (from: to)."""
        span = self.span
        if moved:
            sources = torch.tensor(list(moved), device=self.seen.device)
            targets = torch.tensor(list(moved.values()), device=self.seen.device)
            columns = slice(span.start, span.end)
            for layer in self.layers:
                for states in (layer.keys, layer.values):
                    states[targets, :, columns] = states[sources, :, columns]
            self.seen[targets] = self.seen[sources]
        span.rows = rows

    def _to_the_front(self) -> None:
        """The last column is full: what is in use moves to the first ones."""
        span = self.span
        width = span.end - span.start
        for layer in self.layers:
            for states in (layer.keys, layer.values):
                states[: span.rows, :, :width] = states[: span.rows, :, span.start : span.end].clone()
        self.seen[:, :width] = self.seen[:, span.start : span.end].clone()
        span.start, span.end = 0, width
