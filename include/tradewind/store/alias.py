"""Who is served, of a registry in a bucket: numbered objects, each of which holds the whole of `serving.jsonl`.

A number is whoever's is first to create it, so of two servers that move the alias at once one looks again at what
the other has written. The newest hundred objects stay: a number does not become free again while somebody, who listed
them before, is about to create it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from tradewind.errors import TemporaryError, UserError
from tradewind.store.bucket import TakenError
from tradewind.store.checked import read_sealed
from tradewind.store.manifest import sealed
from tradewind.store.mirror import Mirror
from tradewind.store.upload import number_of

log = logging.getLogger("tradewind")
_KEPT = 100
_AGAIN = 10


def read_alias(mirror: Mirror, models: Path) -> str:
    """The text as it is in the bucket; empty where nobody was ever served.

    Raises:
        UserError: it is damaged.
        TemporaryError: the bucket does not answer.
    """
    return _newest(mirror, models)[1]


def replace_alias(mirror: Mirror, models: Path, renewed: Callable[[str], str | None]) -> str | None:
    """Have another text in the bucket, made from the newest one.

    Args:
        renewed: the text after the one that it is given; None: that one is to stay. Called again where another
            process was faster.

    Returns:
        What `renewed` made.

    Raises:
        UserError: the text there is damaged.
        TemporaryError: the bucket does not answer; whether it has taken the text is not known then.
    """
    for _ in range(_AGAIN):
        number, before = _newest(mirror, models)
        text = renewed(before)
        if text is None:
            return None
        try:
            mirror.bucket.create(f"{_folder(models)}/{number + 1:08d}.json", sealed(text))
        except TakenError:
            continue
        _drop_old(mirror, models, number + 1)
        return text
    raise TemporaryError(f"{mirror.address}/{_folder(models)}: other servers move the alias all the time; try again")


def _newest(mirror: Mirror, models: Path) -> tuple[int, str]:
    number = max((number_of(entry.key) for entry in mirror.bucket.find(_folder(models))), default=0)
    if not number:
        return 0, ""
    return number, read_sealed(mirror.bucket, f"{_folder(models)}/{number:08d}.json")


def _drop_old(mirror: Mirror, models: Path, newest: int) -> None:
    """What stays behind costs little, and goes with a later move."""
    try:
        found = mirror.bucket.find(_folder(models))
        mirror.bucket.delete(entry.key for entry in found if 0 < number_of(entry.key) <= newest - _KEPT)
    except UserError as error:
        log.debug("%s", error)


def _folder(models: Path) -> str:
    return f"serving/{models.name}"
