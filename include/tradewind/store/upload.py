"""Files into a bucket: part by part, so that an upload that was cut off goes on with those that are missing."""

from __future__ import annotations

import base64
import hashlib
import logging
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tradewind.errors import UserError
from tradewind.store.bucket import AT_ONCE, Bucket, TakenError, each
from tradewind.store.checked import manifest_at
from tradewind.store.manifest import RECORD, RESULT, Manifest, Part, StoredFile, sealed
from tradewind.store.record import Known
from tradewind.store.removal import remove_manifests

log = logging.getLogger("tradewind")
PART_BYTES = 32 * 2**20
INLINE_BYTES = 64 * 2**10
"""A file up to this size stands in the manifest itself: results are looked at far more often than models."""
YOUNG = timedelta(hours=12)
"""A part this young may be relied on though no manifest names it yet; retention leaves it for twice as long."""


@dataclass
class Upload:
    """One unit on its way."""

    bucket: Bucket
    unit: str
    trusted: Collection[str] = ()
    """Hashes of parts that a manifest names which is there now."""
    sent: int = field(default=0, init=False)
    """Bytes that had to be sent."""

    def publish(
        self, files: Mapping[str, Path], *, is_folder: bool, known: Mapping[str, StoredFile] | None = None,
        first: bool = False, mark: Path | None = None,
    ) -> Known:  # fmt: skip
        """Send what is missing, then the manifest.

        Args:
            files: by their path in the unit.
            known: files that are not here but in the bucket.
            first: there must be no manifest of the unit yet.
            mark: of a task's folder the file beside it.

        Raises:
            TakenError: another has published the unit in this moment, or before if `first`.
            UserError: the bucket refuses, or a file changed meanwhile.
            TemporaryError: it does not answer.
        """
        before = [entry.key for entry in self.bucket.find(f"manifests/{self.unit}")]
        number = max(map(number_of, before), default=0)
        if first and number:
            raise TakenError(self.unit)
        whole = () if mark else (RESULT, RECORD)  # what is asked for first; in a task's folder they may be anything
        stored = [self._stored(name, path, inline=name in whole) for name, path in sorted(files.items())]
        manifest = Manifest(
            unit=self.unit,
            is_folder=is_folder,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            id=uuid.uuid4().hex,
            files=tuple(sorted([*stored, *(known or {}).values()], key=lambda file: file.path)),
            mark=None if mark is None else self._stored(mark.name, mark, inline=True),
        )
        data = sealed(manifest.model_dump_json())
        key = manifest_key(self.unit, number + 1)
        self.bucket.create(key, data)
        entry = self.bucket.head(key)
        if is_folder:
            remove_manifests(self.bucket, before)
        else:
            self.bucket.delete(before)  # a small file has no parts
        if self.sent:
            log.info("%s: %s bytes sent to %s", self.unit, f"{self.sent:,}", self.bucket.address)
        return Known(number=number + 1, tag=entry.tag if entry else "", manifest=manifest)

    def _stored(self, name: str, path: Path, *, inline: bool) -> StoredFile:
        before = path.stat()
        digest, parts, size, content = hashlib.sha256(), [], 0, None
        if before.st_size <= INLINE_BYTES or inline:
            data = path.read_bytes()
            digest.update(data)
            size, content = len(data), base64.b64encode(data).decode()
        else:
            for block in _blocks(path):
                for data in block:
                    digest.update(data)
                    size += len(data)
                parts += each(self._send, block)
        after = path.stat()
        if (size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise UserError(f"{path}: changed while it was sent to {self.bucket.address}; clear the task")
        return StoredFile(
            path=name, sha256=digest.hexdigest(), bytes=size, mtime_ns=before.st_mtime_ns, inline=content,
            parts=tuple(parts), executable=bool(before.st_mode & 0o100),
        )  # fmt: skip

    def _send(self, data: bytes) -> Part:
        part = Part(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
        if part.sha256 in self.trusted or self._is_young(part):
            return part
        self.bucket.put(part.key, data)
        self.sent += len(data)
        return part

    def _is_young(self, part: Part) -> bool:
        """An earlier try's, which was cut off; one that is older may be about to be removed, and is sent again."""
        there = self.bucket.head(part.key)
        if there is None or there.bytes != part.bytes or there.modified is None:
            return False
        modified = there.modified if there.modified.tzinfo else there.modified.replace(tzinfo=UTC)
        return datetime.now(UTC) - modified < YOUNG


def manifest_key(unit: str, number: int) -> str:
    """The key of a unit's manifest."""
    return f"manifests/{unit}/{number:08d}.json"


def newest_number(bucket: Bucket, unit: str) -> int:
    """The number of the unit's newest manifest; 0 where there is none."""
    return max((number_of(entry.key) for entry in bucket.find(f"manifests/{unit}")), default=0)


def number_of(key: str) -> int:
    """The number in a key such as `.../00000007.json`; 0 where there is none."""
    name = key.rpartition("/")[2].removesuffix(".json")
    return int(name) if name.isdecimal() else 0


def live_parts(bucket: Bucket, unit: str) -> set[str]:
    """The hashes of the parts of a unit that is published at this moment."""
    number = newest_number(bucket, unit)
    if not number:
        return set()
    try:
        manifest = manifest_at(bucket, manifest_key(unit, number), unit)
    except (FileNotFoundError, UserError):
        return set()
    return {part.sha256 for file in manifest.files for part in file.parts}


def _blocks(path: Path) -> Iterator[list[bytes]]:
    """A file's parts, as many in the memory as are sent at once."""
    at_once = max(1, AT_ONCE // 2)
    with path.open("rb") as file:
        while block := [data for _ in range(at_once) if (data := file.read(PART_BYTES))]:
            yield block
