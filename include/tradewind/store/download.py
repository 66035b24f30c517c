"""A file out of a bucket: whole and with its hash, or not at all."""

from __future__ import annotations

import hashlib
import os
import uuid
from pathlib import Path

from tradewind.errors import UserError
from tradewind.store.bucket import AT_ONCE, Bucket, each
from tradewind.store.checked import read_part
from tradewind.store.manifest import StoredFile


def fetch(bucket: Bucket, file: StoredFile, target: Path) -> None:
    """Put the file at `target` by one rename.

    Raises:
        UserError: a part is gone or changed.
        TemporaryError: it does not come.
        OSError: the disk is full; nothing is left of what was begun.
    """
    beside = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    at_once = max(1, AT_ONCE // 2)
    try:
        with beside.open("xb") as out:
            digest = hashlib.sha256()
            for start in range(0, len(file.parts), at_once):
                for data in each(lambda part: read_part(bucket, part, file.path), file.parts[start : start + at_once]):
                    out.write(data)
                    digest.update(data)
            out.flush()
            os.fsync(out.fileno())
        _check(bucket, file, target, digest.hexdigest())
        _finish(beside, file)
        beside.replace(target)
    except OSError as error:
        beside.unlink(missing_ok=True)
        if error.filename is None:
            error.filename = str(target)
        raise
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _check(bucket: Bucket, file: StoredFile, target: Path, sha256: str) -> None:
    if sha256 != file.sha256:
        raise UserError(
            f"{target}: the parts in {bucket.address} do not make the file that was published; make the stage again"
        )


def _finish(path: Path, file: StoredFile) -> None:
    if file.executable:  # whoever may read it may start it, as where it was made
        mode = path.stat().st_mode
        path.chmod(mode | (mode & 0o444) >> 2)
    os.utime(path, ns=(file.mtime_ns, file.mtime_ns))


def write_inline(file: StoredFile, target: Path) -> None:
    """Put a small file, which came with the manifest, at `target`; ValueError where it is damaged."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        beside.write_bytes(file.content())
        _finish(beside, file)
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
