"""What a held-out question can show, by what of its record is trained on.

- *reworded*: the fact is in the training pairs, this wording of the question is not.
- *read*: the record's text is in the pretraining corpus, none of its pairs is trained on.
- *unseen*: neither. Other records may still speak of the same matter in words of their own.
"""

from __future__ import annotations

from typing import Literal

Kind = Literal["reworded", "read", "unseen"]
KINDS: tuple[Kind, ...] = ("reworded", "read", "unseen")
