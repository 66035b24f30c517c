"""Examples of one row in groups of like length, each computed as one product."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

WORTH_A_GROUP = 100 * 100
"""Scores of padding that cost about as much as one more group's dozens of small operations: measured on two cores."""


@dataclass(frozen=True)
class Group:
    """Some of a row's examples, padded on the right to the longest of them."""

    lengths: tuple[int, ...]
    only: slice | None
    """Where its one example stands; None where there are several."""
    tokens: Tensor
    """Shape (examples x width,): which token of the row stands there; in padding, some token of the row."""
    kept: Tensor
    """Which of `tokens` are no padding."""
    padding: Tensor
    """Which are."""
    real: Tensor
    """`tokens` of these."""

    @property
    def width(self) -> int:
        """Tokens of the longest."""
        return self.lengths[0]


def like_lengths(positions: Tensor) -> list[Group]:
    """The groups of a row.

    Args:
        positions: shape (tokens,); they begin with 0 at each example.
    """
    begins = torch.nonzero(positions == 0).flatten().tolist()
    ends = [*begins[1:], len(positions)]
    longest_first = sorted(zip(begins, ends, strict=True), key=lambda example: example[0] - example[1])
    groups: list[list[tuple[int, int]]] = []
    spare = 0
    for begin, end in longest_first:
        if groups:
            width = groups[-1][0][1] - groups[-1][0][0]
            spare -= width**2 - (end - begin) ** 2
        if not groups or spare < 0:
            groups.append([])
            spare = WORTH_A_GROUP
        groups[-1].append((begin, end))
    return [_group(examples, positions.device) for examples in groups]


def _group(examples: list[tuple[int, int]], device: torch.device) -> Group:
    begins = torch.tensor([begin for begin, _ in examples], device=device)[:, None]
    lengths = torch.tensor([end - begin for begin, end in examples], device=device)[:, None]
    steps = torch.arange(int(lengths[0]), device=device)[None]
    tokens = (begins + steps.minimum(lengths - 1)).flatten()
    is_real = (steps < lengths).flatten()
    kept, padding = torch.nonzero(is_real).flatten(), torch.nonzero(~is_real).flatten()
    only = slice(*examples[0]) if len(examples) == 1 else None
    return Group(tuple(lengths.flatten().tolist()), only, tokens, kept, padding, tokens[kept])
