"""Reading what has a hash: what comes short or changed is asked for again, and never handed on."""

from __future__ import annotations

import hashlib
import logging
import time

from tradewind.errors import TemporaryError, UserError
from tradewind.store.bucket import Bucket
from tradewind.store.manifest import Manifest, Part, read_manifest, unsealed

log = logging.getLogger("tradewind")
_TRIES = 4
_PAUSE = 0.2


def read_part(bucket: Bucket, part: Part, of: str) -> bytes:
    """The bytes of a part.

    Args:
        of: the file that it belongs to, for a fault's line.

    Raises:
        TemporaryError: it comes short every time.
        UserError: it is not there, or another than was published.
    """
    told: UserError | None = None
    for number in range(_TRIES):
        if number:
            log.warning("%s; asked again", told)
            time.sleep(_PAUSE * 2**number)
        try:
            data = bucket.read(part.key)
        except FileNotFoundError as error:
            raise UserError(
                f"{bucket.address}/{part.key}: is gone, a part of {of}; make the stage again, or restore the object"
            ) from error
        if len(data) < part.bytes:
            told = TemporaryError(f"{bucket.address}/{part.key}: {len(data)} of {part.bytes} bytes came, of {of}")
        elif hashlib.sha256(data).hexdigest() != part.sha256:
            told = UserError(
                f"{bucket.address}/{part.key}: the checksum does not match, so {of} is not used; "
                "remove the object, and make the stage again"
            )
        else:
            return data
    raise told or TemporaryError(f"{bucket.address}/{part.key}: was not read")


def read_sealed(bucket: Bucket, key: str) -> str:
    """A document that was written with its hash; FileNotFoundError where there is none.

    Raises:
        UserError: it is cut or changed in the bucket.
    """
    for number in range(_TRIES):
        if number:
            time.sleep(_PAUSE * 2**number)
        try:
            return unsealed(bucket.read(key))
        except ValueError:
            continue
    raise UserError(f"{bucket.address}/{key}: the checksum does not match; remove the object, and publish again")


def manifest_at(bucket: Bucket, key: str, unit: str) -> Manifest:
    """The manifest under `key`; FileNotFoundError where there is none.

    Raises:
        UserError: it is damaged, or another unit's.
    """
    found = read_manifest(read_sealed(bucket, key), f"{bucket.address}/{key}")
    if found.unit != unit:
        raise UserError(f"{bucket.address}/{key}: is a manifest of {found.unit}; remove it")
    return found
