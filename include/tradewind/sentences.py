"""Where sentences end."""

from __future__ import annotations

import re

# After a full stop a new sentence needs white space ("1.5 %" goes on), after its East Asian form it needs none.
_END = re.compile(r"(?<=[.!?])\s+|(?<=[.!?][\"'”’)\]])\s+|(?<=[。！？])\s*")


def sentences(text: str) -> list[str]:
    """The sentences of a text in order, without the white space between them."""
    return [part for part in _END.split(text) if part]
