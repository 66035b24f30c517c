"""Runs in a bucket, and the parts that nothing refers to any more."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tradewind.retention.disk import entries_of, runs_of
from tradewind.retention.plan import KnownRun
from tradewind.store.bucket import Bucket, Entry, each
from tradewind.store.checked import manifest_at, read_sealed
from tradewind.store.manifest import Manifest, read_manifest
from tradewind.store.mirror import Mirror
from tradewind.store.removal import remove_units
from tradewind.store.upload import number_of

_PART = re.compile(r"blobs/[0-9a-f]{2}/[0-9a-f]{64}")
_LEAST_DEPTH = 3  # slashes: manifests/runs/DAG/RUN/...
GRACE = timedelta(hours=24)
"""How long parts stay after the last manifest that named them; an upload may rely on one for half of that."""


def shared_runs(mirror: Mirror) -> list[KnownRun]:
    """Every run in the bucket, as it is known here after a refresh."""
    written: dict[tuple[str, str], datetime] = {}
    for entry in _manifests(mirror.bucket, "manifests/runs"):
        _, _, dag_id, name, *_ = entry.key.split("/")
        if not name.startswith("."):
            place = dag_id, name
            written[place] = max(written.get(place, _time(entry)), _time(entry))
    return [
        replace(run, written_at=written[run.dag_id, run.name])
        for run in runs_of(mirror.root)
        if (run.dag_id, run.name) in written  # the rest is being made here
    ]


def shared_bytes(mirror: Mirror, runs: Sequence[KnownRun]) -> list[int]:
    """What the removal of each run frees a day later, the runs before it being gone."""
    names: dict[str, int] = {}
    held: dict[str, list[Manifest]] = {}
    for unit, _ in mirror.records.units():
        known = mirror.records.get(unit)
        if known is not None:
            held.setdefault("/".join(unit.split("/")[:3]), []).append(known.manifest)
            for sha256 in _parts(known.manifest):
                names[sha256] = names.get(sha256, 0) + 1
    freed = []
    for run in runs:
        size = 0
        for manifest in held.get(f"runs/{run.dag_id}/{run.name}", ()):
            for sha256, number in _parts(manifest).items():
                names[sha256] -= 1
                size += number if names[sha256] == 0 else 0
        freed.append(size)
    return freed


def remove_shared(mirror: Mirror, run: KnownRun) -> None:
    """Take a run out of the bucket, the index's entries first."""
    folder = f"runs/{run.dag_id}/{run.name}"
    entries = [path.relative_to(mirror.root).as_posix() for path in entries_of(mirror.root, run)]
    keys = mirror.bucket.find(f"manifests/{folder}")
    units = {entry.key.removeprefix("manifests/").rpartition("/")[0] for entry in keys}
    remove_units(mirror.bucket, [*entries, *sorted(units)])
    for unit in [*entries, *units]:
        mirror.records.drop(unit)


def sweep(bucket: Bucket, *, dry_run: bool) -> int:
    """Remove the parts that no manifest has named for `GRACE`; returns their bytes.

    The order makes it safe beside uploads: parts are listed, then manifests read, then those that were removed; and
    a part that was sent anew meanwhile stays.
    """
    now = datetime.now(UTC)
    old = [entry for entry in bucket.find("blobs") if _PART.fullmatch(entry.key) and now - _time(entry) >= GRACE]
    if not old:
        return 0
    needed: set[str] = set()
    for manifest in each(lambda entry: _manifest(bucket, entry), _manifests(bucket, "manifests")):
        needed |= set(_parts(manifest)) if manifest else set()
    removed = [entry for entry in bucket.find("removed") if entry.key.endswith(".json")]
    late = [entry for entry in removed if now - _time(entry) >= GRACE]
    for manifest in each(lambda entry: _removed(bucket, entry), set(removed) - set(late)):
        needed |= set(_parts(manifest)) if manifest else set()
    useless = [entry for entry in old if entry.key.rpartition("/")[2] not in needed]
    if not dry_run:
        gone = each(lambda entry: _delete(bucket, entry), useless)
        useless = [entry for entry, is_gone in zip(useless, gone, strict=True) if is_gone]
        bucket.delete(entry.key for entry in late)
    return sum(entry.bytes for entry in useless)


def _delete(bucket: Bucket, part: Entry) -> bool:
    """Remove a part, unless an upload has sent it again since it was listed: its manifest may come any moment."""
    there = bucket.head(part.key)
    if there is not None and _time(there) > _time(part):
        return False
    bucket.delete([part.key])
    return True


def _manifests(bucket: Bucket, prefix: str) -> list[Entry]:
    """Other things that somebody put there are none of ours."""
    return [entry for entry in bucket.find(prefix) if number_of(entry.key) and entry.key.count("/") > _LEAST_DEPTH]


def _manifest(bucket: Bucket, entry: Entry) -> Manifest | None:
    """UserError where one is damaged: nothing is removed then, since nobody knows what it names."""
    try:
        return manifest_at(bucket, entry.key, entry.key.removeprefix("manifests/").rpartition("/")[0])
    except FileNotFoundError:  # it was removed in this moment, and is among those read next
        return None


def _removed(bucket: Bucket, entry: Entry) -> Manifest | None:
    try:
        return read_manifest(read_sealed(bucket, entry.key), f"{bucket.address}/{entry.key}")
    except FileNotFoundError:
        return None


def _parts(manifest: Manifest) -> dict[str, int]:
    return {part.sha256: part.bytes for file in manifest.files for part in file.parts}


def _time(entry: Entry) -> datetime:
    """A server that tells no time has nothing removed."""
    found = entry.modified or datetime.now(UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
