"""A home in a bucket: it is there, may be used, and refuses what two workers must not do."""

from __future__ import annotations

import os
import uuid

from tradewind.doctor.check import Finding, failure, not_needed, ok
from tradewind.doctor.subject import Subject
from tradewind.store.address import is_address
from tradewind.store.bucket import Bucket, TakenError

LIMIT = 90.0
"""Seconds: the library tries each request several times."""


def look_at_bucket(_: Subject) -> Finding:
    """Make an object, fail to make it again, read and remove it; nothing is left."""
    stated = os.environ.get("TRADEWIND_HOME", "")
    if not is_address(stated):
        return not_needed("TRADEWIND_HOME is a folder")
    bucket = Bucket(stated)
    bucket.check()
    key = f"doctor/{uuid.uuid4().hex}"
    bucket.create(key, b"first")
    try:
        bucket.create(key, b"second")
    except TakenError:
        return ok(f"{bucket.address}: lists, creates, reads and removes objects, and creates none twice")
    finally:
        bucket.delete([key])
    return failure(
        f"{bucket.address}: lets an object be created twice, so two workers may overwrite each other",
        "take a server that knows If-None-Match: docs/storage.md",
    )
