"""The few things that are asked of a bucket, and its faults in one line each.

Retries with growing pauses, of 503 and "slow down" as of connections that break, are the library's own.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

from tradewind.errors import TemporaryError, UserError
from tradewind.store.address import checked_address

AT_ONCE = 8
"""Requests beside each other: most are small, and wait for the server."""
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
_OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {
        "use_listings_cache": False,
        "config_kwargs": {"connect_timeout": 10, "read_timeout": 30},
    },
    "gcs": {"use_listings_cache": False},
}  # fmt: skip
_Answer = TypeVar("_Answer")


class TakenError(Exception):
    """Another process has created the object first."""


@dataclass(frozen=True)
class Entry:
    """An object as a listing tells it."""

    key: str
    """Below the home."""
    bytes: int
    modified: datetime | None
    """None where the server does not tell."""
    tag: str
    """Differs where the content does."""


class Bucket:
    """A home's objects, by their keys below it."""

    def __init__(self, address: str) -> None:
        """Make the client; no server is asked yet.

        Raises:
            UserError: there is no library for such an address.
        """
        self.address = checked_address(address)
        scheme = self.address.partition("://")[0]
        extra = _EXTRAS.get(scheme)
        if extra == "gcs":  # else it asks by gRPC what kind of bucket that is, which needs a right of its own
            os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        try:
            import fsspec

            self._fs, self._root = fsspec.core.url_to_fs(
                self.address, skip_instance_cache=scheme != "memory", **_OPTIONS.get(extra or "", {})
            )
        except ImportError as error:
            how = f"install tradewind[{extra}]" if extra else "its library is not installed"
            raise UserError(f"{self.address}: {how} ({error})") from error
        except ValueError as error:
            raise UserError(f"{self.address}: {error}; write it as s3://bucket/prefix") from error

        if scheme in ("s3", "s3a"):
            # Each of its tries is several of the library below it, see AWS_MAX_ATTEMPTS: together some 20 seconds.
            self._fs.retries = 3

    def read(self, key: str) -> bytes:
        """An object's bytes; FileNotFoundError where there is none."""
        return bytes(self._asked(key, lambda: self._fs.cat_file(self._path(key))))

    def put(self, key: str, data: bytes) -> None:
        """Write an object, over what was there."""
        try:
            self._asked(key, lambda: self._fs.pipe_file(self._path(key), data))
        except FileNotFoundError as error:
            raise self._no_bucket() from error

    def create(self, key: str, data: bytes) -> None:
        """Write an object that nobody else has written.

        Raises:
            TakenError: somebody has.
        """
        try:
            self._asked(key, lambda: self._fs.pipe_file(self._path(key), data, mode="create"))
        except FileNotFoundError as error:
            raise self._no_bucket() from error
        except (FileExistsError, UserError) as error:
            # Also where our own first request came through and its answer did not: a repeated one is refused.
            try:
                there = self.read(key)
            except FileNotFoundError:
                raise _as_user_error(self.address, key, error) from error
            if there != data:
                raise TakenError(key) from error

    def find(self, prefix: str) -> list[Entry]:
        """All objects whose keys begin with `prefix/`, in order; none where there are none."""
        path = self._path(prefix)
        found = self._asked(prefix, lambda: self._found(path))
        start = len(self._root) + 1
        # A name that ends with a slash is a placeholder: consoles and other programs make such folders.
        objects = ((name[start:], info) for name, info in found.items() if not name.endswith("/"))
        return sorted((_entry(key, info) for key, info in objects), key=lambda entry: entry.key)

    def head(self, key: str) -> Entry | None:
        """What is told of an object; None where there is none."""
        try:
            return _entry(key, self._asked(key, lambda: self._fs.info(self._path(key))))
        except FileNotFoundError:
            return None

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; one that is gone already is no fault."""
        each(self._delete_one, keys)

    def check(self) -> None:
        """Ask for the bucket itself.

        Raises:
            UserError: it is not there, or may not be read.
            TemporaryError: it does not answer.
        """
        name = self._root.partition("/")[0]
        if self.address.startswith(("memory:", "file:")):
            return
        try:
            self._asked("", lambda: self._fs.ls(name, refresh=True))
        except FileNotFoundError as error:
            raise self._no_bucket() from error

    def _no_bucket(self) -> UserError:
        name = self._root.partition("/")[0]
        return UserError(f"{self.address}: there is no bucket '{name}'; create it, or correct the address")

    def _delete_one(self, key: str) -> None:
        with suppress(FileNotFoundError):
            self._asked(key, lambda: self._fs.rm_file(self._path(key)))

    def _found(self, path: str) -> dict[str, dict[str, Any]]:
        try:
            return dict(self._fs.find(path, detail=True))
        except FileNotFoundError:
            return {}

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

    def _asked(self, key: str, ask: Callable[[], _Answer]) -> _Answer:
        try:
            return ask()
        except (FileNotFoundError, FileExistsError, UserError):
            raise
        except Exception as error:
            raise _as_user_error(self.address, key, error) from error


def each(do: Callable[[Any], _Answer], items: Iterable[Any]) -> list[_Answer]:
    """Do it for each, several at a time; the first fault ends it, once those under way have ended."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        doing = [pool.submit(do, item) for item in items]
        try:
            return [one.result() for one in doing]
        finally:
            for one in doing:
                one.cancel()


def bucket_at(address: str) -> Bucket:
    """The bucket, its client made once in a process."""
    return _made(address, os.getpid())


@cache
def _made(address: str, process: int) -> Bucket:
    del process  # a forked child has none of the threads that the client works with
    return Bucket(address)


def _entry(key: str, info: dict[str, Any]) -> Entry:
    modified = next((info[name] for name in ("LastModified", "mtime", "updated", "created") if info.get(name)), None)
    if isinstance(modified, str):
        with suppress(ValueError):
            modified = datetime.fromisoformat(modified)
    if isinstance(modified, (int, float)):
        modified = datetime.fromtimestamp(modified, UTC)
    tag = next((str(info[name]) for name in ("ETag", "etag", "generation") if info.get(name)), str(modified))
    return Entry(key, int(info.get("size") or 0), modified if isinstance(modified, datetime) else None, tag.strip('"'))


def _is_refusal(error: BaseException) -> bool:
    """Whether the server, or the library before it, wants other credentials; each library has its own words."""
    name = type(error).__name__
    if isinstance(error, PermissionError) or "Credential" in name or name == "RefreshError":
        return True
    of_google = isinstance(error, OSError) and str(error).startswith("Forbidden: ")
    return of_google or str(getattr(error, "code", "")) in ("401", "403")


def _as_user_error(address: str, key: str, error: Exception) -> UserError:
    """What can be mended is the user's; all else may pass."""
    if isinstance(error, UserError):
        return error
    place = f"{address}/{key}" if key else address
    said = (str(error).splitlines() or [type(error).__name__])[0][:300]
    cause: BaseException | None = error
    while cause is not None:
        if _is_refusal(cause):
            return UserError(f"{place}: refused: {said}; check the credentials, see docs/storage.md")
        cause = cause.__cause__
    if type(error) is ValueError or type(error).__name__ == "ParamValidationError":
        said = " ".join(str(error).split())[:300].rstrip(".")
        return UserError(f"{place}: {said}; check the address, and AWS_ENDPOINT_URL if it is set")
    if isinstance(error, OSError) and error.errno == errno.EINVAL:
        return UserError(f"{place}: refused: {said}; check the address and the region, see docs/storage.md")
    return TemporaryError(f"{place}: {type(error).__name__}: {said}; nothing is lost: try again")
