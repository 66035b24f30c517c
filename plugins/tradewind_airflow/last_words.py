"""What a stage said last: the reason of its end."""

from __future__ import annotations

from collections.abc import Sequence

KEPT_LINES = 20
_OWN = "tradewind: "


def own_words(last_lines: Sequence[str]) -> str:
    """The command's own line for the user where it gave one, else its last."""
    own = [line for line in last_lines if line.startswith(_OWN)]
    return own[-1].removeprefix(_OWN) if own else (list(last_lines) or ["no output"])[-1]
