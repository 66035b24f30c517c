"""A folder that somebody names, on a disk or in a bucket."""

from __future__ import annotations

import re
from pathlib import Path

from tradewind.errors import UserError
from tradewind.files import path_of
from tradewind.registry.store import Registry
from tradewind.store.address import checked_address, home_of, is_address
from tradewind.store.mirror import mirror_of

_PLACE = re.compile(r"(.+)/((runs)/[^/]+(?:/[^/]+)?|models/[^/]+)")


def place_of(stated: str) -> Path:
    """The folder of a run or of a pipeline's models, here and up to date.

    Raises:
        UserError: the address names neither, or the bucket refuses.
        TemporaryError: it does not answer.
    """
    if not is_address(stated):
        return path_of(stated)
    found = _PLACE.fullmatch(checked_address(stated))
    if found is None:
        raise UserError(
            f"{stated}: names no run and no models; write s3://bucket/home/runs/DAG_ID/RUN or .../models/DAG_ID"
        )
    home, below, runs = found.groups()
    folder = home_of(home)
    mirror = mirror_of(folder)
    if mirror is not None and runs:
        mirror.refresh(below)
    elif mirror is not None:
        Registry(folder / below).refresh(wait=True)
    return folder / below
