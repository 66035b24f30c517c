"""Manifests out of a bucket: at once, while their parts go a day after nothing refers to them any more."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import suppress

from tradewind.store.bucket import Bucket


def remove_units(bucket: Bucket, units: Iterable[str]) -> None:
    """Take units away."""
    for unit in units:
        remove_manifests(bucket, (entry.key for entry in bucket.find(f"manifests/{unit}")))


def remove_manifests(bucket: Bucket, keys: Iterable[str]) -> None:
    """Take manifests away, and keep copies that say, by their time, since when their parts are not needed.

    A worker may have begun to rely on the same parts, seeing the manifest a moment before: a day is longer than any
    upload, so what it publishes is found before the parts would go.
    """
    for key in keys:
        kept = f"removed/{key.removeprefix('manifests/').removesuffix('.json')}-{uuid.uuid4().hex}.json"
        with suppress(FileNotFoundError):  # another process has done so
            bucket.put(kept, bucket.read(key))
            bucket.delete([key])
