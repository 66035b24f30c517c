"""The training pairs by which the trials of a sweep are compared.

They are drawn from what would else be trained on. The report's held-out questions have no say: the best of many by
those questions would be so by luck as well, and the same questions could not show any more how good it is.

What is asked of the model later is a trained fact in other words, so pairs are drawn of which the fact stays in
training in another wording, as far as there are such. On facts that it never met a model that has learnt its own
well has a *higher* loss, and the sweep would choose the one that learnt least.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tradewind.config import SweepConfig
from tradewind.errors import UserError

Pair = dict[str, Any]


def hold_out(pairs: Sequence[Pair], config: SweepConfig, seed: int) -> tuple[list[Pair], list[Pair]]:
    """What a trial trains on, and what it is judged by: the same for all trials of a run.

    Drawn by a hash of each pair's id, so that documents that are added leave nearly all others where they were.

    Raises:
        UserError: there are too few.
    """
    count = max(config.min_pairs, round(len(pairs) * config.validation))
    if 2 * count > len(pairs):
        raise UserError(
            f"sweep.min_pairs: {len(pairs)} training pairs are too few to compare trials by {count} of them; "
            "add documents, or lower it"
        )
    left = Counter(pair["fact_id"] for pair in pairs)
    reworded: list[int] = []
    others: list[int] = []
    for place in sorted(range(len(pairs)), key=lambda place: _lot(pairs[place], seed)):
        fact = pairs[place]["fact_id"]
        (reworded if left[fact] > 1 else others).append(place)
        left[fact] -= 1
    held = set((reworded + others)[:count])
    return (
        [pair for place, pair in enumerate(pairs) if place not in held],
        [pair for place, pair in enumerate(pairs) if place in held],
    )


def _lot(pair: Pair, seed: int) -> str:
    return hashlib.sha256(f"{seed} {pair['id']}".encode("utf-8", "surrogateescape")).hexdigest()
