"""Shares of a split that do for documents which the stated ones are too large or too small for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import product

from tradewind.config import SplitConfig
from tradewind.kinds import KINDS, Kind

_LARGER = (0.15, 0.2, 0.25, 0.3, 0.4, 0.5)


def proposal(config: SplitConfig, small: Collection[Kind], does: Callable[[SplitConfig], bool]) -> str | None:
    """The nearest split that `does`, as YAML: as many kinds as can be, each with as small a share as will do.

    Args:
        small: the kinds that hold out too little as stated.
    """
    for shares in sorted(_candidates(config, small), key=lambda shares: (shares.count(0), sum(shares))):
        if does(config.model_copy(update=dict(zip(KINDS, shares, strict=True)))):
            return f"split: {{{', '.join(f'{kind}: {share:g}' for kind, share in zip(KINDS, shares, strict=True))}}}"
    return None


def _candidates(config: SplitConfig, small: Collection[Kind]) -> Iterator[tuple[float, ...]]:
    """Every combination of shares that holds something out; larger ones only of what is too small."""
    choices = []
    for kind in KINDS:
        stated = getattr(config, kind)
        larger = [share for share in _LARGER if share > stated] if kind in small else [stated]
        choices.append({0.0, *larger} if stated else {0.0})
    return (shares for shares in product(*choices) if any(shares))
